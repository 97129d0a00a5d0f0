"""The k best rows with equal scores in the order of their ids, as lists are shown."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from vqbench.numerics.arrays import Floats, Ints
from vqbench.search.topk import PAIRS, Hits, Search


def top_by_id(search: Search, queries_qd: Floats, k: int, ids: Sequence[str]) -> Hits:
    """As ``Search.top``, but of rows that score alike those come first whose ids do.

    Ids are looked up for the rows that are listed or tie with the last one, not for all.
    """
    hits = search.top(queries_qd, k)
    ids_qk, scores_qk = hits.ids_qk.copy(), hits.scores_qk
    for part in _torn(hits):
        query_f, row_f, score_f = search.at_least(queries_qd, part, scores_qk[:, -1])
        for query in part:
            mine = query_f == query
            last = scores_qk[query, -1]
            above, tied = row_f[mine & (score_f > last)], row_f[mine & (score_f == last)]
            first = heapq.nsmallest(k - len(above), tied.tolist(), key=lambda row: str(ids[row]))
            ids_qk[query] = [*above.tolist(), *first]
    for row_k, score_k in zip(ids_qk, scores_qk, strict=True):
        row_k[:] = sorted_by_id(row_k, score_k, ids)[0]
    return Hits(ids_qk, scores_qk, hits.dropped_ties_q)


def sorted_by_id(row_m: Ints, score_m: Floats, ids: Sequence[str]) -> tuple[Ints, Floats]:
    """Rows and their scores, the best first, equal scores by id."""
    order = sorted((-score, str(ids[row]), row) for score, row in zip(score_m.tolist(), row_m.tolist(), strict=True))
    return np.array([row for _, _, row in order], np.int64), np.array([-score for score, _, _ in order])


def _torn(hits: Hits) -> list[np.ndarray]:
    """The queries with ties that were dropped, as many at a time as keep the number of pairs bounded."""
    torn = np.flatnonzero(hits.dropped_ties_q)
    size = np.cumsum(hits.dropped_ties_q[torn] + hits.ids_qk.shape[1])
    return [part for part in np.split(torn, np.flatnonzero(np.diff(size // PAIRS)) + 1) if len(part)]
