"""How much of the true result the code finds: overlap@k, top1@k, share of bad queries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.metrics.base import Cut, PerQuery, QueryMetric, View
from vqbench.numerics.arrays import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Overlap(QueryMetric):
    """overlap@k: the share of float search's top k that is found (recall@k in ANN benchmarks).

    Relevant is every document whose true score is at least the k-th best. Where the code's scores tie, the expectation
    over all tie-breakings is reported, with their extremes. After rescoring, the best candidates fill the k places, so
    the overlap is min(k, relevant candidates) / k; ties among the candidates make that count hypergeometric.
    """

    name = "overlap"
    label = "overlap@k with float search"
    unit = "share of k"

    def measure(self, view: View) -> PerQuery:
        cut = view.cut(view.truth.above_f < view.k, view.coded, view.fetched)
        least_q, most_q = (np.minimum(x_q, view.k) for x_q in (cut.least_q, cut.most_q))
        return PerQuery(_expected(cut, view.k) / view.k, least_q / view.k, most_q / view.k)


def _expected(cut: Cut, k: int) -> Floats:
    """Expectation of min(k, sure + straddling documents that get a place)."""
    expected_q = cut.expected_q.astype(np.float64)
    for query in np.flatnonzero(cut.most_q > k):  # true ties: more relevant candidates than places
        counts = np.arange(cut.least_q[query], cut.most_q[query] + 1) - cut.sure_q[query]
        chances = _chances(counts, int(cut.tied_q[query]), int(cut.straddling_q[query]), int(cut.places_q[query]))
        beyond = np.maximum(0, cut.sure_q[query] + counts - k)
        expected_q[query] = min(k, expected_q[query] - chances @ beyond) if cut.least_q[query] < k else k
    return expected_q


def _chances(counts: Ints, tied: int, straddling: int, places: int) -> Floats:
    """The chance that so many of the straddling documents get a place, for all possible ``counts``, ascending.

    Hypergeometric: ``places`` of ``tied`` documents are drawn, ``straddling`` of which count. Each chance is that of
    the count before times a ratio of whole numbers.
    """
    before = counts[:-1].astype(np.float64)
    ratio = (straddling - before) * (places - before) / ((before + 1) * (tied - straddling - places + before + 1))
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratio))])
    weight = np.exp(logs - logs.max())
    return weight / weight.sum()


def _chance_of_none(cut: Cut) -> Floats:
    """The chance that no straddling document gets a place, ``(q,)``: 1 where there are none.

    C(tied - straddling, places) / C(tied, places), a product of min(straddling, places) fractions.
    """
    few_q, many_q = np.sort([cut.straddling_q, cut.places_q], axis=0)
    chance_q = np.ones(len(cut.tied_q))
    for step in range(int(few_q.max(initial=0))):
        left_q = cut.tied_q - step
        chance_q *= np.where(step < few_q, np.maximum(left_q - many_q, 0) / np.maximum(left_q, 1), 1)
    return chance_q


@dataclass(frozen=True, kw_only=True)
class Top1(QueryMetric):
    """top1@k: 1 if the true nearest (one of them, if several tie) is among the k found.

    Where the code's scores tie, the probability of that. Rescoring puts the nearest first once it is a candidate.
    """

    name = "top1"
    label = "top1@k: true nearest among the k found"
    unit = "share of queries"

    def measure(self, view: View) -> PerQuery:
        cut = view.cut(view.truth.above_f == 0, view.coded, view.fetched)
        return PerQuery(
            np.where(cut.sure_q > 0, 1.0, 1 - _chance_of_none(cut)),
            (cut.least_q > 0).astype(np.float64),
            (cut.most_q > 0).astype(np.float64),
        )


@dataclass(frozen=True, kw_only=True)
class Worst(QueryMetric):
    """Share of queries whose expected overlap@k is below ``threshold``: the mean hides them.

    >>> Worst(threshold=0.3).threshold
    0.3
    """

    threshold: float = 0.5

    name = "worst"
    label = ">half lost"
    unit = "share of queries"
    higher_is_better = False

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise VqbenchError(f"worst: threshold = {self.threshold}: must be above 0 and at most 1")

    def measure(self, view: View) -> PerQuery:
        return PerQuery((Overlap().measure(view).values_q < self.threshold).astype(np.float64))
