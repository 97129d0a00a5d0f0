"""The exact top k of packed bits with compiled kernels: one pass, in which ties are ordered and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from vqbench.numerics.arrays import Floats, Ints, Numbers, Rows, blocks
from vqbench.numerics.packing import Words, as_words, only_bits
from vqbench.numerics.thread_pool import share_blocks
from vqbench.search.topk_merge import Best

_BLOCK = 8192  # codes that a thread takes at a time

#: What the kernel changes in place: keys ``(q, room)``, rows, counts ``(q,)``, the key of the k-th best, dropped ties.
Lists = tuple[Words, Ints, Ints, Words, Ints]


@dataclass(frozen=True)
class PackedBits:
    """Queries and rows of packed bits, of which the first ``bits`` count."""

    kernels: Any  #: the compiled module ``vqbench.numerics.kernels.hamming``
    queries_qb: Numbers
    rows: Rows
    bits: int
    own_q: Ints  #: a row that a query may not find, or -1

    def best(self, k: int, priority_n: Ints | None) -> Best:
        """Return the k best rows of each query; a score is minus the distance."""
        queries_qw, q, room = self._words(self.queries_qb), len(self.queries_qb), 2 * k + 64

        def empty() -> Lists:
            keys_qc, rows_qc = np.full((q, room), self.kernels.NONE), np.full((q, room), -1, np.int64)
            return keys_qc, rows_qc, np.zeros(q, np.int64), np.full(q, self.kernels.NONE), np.zeros(q, np.int64)

        def step(lists: Lists, start: int, stop: int) -> None:
            words_bw = self._words(self.rows.block(start, stop))
            priority_b = np.arange(start, stop) if priority_n is None else priority_n[start:stop]
            self.kernels.top(queries_qw, words_bw, start, self.own_q, priority_b, k, *lists)

        states = share_blocks(self.rows.n, _BLOCK, empty, step)
        return reduce(Best.plus, (self._sorted(lists, k) for lists in states))

    def _sorted(self, lists: Lists, k: int) -> Best:
        """The lists of one thread in order."""
        self.kernels.finish(k, *lists)
        keys_qc, rows_qc, count_q, _, dropped_q = lists
        keys_qc[np.arange(keys_qc.shape[1]) >= count_q[:, None]] = self.kernels.NONE
        order_qk = np.argsort(keys_qc, axis=1)[:, :k]
        keys_qk = np.take_along_axis(keys_qc, order_qk, axis=1)
        distance_qk, priority_qk = np.divmod(keys_qk, np.uint64(1) << self.kernels.SHIFT)
        none_qk = keys_qk == self.kernels.NONE
        return Best(
            np.where(none_qk, -1, np.take_along_axis(rows_qc, order_qk, axis=1)),
            np.where(none_qk, -np.inf, 0.0 - distance_qk),  # 0.0 -: no negative zero, as without compiled kernels
            np.where(none_qk, -1, priority_qk.astype(np.int64)),
            dropped_q,
        )

    def reaching(self, floor_q: Floats, most: int) -> Iterator[tuple[Ints, Ints]]:
        """Yield flat (query, row) pairs whose product ``bits - 2 * distance`` reaches the query's floor.

        At most about ``most`` come at a time.
        """
        queries_qw = self._words(self.queries_qb)
        bound_q = np.maximum((self.bits - floor_q) // 2, 0).astype(np.uint64)
        query_m, column_m = np.empty(most, np.int64), np.empty(most, np.int64)
        for start, stop in blocks(self.rows.n, _BLOCK):
            words_bw = self._words(self.rows.block(start, stop))
            tile = query = 0
            while tile * self.kernels.TILE < len(words_bw):
                tile, query, count = self.kernels.within(queries_qw, words_bw, bound_q, tile, query, query_m, column_m)
                query_f, row_f = query_m[:count], column_m[:count] + start
                others = self.own_q[query_f] != row_f
                yield query_f[others], row_f[others]

    def _words(self, codes_nb: Numbers) -> Words:
        """The bits that count, zeros after them ``(n, w)``."""
        return as_words(only_bits(codes_nb, self.bits))
