"""Workers of a Ray cluster: one that runs already, by its address, or one made here.

Extra: ``pip install 'vqbench[ray]'``; imported only where it is used.
"""

# A checker takes `ray` for this very file where Ray is not installed.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import processors
from vqbench.search.parallel.base import Parallel, Pool, checked_counts, require


@dataclass(frozen=True, kw_only=True)
class Ray(Parallel):
    """address: of the cluster, as in ray://host:10001 or auto; null starts Ray on this machine.

    workers: how many processes work at the same time (null: one for each processor of the cluster). shards: parts
    of the corpus (null: four a worker). Workers must see the files of the corpus under the same paths.
    """

    address: str | None = None
    workers: int | None = None
    shards: int | None = None

    def __post_init__(self) -> None:
        checked_counts("ray", workers=self.workers, shards=self.shards, elsewhere=self.address is not None)

    def open(self) -> Pool:
        require("ray", "ray", "joblib", "ray")
        return RayPool(self)


class RayPool(Pool):
    streams = False  # joblib takes results of its multiprocessing backends all at once

    def __init__(self, spec: Ray):
        super().__init__("ray", spec.shards)
        self._spec, self._started = spec, False
        self._crew = ExitStack()
        self._kept: Any = None

    def _start(self) -> Any:
        import ray
        from ray.util.joblib import register_ray

        if not ray.is_initialized():
            count = (self._spec.workers or processors()) if self._spec.address is None else None
            try:
                ray.init(
                    self._spec.address,
                    num_cpus=count,
                    include_dashboard=False if count else None,
                    log_to_driver=False,
                    logging_level=logging.WARNING,
                )
            except (ConnectionError, TimeoutError, ValueError, RuntimeError) as error:
                raise VqbenchError(
                    f"parallel.address = {self._spec.address}: no Ray cluster answers there "
                    f"({' '.join(str(error).split())[:120]}): start one with 'ray start --head'"
                ) from None
            self._started = True
        register_ray()
        return ray

    def workers(self) -> int:
        return self._spec.workers or max(1, int(self._start().cluster_resources().get("CPU", 1)))

    def backend(self, common: object) -> dict[str, Any]:
        """No memory map of arrays: it would lie on the disk of one machine."""
        self._start()
        return {"backend": "ray", "n_jobs": self.workers(), "max_nbytes": None}

    def crew(self, common: object) -> Any:
        """Kept from round to round, since its actors take seconds to start; made anew after a loss."""
        if self._kept is None:
            self._kept = self._crew.enter_context(super().crew(common))
        return self._kept

    def dismiss(self) -> None:
        self._kept = None
        self._crew.close()

    def lost(self) -> tuple[type[BaseException], ...]:
        from ray import exceptions

        return (
            exceptions.WorkerCrashedError,
            exceptions.RayActorError,
            exceptions.NodeDiedError,
            exceptions.ObjectLostError,
            exceptions.OutOfMemoryError,
        )

    def pickling(self) -> ModuleType:
        from ray import cloudpickle

        return cloudpickle

    def close(self) -> None:
        self.dismiss()
        if self._started:
            self._start().shutdown()
            self._started = False
