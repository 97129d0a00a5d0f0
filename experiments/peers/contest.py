"""Who takes part, what they must reach, and a race: rounds in which everyone runs once."""

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


#: Pairs that a rival gets at most which takes one query after the other: its time grows with them, and is scaled.
SOME_PAIRS = 50_000_000


@dataclass(frozen=True)
class Goal:
    """What a number must reach. unit: ``x`` for a ratio, ``s``, ``MB``."""

    rule: Literal["at least", "at most"]
    value: float
    unit: str = "x"

    def __str__(self) -> str:
        return f"{self.rule} {self.value:g}{'' if self.unit == 'x' else ' '}{self.unit}"

    def met(self, value: float) -> bool:
        return value >= self.value if self.rule == "at least" else value <= self.value


@dataclass(frozen=True)
class Contestant:
    """One way to search.

    build: loads the corpus, not timed; raises NotApplicableError where it cannot run. package: the distribution whose
    version counts. against: for a rival the contestants of ours that it is compared with, and the goal of the ratio
    ``its seconds / ours``. most_pairs: so slow that it gets no more pairs than this, and its time is scaled.
    """

    name: str
    package: str
    build: Callable[[Problem], Ask]
    against: Mapping[str, Goal | None] = field(default_factory=dict)
    most_pairs: int | None = None

    def queries(self, problem: Problem) -> int:
        """How many queries it gets; one for each thread at least."""
        if self.most_pairs is None:
            return problem.q
        return min(problem.q, max(problem.threads, self.most_pairs // problem.n))


@dataclass(frozen=True)
class Family:
    """Contestants that do the same job; ours first.

    scores: the exact scores ``(q, k)`` float64 of the rows that someone found, where the job has one right answer; then
    everyone must find rows that score as ours do, to within ``tolerance(d)``. inputs: what contestants get.
    """

    name: str
    contestants: Sequence[Contestant]
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
    """Who runs when: a drawn order for each round."""
    return [
        [names[int(at)] for at in np.random.default_rng([*key, turn]).permutation(len(names))] for turn in range(rounds)
    ]


@contextmanager
def same_threads(count: int) -> Iterator[None]:
    """Within, everything that is loaded by now works with so many threads: ours, every BLAS, OpenMP."""
    with working(threads=count), threadpool_limits(limits=count):
        yield


def load(module: str, product: str) -> Any:
    """A rival's module. Raises NotApplicableError with the extra's name where it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        raise NotApplicableError(f"{product} is not installed: pip install 'vqbench[backends]'") from None


def load_faiss(threads: int) -> Any:
    """faiss, told to work with so many threads, and its BLAS for which processor.

    That is an older OpenBLAS with a build for each kind of processor. Where it does not know a newer kind it takes the
    slowest build, so it is told the one that numpy's OpenBLAS has found, unless the user names one.
    """
    with _coretype():
        faiss = load("faiss", "faiss")
    faiss.omp_set_num_threads(threads)
    return faiss


@contextmanager
def _coretype() -> Iterator[None]:
    """Within, OPENBLAS_CORETYPE names the build that an OpenBLAS loaded now is to take."""
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
