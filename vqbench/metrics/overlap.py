"""How much of the true result the code finds: overlap@k, recall@k of the nearest, share of bad queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import hypergeom

from vqbench.arrays import Floats
from vqbench.errors import VqbenchError
from vqbench.metrics.base import Cut, PerQuery, QueryMetric, View


@dataclass(frozen=True, kw_only=True)
class Overlap(QueryMetric):
    """overlap@k: the share of the k places that hold a true top-k document (often called recall@k).

    Relevant is every document whose true score is at least the k-th best, all of them. With ties
    in the code's scores the expectation over all tie-breakings is reported, and their extremes.
    After rescoring, the k places are filled by the best of the candidates, so the overlap is
    min(k, relevant candidates) / k; the candidates' ties make that count hypergeometric.
    """

    name: ClassVar[str] = "overlap"
    label: ClassVar[str] = "overlap@k with float search"
    unit: ClassVar[str] = "share of k"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = True

    def measure(self, view: View) -> PerQuery:
        cut = view.cut(view.truth.above_f < view.k, view.coded, view.fetched)
        least_q, most_q = (np.minimum(x_q, view.k) for x_q in (cut.least_q, cut.most_q))
        return PerQuery(_expected(cut, view.k) / view.k, least_q / view.k, most_q / view.k)


def _expected(cut: Cut, k: int) -> Floats:
    """Expectation of min(k, sure + torn documents that get a place)."""
    expected_q = cut.expected_q.astype(np.float64)
    for at in np.flatnonzero(cut.most_q > k):  # true ties: more relevant candidates than places
        found = np.arange(cut.least_q[at] - cut.sure_q[at], cut.most_q[at] - cut.sure_q[at] + 1)
        weight = hypergeom.pmf(found, cut.tied_q[at], cut.torn_q[at], cut.room_q[at])
        lost = np.maximum(0, cut.sure_q[at] + found - k)
        expected_q[at] = min(k, expected_q[at] - weight @ lost) if cut.least_q[at] < k else k
    return expected_q


@dataclass(frozen=True, kw_only=True)
class Recall(QueryMetric):
    """recall@k of the true nearest: 1 if it (one of them, if several tie) is among the k found.

    With ties in the code's scores, the probability of that. Rescoring puts it first once it is
    among the candidates.
    """

    name: ClassVar[str] = "recall"
    label: ClassVar[str] = "recall@k of the true nearest"
    unit: ClassVar[str] = "share of queries"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = True

    def measure(self, view: View) -> PerQuery:
        cut = view.cut(view.truth.above_f == 0, view.coded, view.fetched)
        missed_q = hypergeom.pmf(0, np.maximum(cut.tied_q, 1), cut.torn_q, cut.room_q)
        sure_q = cut.sure_q > 0
        return PerQuery(
            np.where(sure_q, 1.0, 1 - np.where(cut.torn_q > 0, missed_q, 1.0)),
            (cut.least_q > 0).astype(np.float64),
            (cut.most_q > 0).astype(np.float64),
        )


@dataclass(frozen=True, kw_only=True)
class Worst(QueryMetric):
    """Share of queries whose expected overlap@k is below ``threshold``: the mean hides them."""

    threshold: float = 0.5

    name: ClassVar[str] = "worst"
    label: ClassVar[str] = "queries that lose most of their top k"
    unit: ClassVar[str] = "share of queries"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise VqbenchError(f"worst: threshold = {self.threshold}: must be above 0 and at most 1")

    def measure(self, view: View) -> PerQuery:
        overlap_q = Overlap().measure(view).values_q
        return PerQuery((overlap_q < self.threshold).astype(np.float64))
