"""Work on files that may come from anyone, done by a child process with limits of memory and time.

What a foreign library must parse (HDF5, Parquet, Arrow, zlib) is unpacked there into a scratch file of plain rows,
which this process then reads. A crash, a hang or greed of the library ends the child alone, and becomes a sentence.
The child is a new Python (never a fork, so it needs no ``__main__`` guard) that serves all files of this process, one
after the other: it reads a request as a line of JSON, and answers with one.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from vqbench.errors import VqbenchError
from vqbench.storage.scratch import Temporary

_PATIENCE = 60.0  # seconds that an answer may take, beside 100 for each MB
_PATIENCE_PER_BYTE = 1e-4
_START = "import sys; sys.path[:] = {path!r}; from vqbench.storage.limited_child import serve; serve()"
#: One thread and one heap: memory that is counted. No filter of HDF5 is loaded from elsewhere, and files are not
#: locked, which are only read: a scratch file is locked by this process.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "HDF5_PLUGIN_PRELOAD": "::",
    "HDF5_USE_FILE_LOCKING": "FALSE",
}


class Unreadable(ValueError):
    """Why the child could not do its work: what the library said, or how the child ended."""


def call(function: str, scratch: Temporary, size: int, imports: tuple[str, ...] = (), **arguments: Any) -> Any:
    """What ``function`` ("module:name") returns, called in the child as ``function(job, **arguments)``.

    Args:
        function: takes a ``limited_child.Job``; its other arguments and its result are plain JSON.
        scratch: the file that the work is added to; only its path is handed over.
        size: bytes of what is read, from which the limits follow.
        imports: modules that are loaded before the limits hold, where they are installed.

    Raises:
        VqbenchError: what the function raised as such.
        Unreadable: any other error, a crash, or a limit.
    """
    scratch.file.flush()
    request = {"function": function, "arguments": arguments, "imports": imports, "size": size}
    request |= {"scratch": str(scratch.path), "here": os.getcwd()}
    answer = worker().ask(request, _PATIENCE + _PATIENCE_PER_BYTE * size)
    if "refused" in answer:
        raise VqbenchError(answer["refused"])
    if "failed" in answer:
        raise Unreadable(answer["failed"])
    return answer["result"]


def worker() -> Worker:
    """The child of this process; a forked process takes one of its own."""
    return _worker(os.getpid())


@functools.cache
def _worker(process: int) -> Worker:
    made = Worker()
    atexit.register(made.close)
    return made


class Worker:
    """A child process, started when it is first asked, and again after it was ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._alone = threading.Lock()

    @property
    def pid(self) -> int:
        """Of the running child."""
        return self._running().pid

    def ask(self, request: dict[str, Any], patience: float) -> dict[str, Any]:
        """The child's answer. Raises Unreadable where it ends without one, or takes more seconds than ``patience``."""
        with self._alone:
            process = self._running()
            assert process.stdin
            assert process.stdout
            timer = threading.Timer(patience, process.kill)
            timer.start()
            try:
                process.stdin.write(json.dumps(request) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except BrokenPipeError:
                answer = ""
            except BaseException:  # an interrupt: the answer to come belongs to no later request
                self._end(process)
                raise
            finally:
                expired = timer.finished.is_set()
                timer.cancel()
            if answer.endswith("\n"):
                return json.loads(answer)
            raise Unreadable(f"no end after {patience:.0f} s" if expired else _ended(self._end(process)))

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START.format(path=sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env={**os.environ, **_ENVIRONMENT},
                start_new_session=True,  # an interrupt is for this process, which ends the child
            )
        return self._process

    @staticmethod
    def _end(process: subprocess.Popen[str]) -> int:
        """The status that the child ended with, or ends with now."""
        with contextlib.suppress(BrokenPipeError), process:  # closes the pipes
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                process.kill()
        return process.wait()

    def close(self) -> None:
        """Let the child end."""
        if self._process is not None and self._process.stdin:
            self._process.stdin.close()
            self._process.wait()


def _ended(status: int) -> str:
    if -status == getattr(signal, "SIGPROF", None):
        return "it takes far longer to unpack than a file of its size should"
    name = signal.Signals(-status).name if status < 0 else f"status {status}"
    return f"the process that unpacks it ended with {name}"
