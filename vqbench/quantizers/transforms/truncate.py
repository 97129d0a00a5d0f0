"""The first dimensions only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import Floats, unit_rows
from vqbench.quantizers.transforms.base import Fitted, Transform


@dataclass(frozen=True, kw_only=True)
class Truncate(Transform):
    """The first ``m`` dimensions, scaled to unit length again; a row that is zero there stays zero.

    For models trained so that a prefix is an embedding too (Kusupati et al., Matryoshka
    representation learning, NeurIPS 2022); on others it shows what that training is worth.
    """

    m: int

    def __post_init__(self) -> None:
        if self.m < 1:
            raise VqbenchError(f"m = {self.m}: must be at least 1, the number of dimensions that are kept")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Fitted:
        d = sample_nd.shape[1]
        if self.m > d:
            raise NotApplicableError(f"m = {self.m}: the vectors have {d} dimensions, there is nothing to cut off")
        return Truncated(d=d, width=self.m)


@dataclass(frozen=True, kw_only=True)
class Truncated(Fitted):
    """Nothing is learned; the dimensions that were cut off come back as zeros."""

    def apply(self, x_nd: Floats) -> Floats:
        return unit_rows(x_nd[:, : self.width])

    def restore(self, y_nw: Floats) -> Floats:
        x_nd = np.zeros((len(y_nw), self.d), np.float32)
        x_nd[:, : self.width] = y_nw
        return x_nd
