"""Whether compiled kernels do the work, and how many threads share it."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal, TypeVar, get_args

from threadpoolctl import ThreadpoolController

from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.numerics.arrays import processors

S = TypeVar("S")
Kernels = Literal["auto", "numba", "numpy"]

#: Set to one of ``Kernels`` where no option is at hand, as in a notebook.
VARIABLE = "VQBENCH_KERNELS"

#: Seconds that loading numba takes: it is loaded once numpy has worked, or is to work, for longer.
WORTH = 0.5

_ANNOUNCED_AFTER = 1.0  # seconds
_MOST = 16  # threads or processes for each processor: more are a slip of the finger


@dataclass
class _Process:
    """What this process was told; of the process, not of a context, since pools of threads do not inherit those."""

    threads: int | None = None
    kernels: Kernels | None = None
    spent: float = 0.0
    compiling: float = 0.0


_told = _Process()
_loading = threading.Lock()


def threads() -> int:
    """How many threads work at a time: what ``working`` was told, else one for each processor."""
    return _told.threads or processors()


def checked_count(key: str, count: Any, otherwise: str = "one on each processor") -> None:
    """Raise VqbenchError where ``count`` threads or processes, null for ``otherwise``, are none or absurdly many."""
    if count is None:
        return
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise VqbenchError(f"{key} = {count!r}: must be a whole number of at least 1, or null for {otherwise}")
    here = os.cpu_count() or 1
    if count > _MOST * here:
        raise VqbenchError(
            f"{key} = {count}: more than {_MOST} for each processor, and this machine has {here}: "
            f"set {key}={here}, or null for {otherwise}"
        )


def _checked_kernels(kernels: Any) -> Kernels:
    if kernels not in get_args(Kernels):
        raise VqbenchError(f"kernels = {kernels!r}: must be one of {', '.join(get_args(Kernels))}")
    return kernels


@contextmanager
def working(*, threads: int | None = None, kernels: Kernels | None = None) -> Iterator[None]:
    """Within, for the whole process: so many threads, BLAS' own included, and these kernels; None: as before."""
    checked_count("threads", threads)
    before = _told.threads, _told.kernels
    _told.threads = before[0] if threads is None else threads
    _told.kernels = before[1] if kernels is None else _checked_kernels(kernels)
    try:
        with nullcontext() if threads is None else blas_threads(threads):
            yield
    finally:
        _told.threads, _told.kernels = before


@cache
def _controller() -> ThreadpoolController:
    """What controls BLAS; made once, since it looks through every library that is loaded."""
    import numpy as np

    _ = np.ones((2, 2), np.float32) @ np.ones((2, 2), np.float32)  # BLAS is loaded by now
    return ThreadpoolController()


def blas_threads(count: int) -> Any:
    """A context in which a matrix product uses at most so many threads."""
    return _controller().limit(limits=count, user_api="blas")


def chosen() -> Kernels:
    """What ``working`` or the environment says. Raises VqbenchError for an unknown name."""
    return _told.kernels or _checked_kernels(os.environ.get(VARIABLE, "auto"))


def compiled(name: str, seconds: float = float("inf")) -> Any | None:
    """The module ``vqbench.numerics.kernels.NAME``, or None where numpy is to do the work.

    seconds: about how much longer numpy would take for what lies ahead. Results are the same either way.
    """
    how = chosen()
    if how == "auto" and "numba" not in sys.modules:
        _told.spent += seconds
    if how == "numpy" or (how == "auto" and _told.spent < WORTH and "numba" not in sys.modules):
        return None
    if find_spec("numba") is None:
        if how == "numba":
            raise VqbenchError(runnable("kernels = numba: numba is not installed: pip install 'vqbench[fast]'"))
        return None
    try:
        with _loading:  # or each thread that asks at the same time would compile
            return _loaded(name)
    except ImportError as error:  # installed, but for another numpy or processor, say
        if how == "numba":
            raise VqbenchError(
                runnable(f"kernels = numba: numba cannot be loaded ({error}): pip install 'vqbench[fast]'")
            ) from None
        return None


def compiling() -> float:
    """Seconds that this process has spent loading and compiling kernels so far: no part of what a variant takes."""
    return _told.compiling


@cache
def _loaded(name: str) -> Any:
    began = time.perf_counter()
    with announced(f"compiling the kernels ({name}): once, then they are kept"):
        module = importlib.import_module(f"vqbench.numerics.kernels.{name}")
        module.warm()
    _told.compiling += time.perf_counter() - began
    return module


@contextmanager
def announced(words: str) -> Iterator[None]:
    """Say what is going on if it takes longer than a second."""
    timer = threading.Timer(_ANNOUNCED_AFTER, lambda: print(f"vqbench: {words}", file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def in_order(work: Callable[[tuple[int, int]], S], spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, S]]:
    """``(start, work((start, stop)))`` of every span, in their order; threads do as many at a time as there are."""
    spans, count = iter(spans), threads()
    if count == 1:
        yield from ((span[0], work(span)) for span in spans)
        return
    with blas_threads(1), ThreadPoolExecutor(count) as pool:
        ahead = deque((span[0], pool.submit(work, span)) for span in itertools.islice(spans, count + 1))
        while ahead:
            start, found = ahead.popleft()
            yield start, found.result()
            ahead.extend((span[0], pool.submit(work, span)) for span in itertools.islice(spans, 1))


def shared(n: int, size: int, state: Callable[[], S], step: Callable[[S, int, int], None]) -> list[S]:
    """``step(state, start, stop)`` for every block of ``range(n)``; each thread has a state of its own.

    Returns the states. BLAS works with one thread inside, so that threads never outnumber processors.
    """
    starts = iter(range(0, n, size))
    lock = threading.Lock()

    def work(own: S) -> S:
        while True:
            with lock:
                start = next(starts, None)
            if start is None:
                return own
            step(own, start, min(start + size, n))

    count = min(threads(), -(-n // size))
    if count <= 1:
        return [work(state())]
    with blas_threads(1), ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, [state() for _ in range(count)]))
