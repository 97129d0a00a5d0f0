"""The first dimensions only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Floats, unit_rows
from vqbench.quantizers.parts.spec import Count
from vqbench.quantizers.transforms.base import FittedTransform, Transform, check_width


@dataclass(frozen=True, kw_only=True)
class Truncate(Transform):
    """The first ``m`` dimensions, scaled to unit length again; a row that is zero there stays zero.

    For models trained so that a prefix is an embedding too; on others it shows what that training is worth.

    Source: Kusupati et al., Matryoshka representation learning, NeurIPS 2022.

    >>> x_nd = np.float32([[3, 4, 12]])
    >>> truncated = Truncate(m=2).fit(x_nd, np.random.default_rng(0))
    >>> truncated.apply(x_nd), truncated.restore(truncated.apply(x_nd))
    (array([[0.6, 0.8]], dtype=float32), array([[0.6, 0.8, 0. ]], dtype=float32))
    """

    m: Count  # dimensions that are kept

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        d = sample_nd.shape[1]
        return Truncated(d=d, width=check_width(self.m, d))


@dataclass(frozen=True, kw_only=True)
class Truncated(FittedTransform):
    """Nothing is learned; the dimensions that were cut off come back as zeros."""

    def apply(self, x_nd: Floats) -> Floats:
        return unit_rows(x_nd[:, : self.width])

    def restore(self, y_nw: Floats) -> Floats:
        return np.pad(y_nw, ((0, 0), (0, self.d - self.width)))
