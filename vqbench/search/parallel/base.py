"""What every way of spreading work has in common: pieces go out through joblib, a lost worker costs a retry."""

from __future__ import annotations

import pickle
import platform
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
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
_EACH = 4  # pieces a worker, so that a slow one does not hold up the rest
_PLUGIN = "vqbench_plugin_"  # modules of the user's own folders, which no worker can import


class Parallel(ABC):
    """One way to spread work; a frozen description, built from conf/parallel."""

    @abstractmethod
    def open(self) -> AbstractContextManager[Pool | None]:
        """Workers for as long as the context lasts; None where this process does all by itself."""


class Pool(ABC):
    """Workers behind joblib. They start with the first work, not before."""

    #: Whether results can be taken one by one, as they come.
    streams = True
    #: Whether workers are on machines whose packages may be others.
    remote = True

    def __init__(self, name: str, shards: int | None):
        self.name, self._shards = name, shards

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """End what this pool started."""

    @abstractmethod
    def workers(self) -> int:
        """How many pieces are worked on at the same time."""

    @abstractmethod
    def backend(self, common: object) -> dict[str, Any]:
        """What ``joblib.parallel_config`` takes. ``common`` goes to every worker."""

    @abstractmethod
    def lost(self) -> tuple[type[BaseException], ...]:
        """What is raised where workers died, so that their pieces are worth another try."""

    @abstractmethod
    def pickling(self) -> ModuleType:
        """The copy of cloudpickle that sends the pieces."""

    def dismiss(self) -> None:  # noqa: B027  # most pools have nothing to let go of
        """Let go of what a loss may have broken."""

    def shards(self, n: int) -> list[tuple[int, int]]:
        """Ranges that cover ``n`` rows: as many as were asked for, or four a worker; none is empty."""
        count = min(n, self._shards or _EACH * self.workers())
        return list(blocks(n, -(-n // count)))

    def map(self, function: Callable[[C, P], R], common: C, pieces: Sequence[P]) -> Iterator[R]:
        """``function(common, piece)`` of each piece, in any order, each once whatever happens to workers.

        Raises VqbenchError where workers keep dying, or cannot run the function at all.
        """
        missing, empty_handed = dict(enumerate(pieces)), 0
        self._send_plugins()
        told = versions() if self.remote else {}
        while missing:
            before, why = len(missing), ""
            try:
                for at, result in self._round(function, common, missing, told):
                    del missing[at]
                    yield result
            except self.lost() as error:
                why = type(error).__name__
                self.dismiss()
            except Exception as error:  # Ray and Dask wrap what happens before a worker runs our code
                if not (isinstance(error, ImportError) or "No module named" in str(error)):
                    raise
                raise VqbenchError(
                    f"parallel={self.name}: a worker cannot import what it needs ({_last_line(error)}): "
                    "install the same vqbench, with the same extras, where the workers run"
                ) from error
            empty_handed = 0 if len(missing) < before else empty_handed + 1
            if empty_handed == PATIENCE:
                raise VqbenchError(
                    f"parallel={self.name}: workers died {PATIENCE} times in a row without finishing anything ({why}): "
                    "if memory ran out, take more shards (parallel.shards), fewer workers, or a smaller block_mb"
                )

    def _round(
        self, function: Callable[[C, P], R], common: C, missing: dict[int, P], told: dict[str, str]
    ) -> Iterator[tuple[int, R]]:
        import joblib  # pyright: ignore[reportMissingImports]

        seal = self.pickling().dumps if self.remote else lambda piece: piece
        shared = seal(common)
        calls = [joblib.delayed(_numbered)(shared, function, at, seal(piece), told) for at, piece in missing.items()]
        yield from self.crew(shared)(calls)

    def crew(self, common: object) -> Any:
        """The ``joblib.Parallel`` of one round of work."""
        import joblib  # pyright: ignore[reportMissingImports]

        with joblib.parallel_config(**self.backend(common)):
            return joblib.Parallel(batch_size=1, return_as="generator_unordered" if self.streams else "list")

    def _send_plugins(self) -> None:
        """Classes from the folders of ``plugins=`` travel with their code."""
        for name in [name for name in sys.modules if name.startswith(_PLUGIN)]:
            self.pickling().register_pickle_by_value(sys.modules[name])


def versions() -> dict[str, str]:
    """The versions that decide what a number is."""
    return {name: version(name) for name in ("vqbench", "numpy")}


def _numbered(
    common: C | bytes, function: Callable[[C, P], R], at: int, piece: P | bytes, told: dict[str, str]
) -> tuple[int, R]:
    """A piece's number and its result; what a worker runs.

    What goes to another machine comes as bytes. A scheduler that has to pickle it, or a worker before it runs this, has
    no good way to say what went wrong: Dask's client would wait for ever.
    """
    here = versions() if told else {}
    for name, wanted in told.items():
        if here[name] != wanted:
            raise VqbenchError(
                f"a worker on {platform.node()} has {name} {here[name]}, this run {wanted}: "
                "install the same versions where the workers run"
            )
    opened: list[Any] = [pickle.loads(each) if isinstance(each, bytes) else each for each in (common, piece)]
    return at, function(*opened)


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def checked_counts(name: str, *, workers: int | None, shards: int | None, elsewhere: bool = False) -> None:
    """Raise VqbenchError where a number of workers or shards is not positive, or no machine has so many processors.

    elsewhere: the workers are those of a cluster, of which nothing is known here.
    """
    for key, count in (("workers", workers), ("shards", shards)):
        if count is not None and count < 1:
            raise VqbenchError(
                f"parallel.{key} = {count}: parallel={name} needs at least 1, or null for its own choice"
            )
    if not elsewhere:
        check_count("parallel.workers", workers)


def require(name: str, extra: str, *modules: str) -> None:
    """Import what a way of spreading work needs; raise VqbenchError that names its extra where one is missing."""
    try:
        for module in modules:
            import_module(module)
    except ImportError as error:
        raise VqbenchError(
            runnable(f"parallel={name}: {error.name} is not installed: pip install 'vqbench[{extra}]'")
        ) from None
