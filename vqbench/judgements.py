"""Relevance judgements: which rows of a corpus answer a query, and how well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vqbench.arrays import Floats, Ints
from vqbench.errors import VqbenchError
from vqbench.ids import positions

#: Query id, document id, gain.
Judgement = tuple[str, str, float]


@dataclass(frozen=True)
class Qrels:
    """Relevance judgements as flat arrays sorted by query: query number, corpus row, gain > 0."""

    query_f: Ints
    row_f: Ints
    gain_f: Floats


def judged(
    judgements: Sequence[Judgement],
    origin: str,
    query_ids: Sequence[str],
    ids: Sequence[str],
    *,
    known: Sequence[str],
    partly: bool,
) -> Qrels | None:
    """Judgements with a positive gain for the queries and rows at hand; unknown documents are refused.

    known: the ids of the whole corpus, of which ``ids`` may be a part. None where ``partly``, that is after a draw
    of rows, none is left.
    """
    query_at = {i: at for at, i in enumerate(query_ids)}
    documents = {document for _, document, _ in judgements}
    row_at = positions(ids, documents)
    known_at = row_at if ids is known else positions(known, documents)
    found: dict[tuple[int, int], float] = {}
    seen: set[tuple[str, str]] = set()
    for query, document, gain in judgements:
        if document not in known_at:
            raise VqbenchError(f"qrels of {origin}: document {document!r} is not in the corpus")
        if (query, document) in seen:
            raise VqbenchError(f"qrels of {origin}: query {query!r} judges document {document!r} twice")
        seen.add((query, document))
        if query in query_at and document in row_at and gain > 0:
            found[query_at[query], row_at[document]] = gain
    pairs = sorted(found)
    if not pairs and partly:
        return None
    if not pairs:
        raise VqbenchError(f"qrels of {origin}: no query of this dataset has a relevant document")
    return Qrels(
        np.array([query for query, _ in pairs]),
        np.array([row for _, row in pairs]),
        np.array([found[pair] for pair in pairs]),
    )
