"""Peak memory of the default sweep as the corpus grows: rows of the family ``memory``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.peers.contest import Goal, version_of
from experiments.peers.problem import mixture, mixture_blocks
from experiments.peers.processes import Command, measured, sweep_arguments
from experiments.peers.settings import Timed
from experiments.peers.table import Row

FAMILY = "memory"
_MB = 1e6
_GOAL = Goal("at most", 2**31 / _MB, "MB")  # 2 GiB, for any number of rows


def memory(timed: Timed, threads: int) -> Iterator[Row]:
    """A row for each number of rows: the largest resident set of a whole command with the variants of conf/config.yaml.

    The corpus is a .npy file of float16, written block by block; what that takes does not count.
    """
    d, q = timed.whole[1], timed.memory_queries
    for n in timed.memory_rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shape = (n, d)
            corpus_nd = np.lib.format.open_memmap(folder / "corpus.npy", mode="w+", dtype=np.float16, shape=shape)
            for start, x_bd in mixture_blocks(n, d, timed.seed, stream=0):
                corpus_nd[start : start + len(x_bd)] = x_bd
            del corpus_nd
            np.save(folder / "queries.npy", mixture(q, d, timed.seed, stream=1))
            outcome = measured(_command(folder), threads)
        about = {
            "family": FAMILY,
            "contestant": f"default sweep of {n:,} rows",
            "version": version_of("vqbench"),
            "threads": threads,
            "n": n,
            "d": d,
            "queries": q,
        }
        if outcome["status"] or outcome["peak"] is None:
            why = str(outcome["errors"]).strip()[-300:] or "this system does not report the peak memory of a process"
            yield Row(**about, status="failed", reason=f"exit status {outcome['status']}: {why}")
        else:
            peak = float(outcome["peak"]) / _MB  # pyright: ignore[reportArgumentType]
            yield Row(**about, megabytes=peak, goal=_GOAL)


def _command(folder: Path) -> Command:
    """Tables alone; no truth is kept."""
    return Command("default sweep", [*sweep_arguments(folder), "figures=false", "report=false", "doctor=false"])
