"""How a dataset's rows become a corpus and its queries: checked, drawn, fingerprinted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqbench.datasets.base import Data, OnBadRows, QueryMode, Source
from vqbench.datasets.distances import Distance, check_stated
from vqbench.datasets.fingerprint import fingerprint, whole
from vqbench.datasets.judgements import Documents, Qrels, select
from vqbench.datasets.row_checks import Checked, Dropped, checked_rows
from vqbench.datasets.taken_queries import Asked, check_settings, comparable, corpus_queries, groups_of, own_queries
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Ints, Keys
from vqbench.numerics.draws import drawn
from vqbench.storage.ids import Numbered, PickedIds


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
    distance: Distance | None = None,
) -> Data:
    """Check the rows and take the queries: the source's own, each row (``self``) or rows held out.

    on_bad_rows: whether rows that are NaN, infinite or zero are refused or left out, as if the file had not held them;
    the others keep their ids. rows, rows_seed: as in ``Dataset``. Queries are taken first, from all rows: a query
    whose row the draw leaves out has no row of its own to exclude, and judgements of rows that it leaves out are
    dropped. distance: what search ranks by; None: what the file says, else cosine.
    """
    check_settings(source, queries)
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
    distance_notes = check_stated(source.origin, source.distance, distance, good.vectors)
    all_ids = source.ids if source.ids is not None else Numbered(len(source.corpus_nd))
    good_ids = good.of(all_ids)
    if queries is None and source.queries_qd is not None:
        asked = own_queries(source, good, good_ids, n_queries, query_seed, normalize=normalize, drop=drop)
    else:
        asked = corpus_queries(source, good, all_ids, n_queries, query_seed)
    groups_q = groups_of(source, asked)
    print_of_all = whole(source, good, good_ids, asked, groups_q, str(queries))
    n, kept, exclude_q = good.vectors.n, None, asked.exclude_q
    if queries == "holdout":
        if len(asked.picked) >= n:
            raise VqbenchError(f"queries=holdout takes out all {n} rows: set n_queries below that")
        kept, exclude_q = np.delete(np.arange(n), asked.picked), None
    searched = _subsample(kept, good.keys_n, rows, rows_seed, source.origin)
    partly = searched is not None and len(searched) < (n if kept is None else len(kept))
    corpus, ids, keys_n = good.vectors, good_ids, good.keys_n
    numbers, provided = good.look(source.corpus_nd.dtype, source.codes), source.provided
    if provided is not None:
        own_q = asked.picked if asked.checked is good else asked.exclude_q  # of all rows that were kept
        provided = provided.only(good.kept).asked(asked.queries_qd, own_q).only(searched)
    if searched is not None and len(searched) < n:
        exclude_q = _moved(exclude_q, searched, n)
        ids, keys_n, corpus = PickedIds(ids, searched), keys_n[searched], corpus.only(searched)
    qrels, judged_notes = _judged(source, asked, exclude_q, Documents(ids, all_ids, PickedIds(all_ids, good.dropped)))
    dropped = {"corpus": Dropped.of(good, all_ids)}
    if asked.checked is not good:
        dropped["queries"] = Dropped.of(asked.checked, asked.all_ids)
    return Data(
        name,
        corpus,
        ids,
        keys_n,
        asked.queries_qd,
        asked.ids,
        exclude_q,
        qrels,
        fingerprint=fingerprint([print_of_all, str(rows), str(rows_seed)]) if partly else print_of_all,
        whole=print_of_all,
        corpus_digest=good.digest,
        groups_q=groups_q,
        stated_neighbours=comparable(asked, partly=partly, dropped=good.kept is not None, own=exclude_q),
        dropped={of: some for of, some in dropped.items() if some.count},
        texts=_of_rows(source, "texts", good, searched),
        labels=_of_rows(source, "labels", good, searched),
        query_texts=_of_queries(source, asked, good),
        taken=source.taken,
        notes=(
            *distance_notes,
            *numbers.sentences,
            *asked.notes,
            *judged_notes,
            *([provided.note] if provided else []),
        ),
        numbers=numbers,
        provided=provided,
    )


def _judged(
    source: Source, asked: Asked, exclude_q: Ints | None, documents: Documents
) -> tuple[Qrels | None, tuple[str, ...]]:
    """The judgements of the queries and rows at hand, and what is worth saying of them."""
    if source.judgements is None:
        return None, ()
    return select(
        source.judgements,
        source.place("qrels"),
        query_ids=asked.ids,
        all_query_ids=asked.all_ids,
        documents=documents,
        exclude_q=exclude_q,
        files=source.files,
    )


def _of_rows(source: Source, part: str, good: Checked, searched: Ints | None) -> Sequence[str] | None:
    """The texts or labels of the rows that are searched."""
    texts: Sequence[str] | None = getattr(source, part)
    if texts is None:
        return None
    if len(texts) != len(source.corpus_nd):
        raise VqbenchError(
            f"{source.place(part)}: {len(texts):,} {part} for {len(source.corpus_nd):,} rows: give one for each row"
        )
    texts = good.of(texts)
    return texts if searched is None else PickedIds(texts, searched)


def _of_queries(source: Source, asked: Asked, good: Checked) -> Sequence[str] | None:
    """The texts of the queries: their own or, where they are corpus rows, those of the rows."""
    texts = source.texts if asked.checked is good else source.query_texts
    return None if texts is None else PickedIds(asked.checked.of(texts), asked.picked)


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
