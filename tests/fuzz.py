"""Feed damaged files to the readers: only a VqbenchError or a right reading may come of them.

    python tests/fuzz.py --mutations 100000 --format .parquet --seed 1

Each file is read in a forked child, so that a crash in a library is seen and not suffered. A problem is a crash,
another exception, a word on the screen, more than a second of processor time or 200 MB of memory, or numbers that
are not those that a plain reading finds in the file. Problems are kept in ``--keep`` as files.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import random
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

import h5py
import numpy as np
import pyarrow.parquet as pq
from mutations import ROWS, cuts, good_files, mutated

from vqbench.datasets.base import Source
from vqbench.datasets.file import File
from vqbench.errors import VqbenchError
from vqbench.prepare import prepare

_SECONDS = 1.0  # of processor time
_PATIENCE = 60.0  # seconds until a child counts as hanging, on a busy machine too
_MEMORY = 200e6  # bytes
_CHILD = 500  # files that one child reads
_SMALL = 4096  # bytes of a file that is cut at every byte


Judge = Callable[[Path], str]


@dataclass
class Outcome:
    """How many files were refused and read, and what went wrong, with the file that did it."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, result: str, content: bytes) -> None:
        self.counts[result.split(":")[0]] += 1
        if not result.startswith(("refused", "read")):
            self.problems.append((result, content))


def damaged(ending: str, count: int, seed: int) -> Iterator[bytes]:
    """``count`` damaged files of a format, the same for the same seed."""
    rng, files = random.Random(f"{ending} {seed}"), list(good_files()[ending].values())
    return (mutated(rng, files) for _ in range(count))


def all_cuts(ending: str) -> Iterator[bytes]:
    """Every beginning of every small good file of a format."""
    return (part for content in good_files()[ending].values() if len(content) <= _SMALL for part in cuts(content))


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
    before, began, found_nd = _memory("VmRSS", reset=True), time.process_time(), None
    try:
        source = _source(path)
        data = prepare(source, "x", queries=None, n_queries=None, normalize=True)
        rows_nd = data.corpus.block(0, data.corpus.n)
        if not (np.isfinite(rows_nd).all() and np.isfinite(data.queries_qd).all()):
            return "wrong: a number is not finite"
        result, found_nd = "read", source.corpus_nd
    except VqbenchError as error:
        result = f"refused: {error}"
        if "\n" in str(error) or str(path.parent) not in str(error) or not str(error).isprintable():
            return f"wrong: message {error!r}"
        if len(str(error)) > 1500:
            return f"wrong: a message of {len(str(error))} characters"
    except Exception:
        return f"exception: {traceback.format_exc(limit=-3)}"
    spent, grown = time.process_time() - began, _memory("VmHWM") - before
    if spent > _SECONDS or grown > _MEMORY:
        return f"greedy: {spent:.1f} s, {grown / 1e6:.0f} MB ({result})"
    return result if found_nd is None else _compared(path, np.asarray(found_nd[:]))


def _source(path: Path) -> Source:
    """The vectors in the file; for a file that comes beside vectors, those that go with it."""
    if path.suffix not in (".ids", ".qrels"):
        return File(path=str(path)).load()
    np.save(path.with_suffix(".npy"), ROWS)
    return File(path=str(path.with_suffix(".npy")), **{path.suffix[1:]: str(path)}).load()


def _memory(name: str, *, reset: bool = False) -> float:
    """Bytes of memory now (VmRSS) or at most since the last reset (VmHWM)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * float(next(line for line in lines if line.startswith(name)).split()[1])


def _compared(path: Path, found_nd: np.ndarray) -> str:
    """What was read, against the plainest reading of the same file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = _csv_readings(path.read_text("utf-8-sig")) if path.suffix == ".csv" else [_plainly(path)]
            if any(found_nd.shape == x_nd.shape and np.array_equal(found_nd, x_nd) for x_nd in wanted):
                return "read"
    except Exception:
        return f"misread: a plain reading fails: {traceback.format_exc(limit=-1)}"
    return f"misread: a plain reading gives other numbers than {found_nd.shape}"


def _plainly(path: Path) -> np.ndarray:
    content, ending = path.read_bytes(), path.suffix
    if ending in (".ids", ".qrels"):
        return ROWS
    if ending == ".npy":
        return np.load(path)
    if ending == ".npz":
        with np.load(path) as archive:
            return archive[archive.files[0]]
    if ending in (".fvecs", ".bvecs"):
        d, kind = int.from_bytes(content[:4], "little"), {".fvecs": "<f4", ".bvecs": "u1"}[ending]
        rows = np.frombuffer(content, np.dtype([("d", "<i4"), ("x", kind, (d,))]))
        if not (rows["d"] == d).all():
            raise ValueError("widths differ")
        return rows["x"]
    if ending in (".fbin", ".u8bin", ".i8bin"):
        n, d = np.frombuffer(content, "<u4", 2).tolist()
        return np.frombuffer(content, {".fbin": "<f4", ".u8bin": "u1", ".i8bin": "i1"}[ending], offset=8).reshape(n, d)
    if ending == ".json":
        return np.array(list(json.loads(content.decode()).values()), dtype=float)
    if ending == ".parquet":
        names = [field.name for field in pq.read_schema(path) if "list<" in str(field.type)]
        return np.array(pq.read_table(path, columns=names)[names[0]].to_pylist())
    with h5py.File(path, "r") as file:
        return file["train" if "train" in file else next(iter(file))][:]  # the only one may have lost its name


def _csv_readings(text: str) -> Iterator[np.ndarray]:
    """With and without a first line of names, with and without a first column of ids."""
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    for lines in (rows, rows[1:]):
        for first in (0, 1):
            with contextlib.suppress(ValueError):
                yield np.array([row[first:] for row in lines], dtype=float)


def main() -> None:
    endings = sorted(good_files())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=1000, help="damaged files of each format")
    parser.add_argument("--format", choices=endings, help="one format instead of all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cuts", action="store_true", help="cut every small file at every byte, too")
    parser.add_argument("--keep", type=Path, help="folder for the files that made problems")
    given = parser.parse_args()
    status = 0
    for ending in [given.format] if given.format else endings:
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
