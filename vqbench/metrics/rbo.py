"""Rank-biased overlap with the true ranking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.metrics.base import PerQuery, QueryMetric, View
from vqbench.numerics.arrays import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class RBO(QueryMetric):
    """Extrapolated rank-biased overlap of the first k ranks, top ranks weighing more.

    RBO_ext = (1 - p) / p * sum_{d <= k} A_d p^d + A_k p^k with A_d the overlap at depth d (Webber,
    Moffat and Zobel, A Similarity Measure for Indefinite Rankings, TOIS 28(4), 2010, eq. 32 for
    equally long lists). Ties in the code's scores: A_d is the expectation over tie-breakings, which
    is variant a of Corsi and Urbano (SIGIR 2024). Ties in the truth: all documents that reach the
    d-th true score are relevant, as in overlap@k, so that equal rankings score 1.
    """

    p: float = 0.9

    name = "rbo"
    label = "rank-biased overlap"

    def __post_init__(self) -> None:
        if not 0 < self.p < 1:
            raise VqbenchError(f"rbo: p = {self.p}: must lie between 0 and 1")

    def measure(self, view: View) -> PerQuery:
        expected_qd, lost_q = _expected(view), np.zeros(view.q)
        for depth in range(1, view.k + 1):
            weight = (1 - self.p) * self.p ** (depth - 1) + (self.p**depth if depth == view.k else 0)
            lost_q += weight * (1 - expected_qd[:, depth] / depth)  # the weights sum to 1, so nothing lost is 1.0
        return PerQuery(1 - lost_q)


def _expected(view: View) -> Floats:
    """Expected number of relevant documents among the first 0 to k, ``(q, k + 1)``: ``View.cut`` at all depths at once.

    A document that is alone with its score counts from the depth on at which it is both listed and relevant. One
    of ``tied`` that share the ranks above + 1 to above + tied is torn at the depths in between.
    """
    k = view.k
    at = np.flatnonzero((view.truth.above_f < k) & (view.final.above_f < k))
    query_r, above_r, tied_r = view.query_f[at], view.final.above_f[at], view.final.tied_f[at]
    relevant_r = view.truth.above_f[at] + 1  # the least depth at which the truth counts it
    sure_qd = _running(view, query_r, np.maximum(relevant_r, above_r + tied_r))
    torn = np.flatnonzero(tied_r > 1)
    if not len(torn):
        return sure_qd.astype(np.float64)
    query_t, above_t, tied_t = query_r[torn], above_r[torn], tied_r[torn]
    end_t = above_t + tied_t
    begin_t = np.minimum(np.maximum(relevant_r[torn], above_t + 1), end_t)
    torn_qd = _running(view, query_t, begin_t) - _running(view, query_t, end_t)
    _, first = np.unique(query_t * (k + 1) + above_t, return_index=True)  # each group of equal scores once
    query_g, above_g, tied_g = query_t[first], above_t[first], tied_t[first]
    group = query_g, above_g + 1, end_t[first]
    room_qd = np.arange(k + 1) - _between(view, *group, above_g)
    return sure_qd + torn_qd * room_qd / np.maximum(_between(view, *group, tied_g), 1)


def _running(view: View, query_r: Ints, from_r: Ints, weights_r: Ints | None = None) -> Ints:
    """How many entries of each query begin at or before each depth, ``(q, k + 1)``; or the sum of whole weights."""
    size, some = view.k + 1, from_r <= view.k
    weights = None if weights_r is None else weights_r[some]
    counts = np.bincount(query_r[some] * size + from_r[some], weights, minlength=view.q * size)
    return np.cumsum(counts.reshape(view.q, size), axis=1).astype(np.int64)


def _between(view: View, query_g: Ints, begin_g: Ints, end_g: Ints, value_g: Ints) -> Ints:
    """``value_g`` at the depths from ``begin_g`` to before ``end_g``, which do not overlap, ``(q, k + 1)``; else 0."""
    return _running(view, query_g, begin_g, value_g) - _running(view, query_g, end_g, value_g)
