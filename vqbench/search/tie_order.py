"""The k best rows with equal scores in the order of their ids, as lists are shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqbench.numerics.arrays import Floats, Ints
from vqbench.search.topk import Hits, Search


def top_by_id(search: Search, k: int, ids: Sequence[str]) -> Hits:
    """Return what ``Search.top`` does, but of rows that score alike those come first whose ids do.

    Ids are looked up for the rows that are listed or tie with the last one, not for all.
    """
    hits = search.top(k)
    ids_qk, scores_qk = hits.ids_qk.copy(), hits.scores_qk
    for row_k, score_k in zip(ids_qk, scores_qk, strict=True):
        row_k[:] = sorted_by_id(row_k, score_k, ids)[0]
    for part in hits.with_dropped_ties():
        query_f, row_f, score_f = search.at_least(part, scores_qk[:, -1])
        for query in part:
            mine = query_f == query
            ids_qk[query] = sorted_by_id(row_f[mine], score_f[mine], ids)[0][:k]
    return Hits(ids_qk, scores_qk, hits.dropped_ties_q)


def sorted_by_id(row_m: Ints, score_m: Floats, ids: Sequence[str]) -> tuple[Ints, Floats]:
    """Return rows and their scores, the best first, equal scores by id."""
    order = sorted((-score, str(ids[row]), row) for score, row in zip(score_m.tolist(), row_m.tolist(), strict=True))
    return np.array([row for _, _, row in order], np.int64), np.array([-score for score, _, _ in order])
