"""What every engine can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Floats, Ints, Rows, blocks

Place = Literal["disk", "memory"]
#: Stands in a list of rows where the engine returned fewer than asked for.
NONE = -1
_BLOCK = 8192


@dataclass(frozen=True)
class Held:
    """Bytes that an engine reports. The items of one place add up to all that lies there."""

    item: str
    place: Place
    bytes: int
    codes: bool = False  #: whether these are the codes themselves, which a ledger counts too


@dataclass(frozen=True)
class Engine:
    """An engine with the vectors in it, ready to be searched."""

    #: Maps float32 queries ``(q, d)`` and k to rows ``(q, k)`` int64, best first, counted in the order in which they
    #: were loaded; NONE where the engine returns fewer. Raises NotApplicableError where the engine refuses ``k``.
    search: Callable[[Floats, int], Ints]
    held: tuple[Held, ...]  #: once everything is written
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Backend(ABC):
    """A setting of an engine, without state. ``build`` loads vectors into it.

    A subclass names the engine in its header, as ``class Mine(Backend, engine=..., package=..., module=...)``.
    """

    engine: ClassVar[str]  #: what people call it
    package: ClassVar[str]  #: the distribution whose version counts
    module: ClassVar[str]  #: what is imported
    extra: ClassVar[str] = "backends"  #: what to install where it is missing

    def __init_subclass__(cls, *, engine: str, package: str, module: str) -> None:
        cls.engine, cls.package, cls.module = engine, package, module

    @property
    def repeats(self) -> bool:
        """Whether the same rows, setting and generator give the same codes in every run.

        False where the engine draws random numbers and takes no seed.
        """
        return True

    @abstractmethod
    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        """Load the rows in their order and let the engine learn, encode and write.

        Args:
            corpus: float32 rows.
            rng: for engines that take seeds.
            folder: an empty one, for engines that write files.

        Raises:
            NotApplicableError: the engine is not installed, or refuses the setting for these rows.
        """

    def load(self) -> Any:
        """Import the engine's module. Raises NotApplicableError with the extra's name where it is not installed."""
        try:
            return import_module(self.module)
        except ImportError:
            raise NotApplicableError(f"{self.engine} is not installed: pip install 'vqbench[{self.extra}]'") from None

    @property
    def version(self) -> str:
        """The installed version; empty where there is none."""
        try:
            return version(self.package)
        except PackageNotFoundError:
            return ""


def row_blocks(corpus: Rows) -> Iterator[tuple[int, Floats]]:
    """Yield the rows block by block, each with the number of its first row."""
    for start, stop in blocks(corpus.n, _BLOCK):
        yield start, np.ascontiguousarray(corpus.block(start, stop), dtype=np.float32)


def padded(lists: Iterable[Sequence[int] | Ints], k: int) -> Ints:
    """Lists of at most ``k`` rows as ``(q, k)`` int64, NONE where a list is shorter."""
    wide = [np.pad(np.asarray(rows, dtype=np.int64), (0, k - len(rows)), constant_values=NONE) for rows in lists]
    return np.array(wide, dtype=np.int64).reshape(-1, k)


def sign_bits(x_nd: Floats) -> np.ndarray:
    """``x > 0`` packed, the first dimension in the highest bit, as the codes of ``binary_zero``: ``(n, bytes)``."""
    return np.packbits(x_nd > 0, axis=1)
