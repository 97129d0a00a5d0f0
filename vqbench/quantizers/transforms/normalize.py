"""Rows scaled to unit length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Floats, unit_rows
from vqbench.quantizers.transforms.base import Fitted, Transform


@dataclass(frozen=True, kw_only=True)
class Normalize(Transform):
    """Each row divided by its norm; a zero row stays zero. The norm is given up: cosine has no use for it."""

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Fitted:
        d = sample_nd.shape[1]
        return Normalized(d=d, width=d)


@dataclass(frozen=True, kw_only=True)
class Normalized(Fitted):
    """Nothing is learned, and nothing can be restored: the unit row is the answer."""

    def apply(self, x_nd: Floats) -> Floats:
        return unit_rows(x_nd)

    def restore(self, y_nw: Floats) -> Floats:
        return y_nw
