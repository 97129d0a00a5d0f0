"""Compiled: from a block of products, the few that may belong to a top k."""

# pyright: reportMissingImports=false

from __future__ import annotations

import numpy as np
from numba import njit

_CHUNK = 64  # products that are compared with the floor at a time


@njit(cache=True, nogil=True)
def _kth_largest(values, k):
    """The k-th largest of ``values``, which are put into another order (Hoare's selection)."""
    low, high, at = 0, len(values) - 1, k - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if at <= j:
            high = j
        elif at >= i:
            low = i
        else:
            break
    return values[at]


@njit(cache=True, nogil=True)
def _squeeze(k, slack, limit, floor_q, scores_qc, rows_qc, count_q, spare_c, i):
    """Raise a query's floor to the k-th largest product kept, less the slack, and drop what lies below it.

    A query that keeps more than ``limit`` even so is given up: its floor becomes infinite.
    """
    count = count_q[i]
    for c in range(count):
        spare_c[c] = scores_qc[i, c]
    floor = _kth_largest(spare_c[:count], k) - slack
    if floor > floor_q[i]:
        floor_q[i] = floor
    kept = 0
    for c in range(count):
        if scores_qc[i, c] >= floor_q[i]:
            scores_qc[i, kept] = scores_qc[i, c]
            rows_qc[i, kept] = rows_qc[i, c]
            kept += 1
    count_q[i] = kept
    if kept > limit:
        floor_q[i] = np.inf


@njit(cache=True, nogil=True, inline="always")
def _reached(products_c, scale_c, floor):
    """Whether any product reaches the floor; without a branch, so that many are compared at a time."""
    reached = np.uint32(0)
    if len(products_c) == _CHUNK:
        for j in range(_CHUNK):
            reached |= np.uint32(products_c[j] * scale_c[j] >= floor)
    else:
        for j in range(len(products_c)):
            reached |= np.uint32(products_c[j] * scale_c[j] >= floor)
    return reached != 0


@njit(cache=True, nogil=True)
def collect(products_qb, scale_b, first, k, slack, limit, floor_q, scores_qc, rows_qc, count_q):
    """Append every product that, times its row's scale, reaches its query's floor; squeeze a list that is full.

    products_qb, scale_b: float32 or float64; column j belongs to row ``first + j``. floor_q, scores_qc, rows_qc,
    count_q: the lists, changed in place. A given-up query has the floor +inf.
    """
    room = scores_qc.shape[1]
    spare_c = np.empty(room, scores_qc.dtype)
    for i in range(len(products_qb)):
        floor = floor_q[i]
        if floor == np.inf:
            continue
        row_b = products_qb[i]
        for start in range(0, len(row_b), _CHUNK):
            if not _reached(row_b[start : start + _CHUNK], scale_b[start : start + _CHUNK], floor):
                continue
            for j in range(start, min(start + _CHUNK, len(row_b))):
                if row_b[j] * scale_b[j] >= floor:
                    count = count_q[i]
                    scores_qc[i, count] = row_b[j] * scale_b[j]
                    rows_qc[i, count] = first + j
                    count_q[i] = count + 1
                    if count + 1 == room:
                        _squeeze(k, slack, limit, floor_q, scores_qc, rows_qc, count_q, spare_c, i)
                        floor = floor_q[i]
            if floor == np.inf:
                break


@njit(cache=True, nogil=True)
def above(products_qb, scale_b, floor_q, from_query, at_q, at_b):
    """Where products reach their query's floor, query by query from ``from_query`` on, as long as there is room.

    Returns (next query, how many were found); a query is only begun where all its products would fit.
    """
    q, b = products_qb.shape
    found = 0
    for i in range(from_query, q):
        if found + b > len(at_q):
            return i, found
        floor, row_b = floor_q[i], products_qb[i]
        for start in range(0, b, _CHUNK):
            if not _reached(row_b[start : start + _CHUNK], scale_b[start : start + _CHUNK], floor):
                continue
            for j in range(start, min(start + _CHUNK, b)):
                if row_b[j] * scale_b[j] >= floor:
                    at_q[found] = i
                    at_b[found] = j
                    found += 1
    return q, found


def warm() -> None:
    """Compile, or load what was compiled before, for float32; products in float64 follow when they come."""
    products_qb, count_q = np.zeros((1, 3), np.float32), np.zeros(1, np.int64)
    lists = np.zeros((1, 8), np.float32), np.zeros((1, 8), np.int64)
    scale_b = np.ones(3, np.float32)
    collect(products_qb, scale_b, 0, 1, np.float32(0), 4, np.zeros(1, np.float32), *lists, count_q)
    above(products_qb, scale_b, np.zeros(1, np.float32), 0, np.zeros(3, np.int64), np.zeros(3, np.int64))
