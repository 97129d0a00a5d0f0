"""The settings of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vqbench.errors import VqbenchError
from vqbench.metrics.base import Metric


@dataclass(frozen=True)
class Settings:
    """What is measured, and how.

    Raises:
        VqbenchError: a number is out of its range, or given twice.
    """

    k: Sequence[int]  #: ranks
    oversample: Sequence[int]  #: 0: no rescoring, else k * oversample candidates are put in float order
    metrics: Sequence[Metric]
    calibration: int = 100_000  #: at most so many corpus rows are given to ``fit``
    block_mb: float = 64  #: bounds the memory of a block of scores; no result depends on it
    getsizeof: bool = False  #: put the teaching notebook's sizes into the ledger

    def __post_init__(self) -> None:
        for name, values, least in (("k", self.k, 1), ("oversample", self.oversample, 0)):
            if not values or min(values) < least or len(set(values)) < len(values):
                raise VqbenchError(
                    f"{name} = {list(values)}: needs distinct whole numbers of at least {least}, one or more"
                )
        if self.calibration < 1:
            raise VqbenchError(f"calibration = {self.calibration}: needs at least 1 row to learn from")
        if not 0 < self.block_mb < math.inf:
            raise VqbenchError(f"block_mb = {self.block_mb:g}: needs a number of MiB above 0, as in block_mb=64")

    def check_depth(self, name: str, findable: int) -> None:
        """Raise VqbenchError where the largest k exceeds the rows that a query of the dataset can find."""
        if max(self.k) > findable:
            raise VqbenchError(
                f"k = {max(self.k)}: a query of {name} can find only {findable} rows; "
                f"set k to at most that, as in 'k=[{min(10, findable)}]'"
            )

    def fetched(self, k: int, oversample: int, findable: int) -> int:
        """Return how many candidates the code search fetches."""
        return min(findable, k * max(1, oversample))
