"""The exact top k of each query over all rows, in blocks, with the ties at the boundary counted.

A fast product nominates: everything within its error bound of the k-th best is scored again,
exactly and row by row, before anything is dropped. So the result is a function of the rows
alone, not of block size, thread count or row order.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from vqbench.numerics.arrays import Floats, Ints, Rows, blocks
from vqbench.numerics.kernels.choice import compiled, threads
from vqbench.search import hamming
from vqbench.search.candidates import Products, nominate, reaching
from vqbench.search.scorers import Measure, PackedHamming
from vqbench.search.topk_merge import Best

_QUERIES = 1024  # queries whose scores against one block are held at a time
_TOGETHER = 4096  # queries whose lists are held at a time
_NUMBERS = 1 << 20  # of a block of rows at most: larger ones leave the cache
_TAKEN = 1 << 18  # numbers of rows that a thread scores exactly at a time
PAIRS = 1 << 21  # (query, row) pairs that are held at a time


@dataclass(frozen=True)
class Hits:
    """The k best rows of each query: score descending, equal scores by ``priority``.

    ids_qk: row numbers, int64; scores_qk: float64; dropped_ties_q: how many rows of the whole
    corpus score exactly as the last one listed and are not listed.
    """

    ids_qk: Ints
    scores_qk: Floats
    dropped_ties_q: Ints


@dataclass(frozen=True)
class Search:
    """One search: the rows, how they are scored, and what is left out.

    exclude_q: a row that is not to be found by that query, or -1. priority_n: unique numbers
    that order equal scores, smaller first (default: the row number).
    """

    rows: Rows
    measure: Measure
    exclude_q: Ints | None = None
    priority_n: Ints | None = None
    block_mb: float = 64

    def top(self, queries_qd: Floats, k: int) -> Hits:
        """The ``k`` best rows of each query; ``k`` at most the number of rows it may find."""
        parts = [
            self._only(slice(*span))._top(queries_qd[slice(*span)], k) for span in blocks(len(queries_qd), _TOGETHER)
        ]
        if not parts:
            return Hits(*Best.empty(0, k).found)
        return Hits(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _only(self, span: slice) -> Search:
        """The same search for some of the queries."""
        return self if self.exclude_q is None else replace(self, exclude_q=self.exclude_q[span])

    def _top(self, queries_qd: Floats, k: int) -> tuple[Ints, Floats, Ints]:
        """Rows, scores and dropped ties of queries whose lists fit into memory together."""
        everyone = np.arange(len(queries_qd))
        if (bits := self._packed(queries_qd, everyone)) is not None:
            return hamming.top(bits, k, self.priority_n)
        query_f, row_f, product_f, floor_q, crowded = nominate(self._products(queries_qd, everyone), k)
        best = Best.empty(len(queries_qd), k)
        for start, stop in _whole_queries(query_f, PAIRS):
            score_f = self.measure.from_products(product_f[start:stop], self.rows.d)
            best = self._merge(best, queries_qd, query_f[start:stop], row_f[start:stop], score_f)
        for part in np.array_split(crowded, max(1, len(crowded) // _QUERIES)):
            if len(part):
                best = self._stream(best, queries_qd, part, floor_q)
        return best.found

    def at_least(self, queries_qd: Floats, part: Ints, scores_q: Floats) -> tuple[Ints, Ints, Floats]:
        """Every row that scores ``scores_q`` or more, for the queries in ``part``.

        Returns flat arrays (query, row, exact score), sorted by query, then score and priority.
        """
        floor_q = self.measure.least_product(scores_q, self.rows.d)
        none = np.zeros(0, np.int64)
        found: list[tuple[Ints, Ints, Floats]] = [(none, none, np.zeros(0))]
        for query_f, row_f in self._above(queries_qd, part, floor_q):
            score_f = self.pairs(queries_qd, query_f, row_f)
            keep_f = score_f >= scores_q[query_f]
            found.append((query_f[keep_f], row_f[keep_f], score_f[keep_f]))
        query_f, row_f, score_f = (np.concatenate(each) for each in zip(*found, strict=True))
        order_f = np.lexsort((self._priority(row_f), -score_f, query_f))
        return query_f[order_f], row_f[order_f], score_f[order_f]

    def pairs(self, queries_qd: Floats, query_f: Ints, row_f: Ints) -> Floats:
        """Exact scores of (query, row) pairs; ``query_f`` is sorted. Threads share the pairs."""
        score_f = np.empty(len(query_f))

        def score(span: tuple[int, int]) -> None:
            some = slice(*span)
            touched, at_m = np.unique(query_f[some], return_inverse=True)
            score_f[some] = self.measure.scores(self.rows.take(row_f[some]), queries_qd[touched], at_m)

        size = min(max(1, _TAKEN // max(1, self.rows.d)), 1 + len(query_f) // threads())
        with ThreadPoolExecutor(threads()) as pool:
            list(pool.map(score, blocks(len(query_f), size)))
        return score_f

    def _priority(self, row_f: Ints) -> Ints:
        return row_f if self.priority_n is None else self.priority_n[row_f]

    def _block_rows(self) -> int:
        most = max(256, int(self.block_mb * 2**20 / (4 * _QUERIES)))
        return min(most, max(1024, _NUMBERS // self.rows.d))

    def _products(self, queries_qd: Floats, part: Ints) -> Products:
        own_q = None if self.exclude_q is None else self.exclude_q[part]
        prepared_qd = self.measure.prepare(queries_qd[part])
        planes = getattr(self.rows, "planes", lambda queries_qd: None)(prepared_qd)
        return Products(self.rows, self.measure, prepared_qd, own_q, self._block_rows(), _QUERIES, planes)

    def _packed(self, queries_qd: Floats, part: Ints) -> hamming.Bits | None:
        """Both sides of a search of packed bits, where compiled kernels can do it."""
        if not isinstance(self.measure, PackedHamming):
            return None
        kernels = compiled("hamming", 1e-11 * self.rows.n * len(part) * (self.measure.bits + 100))
        if kernels is None:
            return None
        own_q = np.full(len(part), -1) if self.exclude_q is None else self.exclude_q[part]
        return hamming.Bits(kernels, self.rows, self.measure, queries_qd[part], own_q.astype(np.int64))

    def _above(self, queries_qd: Floats, part: Ints, floor_q: Floats) -> Iterator[tuple[Ints, Ints]]:
        """Flat pairs, sorted by query, of the queries in ``part`` and rows whose product reaches the query's floor."""
        if (bits := self._packed(queries_qd, part)) is not None:
            found = hamming.within(bits, (bits.measure.bits - floor_q[part]) // 2, PAIRS)
        else:
            found = reaching(self._products(queries_qd, part), floor_q[part], PAIRS)
        for query_f, row_f in found:
            yield part[query_f], row_f

    def _stream(self, best: Best, queries_qd: Floats, part: Ints, floor_q: Floats) -> Best:
        """The same for queries with more candidates near the boundary than a list holds."""
        for query_f, row_f in self._above(queries_qd, part, floor_q):
            best = self._merge(best, queries_qd, query_f, row_f)
        return best

    def _merge(self, best: Best, queries_qd: Floats, query_f: Ints, row_f: Ints, score_f: Floats | None = None) -> Best:
        score_f = self.pairs(queries_qd, query_f, row_f) if score_f is None else score_f
        return best.with_rows(query_f, row_f, score_f, self._priority(row_f))


def _whole_queries(query_f: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Cuts of the sorted ``query_f`` between queries, about ``most`` entries each."""
    starts = np.flatnonzero(np.diff(query_f, prepend=-1))
    edges = [*starts[np.flatnonzero(np.diff(starts // most, prepend=-1))].tolist(), len(query_f)]
    yield from zip(edges[:-1], edges[1:], strict=True)
