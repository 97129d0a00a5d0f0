"""The child process of ``vqbench.storage.limited``: does what it is asked, within limits of memory and time.

Limits follow from the size of what is read, and grow once its shape is known (``Job.declare``). Linux holds the limit
of memory, Linux and macOS that of processor time; elsewhere the parent's clock alone ends what does not end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from vqbench.errors import VqbenchError

try:
    import resource
except ImportError:  # Windows
    resource = None

_MEMORY, _MEMORY_PER_BYTE, _MEMORY_DECLARED = 128 << 20, 4, 2  # bytes, for each byte of the file, and of its rows
_SECONDS, _SECONDS_PER_BYTE, _SECONDS_DECLARED = 0.7, 3e-6, 5e-8  # of processor time, likewise
_STATM = Path("/proc/self/statm")
_DATA = 5  # field of private memory in _STATM, in pages, as RLIMIT_DATA counts it


class Job:
    """One piece of work within its limits.

    Args:
        scratch: the file that it adds to.
        size: bytes of what it reads.
    """

    def __init__(self, scratch: Path, size: int):
        self.size = size
        self.declared = 0
        self._path = scratch

    def __enter__(self) -> Job:
        self.scratch = self._path.open("r+b")  # where it is gone, none is made
        self.scratch.seek(0, os.SEEK_END)
        self._memory = _private_memory() + _MEMORY + _MEMORY_PER_BYTE * self.size
        self._limit_memory(self._memory)
        self._limit_time(_SECONDS + _SECONDS_PER_BYTE * self.size)
        return self

    def declare(self, rows: int) -> None:
        """Raise the limits for ``rows`` bytes of rows to come, which the caller has found to be plausible."""
        self.declared += rows
        self._memory += _MEMORY_DECLARED * rows
        self._limit_memory(self._memory)
        if hasattr(signal, "setitimer"):
            self._limit_time(signal.getitimer(signal.ITIMER_PROF)[0] + _SECONDS_DECLARED * rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limit_time(0)
        self._limit_memory(None)
        self.scratch.close()

    @staticmethod
    def _limit_time(seconds: float) -> None:
        """The system ends the process after so many of processor time; 0: not at all."""
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, seconds)

    @staticmethod
    def _limit_memory(most: int | None) -> None:
        if resource and _STATM.exists():
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            resource.setrlimit(resource.RLIMIT_DATA, (hard if most is None else most, hard))


def _private_memory() -> int:
    """Bytes that count against RLIMIT_DATA; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        return int(_STATM.read_text().split()[_DATA]) * os.sysconf("SC_PAGESIZE")
    return 0


def serve() -> None:
    """Answer requests until there are no more. Words that a library prints go nowhere."""
    requests, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1):
        os.dup2(nothing, handle)
    for line in requests:
        answers.write(json.dumps(_answer(**json.loads(line))) + "\n")
        answers.flush()


def _answer(
    function: str, scratch: str, size: int, imports: list[str], here: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    for name in imports:
        with contextlib.suppress(ImportError):  # the function says what is missing
            import_module(name)
    module, _, name = function.partition(":")
    work = getattr(import_module(module), name)
    try:
        os.chdir(here)  # paths are as the user wrote them
        with Job(Path(scratch), size) as job:
            return {"result": work(job, **arguments)}
    except VqbenchError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"failed": "it takes far more memory to unpack than a file of its size should"}
    except Exception as error:  # a damaged file can make a library raise nearly anything
        return {"failed": next(iter(str(error).strip().splitlines()), "")[:200] or type(error).__name__}
    finally:
        os.chdir(os.sep)  # no folder is held
