"""Candidates of a top k from products of known error, block by block, shared among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from vqbench.numerics.arrays import Floats, Ints, Rows, blocks
from vqbench.numerics.kernels.choice import compiled
from vqbench.numerics.thread_pool import share_blocks
from vqbench.search.bit_planes import Planes
from vqbench.search.scorers import Scorer


@dataclass(frozen=True)
class Candidates:
    """Every row that may be among a query's k best: flat arrays, sorted by query."""

    query_f: Ints
    row_f: Ints
    product_f: Floats  #: float64
    floor_q: Floats  #: a product that all of a query's k best reach, float64
    crowded: Ints  #: queries with too many candidates to list; they are not in the flat arrays


@dataclass(frozen=True)
class Lists:
    """What one thread has found so far for each query."""

    scores_qc: Floats  #: products, each list filled from the left
    rows_qc: Ints
    count_q: Ints
    floor_q: Floats  #: nothing below it is kept; +inf: more candidates than there is room for, so given up
    buffer: Floats  #: room for the products of one block


@dataclass(frozen=True)
class Products:
    """Products of rows with prepared queries."""

    rows: Rows
    scorer: Scorer
    queries_qd: Floats
    own_q: Ints | None  #: a row that a query may not find, or -1
    block_rows: int
    at_once: int  #: queries per product
    planes: Planes | None = None  #: the queries, where products with these rows can be had by counting bits

    def candidates(self, k: int) -> Candidates:
        """Find every row that may be among a query's ``k`` best, in one pass.

        With E the error bound of a product, k rows have products of at least the k-th best P, so the k-th best score
        is at least P - E, and whatever has that score or more has a product of at least P - 2 E. P only grows as more
        rows are seen.
        """
        slack = _up(2 * self.scorer.error(self.rows.d), self.queries_qd.dtype)
        room, limit = 2 * k + k // 2 + 128, k + k // 2 + 64
        kernels = self._kernels()

        def step(lists: Lists, start: int, stop: int) -> None:
            for part, products_qb, scale_b in self._blocks(start, stop, lists.buffer):
                kept = lists.floor_q[part], lists.scores_qc[part], lists.rows_qc[part], lists.count_q[part]
                if kernels is None:
                    products_qb *= scale_b
                    _collect(products_qb, start, k, slack, limit, *kept)
                else:
                    kernels.collect(products_qb, scale_b, start, k, slack, limit, *kept)

        return _joined(share_blocks(self.rows.n, self.block_rows, lambda: self._empty(room), step), k, slack)

    def reaching(self, floor_q: Floats, most: int) -> Iterator[tuple[Ints, Ints]]:
        """Yield flat (query, row) pairs whose product reaches the query's floor, at most about ``most`` at a time."""
        buffer, kernels = self._buffer(), self._kernels()
        room = max(most, self.block_rows)
        query_m, column_m = np.empty(room, np.int64), np.empty(room, np.int64)
        for start, stop in blocks(self.rows.n, self.block_rows):
            for part, products_qb, scale_b in self._blocks(start, stop, buffer):
                low_q = _down(floor_q[part], products_qb.dtype)
                if kernels is None:
                    products_qb *= scale_b
                    for first, last in blocks(len(products_qb), max(1, most // products_qb.shape[1])):
                        query_f, column_f = np.nonzero(products_qb[first:last] >= low_q[first:last, None])
                        yield query_f + (first + part.start), column_f + start
                    continue
                query = 0
                while query < len(products_qb):
                    query, count = kernels.above(products_qb, scale_b, low_q, query, query_m, column_m)
                    yield query_m[:count] + part.start, column_m[:count] + start

    def _kernels(self):
        """The compiled loops, if numpy would take much longer to look through the products of a pass."""
        return compiled("select", 1e-9 * self.rows.n * len(self.queries_qd))

    def _buffer(self) -> Floats:
        size = min(len(self.queries_qd), self.at_once) * min(self.rows.n, self.block_rows)
        return np.empty(size, self.queries_qd.dtype)

    def _empty(self, room: int) -> Lists:
        q, dtype = len(self.queries_qd), self.queries_qd.dtype
        scores_qc, rows_qc = np.full((q, room), -np.inf, dtype), np.full((q, room), -1, np.int64)
        return Lists(scores_qc, rows_qc, np.zeros(q, np.int64), np.full(q, np.finfo(dtype).min, dtype), self._buffer())

    def _blocks(self, start: int, stop: int, buffer: Floats) -> Iterator[tuple[slice, Floats, Floats]]:
        """Products of rows ``start`` to ``stop`` with some queries after the other, each overwriting the last.

        With the span of the queries, and the scale ``(stop - start,)`` that the products are to be multiplied by.
        """
        multiply, scale_b = self._multiplier(start, stop)
        scale_b = np.ones(stop - start, buffer.dtype) if scale_b is None else scale_b.astype(buffer.dtype)
        for first, last in blocks(len(self.queries_qd), self.at_once):
            products_qb = buffer[: (last - first) * (stop - start)].reshape(last - first, stop - start)
            multiply(first, last, products_qb)
            if self.own_q is not None:
                own_q = self.own_q[first:last] - start
                inside = np.flatnonzero((own_q >= 0) & (own_q < stop - start))
                products_qb[inside, own_q[inside]] = -np.inf
            yield slice(first, last), products_qb, scale_b

    def _multiplier(self, start: int, stop: int) -> tuple[Callable[[int, int, Floats], object], Floats | None]:
        """What fills an array with the products of queries ``first`` to ``last`` and these rows, and their scale."""
        if self.planes is not None:
            rows = self.rows.two_valued(start, stop)  # pyright: ignore[reportAttributeAccessIssue]
            return partial(self.planes.products, rows), None
        block = getattr(self.rows, "rough", self.rows.block)
        block_bd, scale_b = self.scorer.factors(block(start, stop))
        return lambda first, last, out_qb: np.matmul(self.queries_qd[first:last], block_bd.T, out=out_qb), scale_b


def _up(value: float, dtype: np.dtype) -> np.floating:
    """``value`` in ``dtype``, and half a unit more than the rounding of a subtraction could take away."""
    return dtype.type(value * (1 + 4 * float(np.finfo(dtype).eps))) + np.finfo(dtype).eps


def _down(floor_q: Floats, dtype: np.dtype) -> Floats:
    """Floors in the precision of the products, none above what it was."""
    low_q = floor_q.astype(dtype)
    return np.where(low_q > floor_q, np.nextafter(low_q, dtype.type(-np.inf)), low_q).astype(dtype)


def _joined(states: list[Lists], k: int, slack: np.floating) -> Candidates:
    """The candidates of all threads, less what the k-th best of them all rules out."""
    for lists in states:
        lists.scores_qc[np.arange(lists.scores_qc.shape[1]) >= lists.count_q[:, None]] = -np.inf
    scores_qc = np.concatenate([lists.scores_qc for lists in states], axis=1)
    rows_qc = np.concatenate([lists.rows_qc for lists in states], axis=1)
    crowded_q = np.any([np.isposinf(lists.floor_q) for lists in states], axis=0)
    floor_q = np.partition(scores_qc, -k, axis=1)[:, -k] - slack
    kept = np.nonzero((scores_qc >= floor_q[:, None]) & (scores_qc > -np.inf) & ~crowded_q[:, None])
    products_f = scores_qc[kept].astype(np.float64)
    return Candidates(kept[0], rows_qc[kept], products_f, floor_q.astype(np.float64), np.flatnonzero(crowded_q))


def _collect(
    products_qb: Floats,
    first: int,
    k: int,
    slack: np.floating,
    limit: int,
    floor_q: Floats,
    scores_qc: Floats,
    rows_qc: Ints,
    count_q: Ints,
) -> None:
    """What ``vqbench.numerics.kernels.select.collect`` does, in numpy; lists are squeezed a block at a time."""
    room, b = scores_qc.shape[1], products_qb.shape[1]
    if b > room:  # the k-th best of a block is a floor by itself
        fresh = np.flatnonzero(floor_q == np.finfo(floor_q.dtype).min)
        if len(fresh):
            floor_q[fresh] = np.partition(products_qb[fresh], -k, axis=1)[:, -k] - slack
    reached_qb = products_qb >= floor_q[:, None]
    new_q = reached_qb.sum(axis=1)
    for i in np.flatnonzero(count_q + new_q > room).tolist():
        all_c = np.concatenate([scores_qc[i, : count_q[i]], products_qb[i, reached_qb[i]]])
        best_k = np.partition(all_c, -k)[-k:]
        floor_q[i] = max(floor_q[i], best_k[0] - slack)
        old = np.flatnonzero(scores_qc[i, : count_q[i]] >= floor_q[i])
        scores_qc[i, : len(old)], rows_qc[i, : len(old)] = scores_qc[i, old], rows_qc[i, old]
        reached_qb[i] = products_qb[i] >= floor_q[i]
        count_q[i], new_q[i] = len(old), reached_qb[i].sum()
        if len(old) + new_q[i] > limit:
            floor_q[i], new_q[i], count_q[i] = np.inf, 0, k
            scores_qc[i, :k] = best_k  # of a query that is given up, only the k-th best product is asked for
            reached_qb[i] = False
    query_f, column_f = np.divmod(np.flatnonzero(reached_qb), b)
    slot_f = count_q[query_f] + np.arange(len(query_f)) - np.repeat(np.cumsum(new_q) - new_q, new_q)
    scores_qc[query_f, slot_f], rows_qc[query_f, slot_f] = products_qb[query_f, column_f], column_f + first
    count_q += new_q
