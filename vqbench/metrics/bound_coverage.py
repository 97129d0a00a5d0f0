"""Does the error bound that a code states hold?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vqbench.metrics.base import PerQuery, QueryMetric, View


@dataclass(frozen=True, kw_only=True)
class BoundCoverage(QueryMetric):
    """Share of the true top k whose estimated cosine lies no further from the true one than the code's bound.

    For ``similarity: estimate`` and codes that state a bound; no value for others. All documents tied at
    the end of the true top k count.

    Not the coverage over random pairs: RaBitQ's bound allows 1.9 standard deviations of the error
    of a pair whose residuals are orthogonal (94.3 % of such pairs). With residuals at cosine c the error
    is sqrt(1 - c^2) times as large, so among near neighbours more are covered, P(|N(0, 1)| < 1.9 /
    sqrt(1 - c^2)): 98.2 % at c = 0.6. The bound holds for the query as the code meets it: where the
    query is quantized too (``query:`` in the variant), that error comes on top and coverage falls.
    """

    name: ClassVar[str] = "bound_coverage"
    label: ClassVar[str] = "estimates within the stated bound"
    unit: ClassVar[str] = "share of the true top k"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = True
    rescored: ClassVar[bool] = False
    bounded: ClassVar[bool] = True

    def measure(self, view: View) -> PerQuery:
        if view.bound_f is None:
            return PerQuery(np.full(view.q, np.nan))
        top_f = view.truth.above_f < view.k
        within_f = top_f & (np.abs(view.code_f - view.true_f) <= view.bound_f)
        return PerQuery(view.count(within_f) / view.count(top_f))
