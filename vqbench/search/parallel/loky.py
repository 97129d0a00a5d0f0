"""Worker processes on this machine, through joblib's loky.

Extra: ``pip install 'vqbench[joblib]'``; imported only where it is used.
"""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from vqbench.numerics.arrays import processors
from vqbench.search.parallel.base import Parallel, Pool, checked_counts, require


@dataclass(frozen=True, kw_only=True)
class Loky(Parallel):
    """workers: processes (null: one a processor). shards: parts of the corpus (null: four a worker).

    Each worker takes its share of the processors and no more. Arrays in memory are shared by a memory map.
    """

    workers: int | None = None
    shards: int | None = None

    def __post_init__(self) -> None:
        checked_counts("loky", workers=self.workers, shards=self.shards)

    def open(self) -> Pool:
        require("loky", "joblib", "cloudpickle", "joblib")
        return LokyPool(self)


class LokyPool(Pool):
    remote = False

    def __init__(self, spec: Loky):
        super().__init__("loky", spec.shards)
        self._workers = spec.workers or processors()

    def workers(self) -> int:
        return self._workers

    def backend(self, common: object) -> dict[str, Any]:
        threads = max(1, processors() // self._workers)
        return {"backend": "loky", "n_jobs": self._workers, "inner_max_num_threads": threads}

    def lost(self) -> tuple[type[BaseException], ...]:
        return (BrokenProcessPool,)

    def pickling(self) -> ModuleType:
        try:
            from joblib.externals import cloudpickle  # pyright: ignore  # joblib's own copy, before 1.6
        except ImportError:
            import cloudpickle  # pyright: ignore[reportMissingImports]
        return cloudpickle

    def close(self) -> None:
        from joblib.externals.loky import get_reusable_executor  # pyright: ignore[reportMissingImports]

        get_reusable_executor().shutdown(wait=True)
