"""What every engine can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Floats, Ints, Rows, blocks

Place = Literal["disk", "memory"]
#: What stands in a list of ids where the engine returned fewer than asked for.
NONE = -1
_BLOCK = 8192


@dataclass(frozen=True)
class Held:
    """Bytes that an engine reports. codes: whether these are the codes themselves, which a ledger counts too."""

    item: str
    place: Place
    bytes: int
    codes: bool = False


class Engine(ABC):
    """An engine with the vectors in it, ready to be searched."""

    @abstractmethod
    def search(self, queries_qd: Floats, k: int) -> Ints:
        """The places ``(q, k)`` int64, in the order in which rows were handed over, of what the engine returns.

        Best first; NONE where it returns fewer. queries_qd: float32. Raises NotApplicableError where the engine
        refuses ``k``.
        """

    @abstractmethod
    def held(self) -> tuple[Held, ...]:
        """What it holds, in bytes, once everything is flushed. The items of one place add up to all that lies there."""

    def close(self) -> None:  # noqa: B027  # nothing to do where nothing stays open
        """Let go of files."""


@dataclass(frozen=True, kw_only=True)
class Backend(ABC):
    """A setting of an engine, without state. ``build`` loads vectors into it.

    engine: what people call it. package: the distribution whose version counts. module: what is imported.
    extra: what to install where it is missing. repeats: whether the same rows, setting and generator give the
    same codes in every run; False where the engine draws random numbers that it does not let one seed.
    """

    engine: ClassVar[str]
    package: ClassVar[str]
    module: ClassVar[str]
    extra: ClassVar[str] = "backends"

    @property
    def repeats(self) -> bool:
        """See above."""
        return True

    @abstractmethod
    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        """Load the rows in their order and let the engine learn, code and flush.

        rng: where the engine takes seeds. folder: an empty one, for engines that write files.
        Raises NotApplicableError where the engine is not installed or refuses the setting for these rows.
        """

    def load(self) -> Any:
        """The engine's module. Raises NotApplicableError with the extra's name where it is not installed."""
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


def parts(corpus: Rows) -> Iterator[tuple[int, Floats]]:
    """The rows block by block, each with the place of its first row."""
    for start, stop in blocks(corpus.n, _BLOCK):
        yield start, np.ascontiguousarray(corpus.block(start, stop), dtype=np.float32)


def sign_bits(x_nd: Floats) -> np.ndarray:
    """``x > 0`` packed, the first dimension in the highest bit, as the codes of ``binary_zero``: ``(n, bytes)``."""
    return np.packbits(x_nd > 0, axis=1)
