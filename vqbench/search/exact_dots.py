"""Dot products in float64, in an order of summation that is ours: the same with and without compiled kernels."""

from __future__ import annotations

import numpy as np

from vqbench.numerics.arrays import Floats, Ints, blocks
from vqbench.numerics.kernels.choice import compiled

_LANES = 32
_CACHED = 1 << 16  # products that are held at a time
_SLOWER = 2e-9  # seconds that numpy takes longer for a component


def lane_dots(x_md: Floats, y_qd: Floats, query_m: Ints) -> Floats:
    """Return the dot product ``(m,)`` float64 of each row of ``x_md`` with row ``query_m`` of ``y_qd``.

    Component j is added to running sum j mod 32; then the second half of the sums is added to the first,
    and so on: a result depends on its two rows alone, on any machine.
    """
    x_md, y_qd = _in_c_order(x_md), _in_c_order(y_qd)
    kernels = compiled("rows", _SLOWER * x_md.size)
    if kernels is not None:
        dots_m = np.empty(len(x_md))
        kernels.dots(x_md, y_qd, query_m, dots_m)
        return dots_m
    sum_ml = np.empty((len(x_md), _LANES))
    for start, stop in blocks(len(x_md), max(1, _CACHED // max(1, x_md.shape[1]))):
        x_bd, y_bd = (some.astype(np.float64, copy=False) for some in (x_md[start:stop], y_qd[query_m[start:stop]]))
        sum_ml[start:stop] = _lane_sums(x_bd * y_bd)
    while sum_ml.shape[1] > 1:
        half = sum_ml.shape[1] // 2
        sum_ml = sum_ml[:, :half] + sum_ml[:, half:]
    return sum_ml[:, 0]


def _lane_sums(product_bd: Floats) -> Floats:
    """The running sums ``(b, 32)``; numpy adds up along a middle axis one after the other."""
    rest = product_bd.shape[1] % _LANES
    whole = product_bd.shape[1] - rest
    sum_bl = np.add.reduce(product_bd[:, :whole].reshape(len(product_bd), -1, _LANES), axis=1)
    sum_bl[:, :rest] += product_bd[:, whole:]
    return sum_bl


def lane_norms(x_md: Floats) -> Floats:
    """Return Euclidean norms ``(m,)`` in float64, added up as ``lane_dots`` does."""
    return np.sqrt(lane_dots(x_md, x_md, np.arange(len(x_md))))


def lane_cosines(x_md: Floats, y_qd: Floats, query_m: Ints) -> Floats:
    """Return cosines ``(m,)`` float64 of each row of ``x_md`` with row ``query_m`` of ``y_qd``; 0 with a zero row."""
    norms_m = lane_norms(x_md) * lane_norms(y_qd)[query_m]
    return np.divide(lane_dots(x_md, y_qd, query_m), norms_m, out=np.zeros(len(x_md)), where=norms_m > 0)


def rough_norms(x_md: Floats) -> Floats:
    """Return Euclidean norms ``(m,)`` in float64, the last bits in no certain order: for products of known error."""
    kernels = compiled("rows", _SLOWER * x_md.size)
    if kernels is None:
        return np.sqrt(np.einsum("ij,ij->i", x_md, x_md, dtype=np.float64))
    squares_m = np.empty(len(x_md))
    kernels.squares(_in_c_order(x_md), squares_m)
    return np.sqrt(squares_m)


def _in_c_order(x_md: Floats) -> Floats:
    """float32 or float64 in C order, as the kernels know them."""
    return np.ascontiguousarray(x_md, dtype=np.float32 if x_md.dtype == np.float32 else np.float64)
