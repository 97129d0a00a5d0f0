"""Feed damaged files to the readers: only a VqbenchError or a right reading may come of them.

    PYTHONPATH=tests/helpers python tests/robustness/fuzz.py --mutations 100000 --format .parquet --seed 1

Each file is read in a forked child, so that a crash in a library is seen and not suffered. A problem is a crash,
another exception, a word on the screen, more than a second of processor time or 200 MB of memory (together with the
process that unpacks foreign formats, whose start is left out), or numbers that are not those that a plain reading finds
in the file. Problems are kept in ``--keep`` as files.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from mutations import cuts, good_files, mutated
from plain_reading import compared, source_of

from vqbench.datasets.base import Source
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.storage import limited
from vqbench.text import shown

_SECONDS = 1.0  # of processor time
_PATIENCE = 60.0  # seconds until a child counts as hanging, on a busy machine too
_MEMORY = 200e6  # bytes
_CHILD = 500  # files that one child reads
_SMALL = 4096  # bytes of a file that is cut at every byte


#: Said of a file at which the process that unpacks ended, or met its limits.
_ENDED = ("the process that unpacks it ended", "far longer to unpack", "far more memory to unpack", "no end after")

Judge = Callable[[Path], str]


@dataclass
class Outcome:
    """How many files were refused and read, and what went wrong, with the file that did it."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, result: str, content: bytes) -> None:
        self.counts[result.split(":")[0]] += 1
        if any(words in result for words in _ENDED):
            self.counts["ended"] += 1
        if not result.startswith(("refused", "read")):
            self.problems.append((result, content))


def damaged(ending: str, count: int, seed: int) -> Iterator[bytes]:
    """``count`` damaged files of a format, the same for the same seed."""
    rng, files = random.Random(f"{ending} {seed}"), good_files()[ending]
    if ending != ".arrow":
        return (mutated(rng, list(files.values())) for _ in range(count))
    names = [name for name in files for _ in range(1 + 2 * name.endswith(".arrow"))]  # most that is read lies there
    drawn = (rng.choice(names) for _ in range(count))
    return (_of_folder(name, mutated(rng, [files[name]], list(files.values()))) for name in drawn)


def all_cuts(ending: str) -> Iterator[bytes]:
    """Every beginning of every small good file of a format; of folders, those of one."""
    for name, content in good_files()[ending].items():
        if len(content) <= _SMALL and not name.startswith(("fixed/", "large/")):
            yield from (_of_folder(name, part) if ending == ".arrow" else part for part in cuts(content))


def _of_folder(name: str, content: bytes) -> bytes:
    """A damaged file of a folder whose others are whole: ``plain_reading.folder_of`` makes it."""
    return name.encode() + b"\n" + content


def fuzz(ending: str, files: Iterable[bytes], judge: Judge | None = None, patience: float = _PATIENCE) -> Outcome:
    """Read each file in a child. judge: says of a file whether it was ``read`` or ``refused``, or what is wrong."""
    outcome, waiting = Outcome(), iter(files)
    while some := list(islice(waiting, _CHILD)):
        while some:
            some = some[_in_child(ending, some, outcome, judge or judged, patience) :]
    return outcome


def _in_child(ending: str, files: list[bytes], outcome: Outcome, judge: Judge, patience: float) -> int:
    """How many of the files a child got through; one that it did not survive counts too."""
    results, out = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(results)
        _read_all(ending, files, out, judge)  # never returns
    os.close(out)
    done, left = 0, b""
    while done < len(files):
        if not select.select([results], [], [], patience)[0]:
            os.kill(child, signal.SIGKILL)
            outcome.add("hang: no result", files[done])
            done += 1
            break
        if not (chunk := os.read(results, 1 << 16)):
            break
        *lines, left = (left + chunk).split(b"\n")
        for line in lines:
            outcome.add(line.decode(), files[done])
            done += 1
    os.close(results)
    status = os.waitpid(child, 0)[1]
    if done < len(files) and status and os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        outcome.add(f"crash: ended with {os.waitstatus_to_exitcode(status)}", files[done])
        done += 1
    return done


def _read_all(ending: str, files: list[bytes], out: int, judge: Judge) -> None:
    status = 1
    try:
        warnings.simplefilter("always")
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as screen:
            for number in (1, 2):
                os.dup2(screen.fileno(), number)
            for at, content in enumerate(files):
                path = Path(folder, f"x{at}{ending}")
                path.write_bytes(content)
                result = judge(path)
                sys.stdout.flush()
                sys.stderr.flush()
                if os.fstat(screen.fileno()).st_size:
                    screen.seek(0)
                    result = f"screen: {screen.read()[:200]!r}"
                    screen.seek(0)
                    screen.truncate()
                path.unlink()
                os.write(out, " ".join(result.split())[:2000].encode("utf-8", "replace") + b"\n")
        status = 0
    finally:
        os._exit(status)


