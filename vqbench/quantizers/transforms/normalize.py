"""Rows scaled to unit length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Floats, unit_rows
from vqbench.quantizers.transforms.base import FittedTransform, Transform


@dataclass(frozen=True, kw_only=True)
class Normalize(Transform):
    """Each row divided by its norm; a zero row stays zero. The norm is given up: cosine does not need it.

    >>> x_nd = np.float32([[3, 4], [0, 0]])
    >>> Normalize().fit(x_nd, np.random.default_rng(0)).apply(x_nd)
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        d = sample_nd.shape[1]
        return Normalized(d=d, width=d)


@dataclass(frozen=True, kw_only=True)
class Normalized(FittedTransform):
    """Nothing is learned, and nothing can be restored: the unit row is the answer."""

    def apply(self, x_nd: Floats) -> Floats:
        return unit_rows(x_nd)

    def restore(self, y_nw: Floats) -> Floats:
        return y_nw
