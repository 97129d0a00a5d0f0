"""The queries of a dataset: its own, or corpus rows; drawn by key, judged ones first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from vqbench.datasets.base import BUNDLED, QueryMode, Source
from vqbench.datasets.identity import check_identity, own_rows
from vqbench.datasets.row_checks import Checked, checked_rows
from vqbench.datasets.stated_neighbours import StatedNeighbours
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats, Ints, row_norms
from vqbench.numerics.draws import drawn, named
from vqbench.storage.ids import Numbered, positions


@dataclass(frozen=True)
class Asked:
    """The queries that were taken."""

    #: The rows that they were taken from.
    checked: Checked
    #: The ids of all rows there were, those left out by the checks included.
    all_ids: Sequence[str]
    #: Which of the checked rows they are.
    picked: Ints
    #: The corpus row that the query itself is, or -1; None where no query is one.
    exclude_q: Ints | None
    #: What the file says of their nearest rows.
    stated_neighbours: StatedNeighbours | None = None
    #: The ids of queries that are no corpus row, though one has their id.
    namesakes: Sequence[str] = ()
    #: What is worth saying of them, a sentence each.
    notes: tuple[str, ...] = ()

    @property
    def ids(self) -> list[str]:
        """The ids of the queries."""
        return named(self.checked.of(self.all_ids), self.picked)

    @property
    def queries_qd(self) -> Floats:
        """Their vectors."""
        return self.checked.vectors.take(self.picked)


def check_settings(source: Source, queries: QueryMode | None) -> None:
    """Raise VqbenchError where ``queries`` is no mode, or leaves a setting of the dataset without effect."""
    if queries is not None and (not isinstance(queries, str) or queries not in get_args(QueryMode)):
        raise VqbenchError(
            f"queries = {str(queries)[:40]!r}: must be 'self', 'holdout' or none (the dataset's own, else self)"
        )
    check_identity(source, apart=queries is None and source.queries_qd is not None)
    if source.query_ids is not None and source.queries_qd is None:
        raise VqbenchError(
            f"{source.place('query_ids')}: there are no queries to name; name a file of vectors with "
            "dataset.queries=FILE, or leave dataset.query_ids out: corpus rows have the ids of dataset.ids"
        )
    unused = [part for part in ("queries", "query_ids") if _is_users(source.files.get(part))]
    if queries is not None and unused:
        settings = " and ".join(f"dataset.{part}={source.files[part]}" for part in unused)
        without = " ".join(f"dataset.{part}=null" for part in unused)
        raise VqbenchError(
            f"queries={queries} takes corpus rows as queries, so {settings} would have no effect: leave out "
            f"queries={queries}, or set {without}"
        )


def _is_users(path: str | None) -> bool:
    return path is not None and not path.startswith(BUNDLED)


def corpus_queries(source: Source, corpus: Checked, all_ids: Sequence[str], n_queries: int | None, seed: int) -> Asked:
    """Draw corpus rows as queries; each is left out of its own result."""
    picked, notes = _drawn(source, corpus, all_ids, n_queries, seed)
    return Asked(corpus, all_ids, picked, picked, notes=notes)


def own_queries(
    source: Source,
    corpus: Checked,
    ids: Sequence[str],
    n_queries: int | None,
    seed: int,
    *,
    normalize: bool,
    drop: bool,
) -> Asked:
    """Take queries that the source brings along; one that is a corpus row is left out of its own result."""
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
    picked, notes = _drawn(source, checked, all_ids, n_queries, seed)
    query_ids = named(checked.of(all_ids), picked)
    raw_qd = checked.vectors.take_raw(picked)
    own = own_rows(source, corpus.vectors, ids, raw_qd, query_ids)
    stated = source.stated_neighbours
    if stated is not None:
        stated = stated.of(picked if checked.kept is None else checked.kept[picked], row_norms(raw_qd))
    namesakes = named(query_ids, np.flatnonzero(own.namesakes_q))
    return Asked(checked, all_ids, picked, own.exclude_q, stated, namesakes, (*notes, *own.notes))


def _drawn(
    source: Source, checked: Checked, all_ids: Sequence[str], n_queries: int | None, seed: int
) -> tuple[Ints, tuple[str, ...]]:
    """Draw so many of the rows; those with a relevant document first, since judged metrics ask about no others."""
    if n_queries is not None and n_queries < 1:
        raise VqbenchError(f"n_queries = {n_queries}: needs at least 1, or none for all")
    keys_n = checked.keys_n
    count = len(keys_n) if n_queries is None else min(n_queries, len(keys_n))
    if source.judgements is None or count == len(keys_n):
        return drawn(keys_n, count, seed, "queries"), ()
    judged = positions(checked.of(all_ids), {query for query, _, gain in source.judgements if gain > 0})
    judged_n = np.zeros(len(keys_n), dtype=bool)
    judged_n[list(judged.values())] = True
    first, others = np.flatnonzero(judged_n), np.flatnonzero(~judged_n)
    if not len(first) or not len(others):
        return drawn(keys_n, count, seed, "queries"), ()
    first = first[drawn(keys_n[first], count, seed, "queries")][:count]
    others = others[drawn(keys_n[others], count - len(first), seed, "queries")] if count > len(first) else others[:0]
    share = f"{len(first):,} of {count:,}" if len(others) else f"all {count:,}"
    return np.concatenate([first, others]), (
        f"{share} drawn queries have judgements: judged ones are drawn first ({len(judged):,} of {len(keys_n):,} are "
        "judged)",
    )


def groups_of(source: Source, asked: Asked) -> list[str] | None:
    """Return the groups of the queries that were taken; a row that was dropped has its line too."""
    available = asked.checked.vectors.n + len(asked.checked.dropped)
    if source.groups is None:
        return None
    if len(source.groups) != available:
        raise VqbenchError(
            f"{source.place('groups')}: {len(source.groups)} names for {available} queries: name the group of each "
            "row that may be a query, one a line"
        )
    groups_q = named(asked.checked.of(source.groups), asked.picked)
    if len(set(groups_q)) < 2:
        raise VqbenchError(
            f"{source.place('groups')}: all queries belong to {groups_q[0][:80]!r}: an interval needs at least 2 groups"
        )
    return groups_q


def comparable(asked: Asked, *, partly: bool, dropped: bool, own: Ints | None) -> StatedNeighbours | None:
    """Return the nearest rows that a file states, and whether they can be those of our search."""
    stated, obstacle = asked.stated_neighbours, ""
    if dropped:
        obstacle = "rows of the corpus were left out, so its row numbers refer to other rows"
    elif partly:
        obstacle = "rows leaves some rows out"
    elif own is not None:
        obstacle = "here a query is left out of its own result"
    return replace(stated, obstacle=obstacle) if stated is not None and obstacle else stated