def judged(path: Path) -> str:
    """``refused: message``, ``read``, or what is wrong."""
    found: list[Source] = []

    def read() -> str:
        source = source_of(path)
        data = prepare(source, "x", queries=None, n_queries=None, normalize=True)
        rows_nd = data.corpus.block(0, data.corpus.n)
        if not (np.isfinite(rows_nd).all() and np.isfinite(data.queries_qd).all()):
            return "wrong: a number is not finite"
        found.append(source)
        return "read"

    result = watched(path, read)
    return compared(path, found[0]) if result == "read" else result


def watched(path: Path, act: Callable[[], str], seconds: float = _SECONDS, *, named: bool = True) -> str:
    """What ``act`` returns, or ``refused: message``, or what is wrong with how it ended or with what it took.

    named: whether each message must name the place of the file.
    """
    spent = Spent()
    try:
        result = act()
    except VqbenchError as error:
        result = f"refused: {error}"
        elsewhere = named and str(path.parent) not in str(error)
        if "\n" in str(error) or elsewhere or shown(str(error)) != str(error):
            return f"wrong: message {error!r}"
        if len(str(error)) > 1500:
            return f"wrong: a message of {len(str(error))} characters"
    except Exception:
        return f"exception: {traceback.format_exc(limit=-9)}"
    if spent.seconds() > seconds or spent.bytes() > _MEMORY:
        return f"greedy: {spent.seconds():.1f} s, {spent.bytes() / 1e6:.0f} MB ({result})"
    return result


class Spent:
    """What this process and the one that unpacks for it take from now on; the latter is started before."""

    def __init__(self) -> None:
        worker = limited.worker()
        worker.ask(READY, 60)
        self._pids = ["self", str(worker.pid)]
        self._time = [_seconds(pid) for pid in self._pids]
        self._rss = [_memory(pid, "VmRSS", reset=True) for pid in self._pids]
        self._ended = _of_ended()

    def seconds(self) -> float:
        """Of processor time. Where the other process has ended, all that it took but its time until now."""
        now = [_seconds(pid) for pid in self._pids]
        return sum(b - a for a, b in zip(self._time, now, strict=True) if b >= a) + (
            _of_ended() - self._ended - self._time[1] if not now[1] else 0
        )

    def bytes(self) -> float:
        """Of memory at most; of a process that has ended, nothing is known but that its limits held."""
        return sum(
            max(0.0, _memory(pid, "VmHWM") - rss)
            for pid, rss in zip(self._pids, self._rss, strict=True)
            if _seconds(pid)
        )


#: Loads what any format needs.
READY = {
    "function": "builtins:bool", "arguments": {}, "size": 0, "scratch": os.devnull, "here": os.sep,
    "imports": ["faiss", "h5py", "pyarrow.parquet", "pyarrow.compute", "pyarrow.csv", "zipfile", *(
        f"vqbench.datasets.readers.{name}" for name in (
            "arrow_file", "arrow_folder", "csv_text", "faiss_index", "hdf5", "npz", "parquet", "safetensors", "sqlite",
            "word2vec_binary", "word_vectors"))],
}  # fmt: skip


def _seconds(pid: str) -> float:
    """Of processor time; 0 where the process has ended."""
    try:
        fields = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _of_ended() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(pid: str, name: str, *, reset: bool = False) -> float:
    """Bytes of memory now (VmRSS) or at most since the last reset (VmHWM)."""
    if reset:
        Path("/proc", pid, "clear_refs").write_text("5")
    lines = Path("/proc", pid, "status").read_text().splitlines()
    return 1024 * float(next((line for line in lines if line.startswith(name)), "x 0").split()[1])


def main() -> None:
    endings = sorted(good_files())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=1000, help="damaged files of each format")
    parser.add_argument("--format", choices=endings, nargs="+", default=endings, help="some formats instead of all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cuts", action="store_true", help="cut every small file at every byte, too")
    parser.add_argument("--keep", type=Path, help="folder for the files that made problems")
    given = parser.parse_args()
    status = 0
    for ending in given.format:
        began, outcome = time.monotonic(), fuzz(ending, damaged(ending, given.mutations, given.seed))
        if given.cuts:
            cut = fuzz(ending, all_cuts(ending))
            outcome.counts.update(cut.counts)
            outcome.problems += cut.problems
        print(f"{ending}: {dict(outcome.counts)}, {time.monotonic() - began:.0f} s", flush=True)
        for at, (problem, content) in enumerate(outcome.problems):
            status = 1
            print(f"  {at}: {problem[:600]}", flush=True)
            if given.keep:
                given.keep.mkdir(parents=True, exist_ok=True)
                (given.keep / f"seed{given.seed}-{at}{ending}").write_bytes(content)
    sys.exit(status)


if __name__ == "__main__":
    main()
