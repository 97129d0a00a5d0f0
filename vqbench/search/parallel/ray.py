"""Workers of a Ray cluster: one that runs already, by its address, or one made here.

Extra: ``pip install 'vqbench[ray]'``; imported only where it is used.
"""

# A checker takes `ray` for this very file where Ray is not installed.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import processors
from vqbench.search.parallel.base import Parallel, Pool, WorkerCounts, require


@dataclass(frozen=True, kw_only=True)
class Ray(WorkerCounts, Parallel):
    """Workers that see the files of the corpus under the same paths.

    >>> Ray(address="auto", workers=4).workers
    4
    """

    #: Of the cluster, as in ray://host:10001 or auto; null starts Ray on this machine.
    address: str | None = None

    def open(self) -> Pool:
        require("ray", "ray", "joblib", "ray")
        return RayPool(self)


class RayPool(Pool):
    streams = False  # joblib takes results of its multiprocessing backends all at once

    def __init__(self, spec: Ray):
        super().__init__(spec)
        self._executor, self._executor_stack = None, self._started.enter_context(ExitStack())

    @cached_property
    def _ray(self) -> Any:
        """The module, connected on first use."""
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
            self._started.callback(self._shut_down, ray)
        register_ray()
        return ray

    def _shut_down(self, ray: Any) -> None:
        self.drop_executor()
        ray.shutdown()

    def workers(self) -> int:
        return self._spec.workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def backend(self, common: object) -> dict[str, Any]:
        """No memory map of arrays: it would lie on the disk of one machine."""
        _ = self._ray
        return {"backend": "ray", "n_jobs": self.workers(), "max_nbytes": None}

    def executor(self, common: object) -> Any:
        """Kept from round to round, since its actors take seconds to start; made anew after a loss."""
        if self._executor is None:
            self._executor = self._executor_stack.enter_context(super().executor(common))
        return self._executor

    def drop_executor(self) -> None:
        self._executor = None
        self._executor_stack.close()

    def loss_errors(self) -> tuple[type[BaseException], ...]:
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
