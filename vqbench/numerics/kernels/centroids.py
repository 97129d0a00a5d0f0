"""Compiled: the nearest centroid of each row, as ``vqbench.quantizers.product`` finds it."""

# pyright: reportMissingImports=false

from __future__ import annotations

import numpy as np
from numba import njit

TILE = 128  # rows that are compared with one centroid at a time: several by one instruction
GROUP = 8  # dimensions that are added up at a time; rows and centroids are padded with zeros to a multiple


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_products(rows_wt, centroids_kw, c, sum_t):
    """``sum_t`` = the products of a tile of rows with one centroid."""
    sum_t[:] = 0
    for j in range(0, len(rows_wt), GROUP):
        c0, c1, c2, c3 = centroids_kw[c, j], centroids_kw[c, j + 1], centroids_kw[c, j + 2], centroids_kw[c, j + 3]
        c4, c5, c6 = centroids_kw[c, j + 4], centroids_kw[c, j + 5], centroids_kw[c, j + 6]
        c7 = centroids_kw[c, j + 7]
        for t in range(TILE):
            sum_t[t] += (
                c0 * rows_wt[j, t]
                + c1 * rows_wt[j + 1, t]
                + c2 * rows_wt[j + 2, t]
                + c3 * rows_wt[j + 3, t]
                + c4 * rows_wt[j + 4, t]
                + c5 * rows_wt[j + 5, t]
                + c6 * rows_wt[j + 6, t]
                + c7 * rows_wt[j + 7, t]
            )


@njit(cache=True, nogil=True, fastmath={"contract"})
def _best_two(rows_wt, centroids_kw, halves_k, best_t, second_t, index_t, sum_t):
    """float32: for a tile of rows the greatest ``x . c - |c|^2 / 2``, the next greatest, and where the first was."""
    best_t[:] = -np.inf
    second_t[:] = -np.inf
    for c in range(len(centroids_kw)):
        half, number = halves_k[c], np.int32(c)
        _add_products(rows_wt, centroids_kw, c, sum_t)
        for t in range(TILE):
            score, best = sum_t[t] - half, best_t[t]
            loser = best if score > best else score
            second_t[t] = loser if loser > second_t[t] else second_t[t]
            index_t[t] = number if score > best else index_t[t]
            best_t[t] = score if score > best else best


@njit(cache=True, nogil=True)
def _exactly(rows_nw, i, centroids_kw, halves_k):
    """The same for one row in float64, where the sums are not rounded: the first of the greatest."""
    index, best = 0, -np.inf
    for c in range(len(centroids_kw)):
        score = 0.0
        for j in range(rows_nw.shape[1]):
            score += np.float64(rows_nw[i, j]) * np.float64(centroids_kw[c, j])
        score -= halves_k[c]
        if score > best:
            index, best = c, score
    return index


@njit(cache=True, nogil=True)
def nearest(rows_nw, centroids_kw, halves_k, doubt, index_n):
    """``index_n`` = the centroid of the greatest score, the first of equals.

    rows_nw, centroids_kw: float32 on the grids of ``vqbench.numerics.exact_products``; halves_k: float64.
    doubt: what two scores in float32 may be off together; where the two best are no farther apart, float64 decides,
    which is exact.
    """
    n, w = rows_nw.shape
    k, padded = len(centroids_kw), -(-w // GROUP) * GROUP
    rows_wt, padded_kw = np.zeros((padded, TILE), np.float32), np.zeros((k, padded), np.float32)
    for c in range(k):  # numba takes seconds to compile the assignment of a slice in two dimensions
        for j in range(w):
            padded_kw[c, j] = centroids_kw[c, j]
    halves32_k = halves_k.astype(np.float32)
    best_t, second_t = np.empty(TILE, np.float32), np.empty(TILE, np.float32)
    index_t, sum_t = np.zeros(TILE, np.int32), np.empty(TILE, np.float32)
    for start in range(0, n, TILE):
        count = min(TILE, n - start)
        for j in range(w):
            for t in range(count):
                rows_wt[j, t] = rows_nw[start + t, j]
        _best_two(rows_wt, padded_kw, halves32_k, best_t, second_t, index_t, sum_t)
        for t in range(count):
            if best_t[t] - second_t[t] > doubt:
                index_n[start + t] = index_t[t]
            else:
                index_n[start + t] = _exactly(rows_nw, start + t, centroids_kw, halves_k)


def warm() -> None:
    """Compile, or load what was compiled before."""
    nearest(np.ones((1, 1), np.float32), np.ones((2, 1), np.float32), np.ones(2), np.float32(0), np.zeros(1, np.intp))
