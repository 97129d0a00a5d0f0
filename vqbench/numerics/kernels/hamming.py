"""Compiled: the exact top k of packed bits by the number of bits that differ, with ties counted."""

# pyright: reportMissingImports=false

from __future__ import annotations

import numpy as np
from numba import njit

from vqbench.numerics.kernels.bits import TILE, popcount, transpose

SHIFT = np.uint64(40)  # a key is distance << SHIFT | priority
NONE = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(cache=True, nogil=True)
def _distances(queries_qw, i, tile_wt, bound, distance_t):
    """Distances of query ``i`` to a tile of an even number of words; returns whether any is at most ``bound``."""
    w = queries_qw.shape[1]
    distance_t[:] = 0
    for j in range(0, w - w % 4, 4):
        a, b, c, d = queries_qw[i, j], queries_qw[i, j + 1], queries_qw[i, j + 2], queries_qw[i, j + 3]
        for t in range(TILE):
            distance_t[t] += (
                popcount(tile_wt[j, t] ^ a)
                + popcount(tile_wt[j + 1, t] ^ b)
                + popcount(tile_wt[j + 2, t] ^ c)
                + popcount(tile_wt[j + 3, t] ^ d)
            )
    if w % 4:
        a, b = queries_qw[i, w - 2], queries_qw[i, w - 1]
        for t in range(TILE):
            distance_t[t] += popcount(tile_wt[w - 2, t] ^ a) + popcount(tile_wt[w - 1, t] ^ b)
    reached = np.uint64(0)
    for t in range(TILE):
        reached |= np.uint64(distance_t[t] <= bound)
    return reached > 0


@njit(cache=True, nogil=True)
def _squeeze(k, keys_qc, rows_qc, count_q, worst_q, ties_q, i):
    """Keep the k smallest keys; count those dropped at the distance of the k-th."""
    count = count_q[i]
    worst = np.partition(keys_qc[i, :count], k - 1)[k - 1]
    if worst >> SHIFT != worst_q[i] >> SHIFT:
        ties_q[i] = 0  # what was dropped before lies farther away
    kept = 0
    for c in range(count):
        key = keys_qc[i, c]
        if key <= worst:
            keys_qc[i, kept] = key
            rows_qc[i, kept] = rows_qc[i, c]
            kept += 1
        elif key >> SHIFT == worst >> SHIFT:
            ties_q[i] += 1
    count_q[i] = kept
    worst_q[i] = worst


@njit(cache=True, nogil=True)
def top(queries_qw, words_bw, first, own_q, priority_b, k, keys_qc, rows_qc, count_q, worst_q, ties_q):
    """Take the codes of one block into the lists of the k best.

    words_bw: code j is row ``first + j``, its priority ``priority_b[j]``. own_q: the row that a query may not
    find, or -1. keys_qc, rows_qc, count_q: the lists, unsorted between two squeezes; worst_q: the key of the k-th
    best of the last squeeze (``NONE`` before the first); ties_q: rows left out that are as far as it.
    """
    q, w = queries_qw.shape
    b, room = len(words_bw), keys_qc.shape[1]
    tile_wt = np.zeros((w, TILE), np.uint64)
    distance_t = np.zeros(TILE, np.uint64)
    for start in range(0, b, TILE):
        stop = min(start + TILE, b)
        transpose(words_bw, start, stop, tile_wt)
        for i in range(q):
            bound = worst_q[i] >> SHIFT
            if not _distances(queries_qw, i, tile_wt, bound, distance_t):
                continue
            for t in range(stop - start):
                distance = distance_t[t]
                if distance > bound or first + start + t == own_q[i]:
                    continue
                key = (distance << SHIFT) | np.uint64(priority_b[start + t])
                if key > worst_q[i]:
                    ties_q[i] += 1
                    continue
                count = count_q[i]
                keys_qc[i, count] = key
                rows_qc[i, count] = first + start + t
                count_q[i] = count + 1
                if count + 1 == room:
                    _squeeze(k, keys_qc, rows_qc, count_q, worst_q, ties_q, i)
                    bound = worst_q[i] >> SHIFT


@njit(cache=True, nogil=True)
def finish(k, keys_qc, rows_qc, count_q, worst_q, ties_q):
    """Squeeze every list that holds at least k."""
    for i in range(len(count_q)):
        if count_q[i] >= k:
            _squeeze(k, keys_qc, rows_qc, count_q, worst_q, ties_q, i)


@njit(cache=True, nogil=True)
def within(queries_qw, words_bw, bound_q, tile, query, query_m, column_m):
    """Codes at most ``bound_q`` away, from a tile and query on, as long as there is room.

    Returns (tile, query, how many were written): where to go on; a tile past the end when all is done.
    """
    q, w = queries_qw.shape
    b, written = len(words_bw), 0
    tile_wt = np.zeros((w, TILE), np.uint64)
    distance_t = np.zeros(TILE, np.uint64)
    while tile * TILE < b:
        start = tile * TILE
        stop = min(start + TILE, b)
        transpose(words_bw, start, stop, tile_wt)
        while query < q:
            if written + TILE > len(query_m):
                return tile, query, written
            if _distances(queries_qw, query, tile_wt, bound_q[query], distance_t):
                for t in range(stop - start):
                    if distance_t[t] <= bound_q[query]:
                        query_m[written] = query
                        column_m[written] = start + t
                        written += 1
            query += 1
        tile, query = tile + 1, 0
    return tile, query, written


def warm() -> None:
    """Compile, or load what was compiled before."""
    words, rows, count = np.zeros((1, 2), np.uint64), np.zeros(1, np.int64), np.zeros(1, np.int64)
    lists = np.zeros((1, 2), np.uint64), np.zeros((1, 2), np.int64), count, np.full(1, NONE), np.zeros(1, np.int64)
    top(words, words, 0, np.full(1, -1), rows, 1, *lists)
    finish(1, *lists)
    within(words, words, np.zeros(1, np.uint64), 0, 0, rows, rows)
