"""All in this process: the search shares its own work among threads."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from vqbench.search.parallel.base import Parallel


@dataclass(frozen=True, kw_only=True)
class Threads(Parallel):
    """No shards, no workers, nothing to set.

    >>> with Threads().open() as pool:
    ...     print(pool)
    None
    """

    def open(self) -> AbstractContextManager[None]:
        return nullcontext()
