"""The same search spread over shards of the corpus: a map over ranges of rows, and an associative merge.

A shard is searched like a corpus of its own, wherever that is. Back come its top k and the ties it dropped,
never rows; what is merged is the result of the whole search, whatever the shards and their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from vqbench.numerics.arrays import Floats, Ints, Rows
from vqbench.search.topk import Search
from vqbench.search.topk_merge import Best

C = TypeVar("C")
P = TypeVar("P")
R = TypeVar("R")


class Spread(Protocol):
    """Runs a function over pieces of work, somewhere."""

    def shards(self, n: int) -> Sequence[tuple[int, int]]:
        """Return ranges ``(start, stop)`` that cover ``n`` rows."""
        ...

    def map(self, function: Callable[[C, P], R], common: C, pieces: Sequence[P]) -> Iterator[R]:
        """Yield ``function(common, piece)`` of each piece once, in any order."""
        ...


class Divisible(Rows, Protocol):
    """Rows of which a part can travel alone."""

    def span(self, start: int, stop: int) -> Rows: ...  # as rows of their own


@dataclass(frozen=True)
class Shard:
    """One piece of the work: some rows, and what orders them. An array on disk travels as its place there."""

    start: int  #: the number of the first row in the whole corpus
    rows: Rows
    priority_n: Ints | None

    def search(self, common: dict[str, Any]) -> Search:
        """Return the search of these rows; common: the fields of ``Search`` that all shards share."""
        exclude_q = None if common["exclude_q"] is None else common["exclude_q"] - self.start
        return Search(**{**common, "exclude_q": exclude_q}, rows=self.rows, priority_n=self.priority_n)


@dataclass(frozen=True)
class Sharded(Search):
    """A search that ``spread`` carries out shard by shard; the same result as ``Search``.

    The rows are ``Divisible``. Pairs are scored where the search was asked for: they are few, and their rows are near.
    """

    spread: Spread = field(kw_only=True)

    def best(self, k: int) -> Best:
        parts = self.spread.map(shard_best, (self._common(), k), self._shards())
        return reduce(Best.plus, parts, Best.empty(len(self.queries_qd), k))

    def _at_least(self, scores_q: Floats) -> Iterable[tuple[Ints, Ints, Floats]]:
        return self.spread.map(shard_at_least, (self._common(), scores_q), self._shards())

    def _common(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("queries_qd", "scorer", "exclude_q", "block_mb")}

    def _shards(self) -> list[Shard]:
        rows = cast(Divisible, self.rows)
        return [
            Shard(start, rows.span(start, stop), None if self.priority_n is None else self.priority_n[start:stop])
            for start, stop in self.spread.shards(self.rows.n)
        ]


def shard_best(common: tuple[dict[str, Any], int], shard: Shard) -> Best:
    """Return the top k of a shard, by the row numbers of the whole corpus."""
    fields, k = common
    best = shard.search(fields).best(k)
    ids_qk = np.where(best.ids_qk < 0, -1, best.ids_qk + shard.start)
    return replace(best, ids_qk=ids_qk, priority_qk=ids_qk if shard.priority_n is None else best.priority_qk)


def shard_at_least(common: tuple[dict[str, Any], Floats], shard: Shard) -> tuple[Ints, Ints, Floats]:
    """Return every (query, row, score) of a shard that reaches the query's least score."""
    fields, least_q = common
    query_f, row_f, score_f = shard.search(fields).at_least(np.arange(len(least_q)), least_q)
    return query_f, row_f + shard.start, score_f
