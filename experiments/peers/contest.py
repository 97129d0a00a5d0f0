"""Contestants, their goals, and the race: rounds in each of which everyone runs once."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from experiments.peers.problem import Problem
from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Floats, Ints
from vqbench.numerics.kernels.choice import working

#: Queries ``(q, d)`` and k -> row numbers ``(q, k)``; None from what finds nothing, as a product alone.
Ask = Callable[[Floats, int], "Ints | None"]


#: Most (query, vector) pairs for a slow rival. Its time is proportional to them and is scaled to all queries.
SOME_PAIRS = 50_000_000


@dataclass(frozen=True)
class Goal:
    """What a number must reach."""

    rule: Literal["at least", "at most"]
    value: float
    unit: str = "x"  # a ratio; else ``s`` or ``MB``

    def __str__(self) -> str:
        return f"{self.rule} {self.value:g}{'' if self.unit == 'x' else ' '}{self.unit}"

    def reached(self, value: float) -> bool:
        return value >= self.value if self.rule == "at least" else value <= self.value


@dataclass(frozen=True)
class Contestant:
    """One way to search."""

    name: str
    package: str  # the distribution whose version counts
    build: Callable[[Problem], Ask]  # loads the corpus, untimed; raises NotApplicableError where it cannot run
    against: Mapping[str, Goal | None] = field(default_factory=dict)  # a rival's: ours, and goals of the ratio
    most_pairs: int | None = None  # of a slow rival

    def queries(self, problem: Problem) -> int:
        """How many queries it gets; one for each thread at least."""
        if self.most_pairs is None:
            return problem.q
        return min(problem.q, max(problem.threads, self.most_pairs // problem.n))


@dataclass(frozen=True)
class Family:
    """Contestants that do the same job; ours first."""

    name: str
    contestants: Sequence[Contestant]
    #: Exact scores ``(q, k)`` float64 of the rows found, where the job has one right answer: then everyone must find
    #: rows that score as ours do, to within ``tolerance(d)``.
    scores: Callable[[Problem, Ints], Floats] | None = None
    tolerance: Callable[[int], float] = lambda d: 0.0


def race(runs: Mapping[str, Callable[[], object]], rounds: int, key: Sequence[int]) -> dict[str, list[float]]:
    """Seconds of every run, one a round. In each round everyone runs once, in an order drawn by key and round."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    gc.collect()  # nobody pays for what others have left behind
    for name in (name for turn in orders(list(runs), rounds, key) for name in turn):
        start = time.perf_counter()
        runs[name]()
        seconds[name].append(time.perf_counter() - start)
    return seconds


def orders(names: list[str], rounds: int, key: Sequence[int]) -> list[list[str]]:
    """A drawn order of the names for each round."""
    return [
        [names[int(i)] for i in np.random.default_rng([*key, turn]).permutation(len(names))] for turn in range(rounds)
    ]


@contextmanager
def same_threads(count: int) -> Iterator[None]:
    """Within, all libraries loaded so far use ``count`` threads: ours, every BLAS, OpenMP."""
    with working(threads=count), threadpool_limits(limits=count):
        yield


def load(module: str, product: str) -> Any:
    """A rival's module. Raises NotApplicableError with the extra's name where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        raise NotApplicableError(f"{product} is not installed: pip install 'vqbench[backends]'") from None


def load_faiss(threads: int) -> Any:
    """faiss, set to ``threads`` threads, with the BLAS build that fits this processor.

    Its wheel brings an older OpenBLAS that takes its slowest build on processors it does not know. So it gets the name
    of the build that numpy's OpenBLAS has chosen, unless the user names one in OPENBLAS_CORETYPE.
    """
    with _openblas_build():
        faiss = load("faiss", "faiss")
    faiss.omp_set_num_threads(threads)
    return faiss


@contextmanager
def _openblas_build() -> Iterator[None]:
    """Within, OPENBLAS_CORETYPE names the build for an OpenBLAS that is loaded now."""
    variable, pools = "OPENBLAS_CORETYPE", threadpool_info()
    kinds = [pool["architecture"] for pool in pools if pool["internal_api"] == "openblas" and pool.get("architecture")]
    if variable in os.environ or not kinds:
        yield
        return
    os.environ[variable] = kinds[0]
    try:
        yield
    finally:
        del os.environ[variable]


def version_of(package: str) -> str:
    """The installed version; empty where there is none."""
    import vqbench

    if package == "vqbench":
        return vqbench.__version__
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
