"""What every way of spreading work shares: pieces go out through joblib, those of a lost worker once more."""

from __future__ import annotations

import pickle
import platform
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any, TypeVar

from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.numerics.arrays import blocks
from vqbench.numerics.thread_pool import check_count

C = TypeVar("C")
P = TypeVar("P")
R = TypeVar("R")

#: Rounds in a row that may end without one finished piece before workers are given up.
PATIENCE = 3
_PIECES_PER_WORKER = 4  # so that a slow one does not hold up the rest
_PLUGIN = "vqbench_plugin_"  # modules of the user's own folders, which no worker can import


class Parallel(ABC):
    """One way to spread work; a frozen description, built from conf/parallel."""

    @abstractmethod
    def open(self) -> AbstractContextManager[Pool | None]:
        """Workers for as long as the context lasts; None where this process does all the work."""


@dataclass(frozen=True, kw_only=True)
class WorkerCounts:
    """How many workers there are, and how many pieces the corpus is cut into."""

    #: Processes that work at the same time (null: one for each processor).
    workers: int | None = None
    #: Parts of the corpus (null: four for each worker).
    shards: int | None = None

    def __post_init__(self) -> None:
        name = type(self).__name__.lower()
        for key, count in (("workers", self.workers), ("shards", self.shards)):
            if count is not None and count < 1:
                raise VqbenchError(
                    f"parallel.{key} = {count}: parallel={name} needs at least 1, or null for its own choice"
                )
        if getattr(self, "address", None) is None:  # nothing is known of a cluster's processors
            check_count("parallel.workers", self.workers)


class Pool(AbstractContextManager["Pool"]):
    """Workers behind joblib. They start with the first work, not before."""

    #: Whether results can be taken one by one, as they come.
    streams = True
    #: Whether workers are on machines whose packages may be others.
    remote = True

    def __init__(self, spec: Any):
        """``spec``: a ``Parallel`` with ``WorkerCounts``."""
        self.name, self._spec = type(spec).__name__.lower(), spec
        self._started = ExitStack()  # what ends with this pool

    def __exit__(self, *_: object) -> None:
        self._started.close()

    @abstractmethod
    def workers(self) -> int:
        """How many pieces are worked on at the same time."""

    @abstractmethod
    def backend(self, common: object) -> dict[str, Any]:
        """What ``joblib.parallel_config`` takes. ``common`` goes to every worker."""

    @abstractmethod
    def loss_errors(self) -> tuple[type[BaseException], ...]:
        """What is raised where workers died, so that their pieces are worth another try."""

    @abstractmethod
    def pickling(self) -> ModuleType:
        """The copy of cloudpickle that sends the pieces."""

    def drop_executor(self) -> None:  # most pools keep none
        """Let go of what a loss may have broken."""

    def shards(self, n: int) -> list[tuple[int, int]]:
        """Ranges that cover ``n`` rows: as many as were asked for, or four a worker; none is empty."""
        count = min(n, self._spec.shards or _PIECES_PER_WORKER * self.workers())
        return list(blocks(n, -(-n // count)))

    def map(self, function: Callable[[C, P], R], common: C, pieces: Sequence[P]) -> Iterator[R]:
        """``function(common, piece)`` of each piece, in any order, each once whatever happens to workers.

        Raises:
            VqbenchError: workers keep dying, or cannot run the function at all.
        """
        missing, fruitless_rounds = dict(enumerate(pieces)), 0
        for name in [name for name in sys.modules if name.startswith(_PLUGIN)]:  # classes travel with their code
            self.pickling().register_pickle_by_value(sys.modules[name])
        while missing:
            before, why = len(missing), ""
            try:
                for number, result in self._round(function, common, missing):
                    del missing[number]
                    yield result
            except self.loss_errors() as error:
                why = type(error).__name__
                self.drop_executor()
            except Exception as error:  # Ray and Dask wrap what happens before a worker runs our code
                if not (isinstance(error, ImportError) or "No module named" in str(error)):
                    raise
                raise VqbenchError(
                    f"parallel={self.name}: a worker cannot import what it needs "
                    f"({str(error).strip().splitlines()[-1]}): "
                    "install the same vqbench, with the same extras, where the workers run"
                ) from error
            fruitless_rounds = 0 if len(missing) < before else fruitless_rounds + 1
            if fruitless_rounds == PATIENCE:
                raise VqbenchError(
                    f"parallel={self.name}: workers died {PATIENCE} times in a row without finishing anything ({why}): "
                    "if memory ran out, take more shards (parallel.shards), fewer workers, or a smaller block_mb"
                )

    def _round(self, function: Callable[[C, P], R], common: C, missing: dict[int, P]) -> Iterator[tuple[int, R]]:
        import joblib  # pyright: ignore[reportMissingImports]

        wanted = versions() if self.remote else {}
        seal = self.pickling().dumps if self.remote else lambda piece: piece
        shared = seal(common)
        task = joblib.delayed(_numbered)
        # A list: joblib reads it as it goes, while ``missing`` loses what is finished.
        calls = [task(shared, function, number, seal(piece), wanted) for number, piece in missing.items()]
        yield from self.executor(shared)(calls)

    def executor(self, common: object) -> Any:
        """The ``joblib.Parallel`` of one round of work."""
        import joblib  # pyright: ignore[reportMissingImports]

        with joblib.parallel_config(**self.backend(common)):
            return joblib.Parallel(batch_size=1, return_as="generator_unordered" if self.streams else "list")


def versions() -> dict[str, str]:
    """The versions that decide what a number is."""
    return {name: version(name) for name in ("vqbench", "numpy")}


def _numbered(
    common: C | bytes, function: Callable[[C, P], R], number: int, piece: P | bytes, wanted: dict[str, str]
) -> tuple[int, R]:
    """A piece's number and its result; what a worker runs.

    What goes to another machine comes as bytes. A scheduler that has to pickle it, or a worker before it runs this, has
    no good way to say what went wrong: Dask's client would wait for ever.
    """
    here = versions() if wanted else {}
    for name in [name for name in wanted if here[name] != wanted[name]]:
        raise VqbenchError(
            f"a worker on {platform.node()} has {name} {here[name]}, this run {wanted[name]}: "
            "install the same versions where the workers run"
        )
    opened: list[Any] = [pickle.loads(each) if isinstance(each, bytes) else each for each in (common, piece)]
    return number, function(*opened)


def require(name: str, extra: str, *modules: str) -> None:
    """Import what a way of spreading work needs; raise VqbenchError that names its extra where one is missing."""
    try:
        for module in modules:
            import_module(module)
    except ImportError as error:
        raise VqbenchError(
            runnable(f"parallel={name}: {error.name} is not installed: pip install 'vqbench[{extra}]'")
        ) from None
