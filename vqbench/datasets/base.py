"""What a dataset hands over, and how queries are taken from it."""

from __future__ import annotations

import hashlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from vqbench.arrays import Floats, Ints, Keys, Table, Vectors, block_rows, blocks, draw_keys, drawn, named
from vqbench.checks import Checked, Dropped, checked_rows
from vqbench.errors import VqbenchError
from vqbench.ids import Numbered, PickedIds, positions

_BLOCK = 8192  # rows at a time
_TEXTS = 1 << 14  # that are hashed at a time

Judgement = tuple[str, str, float]
QueryMode = Literal["self", "holdout"]
OnBadRows = Literal["refuse", "drop"]


@dataclass(frozen=True)
class Source:
    """What was read: rows as they came, ids where there are any, queries and relevance likewise.

    corpus_nd: ``(n, d)`` of any real dtype, an array or rows that lie in a file. judgements: (query id,
    document id, gain). groups: which queries belong together, one name for each row of the queries, or of the
    corpus where its rows are the queries. origin names the place for messages.
    """

    origin: str
    corpus_nd: Table
    ids: Sequence[str] | None = None
    queries_qd: Table | None = None
    query_ids: Sequence[str] | None = None
    judgements: Sequence[Judgement] | None = None
    groups: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Dataset(ABC):
    """A frozen description of vectors; ``load`` reads them.

    rows: how many corpus rows are searched, the first in an order drawn by key and rows_seed, so that the
    smaller of two subsamples lies within the larger; None for all. The queries are the same whatever ``rows`` is.
    """

    rows: int | None = None
    rows_seed: int = 0

    @property
    @abstractmethod
    def title(self) -> str:
        """What tables and figures call it."""

    @abstractmethod
    def load(self) -> Source:
        """Read or generate the vectors. Raises VqbenchError with file, rule and remedy."""


@dataclass(frozen=True)
class Qrels:
    """Relevance judgements as flat arrays sorted by query: query number, corpus row, gain > 0."""

    query_f: Ints
    row_f: Ints
    gain_f: Floats


@dataclass(frozen=True)
class Data:
    """A corpus and its queries, checked, ready to be searched.

    keys_n: a 64-bit key per corpus row for order-free draws. exclude_q: the corpus row that is
    the query itself, or -1. fingerprint: SHA-256 of every value and id, and of the draw where ``rows``
    leaves some out; whole: the same without the draw, equal for all subsamples of a corpus. groups_q: the name of
    each query's group, where queries are not drawn one by one. dropped: rows of the ``corpus`` and the ``queries``
    that were left out.
    """

    name: str
    corpus: Vectors
    ids: Sequence[str]
    keys_n: Keys
    queries_qd: Floats
    query_ids: Sequence[str]
    exclude_q: Ints | None
    qrels: Qrels | None
    fingerprint: str
    whole: str
    groups_q: Sequence[str] | None = None
    dropped: Mapping[str, Dropped] = field(default_factory=dict)

    @property
    def findable(self) -> int:
        """How many rows a query can find."""
        return self.corpus.n - (self.exclude_q is not None)

    def priority(self, seed: int) -> Ints:
        """A unique number per corpus row that orders equal scores at random, by key and seed."""
        order_n = drawn(self.keys_n, self.corpus.n, seed, "ties")
        priority_n = np.empty(self.corpus.n, dtype=np.int64)
        priority_n[order_n] = np.arange(self.corpus.n)
        return priority_n

    def sample(self, count: int, seed: int, draw: str = "uniform") -> Floats:
        """At most ``count`` corpus rows to learn from.

        uniform: drawn by key and seed, in an order of the keys' own. For the harm they do: prefix, the first
        rows in the file's order; sorted, those with the smallest first component (ties in the keys' order).
        """
        if draw == "prefix":
            return self.corpus.take(np.arange(min(count, self.corpus.n)))
        if draw == "sorted":
            return self.corpus.take(self._smallest_first(count, seed))
        return self.corpus.take(drawn(self.keys_n, count, seed, "calibration"))

    def _smallest_first(self, count: int, seed: int) -> Ints:
        """The rows with the smallest first component, equal ones in the order of the draw."""
        first_n = np.empty(self.corpus.n, dtype=np.float32)
        for start, stop in blocks(self.corpus.n, block_rows(self.corpus.d, _BLOCK)):
            first_n[start:stop] = self.corpus.block(start, stop)[:, 0]
        some = np.arange(self.corpus.n)
        if count < self.corpus.n:
            some = np.flatnonzero(first_n <= np.partition(first_n, count)[count])
        key_s = draw_keys(self.keys_n[some], seed, "calibration")
        return some[np.lexsort((some, key_s, first_n[some]))][:count]


