"""The exact top k of packed bits with compiled kernels: one pass, in which ties are ordered and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from vqbench.numerics.arrays import Floats, Ints, Numbers, Rows, blocks
from vqbench.numerics.kernels.choice import shared
from vqbench.numerics.packing import Words, as_words, only_bits
from vqbench.search.scorers import PackedHamming

_BLOCK = 8192  # codes that a thread takes at a time
_SHIFT = np.uint64(40)  # as in ``vqbench.numerics.kernels.hamming``


@dataclass(frozen=True)
class Bits:
    """The compiled module, and both sides. own_q: a row that a query may not find, or -1."""

    kernels: Any
    rows: Rows
    measure: PackedHamming
    queries_qb: Numbers
    own_q: Ints

    def words(self, codes_nb: Numbers) -> Words:
        """The bits that count, zeros after them ``(n, w)``."""
        return as_words(only_bits(codes_nb, self.measure.bits))


def top(bits: Bits, k: int, priority_n: Ints | None) -> tuple[Ints, Floats, Ints]:
    """Rows ``(q, k)``, scores (minus the distance), and how many rows are as near as the last, but left out."""
    queries_qw, own_q, q, kernels = bits.words(bits.queries_qb), bits.own_q, len(bits.queries_qb), bits.kernels

    def empty() -> tuple[Words, Ints, Ints, Words, Ints]:
        room = 2 * k + 64
        return (
            np.full((q, room), kernels.NONE),
            np.full((q, room), -1, np.int64),
            np.zeros(q, np.int64),
            np.full(q, kernels.NONE),
            np.zeros(q, np.int64),
        )

    def step(lists: tuple[Words, Ints, Ints, Words, Ints], start: int, stop: int) -> None:
        words_bw = bits.words(bits.rows.block(start, stop))
        priority_b = np.arange(start, stop) if priority_n is None else priority_n[start:stop]
        kernels.top(queries_qw, words_bw, start, own_q, priority_b, k, *lists)

    states = shared(bits.rows.n, _BLOCK, empty, step)
    for lists in states:
        kernels.finish(k, *lists)
        lists[0][np.arange(lists[0].shape[1]) >= lists[2][:, None]] = kernels.NONE
    return _merged(states, k)


def _merged(states: list[tuple[Words, Ints, Ints, Words, Ints]], k: int) -> tuple[Ints, Floats, Ints]:
    """The k best of all threads; ties that a thread left out count where they are as near as the last."""
    keys_qc = np.concatenate([lists[0] for lists in states], axis=1)
    rows_qc = np.concatenate([lists[1] for lists in states], axis=1)
    order_qc = np.argsort(keys_qc, axis=1)
    keys_qc, rows_qc = np.take_along_axis(keys_qc, order_qc, axis=1), np.take_along_axis(rows_qc, order_qc, axis=1)
    distance_qc = keys_qc >> _SHIFT
    last_q = distance_qc[:, k - 1]
    dropped_q = (distance_qc[:, k:] == last_q[:, None]).sum(axis=1)
    for _, _, _, worst_q, ties_q in states:
        dropped_q += np.where(worst_q >> _SHIFT == last_q, ties_q, 0)
    return rows_qc[:, :k].copy(), -distance_qc[:, :k].astype(np.float64), dropped_q


def within(bits: Bits, distance_q: Floats, most: int) -> Iterator[tuple[Ints, Ints]]:
    """Flat (query, row) pairs at most ``distance_q`` apart, sorted by query, at most about ``most`` at a time."""
    queries_qw, own_q, kernels = bits.words(bits.queries_qb), bits.own_q, bits.kernels
    bound_q = np.maximum(distance_q, 0).astype(np.uint64)
    at_q, at_b = np.empty(most, np.int64), np.empty(most, np.int64)
    for start, stop in blocks(bits.rows.n, _BLOCK):
        words_bw = bits.words(bits.rows.block(start, stop))
        tile = query = 0
        while tile * kernels.TILE < len(words_bw):
            tile, query, count = kernels.within(queries_qw, words_bw, bound_q, tile, query, at_q, at_b)
            query_f, row_f = at_q[:count], at_b[:count] + start
            order_f = np.argsort(query_f, kind="stable")
            query_f, row_f = query_f[order_f], row_f[order_f]
            others = own_q[query_f] != row_f
            yield query_f[others], row_f[others]
