"""Quality by relevance judgements: MRR@k, NDCG@k and recall@k, with ties in expectation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.metrics.base import PerQuery, QueryMetric, View
from vqbench.numerics.arrays import Floats, Ints


@dataclass(frozen=True)
class _Relevant:
    """The relevant documents in the returned list: sorted by query, place, then gain descending."""

    query_f: Ints
    above_f: Ints  #: rows that score higher
    tied_f: Ints  #: rows that score the same
    gain_f: Floats
    nth_f: Ints  #: relevant documents of the same query and score that come before
    many_f: Ints  #: relevant documents of that query and score

    @classmethod
    def of(cls, view: View) -> _Relevant:
        chosen = np.flatnonzero(view.gain_f > 0)
        chosen = chosen[np.lexsort((-view.gain_f[chosen], view.final.above_f[chosen], view.query_f[chosen]))]
        query_f, above_f = view.query_f[chosen], view.final.above_f[chosen]
        new_f = np.diff(query_f, prepend=-1).astype(bool) | np.diff(above_f, prepend=-1).astype(bool)
        group_f = np.cumsum(new_f) - 1
        nth_f = np.arange(len(chosen)) - np.flatnonzero(new_f)[group_f]
        many_f = np.bincount(group_f)[group_f]
        return cls(query_f, above_f, view.final.tied_f[chosen], view.gain_f[chosen], nth_f, many_f)


def _defined(view: View, *values_q: Floats) -> PerQuery:
    """NaN for queries without a relevant document."""
    some_q = view.count(view.gain_f > 0) > 0
    return PerQuery(*(np.where(some_q, x_q, np.nan) for x_q in values_q))


@dataclass(frozen=True, kw_only=True)
class NDCG(QueryMetric):
    """Normalised discounted cumulative gain at k, discount 1 / log2(rank + 1).

    Each tied document gets the mean discount of the places that it shares (McSherry and Najork, ECIR 2008), which is
    the expectation over tie-breakings.

    >>> NDCG(gain="exponential").gain
    'exponential'
    """

    #: The judgement itself, as trec_eval, or 2**judgement - 1 (Burges et al., ICML 2005).
    gain: Literal["linear", "exponential"] = "linear"

    name = "ndcg"
    label = "NDCG@k by judgements"
    judged = True

    def measure(self, view: View) -> PerQuery:
        relevant = _Relevant.of(view)
        gain_f = relevant.gain_f if self.gain == "linear" else np.exp2(relevant.gain_f) - 1
        discount_k = 1 / np.log2(np.arange(view.k) + 2)
        summed_k = np.concatenate([[0.0], np.cumsum(discount_k)])

        def discount(rank_f: Ints) -> Floats:
            return np.where(rank_f <= view.k, discount_k[np.minimum(rank_f, view.k) - 1], 0)

        def dcg(discount_f: Floats) -> Floats:
            return view.total(relevant.query_f, gain_f * discount_f)

        above_f, tied_f = relevant.above_f, relevant.tied_f
        first_f, last_f = (np.minimum(x_f, view.k) for x_f in (above_f, above_f + tied_f))
        # A document that ties with none has its own discount to the bit, not a difference of sums.
        mean_f = np.where(tied_f == 1, discount(above_f + 1), (summed_k[last_f] - summed_k[first_f]) / tied_f)
        descending = np.lexsort((-gain_f, relevant.query_f))
        rank_f = np.arange(len(gain_f)) - np.searchsorted(relevant.query_f, relevant.query_f) + 1
        ideal_q = view.total(relevant.query_f, gain_f[descending] * discount(rank_f))
        ideal_q = np.where(ideal_q > 0, ideal_q, np.nan)
        best_q = dcg(discount(above_f + 1 + relevant.nth_f)) / ideal_q
        worst_q = dcg(discount(above_f + tied_f - relevant.nth_f)) / ideal_q
        return PerQuery(np.clip(dcg(mean_f) / ideal_q, worst_q, best_q), worst_q, best_q)


@dataclass(frozen=True, kw_only=True)
class MRR(QueryMetric):
    """Reciprocal rank of the first relevant document, 0 beyond k; ties in expectation.

    Of t tied documents of which r are relevant, the first relevant one stands at place j with
    probability C(t - j, r - 1) / C(t, r).
    """

    name = "mrr"
    label = "MRR@k by judgements"
    judged = True

    def measure(self, view: View) -> PerQuery:
        relevant = _Relevant.of(view)
        _, first = np.unique(relevant.query_f, return_index=True)
        value_q, low_q, high_q = np.zeros((3, view.q))
        for query, above, tied, many in zip(
            *(x_f[first] for x_f in (relevant.query_f, relevant.above_f, relevant.tied_f, relevant.many_f)), strict=True
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
        return _defined(view, value_q, low_q, high_q)


@dataclass(frozen=True, kw_only=True)
class JudgedRecall(QueryMetric):
    """The share of a query's relevant documents that are among the k returned, as trec_eval's recall_k.

    All relevant documents of the corpus count, so a query with more than k of them cannot reach 1. Of tied documents
    at the end of the list as many are expected within it as their share of places, over all tie-breakings.
    """

    name = "judged_recall"
    label = "recall@k by judgements"
    judged = True

    def measure(self, view: View) -> PerQuery:
        relevant_f = view.gain_f > 0
        cut, many_q = view.cut(relevant_f, view.final, view.k), np.maximum(view.count(relevant_f), 1)
        return _defined(view, cut.expected_q / many_q, cut.least_q / many_q, cut.most_q / many_q)
