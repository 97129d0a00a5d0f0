"""Damaged files of every format: refused in a sentence, or read as what they hold. See ``tests/robustness/fuzz.py``."""

from __future__ import annotations

import faulthandler
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory as Linux does")

_HERE = Path(__file__).parent
#: Of about as much work each.
_HALVES = [
    (".h5", ".arrow", ".parquet", ".csv", ".tsv", ".fbin", ".f16bin", ".u8bin", ".ids", ".index"),
    (".feather", ".arrows", ".ipc", ".bin", ".vec", ".jsonl", ".ndjson", ".db", ".sqlite3"),
    (".hdf5", ".npz", ".npy", ".txt", ".json", ".fvecs", ".bvecs", ".i8bin", ".qrels", ".safetensors"),
    (".sqlite", ".faiss"),
]


def test_the_harness_sees_what_goes_wrong() -> None:
    """A crash, a hang, a word on the screen, greed and an exception; the files after them are read all the same."""
    fuzz = pytest.importorskip("fuzz")

    def bad(path: Path) -> str:
        what = path.read_bytes()
        if what == b"abort":
            faulthandler.disable()
            os.abort()
        if what == b"hang":
            time.sleep(60)
        if what == b"print":
            os.write(2, b"a word")
        return "read"

    files = [b"good", b"abort", b"good", b"hang", b"print", b"good"]
    outcome = fuzz.fuzz(".x", files, judge=bad, patience=1.0)
    assert outcome.counts == {"read": 3, "crash": 1, "hang": 1, "screen": 1}
    assert [content for _, content in outcome.problems] == [b"abort", b"hang", b"print"]


def test_the_judge_sees_a_misreading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz = pytest.importorskip("fuzz")
    from vqbench.datasets.base import Source

    monkeypatch.setattr(fuzz, "_memory", lambda pid, name, reset=False: 0.0)  # no counters are reset in this process
    path = tmp_path / "x.npy"
    path.write_bytes(fuzz.good_files()[".npy"]["x.npy"])
    right = fuzz.source_of(path)
    assert fuzz.judged(path) == "read"
    for rows_nd in (right.corpus_nd[1:], right.corpus_nd[:] * 2):
        monkeypatch.setattr(fuzz, "source_of", lambda path, x_nd=rows_nd: Source(str(path), x_nd))
        assert fuzz.judged(path).startswith("misread")
    monkeypatch.setattr(fuzz, "source_of", lambda path: 1 // 0)
    assert fuzz.judged(path).startswith("exception: ")


def test_the_same_seed_makes_the_same_damage() -> None:
    from mutations import good_files, mutated

    files = list(good_files()[".fvecs"].values())
    first, second = ([mutated(random.Random(seed), files) for seed in range(50)] for _ in range(2))
    assert first == second
    assert len(set(first)) > 30


@pytest.mark.slow
@pytest.mark.parametrize("half", _HALVES, ids=" ".join)
def test_damaged_files_of_every_format(half: tuple[str, ...]) -> None:
    """2,000 of each, and every beginning of every small file."""
    command = [sys.executable, str(_HERE / "fuzz.py"), "--mutations", "2000", "--cuts", "--format", *half]
    environment = {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(_HERE.parent / "helpers")}
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("refused") == len(half)


def test_no_format_is_left_out() -> None:
    from mutations import good_files

    assert sorted(ending for half in _HALVES for ending in half) == sorted(good_files())
