"""What is timed, and how often: the key ``timed`` of conf/config.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vqbench.errors import VqbenchError

#: Families of contestants, then what has rows of its own, in the order of the tables.
PARTS = ("float32", "int8", "hamming", "one_bit", "product", "fit", "sweep", "command", "startup", "linear", "memory")


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A timed comparison.

    sizes: of the searches, each ``[rows, dimensions, queries]``. k: ranks. repeats: rounds, in each of which every
    contestant searches once. seed: of the vectors, the codes and the order within a round. threads: of every
    contestant (none: as many as the run has). training: rows that codes learn from, at most. parts: which of ``PARTS``.
    whole: ``[rows, dimensions, queries]`` of the whole command and of training. linear_rows, linear_queries and
    linear_variants: what our own time is drawn against, one at a time, the others as in ``linear_size``. memory_rows,
    memory_queries: of the default sweep whose peak memory is taken, with as many dimensions as ``whole``.
    """

    sizes: list[list[int]] = field(default_factory=lambda: [[100_000, 1024, 500], [1_000_000, 384, 200]])
    k: list[int] = field(default_factory=lambda: [10, 100])
    repeats: int = 5
    seed: int = 0
    threads: int | None = None
    training: int = 10_000
    parts: list[str] = field(default_factory=lambda: [part for part in PARTS if part != "memory"])
    whole: list[int] = field(default_factory=lambda: [23_200, 384, 500])
    linear_size: list[int] = field(default_factory=lambda: [100_000, 384, 200])
    linear_rows: list[int] = field(default_factory=lambda: [10_000, 30_000, 100_000, 300_000, 1_000_000])
    linear_queries: list[int] = field(default_factory=lambda: [50, 100, 200, 500, 1000])
    linear_variants: list[int] = field(default_factory=lambda: [1, 2, 4, 8])
    memory_rows: list[int] = field(default_factory=lambda: [10_000, 100_000, 1_000_000, 10_000_000])
    memory_queries: int = 50

    def __post_init__(self) -> None:
        _sizes("sizes", self.sizes)
        for name in ("whole", "linear_size"):
            _sizes(name, [getattr(self, name)])
        for name in ("k", "linear_rows", "linear_queries", "linear_variants", "memory_rows"):
            _positive(name, getattr(self, name))
        for name in ("repeats", "training", "memory_queries"):
            _positive(name, [getattr(self, name)])
        if self.seed < 0:
            raise VqbenchError(f"timed.seed = {self.seed}: must not be negative")
        if self.threads is not None and self.threads < 1:
            raise VqbenchError(f"timed.threads = {self.threads}: must be at least 1, or null")
        smallest = min([*(size[0] for size in self.sizes), *self.linear_rows, self.linear_size[0], self.whole[0]])
        if max(self.k) > smallest:
            raise VqbenchError(
                f"timed.k = {self.k}: no more than the {smallest} rows of the smallest corpus can be found"
            )
        for part in self.parts:
            if part not in PARTS:
                raise VqbenchError(f"timed.parts = {part}: must be among {', '.join(PARTS)}")


def _sizes(name: str, sizes: Sequence[Sequence[int]]) -> None:
    for size in sizes:
        if len(size) != 3 or min(size) < 1:
            raise VqbenchError(f"timed.{name} = {size}: needs three whole numbers above 0: rows, dimensions, queries")
        if size[1] % 8:
            raise VqbenchError(f"timed.{name} = {size}: dimensions must be a multiple of 8, as product codes cut them")


def _positive(name: str, values: Sequence[int]) -> None:
    if not values or min(values) < 1:
        raise VqbenchError(f"timed.{name} = {values}: needs whole numbers above 0")
