"""Projection onto the directions in which the sample is largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Floats
from vqbench.numerics.orthonormal import on_unit_grid, principal_axes
from vqbench.quantizers.parts.spec import Count
from vqbench.quantizers.transforms.base import FittedTransform, Projection, Transform, check_width


@dataclass(frozen=True, kw_only=True)
class PCA(Transform):
    """The leading ``m`` eigenvectors of the sample's second moments.

    Of all projections to m dimensions this one keeps most of the sample's squared lengths.

    Source: Eckart and Young, The approximation of one matrix by another of lower rank, Psychometrika 1, 1936; centred:
    Jolliffe, Principal component analysis, 2nd ed., 2002, section 1.1.

    >>> x_nd = np.float32([[3, 4], [-3, -4], [6, 8]])
    >>> np.abs(PCA(m=1).fit(x_nd, np.random.default_rng(0)).apply(x_nd)).round(4)
    array([[ 5.],
           [ 5.],
           [10.]], dtype=float32)
    """

    m: Count | None = None  # dimensions that are kept (null: all)
    #: Moments about the mean, which is subtracted first. Inner products are then those of centred vectors; without it,
    #: those of the vectors themselves.
    center: bool = False

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        d = sample_nd.shape[1]
        m = check_width(self.m, d)
        mean_d = sample_nd.mean(axis=0, dtype=np.float64).astype(np.float32) if self.center else None
        _, axes_dd = principal_axes(sample_nd, np.zeros(d) if mean_d is None else mean_d, rng)
        return Projection(d=d, width=m, name="axes", mean_d=mean_d, matrix_dm=on_unit_grid(axes_dd[:, :m]))
