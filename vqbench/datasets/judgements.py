"""Which documents are relevant to which queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vqbench.datasets.judgement_notes import Lost, coverage, no_match
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats, Ints
from vqbench.storage.ids import positions

#: Query id, document id, gain.
Judgement = tuple[str, str, float]


@dataclass(frozen=True)
class Qrels:
    """Relevance judgements as flat arrays, sorted by query."""

    #: Number of the query.
    query_f: Ints
    #: Corpus row.
    row_f: Ints
    #: Gain, above 0.
    gain_f: Floats
    #: What meta.json says of them, in numbers.
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Documents:
    """The ids of corpus rows."""

    #: Rows that are searched.
    ids: Sequence[str]
    #: All that there are in the file.
    all_ids: Sequence[str]
    #: Those of them that on_bad_rows=drop left out.
    dropped: Sequence[str] = ()


def select(
    judgements: Sequence[Judgement],
    place: str,
    *,
    query_ids: Sequence[str],
    all_query_ids: Sequence[str],
    documents: Documents,
    exclude_q: Ints | None = None,
    files: Mapping[str, str] | None = None,
) -> tuple[Qrels | None, tuple[str, ...]]:
    """Take the judgements with a positive gain for the queries and rows at hand.

    A row that is the query itself is not among them: it is never found.

    Args:
        judgements: as they were read; a pair may be there more than once, with the same gain.
        place: what messages call them.
        query_ids: of the queries that are used.
        all_query_ids: of those that there are.
        documents: the ids of the rows.
        exclude_q: the row that is the query itself, or -1.
        files: those of the ``ids`` and ``query_ids``, where they have any.

    Returns:
        The judgements, None where rows are left out and no relevant one is left; what is worth saying of them.

    Raises:
        VqbenchError: a document that is relevant to one of all queries is not among all rows, so that no search could
            ever find it; or nothing fits.
    """
    known, wanted = _known(judgements, place, all_query_ids, documents.all_ids, files or {})
    relevant = {document for _, document, _ in wanted}
    query_of, row_of = {i: query for query, i in enumerate(query_ids)}, positions(documents.ids, relevant)
    gain_of = {(query, document): gain for query, document, gain in wanted if query in query_of}
    own = {
        (query, document)
        for query, document in gain_of
        if exclude_q is not None and row_of.get(document) == exclude_q[query_of[query]]
    }
    gains = {
        (query_of[query], row_of[document]): gain
        for (query, document), gain in gain_of.items()
        if document in row_of and (query, document) not in own
    }
    measured = {query_ids[query] for query, _ in gains}
    lost = Lost.of(gain_of, measured, row_of, set(positions(documents.dropped, relevant)), own)
    if not gains and len(documents.ids) == len(documents.all_ids):
        own_alone = "every one is the query's own row, which is left out of its result"
        why = own_alone if own else "the judged queries were dropped with on_bad_rows=drop"
        raise VqbenchError(
            f"{place}: none of the {len(query_of):,} queries has a relevant document to find: {why}; leave "
            "dataset.qrels out"
        )
    judged = {query for query, _, _ in judgements}
    notes = (*coverage(judgements, query_of, gain_of, measured, unknown=len(judged - known)), *lost.notes())
    if not gains:
        return None, notes
    pairs = sorted(gains)
    about = {
        "judgements": len(judgements),
        "repeated": len(judgements) - len({(query, document) for query, document, _ in judgements}),
        "queries": len(query_of),
        "judged": len(judged & query_of.keys()),
        "measured": len(measured),
        "unknown_queries": len(judged - known),
        "negative": sum(gain < 0 for _, _, gain in judgements),
        "dropped": len(lost.dropped),
        "own": len(own),
    }
    query_f, row_f = (np.array(column) for column in zip(*pairs, strict=True))
    return Qrels(query_f, row_f, np.array([gains[pair] for pair in pairs]), about), notes


def _known(
    judgements: Sequence[Judgement],
    place: str,
    all_query_ids: Sequence[str],
    all_ids: Sequence[str],
    files: Mapping[str, str],
) -> tuple[set[str], list[Judgement]]:
    """The judged queries that there are, and their judgements with a positive gain; all of these have a row."""
    judged = {query for query, _, _ in judgements}
    known = set(positions(all_query_ids, judged))
    wanted = [each for each in judgements if each[2] > 0 and (each[0] in known or not known)]
    relevant = list(dict.fromkeys(document for _, document, _ in wanted))
    known_rows = positions(all_ids, relevant)
    missing = [document for document in relevant if document not in known_rows]
    if missing or not known:
        problem = no_match(judged, known, relevant, missing, all_query_ids, all_ids, files)
        raise VqbenchError(f"{place}: {problem}")
    if not wanted:
        raise VqbenchError(
            f"{place}: no query has a relevant document: all gains of this dataset's queries are 0 or less; "
            "correct them (a relevant document has a gain above 0), or leave dataset.qrels out"
        )
    return known, wanted
