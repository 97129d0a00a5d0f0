"""How much worse, in float cosine, are the documents that the code returns?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.metrics.base import PerQuery, QueryMetric, View
from vqbench.numerics.arrays import SCORE_DECIMALS


@dataclass(frozen=True, kw_only=True)
class Regret(QueryMetric):
    """Mean float cosine lost per rank: the mean score of the true top k less that of the k returned.

    Ties count with the mean over all rows of that score.
    """

    name = "regret"
    label = "float cosine lost per rank"
    unit = "cosine"
    highest = 2
    higher_is_better = False
    listed = True

    def measure(self, view: View) -> PerQuery:
        lost_q = (view.best_qk - view.listed_qk).mean(axis=1)
        return PerQuery(np.round(np.maximum(lost_q, 0), SCORE_DECIMALS))
