"""Worker processes on this machine, through joblib's loky.

Extra: ``pip install 'vqbench[joblib]'``; imported only where it is used.
"""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from vqbench.numerics.arrays import processors
from vqbench.search.parallel.base import Parallel, Pool, WorkerCounts, require


@dataclass(frozen=True, kw_only=True)
class Loky(WorkerCounts, Parallel):
    """Processes of this machine. Arrays in memory are shared by a memory map.

    Each worker takes its share of the processors and no more.

    >>> Loky(workers=2, shards=7)
    Loky(workers=2, shards=7)
    """

    def open(self) -> Pool:
        require("loky", "joblib", "cloudpickle", "joblib")
        return LokyPool(self)


class LokyPool(Pool):
    remote = False

    def workers(self) -> int:
        return self._spec.workers or processors()

    def backend(self, common: object) -> dict[str, Any]:
        threads = max(1, processors() // self.workers())
        return {"backend": "loky", "n_jobs": self.workers(), "inner_max_num_threads": threads}

    def loss_errors(self) -> tuple[type[BaseException], ...]:
        return (BrokenProcessPool,)

    def pickling(self) -> ModuleType:
        try:
            from joblib.externals import cloudpickle  # pyright: ignore  # joblib's own copy, before 1.6
        except ImportError:
            import cloudpickle  # pyright: ignore[reportMissingImports]
        return cloudpickle

    def __exit__(self, *_: object) -> None:
        from joblib.externals.loky import get_reusable_executor  # pyright: ignore[reportMissingImports]

        get_reusable_executor().shutdown(wait=True)
