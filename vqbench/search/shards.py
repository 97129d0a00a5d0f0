"""The same search spread over shards of the corpus: a map over ranges of rows, and an associative merge.

A shard is searched like a corpus of its own, wherever that is. Back come its top k and the ties it dropped,
never rows; what is merged is the result of the whole search, whatever the shards and their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypeVar

import numpy as np

from vqbench.numerics.arrays import Bools, Floats, Ints, Rows
from vqbench.search.topk import Hits, Search
from vqbench.search.topk_merge import Best

C = TypeVar("C")
P = TypeVar("P")
R = TypeVar("R")


class Spread(Protocol):
    """Runs a function over pieces of work, somewhere."""

    def shards(self, n: int) -> Sequence[tuple[int, int]]:
        """Ranges ``(start, stop)`` that cover ``n`` rows."""
        ...

    def map(self, function: Callable[[C, P], R], common: C, pieces: Sequence[P]) -> Iterator[R]:
        """``function(common, piece)`` of each piece once, in any order."""
        ...


@dataclass(frozen=True)
class Part:
    """One shard's share of the work: rows ``start`` and following. An array on disk travels as its place there."""

    start: int
    rows: Rows
    priority_n: Ints | None


@dataclass(frozen=True)
class Common:
    """What all shards of one search need: the queries, what each may not find, the k or the least scores.

    settings: the fields of ``Search`` that are the same on each shard.
    """

    queries_qd: Floats
    exclude_q: Ints | None
    settings: dict[str, Any]
    k: int = 0
    least_q: Floats = field(default_factory=lambda: np.zeros(0))

    def over(self, part: Part) -> tuple[Search, Bools]:
        """The search of one shard, and for which queries their own row lies in it."""
        moved_q, own_q = None, np.zeros(len(self.queries_qd), dtype=bool)
        if self.exclude_q is not None:
            moved_q = self.exclude_q - part.start
            own_q = (moved_q >= 0) & (moved_q < part.rows.n)
            moved_q = np.where(own_q, moved_q, -1)
        return Search(rows=part.rows, exclude_q=moved_q, priority_n=part.priority_n, **self.settings), own_q


@dataclass(frozen=True)
class Sharded(Search):
    """A search that ``spread`` carries out shard by shard; the same result as ``Search``.

    Pairs are scored where the search was asked for: they are few, and their rows are at hand.
    """

    spread: Spread = field(kw_only=True)

    def top(self, queries_qd: Floats, k: int) -> Hits:
        best = Best.empty(len(queries_qd), k)
        common = Common(queries_qd, self.exclude_q, self._settings, k=k)
        for start, hits in self.spread.map(shard_top, common, self._parts()):
            best = best.plus(self._placed(start, hits, k))
        return Hits(*best.found)

    def at_least(self, queries_qd: Floats, part: Ints, scores_q: Floats) -> tuple[Ints, Ints, Floats]:
        if not len(part):
            return super().at_least(queries_qd, part, scores_q)
        exclude_q = None if self.exclude_q is None else self.exclude_q[part]
        common = Common(queries_qd[part], exclude_q, self._settings, least_q=scores_q[part])
        found = list(self.spread.map(shard_at_least, common, self._parts()))
        at_f, row_f, score_f = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        query_f = part[at_f]
        order_f = np.lexsort((self._order(row_f), -score_f, query_f))
        return query_f[order_f], row_f[order_f], score_f[order_f]

    @property
    def _settings(self) -> dict[str, Any]:
        apart = ("rows", "exclude_q", "priority_n")
        return {each.name: getattr(self, each.name) for each in fields(Search) if each.name not in apart}

    def _parts(self) -> list[Part]:
        return [
            Part(start, _span(self.rows, start, stop), None if self.priority_n is None else self.priority_n[start:stop])
            for start, stop in self.spread.shards(self.rows.n)
        ]

    def _placed(self, start: int, hits: Hits, k: int) -> Best:
        """A shard's hits by their row numbers in the whole, filled up to k."""
        none = Best.empty(len(hits.ids_qk), k)
        found = slice(0, hits.ids_qk.shape[1])
        none.scores_qk[:, found] = hits.scores_qk
        ids_qk = none.ids_qk.copy()
        ids_qk[:, found] = np.where(hits.ids_qk < 0, -1, hits.ids_qk + start)
        priority_qk = np.where(ids_qk < 0, -1, self._order(ids_qk))
        return Best(ids_qk, none.scores_qk, priority_qk, hits.dropped_ties_q)

    def _order(self, rows: Ints) -> Ints:
        return rows if self.priority_n is None else self.priority_n[rows]


@dataclass(frozen=True)
class Span:
    """Rows ``start`` to ``stop`` of rows that cannot be divided: they travel whole."""

    rows: Rows
    start: int
    stop: int

    @property
    def n(self) -> int:
        return self.stop - self.start

    @property
    def d(self) -> int:
        return self.rows.d

    def block(self, start: int, stop: int) -> Floats:
        return self.rows.block(self.start + start, self.start + stop)

    def take(self, rows: Ints) -> Floats:
        return self.rows.take(rows + self.start)


def _span(rows: Rows, start: int, stop: int) -> Rows:
    divide = getattr(rows, "span", None)
    return Span(rows, start, stop) if divide is None else divide(start, stop)


def shard_top(common: Common, part: Part) -> tuple[int, Hits]:
    """A shard's start and its best rows, ``min(k, n)`` wide, counted from its start; -1 where a query finds fewer.

    A query whose own row lies in the shard finds one row fewer there.
    """
    search, own_q = common.over(part)
    q, n = len(common.queries_qd), part.rows.n
    width = min(common.k, n)
    if width < n or not own_q.any():
        return part.start, search.top(common.queries_qd, width)
    hits = Hits(*Best.empty(q, width).found)
    for group, findable in ((np.flatnonzero(~own_q), n), (np.flatnonzero(own_q), n - 1)):
        if len(group) and findable:
            some = Common(common.queries_qd[group], common.exclude_q[group], common.settings)  # type: ignore[index]
            found = some.over(part)[0].top(some.queries_qd, findable)
            hits.ids_qk[group, :findable], hits.scores_qk[group, :findable] = found.ids_qk, found.scores_qk
    return part.start, hits


def shard_at_least(common: Common, part: Part) -> tuple[Ints, Ints, Floats]:
    """Every (query, row, score) of a shard that reaches the query's least score."""
    search, _ = common.over(part)
    everyone = np.arange(len(common.queries_qd))
    query_f, row_f, score_f = search.at_least(common.queries_qd, everyone, common.least_q)
    return query_f, row_f + part.start, score_f
