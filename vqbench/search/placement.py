"""Where given documents stand in a ranking that was searched, before and after rescoring."""

from __future__ import annotations

import numpy as np

from vqbench.arrays import Floats, Ints
from vqbench.metrics.base import BELOW, Placement
from vqbench.search.topk import Hits


def _spans(query_f: Ints, q: int) -> list[tuple[int, int]]:
    """Where each query's entries begin and end."""
    edges = np.searchsorted(query_f, np.arange(q + 1))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _count(descending: Floats, scores: Floats) -> tuple[Ints, Ints]:
    """How many of ``descending`` lie above each score, and how many equal it."""
    above = np.searchsorted(-descending, -scores, side="left")
    return above, np.searchsorted(-descending, -scores, side="right") - above


def place(hits: Hits, query_f: Ints, score_f: Floats) -> Placement:
    """Places of documents with these exact scores among all rows, as far down as ``hits`` reach."""
    above_f = np.full(len(query_f), BELOW, dtype=np.int64)
    tied_f = np.ones(len(query_f), dtype=np.int64)
    for query, (start, stop) in enumerate(_spans(query_f, len(hits.ids_qk))):
        listed_k, some = hits.scores_qk[query], slice(start, stop)
        above, tied = _count(listed_k, score_f[some])
        tied += np.where(score_f[some] == listed_k[-1], hits.dropped_ties_q[query], 0)
        reached = score_f[some] >= listed_k[-1]
        above_f[some], tied_f[some] = np.where(reached, above, BELOW), np.where(reached, tied, 1)
    return Placement(above_f, tied_f)


def ranks(hits: Hits, query_f: Ints, row_f: Ints) -> Ints:
    """The rank (from 0) at which each document is listed, or BELOW."""
    rank_f = np.full(len(query_f), BELOW, dtype=np.int64)
    for query, (start, stop) in enumerate(_spans(query_f, len(hits.ids_qk))):
        order = np.argsort(hits.ids_qk[query])
        listed = hits.ids_qk[query][order]
        at = np.minimum(np.searchsorted(listed, row_f[start:stop]), len(listed) - 1)
        rank_f[start:stop] = np.where(listed[at] == row_f[start:stop], order[at], BELOW)
    return rank_f


def rescored(true_qm: Floats, query_f: Ints, true_f: Floats, rank_f: Ints) -> Placement:
    """Places after the candidates, whose float scores are ``true_qm``, are put in float order.

    rank_f: where each document stands in the candidates' list (``ranks``).
    """
    above_f = np.full(len(query_f), BELOW, dtype=np.int64)
    tied_f = np.ones(len(query_f), dtype=np.int64)
    descending_qm = -np.sort(-true_qm, axis=1)
    for query, (start, stop) in enumerate(_spans(query_f, len(true_qm))):
        above, tied = _count(descending_qm[query], true_f[start:stop])
        fetched = rank_f[start:stop] < true_qm.shape[1]
        above_f[start:stop], tied_f[start:stop] = np.where(fetched, above, BELOW), np.where(fetched, tied, 1)
    return Placement(above_f, tied_f)


def tie_means(scores_qk: Floats, values_qk: Floats) -> Floats:
    """``values_qk`` averaged over the ranks of each query that have equal scores (sorted)."""
    new_qk = np.ones(scores_qk.shape, dtype=bool)
    new_qk[:, 1:] = scores_qk[:, 1:] != scores_qk[:, :-1]
    group = np.cumsum(new_qk.ravel()) - 1
    means = np.bincount(group, weights=values_qk.ravel()) / np.bincount(group)
    return means[group].reshape(values_qk.shape)
