"""How a dataset's rows become a corpus and its queries: checked, drawn, fingerprinted."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from vqbench.datasets.base import Data, OnBadRows, QueryMode, Source
from vqbench.datasets.judgements import select
from vqbench.datasets.row_checks import Checked, Dropped, checked_rows
from vqbench.datasets.stated_neighbours import StatedNeighbours
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats, Ints, Keys, block_rows, blocks, row_norms
from vqbench.numerics.draws import drawn, named
from vqbench.storage.ids import Numbered, PickedIds, positions
from vqbench.storage.vectors import Vectors

_TEXTS = 1 << 14  # that are hashed at a time
_QUICK = 1 << 29  # bytes of a corpus that may be read once more


@dataclass(frozen=True)
class _Asked:
    """The queries that were taken. checked, all_ids: the rows that they were taken from, and the ids of these.

    picked: which of them. exclude_q: the corpus row that is the query itself, or -1. twins: how many are equal to a
    row of the corpus, where none is known to be one.
    """

    checked: Checked
    all_ids: Sequence[str]
    picked: Ints
    exclude_q: Ints | None
    stated_neighbours: StatedNeighbours | None = None
    twins: int = 0

    @property
    def ids(self) -> list[str]:
        return named(self.checked.of(self.all_ids), self.picked)

    @property
    def queries_qd(self) -> Floats:
        return self.checked.vectors.take(self.picked)


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
    good = checked_rows(
        source.corpus_nd,
        source.ids,
        source.origin,
        normalize,
        drop=drop,
        ids_file=source.files.get("ids"),
        gaps=source.gaps,
    )
    whole_ids = source.ids if source.ids is not None else Numbered(len(source.corpus_nd))
    corpus, keys_n, ids = good.vectors, good.keys_n, good.of(whole_ids)
    if queries is None and source.queries_qd is not None:
        asked = _own_queries(source, good, ids, n_queries, query_seed, normalize=normalize, drop=drop)
    else:
        picked = drawn(keys_n, _count(n_queries, corpus.n), query_seed, "queries")
        asked = _Asked(good, whole_ids, picked, picked)
    query_ids, groups_q = asked.ids, _groups(source, asked.picked, asked.checked)
    whole = _whole(source, good, asked, ids, query_ids, groups_q, str(queries))
    kept, exclude_q = None, asked.exclude_q
    if queries == "holdout":
        if len(asked.picked) >= corpus.n:
            raise VqbenchError(f"queries=holdout takes out all {corpus.n} rows: set n_queries below that")
        kept, exclude_q = np.delete(np.arange(corpus.n), asked.picked), None
    searched = _subsample(kept, keys_n, rows, rows_seed, source.origin)
    partly = searched is not None and len(searched) < (corpus.n if kept is None else len(kept))
    queries_qd, numbers, provided = asked.queries_qd, good.look(source.corpus_nd.dtype, source.codes), source.provided
    if provided is not None:
        own_q = asked.picked if asked.checked is good else asked.exclude_q  # of all rows that were kept
        provided = provided.only(good.kept).asked(queries_qd, own_q).only(searched)
    if searched is not None and len(searched) < corpus.n:
        exclude_q = _moved(exclude_q, searched, corpus.n)
        ids, keys_n, corpus = PickedIds(ids, searched), keys_n[searched], corpus.only(searched)
    qrels = None
    if source.judgements is not None:
        qrels = select(
            source.judgements,
            source.place("qrels"),
            query_ids=query_ids,
            all_query_ids=asked.all_ids,
            ids=ids,
            all_ids=whole_ids,
            exclude_q=exclude_q,
            files=source.files,
        )
    dropped = {"corpus": Dropped.of(good, whole_ids)}
    if asked.checked is not good:
        dropped["queries"] = Dropped.of(asked.checked, asked.all_ids)
    return Data(
        name,
        corpus,
        ids,
        keys_n,
        queries_qd,
        query_ids,
        exclude_q,
        qrels,
        fingerprint=_fingerprint([whole, str(rows), str(rows_seed)]) if partly else whole,
        whole=whole,
        groups_q=groups_q,
        stated_neighbours=_comparable(asked, partly=partly, dropped=good.kept is not None, own=exclude_q),
        dropped={of: some for of, some in dropped.items() if some.count},
        taken=source.taken,
        notes=[*(remark.sentence for remark in numbers.remarks), *([provided.note] if provided else [])],
        numbers=numbers,
        provided=provided,
        twins=asked.twins,
    )


def _own_queries(
    source: Source,
    corpus: Checked,
    ids: Sequence[str],
    n_queries: int | None,
    seed: int,
    *,
    normalize: bool,
    drop: bool,
) -> _Asked:
    """Queries that the source brings along; one with the id of a corpus row is left out of its own result."""
    assert source.queries_qd is not None
    checked = checked_rows(
        source.queries_qd,
        source.query_ids,
        source.place("queries"),
        normalize,
        drop=drop,
        ids_file=source.files.get("query_ids"),
        gaps=source.query_gaps,
    )
    if checked.vectors.d != corpus.vectors.d:
        place = source.files.get("queries", source.origin)
        corpus_is = "" if place == source.origin else f" ({source.origin})"
        raise VqbenchError(
            f"{place}: queries have {checked.vectors.d} dimensions, the corpus has {corpus.vectors.d}{corpus_is}: both "
            "must come from the same model; check dataset.queries"
        )
    all_ids = source.query_ids or Numbered(len(source.queries_qd), "q")
    picked = drawn(checked.keys_n, _count(n_queries, checked.vectors.n), seed, "queries")
    named_both = source.ids is not None and source.query_ids is not None
    exclude_q = _own_rows(named(checked.of(all_ids), picked), ids) if named_both else None
    stated = source.stated_neighbours
    if stated is not None:
        in_file = picked if checked.kept is None else checked.kept[picked]
        stated = stated.of(in_file, row_norms(checked.vectors.take_raw(picked)))
    twins = _twins(corpus.vectors, checked.vectors, picked) if exclude_q is None else 0
    return _Asked(checked, all_ids, picked, exclude_q, stated, twins)


def _twins(corpus: Vectors, queries: Vectors, picked: Ints) -> int:
    """How many of the queries are equal to a corpus row, bit for bit; 0 where the corpus takes long to read again."""
    if 4 * corpus.n * corpus.d > _QUICK:
        return 0
    queries_qd = np.ascontiguousarray(queries.take_raw(picked), np.float32)
    wanted, twins = [row.tobytes() for row in queries_qd], set[bytes]()
    for start, stop in blocks(corpus.n, block_rows(corpus.d, _TEXTS)):
        x_nd = np.ascontiguousarray(corpus.raw(start, stop), np.float32)
        twins |= {row.tobytes() for row in x_nd[np.isin(x_nd[:, 0], queries_qd[:, 0])]}
    return sum(row in twins for row in wanted)


def _comparable(asked: _Asked, *, partly: bool, dropped: bool, own: Ints | None) -> StatedNeighbours | None:
    """The nearest rows that a file states, and whether they can be those of our search."""
    stated, obstacle = asked.stated_neighbours, ""
    if dropped:
        obstacle = "rows of the corpus were left out, so its row numbers refer to other rows"
    elif partly:
        obstacle = "rows leaves some rows out"
    elif own is not None:
        obstacle = "here a query is left out of its own result"
    return replace(stated, obstacle=obstacle) if stated is not None and obstacle else stated


def _whole(
    source: Source,
    corpus: Checked,
    asked: _Asked,
    ids: Sequence[str],
    query_ids: Sequence[str],
    groups_q: Sequence[str] | None,
    mode: str,
) -> str:
    """The fingerprint of all rows, ids and judgements, and of the queries that were taken."""
    digest = corpus.digest + (asked.checked.digest if asked.checked is not corpus else "")
    with_ids = [str(x is not None) for x in (source.ids, source.query_ids)]  # with ids, draws go by id
    parts = itertools.chain(
        [digest, *with_ids],
        ids,
        query_ids,
        map(repr, source.judgements or ()),
        [mode],
        ["groups", *groups_q] if groups_q is not None else [],
    )
    return _fingerprint(parts)


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
    place_n = np.full(n + 1, -1, dtype=np.int64)  # the last entry answers for the queries without an own row, -1
    place_n[searched] = np.arange(len(searched))
    moved_q = place_n[exclude_q]
    return moved_q if (moved_q >= 0).any() else None


def _own_rows(query_ids: Sequence[str], ids: Sequence[str]) -> Ints | None:
    """The corpus row that has the query's own id, or -1; None where no query is a corpus row."""
    row_of = positions(ids, query_ids)
    exclude_q = np.array([row_of.get(i, -1) for i in query_ids], dtype=np.int64)
    return exclude_q if (exclude_q >= 0).any() else None


def _groups(source: Source, picked: Ints, asked: Checked) -> list[str] | None:
    """The groups of the queries that were picked among those asked; a row that was dropped has its line too."""
    available = asked.vectors.n + len(asked.dropped)
    if source.groups is None:
        return None
    if len(source.groups) != available:
        raise VqbenchError(
            f"{source.place('groups')}: {len(source.groups)} names for {available} queries: name the group of each "
            "row that may be a query, one a line"
        )
    groups_q = named(asked.of(source.groups), picked)
    if len(set(groups_q)) < 2:
        raise VqbenchError(
            f"{source.place('groups')}: all queries belong to {groups_q[0][:80]!r}: an interval needs at least 2 groups"
        )
    return groups_q


def _count(n_queries: int | None, available: int) -> int:
    if n_queries is not None and n_queries < 1:
        raise VqbenchError(f"n_queries = {n_queries}: needs at least 1, or none for all")
    return available if n_queries is None else min(n_queries, available)
