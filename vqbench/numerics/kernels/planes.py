"""Compiled: products of packed bits with whole numbers of a few bits, by counting ones."""

# pyright: reportMissingImports=false

from __future__ import annotations

import numpy as np
from numba import njit

from vqbench.numerics.kernels.bits import TILE, popcount, transpose

PLANES = 4  # bits of a query's numbers


@njit(cache=True, nogil=True)
def _counts(planes_qpw, i, tile_wt, count_t):
    """The sum over planes of 2^p times the ones that each code of a tile shares with plane p of query ``i``.

    Two words and all planes at a time: a running sum is loaded and stored once for eight counts.
    """
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    count_t[:] = 0
    for j in range(0, planes_qpw.shape[2], 2):
        a0, b0 = planes_qpw[i, 0, j], planes_qpw[i, 0, j + 1]
        a1, b1 = planes_qpw[i, 1, j], planes_qpw[i, 1, j + 1]
        a2, b2 = planes_qpw[i, 2, j], planes_qpw[i, 2, j + 1]
        a3, b3 = planes_qpw[i, 3, j], planes_qpw[i, 3, j + 1]
        for t in range(TILE):
            x, y = tile_wt[j, t], tile_wt[j + 1, t]
            count_t[t] += (
                (popcount(x & a0) + popcount(y & b0))
                + ((popcount(x & a1) + popcount(y & b1)) << one)
                + ((popcount(x & a2) + popcount(y & b2)) << two)
                + ((popcount(x & a3) + popcount(y & b3)) << three)
            )


@njit(cache=True, nogil=True)
def products(planes_qpw, step_q, terms_qr, words_bw, width_b, terms_rb, out_qb):
    """``out_qb[i, j] = step_q[i] width_b[j] S + sum over r of terms_qr[i, r] terms_rb[r, j]``, rounded once.

    S: the product of the bits of code j with the whole numbers of query i, whose bit p is plane p: there are four
    planes. The number of words must be even. out_qb: float32 or float64.
    """
    (q, r), (b, w) = terms_qr.shape, words_bw.shape
    tile_wt, count_t, sum_t = np.zeros((w, TILE), np.uint64), np.zeros(TILE, np.uint64), np.empty(TILE)
    for start in range(0, b, TILE):
        stop = min(start + TILE, b)
        transpose(words_bw, start, stop, tile_wt)
        # A signed and an unsigned number would add up to a float.
        first, size = np.uint64(start), np.uint64(stop - start)
        for i in range(q):
            _counts(planes_qpw, i, tile_wt, count_t)
            for t in range(size):
                sum_t[t] = step_q[i] * width_b[first + t] * np.float64(np.int64(count_t[t]))
            for term in range(r):
                for t in range(size):
                    sum_t[t] += terms_qr[i, term] * terms_rb[term, first + t]
            for t in range(size):
                out_qb[i, first + t] = sum_t[t]


def warm() -> None:
    """Compile, or load what was compiled before, for float32."""
    number = np.ones((1, 1))
    planes_qpw, words_bw = np.ones((1, PLANES, 2), np.uint64), np.ones((1, 2), np.uint64)
    products(planes_qpw, number[0], number, words_bw, number[0], number, np.empty((1, 1), np.float32))