def prepare(
    source: Source,
    name: str,
    *,
    queries: QueryMode | None,
    n_queries: int | None,
    normalize: bool,
    query_seed: int = 0,
    on_bad_rows: OnBadRows = "refuse",
    rows: int | None = None,
    rows_seed: int = 0,
) -> Data:
    """Check the rows and take the queries: the source's own, each row (``self``) or rows held out.

    on_bad_rows: whether rows that are NaN, infinite or zero are refused or left out, as if the file had not held them;
    the others keep their ids. rows, rows_seed: as in ``Dataset``. Queries are taken first, from all rows: a query
    whose row the draw leaves out has no row of its own to exclude, and judgements of rows that it leaves out are
    dropped.
    """
    if queries is not None and (not isinstance(queries, str) or queries not in get_args(QueryMode)):
        raise VqbenchError(
            f"queries = {str(queries)[:40]!r}: must be 'self', 'holdout' or none (the dataset's own, else self)"
        )
    drop = on_bad_rows == "drop"
    good = checked_rows(source.corpus_nd, source.ids, source.origin, normalize, drop=drop)
    corpus, keys_n, digest = good.vectors, good.keys_n, good.digest
    whole_ids = source.ids if source.ids is not None else Numbered(len(source.corpus_nd))
    ids, dropped = good.of(whole_ids), {"corpus": Dropped.of(good, whole_ids)}
    asked = good
    if queries is None and source.queries_qd is not None:
        asked = checked_rows(source.queries_qd, source.query_ids, f"queries of {source.origin}", normalize, drop=drop)
        if asked.vectors.d != corpus.d:
            raise VqbenchError(f"{source.origin}: queries have {asked.vectors.d} dimensions, the corpus has {corpus.d}")
        picked = drawn(asked.keys_n, _count(n_queries, asked.vectors.n), query_seed, "queries")
        all_ids = source.query_ids or Numbered(len(source.queries_qd), "q")
        query_ids, dropped["queries"] = named(asked.of(all_ids), picked), Dropped.of(asked, all_ids)
        exclude_q = _own_rows(query_ids, ids) if source.ids is not None and source.query_ids is not None else None
        queries_qd, digest = asked.vectors.take(picked), digest + asked.digest
    else:
        picked = drawn(keys_n, _count(n_queries, corpus.n), query_seed, "queries")
        query_ids, queries_qd, exclude_q = named(ids, picked), corpus.take(picked), picked
    groups_q = _groups(source, picked, asked)
    given = [str(x is not None) for x in (source.ids, source.query_ids)]  # with ids, draws go by id
    parts = itertools.chain(
        [digest, *given], ids, query_ids, map(repr, source.judgements or ()), [str(queries)],
        ["groups", *groups_q] if groups_q is not None else [],
    )  # fmt: skip
    whole = _fingerprint(parts)
    kept = None
    if queries == "holdout":
        if len(picked) >= corpus.n:
            raise VqbenchError(f"queries=holdout takes out all {corpus.n} rows: set n_queries below that")
        kept, exclude_q = np.delete(np.arange(corpus.n), picked), None
    searched = _subsample(kept, keys_n, rows, rows_seed, source.origin)
    partly = searched is not None and len(searched) < (corpus.n if kept is None else len(kept))
    fingerprint = _fingerprint([whole, str(rows), str(rows_seed)]) if partly else whole
    if searched is not None and len(searched) < corpus.n:
        exclude_q = _moved(exclude_q, searched, corpus.n)
        ids, keys_n, corpus = PickedIds(ids, searched), keys_n[searched], corpus.only(searched)
    qrels = None if source.judgements is None else _qrels(source, query_ids, ids, whole_ids, partly)
    return Data(
        name, corpus, ids, keys_n, queries_qd, query_ids, exclude_q, qrels, fingerprint, whole, groups_q,
        {of: some for of, some in dropped.items() if some.count},
    )  # fmt: skip


