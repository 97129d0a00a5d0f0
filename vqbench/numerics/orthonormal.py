"""Orthonormal matrices: drawn at random, or the directions in which a sample varies most.

Both come from LAPACK, whose last bits depend on the machine and the threads; ``on_unit_grid`` rounds far
more coarsely than they differ, so that the same seed and sample give the same matrix.
"""

from __future__ import annotations

import numpy as np

from vqbench.numerics.arrays import Floats, blocks
from vqbench.numerics.exact_products import on_grid

_ROWS = 4096
_SHRUNK = 1 - 2.0**-30


def haar(d: int, rng: np.random.Generator) -> Floats:
    """Draw a random orthogonal matrix ``(d, d)`` float64, uniform over all of them.

    QR of a Gaussian matrix, the signs of R's diagonal moved into Q: without that the law is not
    uniform (Mezzadri, How to generate random matrices from the classical compact groups, Notices of
    the AMS 54, 2007, section "A correct and efficient algorithm").
    """
    q_dd, r_dd = np.linalg.qr(rng.standard_normal((d, d)))
    return q_dd * np.where(np.diag(r_dd) < 0, -1.0, 1.0)


def principal_axes(sample_nd: Floats, mean_d: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return eigenvalues ``(d,)`` and eigenvectors ``(d, d)`` of the second moments about ``mean_d``, largest first.

    All are float64. An eigenvector's component of largest magnitude is positive. Directions in which the sample does
    not vary (all but n - 1 of them where d > n) have eigenvalue 0 and no axes of their own: LAPACK's choice
    would depend on rounding errors, so random ones are drawn from ``rng``.
    """
    n, d = sample_nd.shape
    moments_dd = np.zeros((d, d))
    for start, stop in blocks(n, _ROWS):
        about_nd = sample_nd[start:stop] - mean_d.astype(np.float64)
        moments_dd += about_nd.T @ about_nd
    values_d, axes_dd = np.linalg.eigh(moments_dd / n)
    values_d, axes_dd = np.maximum(values_d[::-1], 0), axes_dd[:, ::-1]
    rank = int(np.count_nonzero(values_d > d * np.finfo(np.float64).eps * values_d[0]))
    values_d[rank:] = 0
    axes_dd = completed(axes_dd[:, :rank], d, rng)
    largest_d = np.take_along_axis(axes_dd, np.abs(axes_dd).argmax(axis=0)[None], axis=0)[0]
    return values_d, axes_dd * np.where(largest_d < 0, -1.0, 1.0)


def completed(frame_dr: Floats, m: int, rng: np.random.Generator) -> Floats:
    """Return orthonormal columns ``(d, r)`` and random ones orthogonal to them: ``(d, m)``."""
    d, r = frame_dr.shape
    if r == m:
        return frame_dr
    gaussian_do = rng.standard_normal((d, m - r))
    others_do = np.linalg.qr(gaussian_do - frame_dr @ (frame_dr.T @ gaussian_do))[0]
    return np.hstack([frame_dr, others_do])


def on_unit_grid(matrix_dm: Floats) -> Floats:
    """Round unit columns for ``exact_product``, float32, each number within 2**-23.

    They are shrunk by 2**-30 first: a column that came out a rounding error longer than 1 would make
    the whole grid twice as coarse.
    """
    return on_grid(matrix_dm * _SHRUNK) + np.float32(0)  # no negative zeros: equal matrices have equal bytes
