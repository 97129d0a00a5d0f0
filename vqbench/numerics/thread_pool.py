"""How many threads work at a time in this process, and blocks of rows shared among them."""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import processors

S = TypeVar("S")

_MOST = 16  # threads or processes for each processor: more are a slip of the finger
_counts: list[int] = []  # of the process, not of a context: pools of threads do not inherit those


def threads() -> int:
    """Return how many threads work at a time: what ``using_threads`` was given, else one for each processor."""
    return _counts[-1] if _counts else processors()


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Use so many threads within, for the whole process, BLAS' own included."""
    check_count("threads", count)
    _counts.append(count)
    try:
        with blas_threads(count):
            yield
    finally:
        _counts.pop()


def check_count(key: str, count: Any, otherwise: str = "one on each processor") -> None:
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


@cache
def _controller() -> ThreadpoolController:
    """What controls BLAS; made once, since it looks through every library that is loaded."""
    import numpy as np

    _ = np.ones((2, 2), np.float32) @ np.ones((2, 2), np.float32)  # BLAS is loaded by now
    return ThreadpoolController()


def blas_threads(count: int) -> Any:
    """Return a context in which a matrix product uses at most so many threads."""
    return _controller().limit(limits=count, user_api="blas")


def map_in_order(work: Callable[[tuple[int, int]], S], spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, S]]:
    """Yield ``(start, work((start, stop)))`` of every span, in their order; threads work ahead, one span each.

    >>> list(map_in_order(lambda span: span[1] - span[0], [(0, 3), (3, 5)]))
    [(0, 3), (3, 2)]
    """
    spans, count = iter(spans), threads()
    if count == 1:
        yield from ((span[0], work(span)) for span in spans)
        return
    with blas_threads(1), ThreadPoolExecutor(count) as pool:
        ahead = deque((span[0], pool.submit(work, span)) for span in itertools.islice(spans, count + 1))
        while ahead:
            start, future = ahead.popleft()
            yield start, future.result()
            ahead.extend((span[0], pool.submit(work, span)) for span in itertools.islice(spans, 1))


def share_blocks(n: int, size: int, state: Callable[[], S], step: Callable[[S, int, int], None]) -> list[S]:
    """Call ``step(state, start, stop)`` for every block of ``range(n)``; each thread has a state of its own.

    BLAS works with one thread inside, so that threads never outnumber processors.

    Returns:
        The states.
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