def _fingerprint(parts: Iterable[str]) -> str:
    """SHA-256 of texts, no two lists alike."""
    digest, parts = hashlib.sha256(), iter(parts)
    while some := "".join(f"{len(part)}:{part}" for part in itertools.islice(parts, _TEXTS)):
        digest.update(some.encode())
    return digest.hexdigest()


def _subsample(kept: Ints | None, keys_n: Keys, rows: int | None, seed: int, origin: str) -> Ints | None:
    """Those of the ``kept`` rows (None: all) that are searched, in the file's order: all, or the first of a draw."""
    if rows is None:
        return kept
    if seed < 0:
        raise VqbenchError(f"rows_seed = {seed}: must not be negative")
    available = len(keys_n) if kept is None else len(kept)
    if not 1 <= rows <= available:
        raise VqbenchError(
            f"rows = {rows}: {origin} has {available} rows to search: set rows between 1 and that, or null for all"
        )
    if kept is None:
        return np.sort(drawn(keys_n, rows, seed, "rows"))
    return np.sort(kept[drawn(keys_n[kept], rows, seed, "rows")])


def _moved(exclude_q: Ints | None, searched: Ints, n: int) -> Ints | None:
    """Where the queries' own rows stand among those searched: -1 where they are not, None if all are not."""
    if exclude_q is None:
        return None
    at_n = np.full(n + 1, -1, dtype=np.int64)  # the last entry answers for the queries without an own row, -1
    at_n[searched] = np.arange(len(searched))
    moved_q = at_n[exclude_q]
    return moved_q if (moved_q >= 0).any() else None


def _own_rows(query_ids: Sequence[str], ids: Sequence[str]) -> Ints | None:
    """The corpus row that has the query's own id, or -1; None where no query is a corpus row."""
    row_at = positions(ids, query_ids)
    exclude_q = np.array([row_at.get(i, -1) for i in query_ids], dtype=np.int64)
    return exclude_q if (exclude_q >= 0).any() else None


def _groups(source: Source, picked: Ints, asked: Checked) -> list[str] | None:
    """The groups of the queries that were picked among those asked; a row that was dropped has its line too."""
    available = asked.vectors.n + len(asked.dropped)
    if source.groups is None:
        return None
    if len(source.groups) != available:
        raise VqbenchError(
            f"groups of {source.origin}: {len(source.groups)} names for {available} queries: name the group of each "
            "row that may be a query, one a line"
        )
    groups_q = named(asked.of(source.groups), picked)
    if len(set(groups_q)) < 2:
        raise VqbenchError(
            f"groups of {source.origin}: all queries belong to {groups_q[0][:80]!r}: "
            "an interval needs at least 2 groups"
        )
    return groups_q


def _count(n_queries: int | None, available: int) -> int:
    if n_queries is not None and n_queries < 1:
        raise VqbenchError(f"n_queries = {n_queries}: needs at least 1, or none for all")
    return available if n_queries is None else min(n_queries, available)


def _qrels(
    source: Source, query_ids: Sequence[str], ids: Sequence[str], whole_ids: Sequence[str], partly: bool
) -> Qrels | None:
    """Judgements with a positive gain for the queries and rows at hand; unknown documents are refused.

    None where ``partly``, that is after a draw of rows, none is left.
    """
    query_at = {i: at for at, i in enumerate(query_ids)}
    documents = {document for _, document, _ in source.judgements or ()}
    row_at = positions(ids, documents)
    known = row_at if ids is whole_ids else positions(whole_ids, documents)
    found: dict[tuple[int, int], float] = {}
    judged: set[tuple[str, str]] = set()
    for query, document, gain in source.judgements or ():
        if document not in known:
            raise VqbenchError(f"qrels of {source.origin}: document {document[:80]!r} is not in the corpus")
        if (query, document) in judged:
            raise VqbenchError(
                f"qrels of {source.origin}: query {query[:80]!r} judges document {document[:80]!r} twice"
            )
        judged.add((query, document))
        if query in query_at and document in row_at and gain > 0:
            found[query_at[query], row_at[document]] = gain
    pairs = sorted(found)
    if not pairs and partly:
        return None
    if not pairs:
        raise VqbenchError(f"qrels of {source.origin}: no query of this dataset has a relevant document")
    return Qrels(
        np.array([query for query, _ in pairs]),
        np.array([row for _, row in pairs]),
        np.array([found[pair] for pair in pairs]),
    )
