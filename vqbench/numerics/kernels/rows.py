"""Compiled: norms and exact scores, row by row. Sums are in float64, in an order that ``lanes`` fixes."""

# pyright: reportMissingImports=false

from __future__ import annotations

import numpy as np
from numba import njit

LANES = 32


@njit(cache=True, nogil=True, inline="always")
def _add(sum_l, x_l, y_l):
    """LANES products, each to a running sum of its own, so that several are added by one instruction."""
    for lane in range(LANES):
        sum_l[lane] += np.float64(x_l[lane]) * np.float64(y_l[lane])


@njit(cache=True, nogil=True, inline="always")
def _dot(x_d, y_d, sum_l):
    """The sum of x * y, added up as ``vqbench.search.exact_dots.lane_dots`` says."""
    sum_l[:] = 0
    rest = len(x_d) % LANES
    whole = len(x_d) - rest
    for start in range(0, whole, LANES):
        _add(sum_l, x_d[start : start + LANES], y_d[start : start + LANES])
    x_r, y_r = x_d[whole:], y_d[whole:]
    for lane in range(rest):
        sum_l[lane] += np.float64(x_r[lane]) * np.float64(y_r[lane])
    half = LANES // 2
    while half:
        for lane in range(half):
            sum_l[lane] += sum_l[lane + half]
        half //= 2
    return sum_l[0]


@njit(cache=True, nogil=True)
def dots(x_md, y_qd, query_m, out_m):
    """``out_m[i]`` = the dot product of row i with row ``query_m[i]`` of ``y_qd``."""
    sum_l = np.empty(LANES)
    for i in range(len(x_md)):
        out_m[i] = _dot(x_md[i], y_qd[query_m[i]], sum_l)


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz"})
def squares(x_md, out_m):
    """``out_m[i]`` = about the squared norm of row i: in float64, added up in whatever order is fastest."""
    for i in range(len(x_md)):
        row_d, total = x_md[i], 0.0
        for j in range(len(row_d)):
            total += np.float64(row_d[j]) * np.float64(row_d[j])
        out_m[i] = total


def warm() -> None:
    """Compile, or load what was compiled before, for float32; rows in float64 follow when they come."""
    query_m, out_m = np.zeros(2, np.int64), np.zeros(2)
    x_md = np.ones((2, 9), np.float32)
    dots(x_md, x_md, query_m, out_m)
    squares(x_md, out_m)
