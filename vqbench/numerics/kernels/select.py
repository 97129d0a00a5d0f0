"""Compiled: from a block of products, the few that may belong to a top k."""

# pyright: reportMissingImports=false

from __future__ import annotations

import numpy as np
from numba import njit

_CHUNK = 64  # products that are compared with the floor at a time


@njit(cache=True, nogil=True)
def _squeeze(k, slack, limit, floor_q, scores_qc, rows_qc, count_q, i):
    """Raise a query's floor to the k-th largest product kept, less the slack, and drop what lies below it.

    A query that keeps more than ``limit`` even so is given up: its floor becomes infinite.
    """
    count = count_q[i]
    floor = np.partition(scores_qc[i, :count], count - k)[count - k] - slack
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


@njit(cache=True, nogil=True)
def _reached(products_qb, scale_b, i, start, floor):
    """Whether any product of a chunk reaches the floor; without a branch, so that many are compared at a time.

    Indices are unsigned, which saves the check for one that counts from the end; slices would be counted references.
    """
    reached = np.uint32(0)
    for j in range(start, start + np.uint64(_CHUNK)):
        reached |= np.uint32(products_qb[i, j] * scale_b[j] >= floor)
    return reached != 0


@njit(cache=True, nogil=True)
def collect(products_qb, scale_b, first, k, slack, limit, floor_q, scores_qc, rows_qc, count_q):
    """Append every product that, times its row's scale, reaches its query's floor; squeeze a list that is full.

    products_qb, scale_b: float32 or float64; column j belongs to row ``first + j``. floor_q, scores_qc, rows_qc,
    count_q: the lists, changed in place. A given-up query has the floor +inf.
    """
    (q, b), room = products_qb.shape, scores_qc.shape[1]
    for i in range(q):
        floor = floor_q[i]
        if floor == np.inf:
            continue
        for chunk in range(-(-b // _CHUNK)):
            start, stop = chunk * _CHUNK, min(chunk * _CHUNK + _CHUNK, b)
            if stop - start == _CHUNK and not _reached(products_qb, scale_b, np.uint64(i), np.uint64(start), floor):
                continue
            for j in range(start, stop):
                product = products_qb[i, j] * scale_b[j]
                if product >= floor:
                    count = count_q[i]
                    scores_qc[i, count] = product
                    rows_qc[i, count] = first + j
                    count_q[i] = count + 1
                    if count + 1 == room:
                        _squeeze(k, slack, limit, floor_q, scores_qc, rows_qc, count_q, i)
                        floor = floor_q[i]
            if floor == np.inf:
                break


@njit(cache=True, nogil=True)
def above(products_qb, scale_b, floor_q, from_query, query_m, column_m):
    """Where products reach their query's floor, query by query from ``from_query`` on, as long as there is room.

    Returns (next query, how many were written); a query is only begun where all its products would fit.
    """
    q, b = products_qb.shape
    written = 0
    for i in range(from_query, q):
        if written + b > len(query_m):
            return i, written
        floor = floor_q[i]
        for chunk in range(-(-b // _CHUNK)):
            start, stop = chunk * _CHUNK, min(chunk * _CHUNK + _CHUNK, b)
            if stop - start == _CHUNK and not _reached(products_qb, scale_b, np.uint64(i), np.uint64(start), floor):
                continue
            for j in range(start, stop):
                if products_qb[i, j] * scale_b[j] >= floor:
                    query_m[written] = i
                    column_m[written] = j
                    written += 1
    return q, written


def warm() -> None:
    """Compile, or load what was compiled before, for float32; products in float64 follow when they come."""
    products_qb, count_q = np.zeros((1, 3), np.float32), np.zeros(1, np.int64)
    lists = np.zeros((1, 8), np.float32), np.zeros((1, 8), np.int64)
    scale_b = np.ones(3, np.float32)
    collect(products_qb, scale_b, 0, 1, np.float32(0), 4, np.zeros(1, np.float32), *lists, count_q)
    above(products_qb, scale_b, np.zeros(1, np.float32), 0, np.zeros(3, np.int64), np.zeros(3, np.int64))
