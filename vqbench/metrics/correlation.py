"""Does the code order the true top k as float search does? Kendall's tau-b and Spearman's rho."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import rankdata

from vqbench.arrays import Floats, blocks
from vqbench.metrics.base import PerQuery, QueryMetric, View

_SIGNS = 2**22  # pairs of documents that are compared at a time


@dataclass(frozen=True, kw_only=True)
class Kendall(QueryMetric):
    """tau-b of true score and code score over the true top k (all documents tied at its end too).

    Kendall, Biometrika 33(3), 1945. Undefined where the true scores are all equal; 0 where only
    the code's are, since such a code orders nothing.
    """

    name: ClassVar[str] = "kendall"
    label: ClassVar[str] = "Kendall tau-b over the true top k"
    unit: ClassVar[str] = "-1 to 1"
    lowest: ClassVar[float] = -1
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = True
    rescored: ClassVar[bool] = False

    def measure(self, view: View) -> PerQuery:
        return PerQuery(_by_size(view, _tau_b))


@dataclass(frozen=True, kw_only=True)
class Spearman(QueryMetric):
    """Spearman's rank correlation (mid-ranks for ties) of the same pairs, with the same conventions."""

    name: ClassVar[str] = "spearman"
    label: ClassVar[str] = "Spearman rho over the true top k"
    unit: ClassVar[str] = "-1 to 1"
    lowest: ClassVar[float] = -1
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = True
    rescored: ClassVar[bool] = False

    def measure(self, view: View) -> PerQuery:
        return PerQuery(_by_size(view, _rho))


def _by_size(view: View, correlate: Callable[[Floats, Floats], Floats]) -> Floats:
    """Correlations ``(q,)``, the queries with equally many documents at once."""
    top_f = view.truth.above_f < view.k
    query_f, true_f, code_f = view.query_f[top_f], view.true_f[top_f], view.code_f[top_f]
    sizes_q = np.bincount(query_f, minlength=view.q)
    starts_q = np.cumsum(sizes_q) - sizes_q
    values_q = np.full(view.q, np.nan)
    for size in np.unique(sizes_q[sizes_q > 1]):
        queries = np.flatnonzero(sizes_q == size)
        for some in np.array_split(queries, max(1, len(queries) * size**2 // _SIGNS)):
            at = starts_q[some, None] + np.arange(size)
            values_q[some] = correlate(true_f[at], code_f[at])
    values_q[~np.isfinite(values_q)] = np.nan
    return values_q


def _ratio(top_q: Floats, left_q: Floats, right_q: Floats) -> Floats:
    """top / sqrt(left * right); NaN where left is 0, else 0 where right is."""
    below_q = np.sqrt(left_q * right_q)
    return np.where(left_q == 0, np.nan, np.divide(top_q, below_q, out=np.zeros_like(below_q), where=below_q > 0))


def _tau_b(true_qr: Floats, code_qr: Floats) -> Floats:
    """Concordance of all pairs, counted in whole numbers, some documents against all at a time."""
    counts_3q = np.zeros((3, len(true_qr)), dtype=np.int64)
    for start, stop in blocks(true_qr.shape[1], max(1, _SIGNS // true_qr.size)):
        true_sign, code_sign = (
            np.sign(x_qr[:, start:stop, None] - x_qr[:, None, :]).astype(np.int8) for x_qr in (true_qr, code_qr)
        )
        for at, product in enumerate((true_sign * code_sign, true_sign**2, code_sign**2)):
            counts_3q[at] += product.sum(axis=(1, 2), dtype=np.int64)
    return _ratio(*counts_3q.astype(np.float64))


def _rho(true_qr: Floats, code_qr: Floats) -> Floats:
    true_rank, code_rank = (rankdata(x_qr, axis=1) for x_qr in (true_qr, code_qr))
    true_rank -= true_rank.mean(axis=1, keepdims=True)
    code_rank -= code_rank.mean(axis=1, keepdims=True)
    return _ratio((true_rank * code_rank).sum(1), (true_rank**2).sum(1), (code_rank**2).sum(1))
