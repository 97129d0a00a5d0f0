"""Quality by relevance judgements: MRR@k, NDCG@k and recall@k, with ties in expectation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from vqbench.metrics.base import PerQuery, QueryMetric, View
from vqbench.numerics.arrays import Floats, Ints


@dataclass(frozen=True)
class _Relevant:
    """The relevant documents in the returned list: sorted by query, place, then gain descending.

    nth_f: how many relevant ones of the same query and score come before; many_f: how many there
    are of that query and score.
    """

    query_f: Ints
    above_f: Ints
    tied_f: Ints
    gain_f: Floats
    nth_f: Ints
    many_f: Ints

    @classmethod
    def of(cls, view: View) -> _Relevant:
        at = np.flatnonzero(view.gain_f > 0)
        at = at[np.lexsort((-view.gain_f[at], view.final.above_f[at], view.query_f[at]))]
        query_f, above_f = view.query_f[at], view.final.above_f[at]
        new_f = np.diff(query_f, prepend=-1).astype(bool) | np.diff(above_f, prepend=-1).astype(bool)
        group_f = np.cumsum(new_f) - 1
        nth_f = np.arange(len(at)) - np.flatnonzero(new_f)[group_f]
        return cls(query_f, above_f, view.final.tied_f[at], view.gain_f[at], nth_f, np.bincount(group_f)[group_f])


def _judged(view: View, values_q: Floats) -> Floats:
    """NaN for queries without a relevant document."""
    return np.where(view.count(view.gain_f > 0) > 0, values_q, np.nan)


@dataclass(frozen=True, kw_only=True)
class NDCG(QueryMetric):
    """Normalised discounted cumulative gain at k, discount 1 / log2(rank + 1).

    gain: the judgement itself (``linear``, as trec_eval) or 2**judgement - 1 (``exponential``, Burges
    et al., ICML 2005). Ties: each tied document gets the mean discount of the places it shares
    (McSherry and Najork, ECIR 2008), the expectation over tie-breakings.
    """

    gain: Literal["linear", "exponential"] = "linear"

    name: ClassVar[str] = "ndcg"
    label: ClassVar[str] = "NDCG@k by judgements"
    unit: ClassVar[str] = "0 to 1"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = True
    judged: ClassVar[bool] = True

    def measure(self, view: View) -> PerQuery:
        found = _Relevant.of(view)
        gain_f = found.gain_f if self.gain == "linear" else np.exp2(found.gain_f) - 1
        discount_k = 1 / np.log2(np.arange(view.k) + 2)
        summed_k = np.concatenate([[0.0], np.cumsum(discount_k)])

        def discount(rank_f: Ints) -> Floats:
            return np.where(rank_f <= view.k, discount_k[np.minimum(rank_f, view.k) - 1], 0)

        def dcg(discount_f: Floats) -> Floats:
            return view.total(found.query_f, gain_f * discount_f)

        first_f, last_f = (np.minimum(x_f, view.k) for x_f in (found.above_f, found.above_f + found.tied_f))
        # A document that ties with none has its own discount to the bit, not a difference of sums.
        mean_f = np.where(
            found.tied_f == 1, discount(found.above_f + 1), (summed_k[last_f] - summed_k[first_f]) / found.tied_f
        )
        ideal_order = np.lexsort((-gain_f, found.query_f))
        rank_f = np.arange(len(gain_f)) - np.searchsorted(found.query_f, found.query_f) + 1
        ideal_q = view.total(found.query_f, gain_f[ideal_order] * discount(rank_f))
        ideal_q = _judged(view, ideal_q)
        best_q = dcg(discount(found.above_f + 1 + found.nth_f)) / ideal_q
        worst_q = dcg(discount(found.above_f + found.tied_f - found.nth_f)) / ideal_q
        return PerQuery(np.clip(dcg(mean_f) / ideal_q, worst_q, best_q), worst_q, best_q)


@dataclass(frozen=True, kw_only=True)
class MRR(QueryMetric):
    """Reciprocal rank of the first relevant document, 0 beyond k; ties in expectation.

    Of t tied documents of which r are relevant, the first relevant one stands at place j with
    probability C(t - j, r - 1) / C(t, r).
    """

    name: ClassVar[str] = "mrr"
    label: ClassVar[str] = "MRR@k by judgements"
    unit: ClassVar[str] = "0 to 1"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = True
    judged: ClassVar[bool] = True

    def measure(self, view: View) -> PerQuery:
        found = _Relevant.of(view)
        _, first = np.unique(found.query_f, return_index=True)
        value_q, low_q, high_q = np.zeros((3, view.q))
        for query, above, tied, many in zip(
            *(x_f[first] for x_f in (found.query_f, found.above_f, found.tied_f, found.many_f)), strict=True
        ):
            if above >= view.k:
                continue
            if tied == 1:
                value_q[query] = low_q[query] = high_q[query] = 1 / (above + 1)
                continue
            place = np.arange(1, min(tied - many + 1, view.k - above) + 1)
            later = np.cumprod((tied - place[:-1] - many + 1) / (tied - place[:-1] + 1))
            chance = many / (tied - place + 1) * np.concatenate([[1.0], later])
            value_q[query] = (chance / (above + place)).sum()
            last = above + tied - many + 1
            low_q[query] = 1 / last if last <= view.k else 0
            high_q[query] = 1 / (above + 1)
        return PerQuery(*(_judged(view, x_q) for x_q in (value_q, low_q, high_q)))


@dataclass(frozen=True, kw_only=True)
class JudgedRecall(QueryMetric):
    """The share of a query's relevant documents that are among the k returned, as trec_eval's recall_k.

    All relevant documents of the corpus count, so a query with more than k of them cannot reach 1. Of tied documents
    at the end of the list as many are expected within it as their share of places, over all tie-breakings.
    """

    name: ClassVar[str] = "judged_recall"
    label: ClassVar[str] = "recall@k by judgements"
    unit: ClassVar[str] = "0 to 1"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = True
    judged: ClassVar[bool] = True

    def measure(self, view: View) -> PerQuery:
        relevant_f = view.gain_f > 0
        cut, many_q = view.cut(relevant_f, view.final, view.k), np.maximum(view.count(relevant_f), 1)
        found = (cut.expected_q, cut.least_q, cut.most_q)
        return PerQuery(*(_judged(view, found_q / many_q) for found_q in found))
