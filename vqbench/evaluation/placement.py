"""Where given documents stand in a ranking that was searched, before and after rescoring."""

from __future__ import annotations

import numpy as np

from vqbench.metrics.base import BELOW, Placement
from vqbench.numerics.arrays import Floats, Ints
from vqbench.search.topk import Hits, Search


def _spans(query_f: Ints, q: int) -> list[tuple[int, int]]:
    """Where each query's entries begin and end."""
    edges = np.searchsorted(query_f, np.arange(q + 1))
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


def _counts(ascending_qk: Floats, query_f: Ints, score_f: Floats) -> tuple[Ints, Ints]:
    """How many of a query's sorted scores lie below each of its documents' scores, and how many equal it."""
    below_f, upto_f = np.empty((2, len(query_f)), dtype=np.int64)
    for scores_k, (start, stop) in zip(ascending_qk, _spans(query_f, len(ascending_qk)), strict=True):
        below_f[start:stop] = scores_k.searchsorted(score_f[start:stop], side="left")
        upto_f[start:stop] = scores_k.searchsorted(score_f[start:stop], side="right")
    return below_f, upto_f - below_f


def place(hits: Hits, query_f: Ints, score_f: Floats) -> Placement:
    """Places of documents with these exact scores among all rows, as far down as ``hits`` reach."""
    above_f, tied_f = _counts(-hits.scores_qk, query_f, -score_f)
    last_f = hits.scores_qk[query_f, -1]
    reached_f = score_f >= last_f
    tied_f += np.where(score_f == last_f, hits.dropped_ties_q[query_f], 0)
    return Placement(np.where(reached_f, above_f, BELOW), np.where(reached_f, tied_f, 1))


def ranks(hits: Hits, query_f: Ints, row_f: Ints) -> Ints:
    """The rank (from 0) at which each document is listed, or BELOW."""
    rank_f = np.full(len(query_f), BELOW, dtype=np.int64)
    for query, (start, stop) in enumerate(_spans(query_f, len(hits.ids_qk))):
        order = np.argsort(hits.ids_qk[query])
        listed = hits.ids_qk[query][order]
        at = np.minimum(np.searchsorted(listed, row_f[start:stop]), len(listed) - 1)
        rank_f[start:stop] = np.where(listed[at] == row_f[start:stop], order[at], BELOW)
    return rank_f


def rescored(best_qm: Floats, query_f: Ints, true_f: Floats, rank_f: Ints) -> Placement:
    """Places after the candidates are put in float order, in which their float scores are ``best_qm``.

    rank_f: where each document stands in the candidates' list as the code orders it (``ranks``).
    """
    above_f, tied_f = _counts(-best_qm, query_f, -true_f)
    fetched_f = rank_f < best_qm.shape[1]
    return Placement(np.where(fetched_f, above_f, BELOW), np.where(fetched_f, tied_f, 1))


def boundary_means(coded: Search, hits: Hits, true: Search) -> Floats:
    """The mean true score of all rows that tie with the last one listed, ``(q,)``; NaN where all are listed."""
    means_q = np.full(len(hits.ids_qk), np.nan)
    last_q = hits.scores_qk[:, -1]
    for part in hits.with_dropped_ties():
        query_f, row_f, score_f = coded.at_least(part, last_q)
        tied_f = score_f == last_q[query_f]
        query_f, row_f = query_f[tied_f], row_f[tied_f]
        true_f = true.pairs(query_f, row_f)
        sums_q, counts_q = np.bincount(query_f, true_f, len(means_q)), np.bincount(query_f, minlength=len(means_q))
        means_q[part] = sums_q[part] / counts_q[part]
    return means_q


def tie_means(scores_qk: Floats, values_qk: Floats, last_q: Floats) -> Floats:
    """``values_qk`` averaged over the ranks of each query that have equal scores (sorted).

    last_q: the mean for ranks that tie with the last one, where rows beyond the list tie too, else NaN.
    """
    new_qk = np.ones(scores_qk.shape, dtype=bool)
    new_qk[:, 1:] = scores_qk[:, 1:] != scores_qk[:, :-1]
    group = np.cumsum(new_qk.ravel()) - 1
    means = np.bincount(group, weights=values_qk.ravel()) / np.bincount(group)
    means_qk = means[group].reshape(values_qk.shape)
    torn_qk = (scores_qk == scores_qk[:, -1:]) & np.isfinite(last_q)[:, None]
    return np.where(torn_qk, last_q[:, None], means_qk)
