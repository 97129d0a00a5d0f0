"""The exact top k of each query over all rows, in blocks, with the ties at the boundary counted.

A fast product nominates: everything within its error bound of the k-th best is scored again,
exactly and row by row, before anything is dropped. So the result is a function of the rows
alone, not of block size, thread count or row order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from vqbench.numerics.arrays import Floats, Ints, Numbers, Rows, blocks
from vqbench.numerics.kernels.choice import compiled
from vqbench.numerics.thread_pool import threads
from vqbench.search.candidates import Products
from vqbench.search.hamming import PackedBits
from vqbench.search.scorers import Hamming, Scorer
from vqbench.search.topk_merge import Best

_QUERIES = 1024  # queries whose scores against one block are held at a time
_TOGETHER = 4096  # queries whose lists are held at a time
_NUMBERS = 1 << 20  # of a block of rows at most: larger ones leave the cache
_TAKEN = 1 << 18  # numbers of rows that a thread scores exactly at a time
PAIRS = 1 << 21  # (query, row) pairs that are held at a time


@dataclass(frozen=True)
class Hits:
    """The k best rows of each query: score descending, equal scores by priority."""

    ids_qk: Ints  #: row numbers, int64; -1 where a query finds fewer rows
    scores_qk: Floats  #: float64
    dropped_ties_q: Ints  #: how many rows of the whole corpus score exactly as the last one listed and are not listed

    def with_dropped_ties(self) -> Iterator[Ints]:
        """Yield the queries that dropped ties, as many at a time as keep the number of tied pairs bounded."""
        queries = np.flatnonzero(self.dropped_ties_q)
        size = np.cumsum(self.dropped_ties_q[queries] + self.ids_qk.shape[1])
        return filter(len, np.split(queries, np.flatnonzero(np.diff(size // PAIRS)) + 1))


@dataclass(frozen=True)
class Search:
    """One search: queries and rows, how they are scored, and what is left out.

    >>> from vqbench.search.scorers import Hamming
    >>> from vqbench.search.similarity import CodeArray, CodeRows
    >>> codes_nb = np.array([[0b1100_0000], [0b1110_0000], [0b0000_0000]], np.uint8)
    >>> hits = Search(codes_nb[:1], CodeRows(CodeArray(codes_nb), np.asarray, 4), Hamming(4)).top(2)
    >>> hits.ids_qk.tolist(), hits.scores_qk.tolist()
    ([[0, 1]], [[0.0, -1.0]])
    """

    queries_qd: Numbers  #: as rows are, so that the scorer can compare them
    rows: Rows
    scorer: Scorer
    exclude_q: Ints | None = None  #: a row that a query may not find, or -1
    priority_n: Ints | None = None  #: unique numbers that order equal scores, smaller first; None: the row number
    block_mb: float = 64  #: MiB of products that are held at a time

    def top(self, k: int) -> Hits:
        """Return the ``k`` best rows of each query."""
        best = self.best(k)
        return Hits(best.ids_qk, best.scores_qk, best.dropped_q)

    def best(self, k: int) -> Best:
        """Return the same with the priorities, so that it can be merged with the best of other rows."""
        spans = blocks(len(self.queries_qd), _TOGETHER)
        parts = [self.only(slice(*span))._best(k) for span in spans] or [Best.empty(0, k)]
        return Best(*(np.concatenate(each) for each in zip(*(vars(part).values() for part in parts), strict=True)))

    def only(self, part: Ints | slice) -> Search:
        """Return the same search for some of the queries."""
        exclude_q = None if self.exclude_q is None else self.exclude_q[part]
        return replace(self, queries_qd=self.queries_qd[part], exclude_q=exclude_q)

    def at_least(self, part: Ints, scores_q: Floats) -> tuple[Ints, Ints, Floats]:
        """Find every row that scores ``scores_q`` or more, for the queries in ``part``, which is sorted.

        Returns:
            Flat arrays (query, row, exact score), sorted by query, then score and priority.
        """
        none = np.zeros(0, np.int64)
        pieces = [(none, none, np.zeros(0)), *(self.only(part)._at_least(scores_q[part]) if len(part) else ())]
        query_f, row_f, score_f = (np.concatenate(each) for each in zip(*pieces, strict=True))
        order_f = np.lexsort((self.priority(row_f), -score_f, query_f))
        return part[query_f[order_f]], row_f[order_f], score_f[order_f]

    def pairs(self, query_f: Ints, row_f: Ints) -> Floats:
        """Return exact scores of (query, row) pairs. Threads share the pairs."""
        score_f = np.empty(len(query_f))

        def score(span: tuple[int, int]) -> None:
            some = slice(*span)
            queries, query_m = np.unique(query_f[some], return_inverse=True)
            score_f[some] = self.scorer.scores(self.rows.take(row_f[some]), self.queries_qd[queries], query_m)

        size = min(max(1, _TAKEN // max(1, self.rows.d)), 1 + len(query_f) // threads())
        with ThreadPoolExecutor(threads()) as pool:
            list(pool.map(score, blocks(len(query_f), size)))
        return score_f

    def priority(self, rows: Ints) -> Ints:
        """Return what orders these rows where their scores are equal."""
        return rows if self.priority_n is None else self.priority_n[rows]

    def _best(self, k: int) -> Best:
        """Of queries whose lists fit into memory together."""
        finder = self._finder()
        if isinstance(finder, PackedBits):
            return finder.best(k, self.priority_n)
        candidates, best = finder.candidates(k), Best.empty(len(self.queries_qd), k)
        for start, stop in _whole_queries(candidates.query_f, PAIRS):
            query_f, row_f = candidates.query_f[start:stop], candidates.row_f[start:stop]
            score_f = self.scorer.from_products(candidates.product_f[start:stop], self.rows.d)
            score_f = self.pairs(query_f, row_f) if score_f is None else score_f
            best = best.with_rows(query_f, row_f, score_f, self.priority(row_f))
        return self._stream(best, candidates.crowded, candidates.floor_q) if len(candidates.crowded) else best

    def _stream(self, best: Best, crowded: Ints, floor_q: Floats) -> Best:
        """Add the rows of queries with more candidates near the boundary than a list holds."""
        search = self.only(crowded)
        for query_f, row_f in search._finder().reaching(floor_q[crowded], PAIRS):
            best = best.with_rows(crowded[query_f], row_f, search.pairs(query_f, row_f), self.priority(row_f))
        return best

    def _at_least(self, scores_q: Floats) -> Iterable[tuple[Ints, Ints, Floats]]:
        """Flat arrays (query, row, score) of rows that reach their query's score, in pieces."""
        for query_f, row_f in self._finder().reaching(self.scorer.least_product(scores_q, self.rows.d), PAIRS):
            score_f = self.pairs(query_f, row_f)
            kept_f = score_f >= scores_q[query_f]
            yield query_f[kept_f], row_f[kept_f], score_f[kept_f]

    def _finder(self) -> PackedBits | Products:
        """What finds rows fast: counts of bits where compiled kernels can do it, else products."""
        if isinstance(self.scorer, Hamming):
            bits, q = self.scorer.bits, len(self.queries_qd)
            kernels = compiled("hamming", 1e-11 * self.rows.n * q * (bits + 100))
            if kernels is not None:
                own_q = np.full(q, -1) if self.exclude_q is None else self.exclude_q
                return PackedBits(kernels, self.queries_qd, self.rows, bits, own_q.astype(np.int64))
        prepared_qd = self.scorer.prepare(self.queries_qd)
        planes = getattr(self.rows, "planes", lambda prepared_qd: None)(prepared_qd)
        return Products(self.rows, self.scorer, prepared_qd, self.exclude_q, self.block_rows, _QUERIES, planes)

    @property
    def block_rows(self) -> int:
        """Rows that are read at a time."""
        most = max(256, int(self.block_mb * 2**20 / (4 * _QUERIES)))
        return min(most, max(1024, _NUMBERS // self.rows.d))


def _whole_queries(query_f: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Cuts of the sorted ``query_f`` between queries, about ``most`` entries each."""
    starts = np.flatnonzero(np.diff(query_f, prepend=-1))
    edges = [*starts[np.flatnonzero(np.diff(starts // most, prepend=-1))].tolist(), len(query_f)]
    yield from zip(edges[:-1], edges[1:], strict=True)
