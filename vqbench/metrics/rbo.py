"""Rank-biased overlap with the true ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.metrics.base import PerQuery, QueryMetric, View


@dataclass(frozen=True, kw_only=True)
class RBO(QueryMetric):
    """Extrapolated rank-biased overlap of the first k ranks, top ranks weighing more.

    RBO_ext = (1 - p) / p * sum_{d <= k} A_d p^d + A_k p^k with A_d the overlap at depth d (Webber,
    Moffat and Zobel, A Similarity Measure for Indefinite Rankings, TOIS 28(4), 2010, eq. 32 for
    equally long lists). Ties in the code's scores: A_d is the expectation over tie-breakings, which
    is variant a of Corsi and Urbano (SIGIR 2024). Ties in the truth: all documents that reach the
    d-th true score are relevant, as in overlap@k, so that equal rankings score 1.
    """

    p: float = 0.9

    name: ClassVar[str] = "rbo"
    label: ClassVar[str] = "rank-biased overlap"
    unit: ClassVar[str] = "0 to 1"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.p < 1:
            raise VqbenchError(f"rbo: p = {self.p}: must lie between 0 and 1")

    def measure(self, view: View) -> PerQuery:
        lost_q = np.zeros(view.q)
        for depth in range(1, view.k + 1):
            cut = view.cut(view.truth.above_f < depth, view.final, depth)
            weight = (1 - self.p) * self.p ** (depth - 1) + (self.p**depth if depth == view.k else 0)
            lost_q += weight * (1 - cut.expected_q / depth)  # the weights sum to 1, so nothing lost is 1.0
        return PerQuery(1 - lost_q)
