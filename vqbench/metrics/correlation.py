"""Does the code order the true top k as float search does? Kendall's tau-b and Spearman's rho."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vqbench.metrics.base import PerQuery, QueryMetric, View
from vqbench.numerics.arrays import Floats

_HELD = 2**22  # documents whose pairs are counted at a time


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
        for some in np.array_split(queries, max(1, len(queries) * size // _HELD)):
            at = starts_q[some, None] + np.arange(size)
            values_q[some] = correlate(true_f[at], code_f[at])
    values_q[~np.isfinite(values_q)] = np.nan
    return values_q


def _ratio(top_q: Floats, left_q: Floats, right_q: Floats) -> Floats:
    """top / sqrt(left * right); NaN where left is 0, else 0 where right is."""
    below_q = np.sqrt(left_q * right_q)
    return np.where(left_q == 0, np.nan, np.divide(top_q, below_q, out=np.zeros_like(below_q), where=below_q > 0))


def _tau_b(true_qr: Floats, code_qr: Floats) -> Floats:
    """Concordance of all pairs, counted in whole numbers: documents in true order, each with those after it.

    Pairs are taken by how far apart they stand, so that one comparison of two slices does for all documents and
    queries. ``right`` counts pairs whose code scores differ; equal true scores agree with no order.
    """
    order_qr = np.argsort(-true_qr, axis=1, kind="stable")
    true_qr, code_qr = (np.take_along_axis(x_qr, order_qr, axis=1) for x_qr in (true_qr, code_qr))
    size = true_qr.shape[1]
    torn = bool((true_qr[:, 1:] == true_qr[:, :-1]).any())
    agree_qr, right_qr, left_qr = (np.zeros(true_qr.shape, dtype=np.int32) for _ in range(3))
    for apart in range(1, size):
        first_qs, second_qs = code_qr[:, :-apart], code_qr[:, apart:]
        above_qs, below_qs = (first_qs > second_qs).view(np.int8), (first_qs < second_qs).view(np.int8)
        right_qr[:, apart:] += above_qs + below_qs
        sign_qs = above_qs - below_qs
        if torn:
            differ_qs = (true_qr[:, :-apart] > true_qr[:, apart:]).view(np.int8)
            left_qr[:, apart:] += differ_qs
            sign_qs *= differ_qs
        agree_qr[:, apart:] += sign_qs
    agree_q, right_q, left_q = (x_qr.sum(axis=1, dtype=np.float64) for x_qr in (agree_qr, right_qr, left_qr))
    return _ratio(agree_q, left_q if torn else np.full(len(true_qr), size * (size - 1) / 2), right_q)


def _rho(true_qr: Floats, code_qr: Floats) -> Floats:
    true_rank, code_rank = (_mid_ranks(x_qr) for x_qr in (true_qr, code_qr))
    true_rank -= true_rank.mean(axis=1, keepdims=True)
    code_rank -= code_rank.mean(axis=1, keepdims=True)
    return _ratio((true_rank * code_rank).sum(1), (true_rank**2).sum(1), (code_rank**2).sum(1))


def _mid_ranks(x_qr: Floats) -> Floats:
    """Ranks from 1 in each row, ascending; equal numbers share the mean of their ranks."""
    order_qr = np.argsort(x_qr, axis=1, kind="stable")
    sorted_qr = np.take_along_axis(x_qr, order_qr, axis=1)
    place_qr = np.broadcast_to(np.arange(x_qr.shape[1]), x_qr.shape)
    new_qr = np.ones(x_qr.shape, dtype=bool)
    new_qr[:, 1:] = sorted_qr[:, 1:] != sorted_qr[:, :-1]
    first_qr = np.maximum.accumulate(np.where(new_qr, place_qr, 0), axis=1)
    ends_qr = np.roll(new_qr, -1, axis=1)  # where the next one is new, or there is none: the first always is
    last_qr = np.minimum.accumulate(np.where(ends_qr, place_qr, x_qr.shape[1])[:, ::-1], axis=1)[:, ::-1]
    ranks_qr = np.empty(x_qr.shape)
    np.put_along_axis(ranks_qr, order_qr, (first_qr + last_qr) / 2 + 1, axis=1)
    return ranks_qr
