"""Quality by relevance judgements: MRR@k, NDCG@k and recall@k, with ties in expectation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.metrics.base import PerQuery, QueryMetric, View
from vqbench.numerics.arrays import Floats, Ints


def _relevant(view: View) -> tuple[Ints, Ints, Ints]:
    """The relevant documents, sorted by query, place in the returned list, then gain descending.

    Returns:
        Which they are; how many relevant ones of the same query and score come before each; how many there are of
        that query and score.
    """
    chosen = np.flatnonzero(view.gain_f > 0)
    chosen = chosen[np.lexsort((-view.gain_f[chosen], view.final.above_f[chosen], view.query_f[chosen]))]
    new_f = np.diff([view.query_f[chosen], view.final.above_f[chosen]], prepend=-1).any(axis=0)
    group_f = np.cumsum(new_f) - 1
    return chosen, np.arange(len(chosen)) - np.flatnonzero(new_f)[group_f], np.bincount(group_f)[group_f]


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
        chosen, nth_f, _ = _relevant(view)
        query_f, above_f, tied_f = view.query_f[chosen], view.final.above_f[chosen], view.final.tied_f[chosen]
        gain_f = view.gain_f[chosen] if self.gain == "linear" else np.exp2(view.gain_f[chosen]) - 1
        discount_k = 1 / np.log2(np.arange(view.k) + 2)
        summed_k = np.concatenate([[0.0], np.cumsum(discount_k)])

        def discount(rank_f: Ints) -> Floats:
            return np.where(rank_f <= view.k, discount_k[np.minimum(rank_f, view.k) - 1], 0)

        def dcg(discount_f: Floats) -> Floats:
            return view.total(query_f, gain_f * discount_f)

        first_f, last_f = (np.minimum(x_f, view.k) for x_f in (above_f, above_f + tied_f))
        # A document that ties with none has its own discount to the bit, not a difference of sums.
        mean_f = np.where(tied_f == 1, discount(above_f + 1), (summed_k[last_f] - summed_k[first_f]) / tied_f)
        descending = np.lexsort((-gain_f, query_f))
        rank_f = np.arange(len(gain_f)) - np.searchsorted(query_f, query_f) + 1
        ideal_q = view.total(query_f, gain_f[descending] * discount(rank_f))
        ideal_q = np.where(ideal_q > 0, ideal_q, np.nan)
        # The same terms may be added up in another order than the ideal's, and so exceed it in the last bit.
        best_q = np.minimum(1, dcg(discount(above_f + 1 + nth_f)) / ideal_q)
        worst_q = np.minimum(1, dcg(discount(above_f + tied_f - nth_f)) / ideal_q)
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
        chosen, _, many_f = _relevant(view)
        _, first = np.unique(view.query_f[chosen], return_index=True)
        one = chosen[first]  # of each query
        value_q, low_q, high_q = np.zeros((3, view.q))
        for query, above, tied, many in zip(
            view.query_f[one], view.final.above_f[one], view.final.tied_f[one], many_f[first], strict=True
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
