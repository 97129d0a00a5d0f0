"""The exact top k of each query over all rows, in blocks, with the ties at the boundary counted.

A fast product nominates: everything within its error bound of the k-th best is scored again,
exactly and row by row, before anything is dropped. So the result is a function of the rows
alone, not of block size, thread count or row order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vqbench.arrays import Floats, Ints, Rows, blocks, processors
from vqbench.search.measure import Measure

_QUERIES = 1024  # queries whose scores against one block are held at a time
PAIRS = 1 << 21  # (query, row) pairs that are scored exactly at a time


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
        q = len(queries_qd)
        approx_qw, rows_qw = self._nominate(queries_qd, min(self.rows.n, k + k // 2 + 64))
        floor_q = approx_qw[:, k - 1] - 2 * self.measure.error(self.rows.d)
        complete_q = (approx_qw[:, -1] < floor_q) | (rows_qw.shape[1] == self.rows.n)
        merged = Merged.empty(q, k)
        for part in np.array_split(np.flatnonzero(complete_q), max(1, q * rows_qw.shape[1] // PAIRS)):
            # A query may have fewer candidates than the list is wide (its own row is left out).
            valid = (rows_qw[part] >= 0) & (approx_qw[part] >= floor_q[part, None])
            query_f, row_f = np.repeat(part, valid.sum(axis=1)), rows_qw[part][valid]
            score_f = self.measure.from_products(approx_qw[part][valid], self.rows.d)
            merged = self._merge(merged, queries_qd, query_f, row_f, score_f)
        for part in np.array_split(np.flatnonzero(~complete_q), max(1, q // _QUERIES)):
            if len(part):
                merged = self._stream(merged, queries_qd, part, floor_q)
        return Hits(merged.rows_qk, merged.scores_qk, merged.dropped_q)

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
        query_f = np.concatenate([part[0] for part in found])
        row_f = np.concatenate([part[1] for part in found])
        score_f = np.concatenate([part[2] for part in found])
        order_f = np.lexsort((self._priority(row_f), -score_f, query_f))
        return query_f[order_f], row_f[order_f], score_f[order_f]

    def pairs(self, queries_qd: Floats, query_f: Ints, row_f: Ints) -> Floats:
        """Exact scores of (query, row) pairs; ``query_f`` is sorted. Threads share the queries."""
        score_f = np.empty(len(query_f))
        edges = np.flatnonzero(np.diff(query_f, prepend=-1, append=-1)).tolist()

        def score(spans: list[tuple[int, int]]) -> None:
            for start, stop in spans:
                x_md = self.rows.take(row_f[start:stop])
                score_f[start:stop] = self.measure.pairs(x_md, queries_qd[query_f[start]])

        spans = list(itertools.pairwise(edges))
        parts = [spans[first:last] for first, last in blocks(len(spans), 1 + len(spans) // (4 * processors()))]
        with ThreadPoolExecutor(processors()) as pool:
            list(pool.map(score, parts))
        return score_f

    def _priority(self, row_f: Ints) -> Ints:
        return row_f if self.priority_n is None else self.priority_n[row_f]

    def _block_rows(self) -> int:
        return max(256, int(self.block_mb * 2**20 / (4 * _QUERIES)))

    def _products(self, queries_qd: Floats, part: Ints) -> Iterator[tuple[int, slice, Floats]]:
        """Blocks of products ``(first row, span of part, products)``; the next block overwrites them."""
        prepared_qd = self.measure.prepare(queries_qd[part])
        buffer = np.empty(min(len(part), _QUERIES) * min(self.rows.n, self._block_rows()), prepared_qd.dtype)
        for start, stop in blocks(self.rows.n, self._block_rows()):
            block_bd = self.measure.prepare(self.rows.block(start, stop))
            for first, last in blocks(len(part), _QUERIES):
                products_qb = buffer[: (last - first) * (stop - start)].reshape(last - first, stop - start)
                np.matmul(prepared_qd[first:last], block_bd.T, out=products_qb)
                if self.exclude_q is not None:
                    out_q = self.exclude_q[part[first:last]] - start
                    hit = np.flatnonzero((out_q >= 0) & (out_q < stop - start))
                    products_qb[hit, out_q[hit]] = -np.inf
                yield start, slice(first, last), products_qb

    def _nominate(self, queries_qd: Floats, width: int) -> tuple[Floats, Ints]:
        """The ``width`` largest products of each query, descending, and their rows (-1: none)."""
        q = len(queries_qd)
        approx_qw = np.full((q, width), -np.inf)
        rows_qw = np.full((q, width), -1, dtype=np.int64)
        for start, part, products_qb in self._products(queries_qd, np.arange(q)):
            new_qc, rows_qc = _largest(products_qb, approx_qw[part, -1], width)
            all_qc = np.concatenate([approx_qw[part], new_qc], axis=1)
            both_qc = np.concatenate([rows_qw[part], np.where(rows_qc < 0, -1, rows_qc + start)], axis=1)
            order = np.argsort(-all_qc, axis=1, kind="stable")[:, :width]
            approx_qw[part] = np.take_along_axis(all_qc, order, axis=1)
            rows_qw[part] = np.take_along_axis(both_qc, order, axis=1)
        rows_qw[np.isneginf(approx_qw)] = -1
        return approx_qw, rows_qw

    def _above(self, queries_qd: Floats, part: Ints, floor_q: Floats) -> Iterator[tuple[Ints, Ints]]:
        """Flat (query, row) pairs whose product reaches the query's floor, a bounded number at a time."""
        for start, span, products_qb in self._products(queries_qd, part):
            rows_at_a_time = max(1, PAIRS // products_qb.shape[1])
            for first, last in blocks(len(products_qb), rows_at_a_time):
                query_q = part[span][first:last]
                at_q, at_b = np.nonzero(products_qb[first:last] >= floor_q[query_q, None])
                yield query_q[at_q], at_b + start

    def _stream(self, merged: Merged, queries_qd: Floats, part: Ints, floor_q: Floats) -> Merged:
        """The same for queries with more candidates near the boundary than the list is wide."""
        for query_f, row_f in self._above(queries_qd, part, floor_q):
            merged = self._merge(merged, queries_qd, query_f, row_f)
        return merged

    def _merge(
        self, merged: Merged, queries_qd: Floats, query_f: Ints, row_f: Ints, score_f: Floats | None = None
    ) -> Merged:
        score_f = self.pairs(queries_qd, query_f, row_f) if score_f is None else score_f
        return merged.plus(query_f, row_f, score_f, self._priority(row_f))


def _largest(products_qb: Floats, floor_q: Floats, width: int) -> tuple[Floats, Ints]:
    """Per query the products above ``floor_q`` (at most the ``width`` largest), padded with -inf and -1."""
    above_qb = products_qb > floor_q[:, None].astype(products_qb.dtype)
    count_q = above_qb.sum(axis=1)
    most = int(count_q.max(initial=0))
    if most > products_qb.shape[1] // 4 or most > 2 * width:
        width = min(width, products_qb.shape[1])
        at_qc = np.argpartition(products_qb, -width, axis=1)[:, -width:]
        return np.take_along_axis(products_qb, at_qc, axis=1).astype(np.float64), at_qc
    at_q, at_b = np.divmod(np.flatnonzero(above_qb), products_qb.shape[1])
    slot_f = np.arange(len(at_q)) - np.repeat(np.cumsum(count_q) - count_q, count_q)
    new_qc = np.full((len(products_qb), most), -np.inf)
    rows_qc = np.full((len(products_qb), most), -1, dtype=np.int64)
    new_qc[at_q, slot_f], rows_qc[at_q, slot_f] = products_qb[at_q, at_b], at_b
    return new_qc, rows_qc


@dataclass(frozen=True)
class Merged:
    """A top k in the making: exact scores, and the boundary ties that were dropped. Merging is associative."""

    rows_qk: Ints
    scores_qk: Floats
    priority_qk: Ints
    dropped_q: Ints

    @classmethod
    def empty(cls, q: int, k: int) -> Merged:
        none_qk = np.full((q, k), -1, dtype=np.int64)
        return cls(none_qk, np.full((q, k), -np.inf), none_qk.copy(), np.zeros(q, dtype=np.int64))

    def plus(self, query_f: Ints, row_f: Ints, score_f: Floats, priority_f: Ints) -> Merged:
        """The top k of what is here and the new rows together; ``query_f`` is sorted."""
        touched, k = np.unique(query_f), self.rows_qk.shape[1]
        old = self.rows_qk[touched] >= 0
        query_a = np.concatenate([np.repeat(touched, old.sum(axis=1)), query_f])
        row_a = np.concatenate([self.rows_qk[touched][old], row_f])
        score_a = np.concatenate([self.scores_qk[touched][old], score_f])
        priority_a = np.concatenate([self.priority_qk[touched][old], priority_f])
        order = np.lexsort((priority_a, -score_a, query_a))
        query_a, row_a, score_a, priority_a = query_a[order], row_a[order], score_a[order], priority_a[order]
        rank_a = np.arange(len(query_a)) - np.searchsorted(query_a, query_a)
        kept = rank_a < k

        rows_qk, scores_qk, priority_qk = self.rows_qk.copy(), self.scores_qk.copy(), self.priority_qk.copy()
        at = query_a[kept], rank_a[kept]
        rows_qk[at], scores_qk[at], priority_qk[at] = row_a[kept], score_a[kept], priority_a[kept]
        last_q = scores_qk[:, -1]
        dropped_q = np.where(last_q == self.scores_qk[:, -1], self.dropped_q, 0)
        cut_query = query_a[~kept & (score_a == last_q[query_a])]
        dropped_q += np.bincount(cut_query, minlength=len(dropped_q))
        return Merged(rows_qk, scores_qk, priority_qk, dropped_q)
