"""The sample's mean taken away and, if wanted, all its directions brought to one variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats
from vqbench.numerics.exact_products import exact_product
from vqbench.numerics.orthonormal import on_unit_grid, principal_axes
from vqbench.quantizers.parts.ledger import Item
from vqbench.quantizers.transforms.base import Fitted, Transform

_LIMITS = np.finfo(np.float32)


@dataclass(frozen=True, kw_only=True)
class Center(Transform):
    """``x - mean``, the mean of the calibration sample for each dimension.

    whiten: then also multiplied by the covariance's inverse square root, so that the sample's covariance
    becomes the identity. Of all matrices that do so this one moves vectors least (ZCA: Kessy, Lewin and
    Strimmer, Optimal whitening and decorrelation, The American Statistician 72, 2018). Cosines are other
    ones afterwards.
    floor: the least variance to divide by, as a share of the mean variance of an axis: without it, axes in
    which the sample hardly varies would swamp all others in rows that it does not hold.
    """

    whiten: bool = False
    floor: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 < self.floor <= 1:
            raise VqbenchError(f"floor = {self.floor}: must be above 0 and at most 1; 0.001 is the default")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Fitted:
        d = sample_nd.shape[1]
        mean_d = sample_nd.mean(axis=0, dtype=np.float64).astype(np.float32)
        if not self.whiten:
            return Centered(d=d, width=d, mean_d=mean_d)
        values_d, axes_dd = principal_axes(sample_nd, mean_d, rng)
        least = self.floor * values_d.mean() or 1.0  # a sample without any variance is left as it is
        spreads_d = np.maximum(np.sqrt(np.maximum(values_d, least)), _LIMITS.tiny).astype(np.float32)
        return Whitened(d=d, width=d, mean_d=mean_d, axes_dd=on_unit_grid(axes_dd), spreads_d=spreads_d)


@dataclass(frozen=True, kw_only=True)
class Centered(Fitted):
    """``mean_d``: float32 ``(d,)``."""

    mean_d: Floats

    def apply(self, x_nd: Floats) -> Floats:
        return x_nd - self.mean_d

    def restore(self, y_nw: Floats) -> Floats:
        return y_nw + self.mean_d

    def items(self) -> tuple[Item, ...]:
        return (Item("mean", "once", self.mean_d.nbytes),)


@dataclass(frozen=True, kw_only=True)
class Whitened(Fitted):
    """``axes_dd`` float32, one principal axis a column, and the standard deviation ``spreads_d`` float32 of each.

    Both together stand for the matrix and its inverse: to the axes, divided or multiplied there, and back.
    What float32 cannot hold after the division becomes its largest number.
    """

    mean_d: Floats
    axes_dd: Floats
    spreads_d: Floats

    def apply(self, x_nd: Floats) -> Floats:
        along_nd = exact_product(x_nd - self.mean_d.astype(np.float64), self.axes_dd)
        return _float32(exact_product(along_nd / self.spreads_d, self.axes_dd.T))

    def restore(self, y_nw: Floats) -> Floats:
        along_nd = exact_product(y_nw, self.axes_dd)
        return _float32(exact_product(along_nd * self.spreads_d, self.axes_dd.T) + self.mean_d)

    def items(self) -> tuple[Item, ...]:
        held = {"mean": self.mean_d, "axes": self.axes_dd, "spreads": self.spreads_d}
        return tuple(Item(name, "once", array.nbytes) for name, array in held.items())


def _float32(x_nd: Floats) -> Floats:
    return np.clip(x_nd, -float(_LIMITS.max), float(_LIMITS.max)).astype(np.float32)
