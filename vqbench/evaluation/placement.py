"""Where given documents stand in a ranking that was searched, before and after rescoring."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vqbench.metrics.base import BELOW, Placement, tie_means
from vqbench.numerics.arrays import Floats, Ints
from vqbench.search.topk import Hits, Search


def _spans(query_f: Ints, q: int) -> Iterator[slice]:
    """Where the entries of each query lie."""
    edges = np.searchsorted(query_f, np.arange(q + 1)).tolist()
    return map(slice, edges[:-1], edges[1:])


def _counts(ascending_qk: Floats, query_f: Ints, score_f: Floats) -> tuple[Ints, Ints]:
    """How many of a query's sorted scores lie below each of its documents' scores, and how many equal it."""
    below_f, upto_f = np.empty((2, len(query_f)), dtype=np.int64)
    for scores_k, span in zip(ascending_qk, _spans(query_f, len(ascending_qk)), strict=True):
        below_f[span] = scores_k.searchsorted(score_f[span], side="left")
        upto_f[span] = scores_k.searchsorted(score_f[span], side="right")
    return below_f, upto_f - below_f


def place(hits: Hits, query_f: Ints, score_f: Floats) -> Placement:
    """Places of documents with these exact scores among all rows, as far down as ``hits`` reach."""
    above_f, tied_f = _counts(-hits.scores_qk, query_f, -score_f)
    last_f = hits.scores_qk[query_f, -1]
    tied_f += np.where(score_f == last_f, hits.dropped_ties_q[query_f], 0)
    return _reached(score_f >= last_f, above_f, tied_f)


def _reached(reached_f: np.ndarray, above_f: Ints, tied_f: Ints) -> Placement:
    """Documents that were not reached stand below all, and tie with none."""
    return Placement(np.where(reached_f, above_f, BELOW), np.where(reached_f, tied_f, 1))


def ranks(hits: Hits, query_f: Ints, row_f: Ints) -> Ints:
    """The rank (from 0) at which each document is listed, or BELOW."""
    rank_f = np.full(len(query_f), BELOW, dtype=np.int64)
    for rows_k, span in zip(hits.ids_qk, _spans(query_f, len(hits.ids_qk)), strict=True):
        order = np.argsort(rows_k)
        nearest = order[np.minimum(np.searchsorted(rows_k, row_f[span], sorter=order), len(rows_k) - 1)]
        rank_f[span] = np.where(rows_k[nearest] == row_f[span], nearest, BELOW)
    return rank_f


def rescored(best_qm: Floats, query_f: Ints, true_f: Floats, rank_f: Ints) -> Placement:
    """Places after the candidates are put in float order, in which their float scores are ``best_qm``.

    rank_f: where each document stands in the candidates' list as the code orders it (``ranks``).
    """
    return _reached(rank_f < best_qm.shape[1], *_counts(-best_qm, query_f, -true_f))


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


def returned_scores(scores_qk: Floats, true_qk: Floats, last_q: Floats) -> Floats:
    """The true scores of the returned list, rank by rank, averaged over ranks of equal code scores (sorted).

    last_q: the mean for ranks that tie with the last one, where rows beyond the list tie too, else NaN.
    """
    cut_off_qk = (scores_qk == scores_qk[:, -1:]) & np.isfinite(last_q)[:, None]
    return np.where(cut_off_qk, last_q[:, None], tie_means(scores_qk, true_qk))
