"""The sample's mean subtracted and, if wanted, all its directions scaled to one variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from vqbench.numerics.arrays import Floats
from vqbench.numerics.exact_products import exact_product
from vqbench.numerics.orthonormal import on_unit_grid, principal_axes
from vqbench.quantizers.parts.rounding import to_float32
from vqbench.quantizers.parts.spec import Limits
from vqbench.quantizers.transforms.base import FittedTransform, Transform


@dataclass(frozen=True, kw_only=True)
class Center(Transform):
    """``x - mean``, the mean of the calibration sample for each dimension.

    Source of whitening: ZCA (Kessy, Lewin and Strimmer, Optimal whitening and decorrelation, The American
    Statistician 72, 2018). Of all matrices that whiten this one moves vectors least.

    >>> x_nd = np.float32([[0, 2], [4, 6]])
    >>> Center().fit(x_nd, np.random.default_rng(0)).apply(x_nd)
    array([[-2., -2.],
           [ 2.,  2.]], dtype=float32)
    """

    #: Multiply by the covariance's inverse square root, too, so that the sample's covariance becomes the identity.
    #: Cosines are different afterwards.
    whiten: bool = False
    #: The least variance to divide by, as a share of the mean variance of an axis: without it, axes in which the
    #: sample hardly varies would swamp all others in rows that it does not hold.
    floor: Annotated[float, Limits(0, 1, above=True, advice="; 0.001 is the default")] = 1e-3

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        d = sample_nd.shape[1]
        mean_d = sample_nd.mean(axis=0, dtype=np.float64).astype(np.float32)
        if not self.whiten:
            return Centered(d=d, width=d, mean_d=mean_d)
        values_d, axes_dd = principal_axes(sample_nd, mean_d, rng)
        least = self.floor * values_d.mean() or 1.0  # a sample without any variance is left as it is
        tiny = np.finfo(np.float32).tiny
        spreads_d = np.maximum(np.sqrt(np.maximum(values_d, least)), tiny).astype(np.float32)
        return Whitened(d=d, width=d, mean_d=mean_d, axes_dd=on_unit_grid(axes_dd), spreads_d=spreads_d)


@dataclass(frozen=True, kw_only=True)
class Centered(FittedTransform):
    """The mean, subtracted and added."""

    mean_d: Floats  # float32

    def apply(self, x_nd: Floats) -> Floats:
        return x_nd - self.mean_d

    def restore(self, y_nw: Floats) -> Floats:
        return y_nw + self.mean_d


@dataclass(frozen=True, kw_only=True)
class Whitened(FittedTransform):
    """Axes and spreads stand for the matrix and its inverse: to the axes, divided or multiplied there, and back.

    What float32 cannot hold after the division becomes its largest number.
    """

    mean_d: Floats  # float32, as the rest
    axes_dd: Floats  # one principal axis a column
    spreads_d: Floats  # the standard deviation along each

    def apply(self, x_nd: Floats) -> Floats:
        along_nd = exact_product(x_nd - self.mean_d.astype(np.float64), self.axes_dd)
        return to_float32(exact_product(along_nd / self.spreads_d, self.axes_dd.T))

    def restore(self, y_nw: Floats) -> Floats:
        along_nd = exact_product(y_nw, self.axes_dd)
        return to_float32(exact_product(along_nd * self.spreads_d, self.axes_dd.T) + self.mean_d)
