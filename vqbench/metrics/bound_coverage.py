"""Does the error bound that a code states hold?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.metrics.base import PerQuery, QueryMetric, View


@dataclass(frozen=True, kw_only=True)
class BoundCoverage(QueryMetric):
    """Share of the true top k whose estimated cosine lies no further from the true one than the code's bound.

    For ``similarity: estimate`` and codes that state a bound; other codes get no value. All documents that tie at the
    end of the true top k count.

    This is not the coverage over random pairs: RaBitQ's bound allows 1.9 standard deviations of the error of a pair
    whose residuals are orthogonal (94.3 % of such pairs). With residuals at cosine c the error is sqrt(1 - c^2) times
    as large, so among near neighbours more are covered, P(|N(0, 1)| < 1.9 / sqrt(1 - c^2)): 98.2 % at c = 0.6. The
    bound is stated for the query that the code compares with. Where the query is quantized too (``query:`` in the
    variant), that error is added and coverage falls.
    """

    name = "bound_coverage"
    label = "estimates within the stated bound"
    unit = "share of the true top k"
    rescored = False
    bounded = True

    def measure(self, view: View) -> PerQuery:
        if view.bound_f is None:
            return PerQuery(np.full(view.q, np.nan))
        top_f = view.truth.above_f < view.k
        within_f = top_f & (np.abs(view.code_f - view.true_f) <= view.bound_f)
        return PerQuery(view.count(within_f) / view.count(top_f))
