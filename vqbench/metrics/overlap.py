"""How much of the true result the code finds: overlap@k, recall@k of the nearest, share of bad queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.metrics.base import Cut, PerQuery, QueryMetric, View
from vqbench.numerics.arrays import Floats, Ints


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
        weight = _chances(found, int(cut.tied_q[at]), int(cut.torn_q[at]), int(cut.room_q[at]))
        lost = np.maximum(0, cut.sure_q[at] + found - k)
        expected_q[at] = min(k, expected_q[at] - weight @ lost) if cut.least_q[at] < k else k
    return expected_q


def _chances(found: Ints, tied: int, torn: int, room: int) -> Floats:
    """Of all counts ``found`` that there can be, ascending: the chance that so many of the torn documents get a place.

    Hypergeometric: ``room`` of ``tied`` documents are drawn, ``torn`` of which count. Each chance is that of the
    count before times a ratio of whole numbers.
    """
    before = found[:-1].astype(np.float64)
    ratio = (torn - before) * (room - before) / ((before + 1) * (tied - torn - room + before + 1))
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratio))])
    weight = np.exp(logs - logs.max())
    return weight / weight.sum()


def _none(tied_q: Ints, torn_q: Ints, room_q: Ints) -> Floats:
    """The chance that none of the torn documents gets a place, ``(q,)``: 1 where there are none.

    C(tied - torn, room) / C(tied, room), a product of min(torn, room) fractions.
    """
    few_q, many_q = np.minimum(torn_q, room_q), np.maximum(torn_q, room_q)
    chance_q = np.ones(len(tied_q))
    for step in range(int(few_q.max(initial=0))):
        at_q = np.flatnonzero(step < few_q)
        chance_q[at_q] *= np.maximum(tied_q[at_q] - many_q[at_q] - step, 0) / (tied_q[at_q] - step)
    return chance_q


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
        missed_q = _none(cut.tied_q, cut.torn_q, cut.room_q)
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
