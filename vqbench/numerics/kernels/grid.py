"""Compiled: the values of levels on a uniform grid, in one pass, to the bit as ``Grid.values`` in numpy."""

# pyright: reportMissingImports=false

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def _value(level, shift, divisor, scale, low):
    """float32 throughout, and nothing fused: each operation is rounded."""
    return (np.float32(level) + shift) / divisor * scale + low


@njit(cache=True, nogil=True)
def by_dimension(levels_nd, shift, divisor, scale_d, low_d, out_nd):
    """Each dimension has a scale and a low end of its own."""
    n, d = levels_nd.shape
    for i in range(n):
        if divisor == np.float32(1):  # a division by 1 changes nothing, and takes longer than all the rest
            for j in range(d):
                out_nd[i, j] = (np.float32(levels_nd[i, j]) + shift) * scale_d[j] + low_d[j]
        else:
            for j in range(d):
                out_nd[i, j] = _value(levels_nd[i, j], shift, divisor, scale_d[j], low_d[j])


@njit(cache=True, nogil=True)
def by_row(levels_nd, shift, divisor, scale_n, low_n, out_nd):
    """Each row has a scale and a low end of its own."""
    n, d = levels_nd.shape
    for i in range(n):
        scale, low = scale_n[i], low_n[i]
        for j in range(d):
            out_nd[i, j] = _value(levels_nd[i, j], shift, divisor, scale, low)


def warm() -> None:
    """Compile, or load what was compiled before."""
    one, number_n = np.float32(1), np.ones(1, np.float32)
    for kernel in (by_dimension, by_row):
        kernel(np.ones((1, 1), np.uint8), one, one, number_n, number_n, np.empty((1, 1), np.float32))
