"""A timed comparison written by hand, for tests of its figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.peers.contest import Goal
from experiments.peers.linear import COLUMNS
from experiments.peers.table import Row, frame, runs, spread

TIMED_META = {
    "timed": {"repeats": 3, "linear_size": [1000, 8, 10]}, "threads": 2, "machine": {"cpu": "a cpu", "system": "Linux"},
    "versions": {"vqbench": "0.1.0", "numpy": "2", "faiss-cpu": "", "usearch": "2"},
    "measured": {"hamming": {}, "linear": {}},
}  # fmt: skip


def _timed_row(contestant: str, seconds: list[float], k: int, **more: Any) -> Row:
    about = {"family": "hamming", "version": "1", "threads": 2, "n": 100_000, "d": 64, "queries": 100, "k": k}
    return Row(**{**about, "contestant": contestant, "seconds": seconds, **more})


def timed_rows() -> list[Row]:
    """Two of ours and a rival, for two k, and a rival that is not installed."""
    rows = []
    for k in (10, 100):
        rows.append(_timed_row("vqbench a", [1.0, 1.1, 0.9], k))
        rows.append(_timed_row("vqbench b", [2.0, 2.2, 1.8], k))
        for ours, ratio in (("vqbench a", [5.0, 5.5, 4.5]), ("vqbench b", [2.5, 2.75, 2.25])):
            rows.append(_timed_row("rival", [5.0, 5.0, 5.0], k, against=ours, ratios=ratio, goal=Goal("at least", 3)))
        rows.append(_timed_row("absent", [], k, status="skipped", reason="absent is not installed"))
    return rows


def timed_linear() -> pd.DataFrame:
    """Seconds that grow as n ** 0.5 and as q ** 1."""
    rows = [
        ["rows", "x", n, 8, 10, 10, None, 3, *spread([n**0.5, 1.2 * n**0.5, 0.9 * n**0.5])] for n in (100, 1000, 10_000)
    ]
    rows += [["queries", "x", 1000, 8, q, 10, None, 3, *spread([q / 7] * 3)] for q in (5, 10)]
    rows += [["variants", "y", 1000, 8, 10, 10, v, 3, *spread([1 + v] * 3)] for v in (1, 2, 4)]
    return pd.DataFrame(rows, columns=COLUMNS)


def write_timed(folder: Path) -> Path:
    """Write the tables of a timed comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    frame(timed_rows()).to_csv(folder / "peers.csv", index=False)
    runs(timed_rows()).to_csv(folder / "peers_runs.csv", index=False)
    timed_linear().to_csv(folder / "linear.csv", index=False)
    (folder / "meta.json").write_text(json.dumps(TIMED_META))
    return folder
