"""Workers of a Dask cluster: one that runs already, by its scheduler's address, or one made here.

Extra: ``pip install 'vqbench[dask]'``; imported only where it is used.
"""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import processors
from vqbench.search.parallel.base import Parallel, Pool, WorkerCounts, require

_WAIT = 30  # seconds for a scheduler to answer, and for its first worker


@dataclass(frozen=True, kw_only=True)
class Dask(WorkerCounts, Parallel):
    """Workers that see the files of the corpus under the same paths. A cluster at an address brings its own.

    >>> Dask(address="tcp://host:8786").shards is None
    True
    """

    #: Of the scheduler, as in tcp://host:8786; null makes a cluster of processes on this machine.
    address: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.address is not None and "://" not in self.address:
            raise VqbenchError(
                f"parallel.address = {self.address}: needs the scheduler's whole address, as in tcp://{self.address}:8786"
            )
        if self.address is not None and self.workers is not None:
            raise VqbenchError(
                f"parallel.workers = {self.workers}: the cluster at {self.address} brings its own workers: "
                "leave workers out, or leave address out for a cluster on this machine"
            )

    def open(self) -> Pool:
        require("dask", "dask", "distributed", "joblib")
        return DaskPool(self)


class DaskPool(Pool):
    @cached_property
    def client(self) -> Any:
        """Connected on first use."""
        from distributed import Client, LocalCluster  # pyright: ignore[reportMissingImports]

        address: Any = self._spec.address
        if address is None:
            count = self._spec.workers or processors()
            address = self._started.enter_context(
                LocalCluster(n_workers=count, threads_per_worker=1, processes=True, dashboard_address="")
            )
        try:
            client = self._started.enter_context(Client(address, timeout=_WAIT, set_as_default=False))
            client.wait_for_workers(1, timeout=_WAIT)
        except (OSError, TimeoutError, ValueError) as error:
            raise VqbenchError(
                f"parallel.address = {address}: no Dask scheduler with a worker answers there "
                f"({type(error).__name__}): start one with 'dask scheduler' and 'dask worker tcp://HOST:8786'"
            ) from None
        return client

    def workers(self) -> int:
        return max(1, sum(self.client.ncores().values()))

    def backend(self, common: object) -> dict[str, Any]:
        from joblib._dask import DaskDistributedBackend  # pyright: ignore[reportMissingImports]

        class OnWorkers(DaskDistributedBackend):
            """joblib would do the work of a single free thread in this process; it belongs on that worker."""

            def effective_n_jobs(self, n_jobs: int) -> int:
                return max(2, super().effective_n_jobs(n_jobs))

        backend = OnWorkers(client=self.client, scatter=[common], wait_for_workers_timeout=_WAIT)
        return {"backend": backend, "n_jobs": -1}

    def loss_errors(self) -> tuple[type[BaseException], ...]:
        from distributed.scheduler import KilledWorker  # pyright: ignore[reportMissingImports]

        return (KilledWorker, CancelledError)

    def pickling(self) -> ModuleType:
        import cloudpickle  # pyright: ignore[reportMissingImports]

        return cloudpickle
