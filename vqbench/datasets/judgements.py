"""Which documents are relevant to which queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats, Ints
from vqbench.storage.ids import positions
from vqbench.text import shortened

#: Query id, document id, gain.
Judgement = tuple[str, str, float]
_SHOWN = 3  # ids in a message


@dataclass(frozen=True)
class Qrels:
    """Relevance judgements as flat arrays, sorted by query."""

    #: Number of the query.
    query_f: Ints
    #: Corpus row.
    row_f: Ints
    #: Gain, above 0.
    gain_f: Floats
    #: What meta.json says of them; its ``sentence`` is empty where every query has a judgement.
    about: Mapping[str, Any]


def select(
    judgements: Sequence[Judgement],
    place: str,
    *,
    query_ids: Sequence[str],
    all_query_ids: Sequence[str],
    ids: Sequence[str],
    all_ids: Sequence[str],
    exclude_q: Ints | None = None,
    files: Mapping[str, str] | None = None,
) -> Qrels | None:
    """The judgements with a positive gain for the queries and rows at hand; a query's own row is not among them.

    place: what messages call the judgements; files: those of the ``ids`` and ``query_ids``, where they have any.
    query_ids, ids: of the queries and rows that are used; all_query_ids, all_ids: of those that there are. exclude_q:
    the row that is the query itself, or -1. None where rows are left out and no judged one is left. Raises
    VqbenchError where a document that is relevant to one of all queries is not among all rows, so that no search
    could ever find it, and where nothing fits.
    """
    judged = {query for query, _, _ in judgements}
    known = set(positions(all_query_ids, judged))
    wanted = [each for each in judgements if each[2] > 0 and (each[0] in known or not known)]
    documents = list(dict.fromkeys(document for _, document, _ in wanted))
    known_rows = positions(all_ids, documents)
    missing = [document for document in documents if document not in known_rows]
    if missing or not known:
        problem = _no_match(judged, known, documents, missing, all_query_ids, all_ids, files or {})
        raise VqbenchError(f"{place}: {problem}")
    if not wanted:
        raise VqbenchError(
            f"{place}: no query has a relevant document: all gains of this dataset's queries are 0 or less; "
            "correct them (a relevant document has a gain above 0), or leave dataset.qrels out"
        )
    query_of, row_of = {i: query for query, i in enumerate(query_ids)}, positions(ids, documents)
    gains = {
        (query_of[query], row_of[document]): gain
        for query, document, gain in wanted
        if query in query_of and document in row_of
    }
    if exclude_q is not None:
        gains = {(query, row): gain for (query, row), gain in gains.items() if exclude_q[query] != row}
    if not gains and len(ids) < len(all_ids):
        return None
    if not gains:
        raise VqbenchError(
            f"{place}: none of the {len(query_of):,} drawn queries has a relevant document to find: "
            "raise n_queries, or leave dataset.qrels out"
        )
    pairs = sorted(gains)
    query_f = np.array([query for query, _ in pairs])
    about = _about(judgements, query_of, measured=len(np.unique(query_f)), unknown=len(judged - known))
    return Qrels(query_f, np.array([row for _, row in pairs]), np.array([gains[pair] for pair in pairs]), about)


def _no_match(
    judged: set[str],
    known: set[str],
    documents: Sequence[str],
    missing: Sequence[str],
    all_query_ids: Sequence[str],
    all_ids: Sequence[str],
    files: Mapping[str, str],
) -> str:
    """Which ids of the judgements are not the dataset's, queries' or documents' or both; how to make them agree."""
    problems, kinds = list[str](), list[str]()
    if not known:
        problems.append(
            f"none of the {len(judged):,} judged queries ({_some(judged)}) is a query of this dataset "
            f"({_some(all_query_ids)})"
        )
        kinds.append("ids" if all_query_ids is all_ids else "query_ids")
    if missing:
        problems.append(
            f"{len(missing):,} of {len(documents):,} relevant documents ({_some(missing)}) are not in the corpus "
            f"({_some(all_ids)})"
        )
        kinds.append("ids")
    part = bool(known) and len(missing) < len(documents)  # the ids are right: the corpus is a part of another
    both = all_query_ids is not all_ids
    of = {"ids": " (rows)" if both else "", "query_ids": " (queries)"}
    unnamed = [f"dataset.{kind}=FILE{of[kind]}" for kind in dict.fromkeys(kinds) if kind not in files]
    other = [files[kind] for kind in dict.fromkeys(kinds) if kind in files]
    ways = [f"name them with {' and '.join(unnamed)}, one id a line"] if unnamed else []
    ways += [f"write the ids as in {' and '.join(other)}"] if other and not part else []
    if part:
        ways.append("give the whole corpus (dataset.rows=N draws a part of it, with its judgements)")
        ways.append("remove those lines")
    without = "" if known else ", or leave the judgements out with dataset.qrels=null"
    return f"{'; '.join(problems)}: {', or '.join(ways) if part else ', and '.join(ways)}{without}"


def _some(ids: Sequence[str] | set[str]) -> str:
    first = sorted(ids)[:_SHOWN] if isinstance(ids, set) else list(ids[:_SHOWN])
    return ", ".join(shortened(repr(i)) for i in first) + (", ..." if len(ids) > _SHOWN else "")


def _about(judgements: Sequence[Judgement], query_of: Mapping[str, int], *, measured: int, unknown: int) -> dict:
    negative = sum(gain < 0 for _, _, gain in judgements)
    queries, judged = len(query_of), len({query for query, _, _ in judgements if query in query_of})
    said = []
    if measured < queries:
        said.append(
            f"{measured:,} of {queries:,} queries have a relevant document; the others are left out of judged metrics"
        )
        if judged > measured:
            said[0] += f", {judged - measured:,} of them judged without one (trec_eval counts 0 for these)"
    if unknown:
        said.append(f"judged queries that are not among the dataset's: {unknown:,}")
    if negative:
        said.append(f"gains below 0, which count as 0: {negative:,}")
    return {
        "judgements": len(judgements),
        "queries": queries,
        "judged": judged,
        "measured": measured,
        "unknown_queries": unknown,
        "negative": negative,
        "sentence": "; ".join(said),
    }
