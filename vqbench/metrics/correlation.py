"""Does the code order the true top k as float search does? Kendall's tau-b and Spearman's rho."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from vqbench.metrics.base import PerQuery, QueryMetric, View, tie_means
from vqbench.numerics.arrays import Floats

_PAIRS_HELD = 2**22  # documents whose pairs are counted at a time


class _Correlation(ABC):
    """What both share: they correlate true and code scores over the true top k, with all documents tied at its end.

    Undefined where the true scores are all equal. 0 where only the code's are, since such a code orders nothing.
    """

    unit = "-1 to 1"
    lowest = -1
    rescored = False

    @abstractmethod
    def correlate(self, true_qr: Floats, code_qr: Floats) -> Floats:
        """Correlate the scores of each query's documents, ``(q, documents)`` on either side: ``(q,)``."""

    def measure(self, view: View) -> PerQuery:
        top_f = view.truth.above_f < view.k
        true_f, code_f = view.true_f[top_f], view.code_f[top_f]
        sizes_q = view.count(top_f)
        starts_q = np.cumsum(sizes_q) - sizes_q
        values_q = np.full(view.q, np.nan)
        for size in np.unique(sizes_q[sizes_q > 1]):  # queries with equally many documents at once
            queries = np.flatnonzero(sizes_q == size)
            for some in np.array_split(queries, max(1, len(queries) * size // _PAIRS_HELD)):
                documents_qr = starts_q[some, None] + np.arange(size)
                values_q[some] = self.correlate(true_f[documents_qr], code_f[documents_qr])
        return PerQuery(values_q)


@dataclass(frozen=True, kw_only=True)
class Kendall(_Correlation, QueryMetric):
    """tau-b of true score and code score over the true top k (Kendall, Biometrika 33(3), 1945).

    All pairs are counted in whole numbers: documents in true order, each with those after it. Pairs are taken by how
    far apart they stand, so that one comparison of two slices does for all documents and queries.
    """

    name = "kendall"
    label = "Kendall tau-b over the true top k"

    def correlate(self, true_qr: Floats, code_qr: Floats) -> Floats:
        order_qr = np.argsort(-true_qr, axis=1, kind="stable")
        true_qr, code_qr = (np.take_along_axis(x_qr, order_qr, axis=1) for x_qr in (true_qr, code_qr))
        # Pairs that agree; whose code scores differ; whose true scores differ. Equal true scores agree with no order.
        agree_qr, code_differ_qr, true_differ_qr = (np.zeros(true_qr.shape, dtype=np.int32) for _ in range(3))
        for apart in range(1, true_qr.shape[1]):
            first_qs, second_qs = code_qr[:, :-apart], code_qr[:, apart:]
            above_qs, below_qs = (first_qs > second_qs).view(np.int8), (first_qs < second_qs).view(np.int8)
            differ_qs = (true_qr[:, :-apart] > true_qr[:, apart:]).view(np.int8)
            code_differ_qr[:, apart:] += above_qs + below_qs
            true_differ_qr[:, apart:] += differ_qs
            agree_qr[:, apart:] += (above_qs - below_qs) * differ_qs
        return _ratio(*(x_qr.sum(axis=1, dtype=np.float64) for x_qr in (agree_qr, true_differ_qr, code_differ_qr)))


@dataclass(frozen=True, kw_only=True)
class Spearman(_Correlation, QueryMetric):
    """Spearman's rank correlation of the same pairs as ``Kendall``; equal scores share the mean of their ranks."""

    name = "spearman"
    label = "Spearman rho over the true top k"

    def correlate(self, true_qr: Floats, code_qr: Floats) -> Floats:
        true_rank, code_rank = (_mid_ranks(x_qr) for x_qr in (true_qr, code_qr))
        true_rank -= true_rank.mean(axis=1, keepdims=True)
        code_rank -= code_rank.mean(axis=1, keepdims=True)
        return _ratio((true_rank * code_rank).sum(1), (true_rank**2).sum(1), (code_rank**2).sum(1))


def _ratio(top_q: Floats, true_q: Floats, code_q: Floats) -> Floats:
    """top / sqrt(true * code); NaN where ``true_q`` is 0, else 0 where ``code_q`` is."""
    below_q = np.sqrt(true_q * code_q)
    return np.where(true_q == 0, np.nan, np.divide(top_q, below_q, out=np.zeros_like(below_q), where=below_q > 0))


def _mid_ranks(x_qr: Floats) -> Floats:
    """Ranks from 1 in each row, ascending; equal numbers share the mean of their ranks."""
    order_qr = np.argsort(x_qr, axis=1, kind="stable")
    places_qr = np.broadcast_to(np.arange(1.0, x_qr.shape[1] + 1), x_qr.shape)
    ranks_qr = np.empty(x_qr.shape)
    np.put_along_axis(ranks_qr, order_qr, tie_means(np.take_along_axis(x_qr, order_qr, axis=1), places_qr), axis=1)
    return ranks_qr
