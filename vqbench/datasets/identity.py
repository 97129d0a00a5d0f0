"""Which queries are rows of the corpus, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from vqbench.datasets.base import Identity, Source
from vqbench.datasets.same_rows import ALIKE, Precision, compare, pair_blocks, with_twin
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Bools, Floats, Ints
from vqbench.storage.ids import positions
from vqbench.storage.vectors import Vectors
from vqbench.text import shortened

_QUICK = 1 << 29  # bytes of a corpus that may be read once more
_LOOKED_UP = 10_000  # queries, at most, among all rows of the corpus


@dataclass(frozen=True)
class Own:
    """The corpus rows that the queries are."""

    #: For each query the row that it is, or -1; None where no query is a row.
    exclude_q: Ints | None
    #: For each query whether a row has its id and is not left out.
    namesakes_q: Ints
    #: What is worth saying of it, a sentence each.
    notes: tuple[str, ...]


def check_identity(source: Source, *, apart: bool) -> None:
    """Raise VqbenchError for an identity that is none, or that has no effect.

    apart: whether the queries are not taken from the corpus.
    """
    known = get_args(Identity)
    if source.identity not in known:
        raise VqbenchError(
            f"dataset.identity = {shortened(repr(source.identity))}: must be one of {', '.join(map(repr, known))}"
        )
    if source.identity == "auto":
        return
    setting = f"dataset.identity={source.identity}"
    if not apart:
        raise VqbenchError(
            f"{setting} has no effect where corpus rows are the queries: leave it out, or name other queries with "
            "dataset.queries=FILE"
        )
    missing = [kind for kind in ("ids", "query_ids") if getattr(source, kind) is None]
    if source.identity == "ids" and missing:
        raise VqbenchError(
            f"{setting}: {source.origin} has no ids of the {'rows' if 'ids' in missing else 'queries'} to compare: "
            f"name them with {' '.join(f'dataset.{kind}=FILE' for kind in missing)}, or leave dataset.identity out"
        )


def own_rows(source: Source, corpus: Vectors, ids: Sequence[str], queries_qd: Floats, query_ids: Sequence[str]) -> Own:
    """Decide which of the queries at hand are corpus rows.

    A query is a row if both have the same id and the same vector (``same_rows.compare``): numbers that count the rows
    of two files mean nothing to each other. ``identity=ids`` goes by the id alone, ``never`` by nothing.

    Args:
        source: says whether both sides have ids, and what ``identity`` is.
        corpus: the rows that can be searched.
        ids: theirs.
        queries_qd: float32, as they were read.
        query_ids: theirs.
    """
    q = len(queries_qd)
    by_id_q = np.full(q, -1, dtype=np.int64)
    if source.ids is not None and source.query_ids is not None:
        row_of = positions(ids, query_ids)
        by_id_q = np.array([row_of.get(i, -1) for i in query_ids], dtype=np.int64)
    named = np.flatnonzero(by_id_q >= 0)
    same_m, cosine_m = _compared(corpus, by_id_q[named], queries_qd, named)
    left_out_m = {"auto": same_m, "ids": np.ones_like(same_m), "never": np.zeros_like(same_m)}[source.identity]
    exclude_q, namesakes_q = np.full(q, -1, dtype=np.int64), np.zeros(q, dtype=np.int64)
    exclude_q[named[left_out_m]] = by_id_q[named[left_out_m]]
    namesakes_q[named[~left_out_m]] = 1
    notes = list[str]()
    if len(named):
        alike = int((~same_m & (cosine_m > ALIKE)).sum())
        notes += _by_id(source.identity, q, same=int(same_m.sum()), alike=alike, others=len(named) - int(same_m.sum()))
    strangers = np.flatnonzero(exclude_q < 0)
    if source.identity != "never" and len(strangers) and 4 * corpus.n * corpus.d <= _QUICK:
        twins = int(with_twin(queries_qd[strangers[:_LOOKED_UP]], corpus).sum())
        among = f"{q:,} queries" if len(strangers) <= _LOOKED_UP else f"the {_LOOKED_UP:,} queries looked up"
        notes += [_twins(source, twins, among, mostly=2 * twins >= min(q, _LOOKED_UP))] if twins else []
    return Own(exclude_q if left_out_m.any() else None, namesakes_q, tuple(notes))


def _compared(corpus: Vectors, rows_m: Ints, queries_qd: Floats, queries_m: Ints) -> tuple[Bools, Floats]:
    """Whether some corpus rows and queries are the same, pair by pair, and their cosines."""
    same_m, cosine_m = np.zeros(len(rows_m), dtype=bool), np.zeros(len(rows_m))
    learned = None
    for start, stop in pair_blocks(len(rows_m), corpus.d):
        rows_nd, some_qd = corpus.take_raw(rows_m[start:stop]), queries_qd[queries_m[start:stop]]
        learned = learned or (Precision.of(some_qd), Precision.of(rows_nd))
        same_m[start:stop], cosine_m[start:stop] = compare(some_qd, rows_nd, *learned)
    return same_m, cosine_m


def _by_id(identity: Identity, q: int, *, same: int, alike: int, others: int) -> list[str]:
    """What is said of queries with the id of a row. others: those with another vector, ``alike`` ones included."""
    named = same + others
    if identity == "never":
        return [f"{named:,} of {q:,} query ids equal corpus ids: nothing is left out (dataset.identity=never)"]
    if identity == "ids":
        differ = f", though {others:,} of them have another vector" if others else ""
        return [
            f"{named:,} of {q:,} queries have the id of a corpus row: each is left out of its own result{differ} "
            "(dataset.identity=ids)"
        ]
    notes = list[str]()
    if same:
        notes.append(
            f"{same:,} of {q:,} queries are corpus rows (equal id, equal vector): each is left out of its own result"
        )
    if strangers := others - alike:
        more = "other " if same else ""
        notes.append(
            f"{strangers:,} {more}query ids equal corpus ids, but the vectors differ: not the same rows, "
            f"{'these are not' if same else 'nothing is'} left out"
        )
    if alike:
        notes.append(
            f"{alike:,} query ids equal corpus ids, and the vectors are alike (cosine above {ALIKE:g}) but not equal, "
            "as if embedded twice: these are not left out; dataset.identity=ids leaves them out"
        )
    return notes


def _twins(source: Source, twins: int, among: str, *, mostly: bool) -> str:
    """What is said of queries that are rows, but not by their ids."""
    unnamed = [f"dataset.{kind}=FILE" for kind in ("ids", "query_ids") if getattr(source, kind) is None]
    by_id = f"name both sides ({' '.join(unnamed)})" if unnamed else "give both sides the same ids"
    note = (
        f"{twins:,} of {among} are corpus rows (equal vector, not by id) and find themselves first: {by_id} to "
        "leave each out of its own result"
    )
    if not mostly:  # a few texts that are both a query and a document are no mistake
        return note
    without = "".join(f"dataset.{part}=null " for part in ("queries", "query_ids") if part in source.files)
    return f"{note}, or take corpus rows as queries with {without}queries=self"
