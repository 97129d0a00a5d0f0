"""What is timed, and how often: the settings of ``python -m experiments.peers``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vqbench.errors import VqbenchError

#: Jobs that several libraries do, then parts with rows of their own, in the order of the tables.
PARTS = ("float32", "int8", "hamming", "one_bit", "product", "fit", "sweep", "command", "startup", "linear", "memory")


def _setting(default: Any, help: str) -> Any:
    """A field with its line of ``--help``."""
    return field(default_factory=lambda: copy.copy(default), metadata={"help": help})


@dataclass(frozen=True, kw_only=True)
class Timed:
    """The settings of a timed comparison. Each is ``KEY=VALUE`` on the command line."""

    parts: list[str] = _setting([part for part in PARTS if part != "memory"], f"what to time: {', '.join(PARTS)}")
    sizes: list[list[int]] = _setting(
        [[100_000, 1024, 500], [1_000_000, 384, 200]], "corpora of the searches: [rows, dimensions, queries] each"
    )
    k: list[int] = _setting([10, 100], "how many rows a search returns")
    repeats: int = _setting(5, "rounds; in each round every contestant runs once")
    seed: int = _setting(0, "of the vectors, the codes and the order within a round")
    threads: int | None = _setting(None, "threads of every contestant; null: one for each processor")
    training: int = _setting(10_000, "most rows that codes learn from")
    whole: list[int] = _setting([23_200, 384, 500], "size of the whole command and of training")
    linear_size: list[int] = _setting([100_000, 384, 200], "size for linear.csv, where one of the next three varies")
    linear_rows: list[int] = _setting([10_000, 30_000, 100_000, 300_000, 1_000_000], "numbers of rows")
    linear_queries: list[int] = _setting([50, 100, 200, 500, 1000], "numbers of queries")
    linear_variants: list[int] = _setting([1, 2, 4, 8], "numbers of variants")
    memory_rows: list[int] = _setting([10_000, 100_000, 1_000_000, 10_000_000], "numbers of rows for the part memory")
    memory_queries: int = _setting(50, "queries for the part memory; it has the dimensions of whole")

    def __post_init__(self) -> None:
        _check_sizes("sizes", self.sizes)
        for name in ("whole", "linear_size"):
            _check_sizes(name, [getattr(self, name)])
        for name in ("k", "linear_rows", "linear_queries", "linear_variants", "memory_rows"):
            _check_positive(name, getattr(self, name))
        for name in ("repeats", "training", "memory_queries"):
            _check_positive(name, [getattr(self, name)])
        if self.seed < 0:
            raise VqbenchError(f"seed = {self.seed}: must not be negative")
        if self.threads is not None and self.threads < 1:
            raise VqbenchError(f"threads = {self.threads}: must be at least 1, or null")
        smallest = min([*(size[0] for size in self.sizes), *self.linear_rows, self.linear_size[0], self.whole[0]])
        if max(self.k) > smallest:
            raise VqbenchError(f"k = {self.k}: must not exceed the {smallest} rows of the smallest corpus")
        for part in self.parts:
            if part not in PARTS:
                raise VqbenchError(f"parts = {part}: must be among {', '.join(PARTS)}")


def _check_sizes(name: str, sizes: Sequence[Sequence[int]]) -> None:
    for size in sizes:
        if len(size) != 3 or min(size) < 1:
            raise VqbenchError(f"{name} = {size}: needs three whole numbers above 0: rows, dimensions, queries")
        if size[1] % 8:
            raise VqbenchError(f"{name} = {size}: the dimensions must be a multiple of 8, for product codes")


def _check_positive(name: str, values: Sequence[int]) -> None:
    if not values or min(values) < 1:
        raise VqbenchError(f"{name} = {values}: needs whole numbers above 0")
