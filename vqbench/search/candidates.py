"""Candidates of a top k from products of known error, block by block, shared among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from vqbench.numerics.arrays import Floats, Ints, Rows, blocks
from vqbench.numerics.kernels.choice import compiled, shared
from vqbench.search.bit_planes import Planes
from vqbench.search.scorers import Measure


@dataclass(frozen=True)
class Products:
    """Rows against prepared queries. own_q: a row that a query may not find, or -1; at_once: queries per product.

    planes: the queries, where products with these rows can be had by counting bits.
    """

    rows: Rows
    measure: Measure
    queries_qd: Floats
    own_q: Ints | None
    block_rows: int
    at_once: int
    planes: Planes | None = None

    @property
    def slower(self) -> float:
        """Seconds that numpy takes longer to look through the products of a pass."""
        return 1e-9 * self.rows.n * len(self.queries_qd)

    def buffer(self) -> Floats:
        """Room for the products of one block; every thread has its own."""
        size = min(len(self.queries_qd), self.at_once) * min(self.rows.n, self.block_rows)
        return np.empty(size, self.queries_qd.dtype)

    def of(self, start: int, stop: int, buffer: Floats) -> Iterator[tuple[slice, Floats, Floats]]:
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
                hit = np.flatnonzero((own_q >= 0) & (own_q < stop - start))
                products_qb[hit, own_q[hit]] = -np.inf
            yield slice(first, last), products_qb, scale_b

    def _multiplier(self, start: int, stop: int) -> tuple[Callable[[int, int, Floats], object], Floats | None]:
        """What fills an array with the products of queries ``first`` to ``last`` and these rows, and their scale."""
        if self.planes is not None:
            rows = self.rows.two_valued(start, stop)  # pyright: ignore[reportAttributeAccessIssue]
            return partial(self.planes.products, rows), None
        block = getattr(self.rows, "rough", self.rows.block)
        block_bd, scale_b = self.measure.parts(block(start, stop))
        return lambda first, last, out_qb: np.matmul(self.queries_qd[first:last], block_bd.T, out=out_qb), scale_b


@dataclass(frozen=True)
class Lists:
    """Each query's candidates so far: products, rows, how many, and the floor below which nothing is kept.

    A floor of +inf: more candidates than there is room for; the query was given up.
    """

    scores_qc: Floats
    rows_qc: Ints
    count_q: Ints
    floor_q: Floats
    buffer: Floats

    @classmethod
    def empty(cls, products: Products, room: int) -> Lists:
        q, dtype = len(products.queries_qd), products.queries_qd.dtype
        return cls(
            np.full((q, room), -np.inf, dtype),
            np.full((q, room), -1, np.int64),
            np.zeros(q, np.int64),
            np.full(q, np.finfo(dtype).min, dtype),
            products.buffer(),
        )


def nominate(products: Products, k: int) -> tuple[Ints, Ints, Floats, Floats, Ints]:
    """Every row that may be among a query's ``k`` best, from one pass.

    Returns flat arrays (query, row, product) sorted by query, then each query's floor ``(q,)`` float64, a
    product that all of its k best reach, and the queries that have too many candidates to list: they are not
    in the flat arrays. With E the error bound of a product, k rows have products of at least the k-th best P,
    so the k-th best score is at least P - E, and whatever has that score or more has a product of at least
    P - 2 E. P only grows as more rows are seen.
    """
    slack = _up(2 * products.measure.error(products.rows.d), products.queries_qd.dtype)
    room, limit = 2 * k + k // 2 + 128, k + k // 2 + 64
    kernels = compiled("select", products.slower)

    def step(lists: Lists, start: int, stop: int) -> None:
        for part, products_qb, scale_b in products.of(start, stop, lists.buffer):
            mine = lists.floor_q[part], lists.scores_qc[part], lists.rows_qc[part], lists.count_q[part]
            if kernels is None:
                products_qb *= scale_b
                _collect(products_qb, start, k, slack, limit, *mine)
            else:
                kernels.collect(products_qb, scale_b, start, k, slack, limit, *mine)

    states = shared(products.rows.n, products.block_rows, lambda: Lists.empty(products, room), step)
    return _joined(states, k, slack)


def _up(value: float, dtype: np.dtype) -> np.floating:
    """``value`` in ``dtype``, and half a unit more than the rounding of a subtraction could take away."""
    return dtype.type(value * (1 + 4 * float(np.finfo(dtype).eps))) + np.finfo(dtype).eps


def _joined(states: list[Lists], k: int, slack: np.floating) -> tuple[Ints, Ints, Floats, Floats, Ints]:
    """The candidates of all threads, less what the k-th best of them all rules out."""
    for lists in states:
        lists.scores_qc[np.arange(lists.scores_qc.shape[1]) >= lists.count_q[:, None]] = -np.inf
    scores_qc = np.concatenate([lists.scores_qc for lists in states], axis=1)
    rows_qc = np.concatenate([lists.rows_qc for lists in states], axis=1)
    crowded_q = np.any([np.isposinf(lists.floor_q) for lists in states], axis=0)
    floor_q = np.partition(scores_qc, -k, axis=1)[:, -k] - slack
    kept_qc = (scores_qc >= floor_q[:, None]) & ~crowded_q[:, None]
    query_f, at_f = np.nonzero(kept_qc)
    products_f = scores_qc[query_f, at_f].astype(np.float64)
    return query_f, rows_qc[query_f, at_f], products_f, floor_q.astype(np.float64), np.flatnonzero(crowded_q)


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
        old = scores_qc[i, : count_q[i]] >= floor_q[i]
        kept = int(old.sum())
        scores_qc[i, :kept], rows_qc[i, :kept] = scores_qc[i, : count_q[i]][old], rows_qc[i, : count_q[i]][old]
        count_q[i] = kept
        reached_qb[i] = products_qb[i] >= floor_q[i]
        new_q[i] = reached_qb[i].sum()
        if kept + new_q[i] > limit:
            floor_q[i], new_q[i], count_q[i] = np.inf, 0, k
            scores_qc[i, :k] = best_k  # of a query that is given up, only the k-th best product is asked for
            reached_qb[i] = False
    at_q, at_b = np.divmod(np.flatnonzero(reached_qb), b)
    slot_f = count_q[at_q] + np.arange(len(at_q)) - np.repeat(np.cumsum(new_q) - new_q, new_q)
    scores_qc[at_q, slot_f], rows_qc[at_q, slot_f] = products_qb[at_q, at_b], at_b + first
    count_q += new_q


def reaching(products: Products, floor_q: Floats, most: int) -> Iterator[tuple[Ints, Ints]]:
    """Flat (query, row) pairs whose product reaches the query's floor, at most about ``most`` at a time."""
    buffer = products.buffer()
    kernels = compiled("select", products.slower)
    room = max(most, products.block_rows)
    at_q, at_b = np.empty(room, np.int64), np.empty(room, np.int64)
    for start, stop in blocks(products.rows.n, products.block_rows):
        for part, products_qb, scale_b in products.of(start, stop, buffer):
            low_q = _down(floor_q[part], products_qb.dtype)
            if kernels is None:
                products_qb *= scale_b
                for first, last in blocks(len(products_qb), max(1, most // products_qb.shape[1])):
                    query_f, row_f = np.nonzero(products_qb[first:last] >= low_q[first:last, None])
                    yield query_f + (first + part.start), row_f + start
                continue
            query = 0
            while query < len(products_qb):
                query, found = kernels.above(products_qb, scale_b, low_q, query, at_q, at_b)
                yield at_q[:found] + part.start, at_b[:found] + start


def _down(floor_q: Floats, dtype: np.dtype) -> Floats:
    """Floors in the precision of the products, none above what it was."""
    low_q = floor_q.astype(dtype)
    return np.where(low_q > floor_q, np.nextafter(low_q, dtype.type(-np.inf)), low_q).astype(dtype)
