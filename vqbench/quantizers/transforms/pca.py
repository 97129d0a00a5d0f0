"""Projection onto the directions in which the sample is largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats
from vqbench.numerics.exact_products import exact_product
from vqbench.numerics.orthonormal import on_unit_grid, principal_axes
from vqbench.quantizers.parts.ledger import Item
from vqbench.quantizers.transforms.base import Fitted, Transform, projected


@dataclass(frozen=True, kw_only=True)
class PCA(Transform):
    """The leading ``m`` eigenvectors (none: all ``d``) of the sample's second moments.

    Of all projections to m dimensions this one keeps most of the sample's squared lengths (Eckart and
    Young, The approximation of one matrix by another of lower rank, Psychometrika 1, 1936).
    center: moments about the mean, which is taken away first: the usual principal component analysis
    (Jolliffe, Principal component analysis, 2nd ed., 2002, section 1.1). Inner products then are those
    of centred vectors; without it, those of the vectors themselves.
    """

    m: int | None = None
    center: bool = False

    def __post_init__(self) -> None:
        if self.m is not None and self.m < 1:
            raise VqbenchError(f"m = {self.m}: must be at least 1, or null for as many as the vectors have")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Fitted:
        d = sample_nd.shape[1]
        m = projected(self.m, d)
        mean_d = sample_nd.mean(axis=0, dtype=np.float64).astype(np.float32) if self.center else None
        _, axes_dd = principal_axes(sample_nd, np.zeros(d) if mean_d is None else mean_d, rng)
        return Projection(d=d, width=m, mean_d=mean_d, axes_dm=on_unit_grid(axes_dd[:, :m]))


@dataclass(frozen=True, kw_only=True)
class Projection(Fitted):
    """``axes_dm`` float32, one axis a column, the one of largest variance first; ``mean_d`` float32 or none."""

    mean_d: Floats | None
    axes_dm: Floats

    def apply(self, x_nd: Floats) -> Floats:
        about_nd = x_nd if self.mean_d is None else x_nd - self.mean_d.astype(np.float64)
        return exact_product(about_nd, self.axes_dm).astype(np.float32)

    def restore(self, y_nw: Floats) -> Floats:
        x_nd = exact_product(y_nw, self.axes_dm.T)
        return (x_nd if self.mean_d is None else x_nd + self.mean_d).astype(np.float32)

    def items(self) -> tuple[Item, ...]:
        axes = Item("axes", "once", self.axes_dm.nbytes)
        return (axes,) if self.mean_d is None else (Item("mean", "once", self.mean_d.nbytes), axes)
