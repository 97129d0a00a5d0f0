"""A rotation learned so that signs lose little: iterative quantization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from vqbench.numerics.arrays import Floats, blocks
from vqbench.numerics.draws import content_keys, drawn
from vqbench.numerics.orthonormal import completed, haar, on_unit_grid, principal_axes
from vqbench.quantizers.parts.spec import Count, Limits
from vqbench.quantizers.transforms.base import FittedTransform, Projection, Transform, check_width

_ROWS = 4096


@dataclass(frozen=True, kw_only=True)
class ITQ(Transform):
    """Centred PCA to ``m`` dimensions, then the rotation that brings rows near their signs.

    From a random rotation R, signs B = sign(V R) and the R that minimises |B - V R| (the orthogonal Procrustes
    problem, by SVD) take turns; the loss never rises.

    Source: Gong and Lazebnik, Iterative quantization: a Procrustean approach to learning binary codes, CVPR 2011,
    eq. 2.

    >>> x_nd = np.float32([[2, 0], [-2, 0], [0, 1], [0, -1]])
    >>> fitted = ITQ().fit(x_nd, np.random.default_rng(0))
    >>> bool(np.allclose(np.linalg.norm(fitted.apply(x_nd), axis=1), [2, 2, 1, 1]))
    True
    """

    m: Count | None = None  # dimensions that are kept (null: all)
    rounds: Annotated[int, Limits(0)] = 50  # turns
    #: Rows of the sample that the turns use, at most, drawn by their content (null: all). The principal axes come from
    #: all rows.
    rows: Count | None = 20_000

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        d = sample_nd.shape[1]
        m = check_width(self.m, d)
        mean_d = sample_nd.mean(axis=0, dtype=np.float64).astype(np.float32)
        values_d, axes_dd = principal_axes(sample_nd, mean_d, rng)
        rank = min(m, int(np.count_nonzero(values_d)))
        rotation_rm, salt = haar(m, rng)[:rank], int(rng.integers(2**32))
        if self.rows is not None and self.rows < len(sample_nd):
            sample_nd = sample_nd[drawn(content_keys(sample_nd), self.rows, salt, "itq")]
        for _ in range(self.rounds):
            rotation_rm = _next_rotation(sample_nd, mean_d, axes_dd[:, :rank], rotation_rm)
        rotation_mm = completed(rotation_rm.T, m, rng).T
        matrix_dm = on_unit_grid(axes_dd[:, :m] @ rotation_mm)
        return Projection(d=d, width=m, name="matrix", mean_d=mean_d, matrix_dm=matrix_dm)


def _next_rotation(sample_nd: Floats, mean_d: Floats, axes_dr: Floats, rotation_rm: Floats) -> Floats:
    """One turn: the best rotation for the signs that the last one gave.

    Only its ``r`` rows for axes along which the sample varies: no sign says anything about the others.
    """
    matrix_dm = axes_dr @ rotation_rm
    towards_dm = np.zeros_like(matrix_dm)
    for start, stop in blocks(len(sample_nd), _ROWS):
        centred_nd = sample_nd[start:stop] - mean_d.astype(np.float64)
        towards_dm += centred_nd.T @ np.where(centred_nd @ matrix_dm > 0, 1.0, -1.0)
    left_rr, _, right_rm = np.linalg.svd(axes_dr.T @ towards_dm, full_matrices=False)
    return left_rr @ right_rm
