"""Overlap, top1 and the share of bad queries against enumeration of all tie-breakings."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import oracles
import pytest
from conftest import MakeViews
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vqbench.errors import VqbenchError
from vqbench.metrics.base import Cut
from vqbench.metrics.overlap import (  # pyright: ignore[reportPrivateUsage]
    Overlap,
    Top1,
    Worst,
    _chance_of_none,
    _chances,
)

N = 6
SCORES = st.lists(st.integers(0, 3), min_size=N, max_size=N)
LONGER = st.lists(st.integers(0, 2), min_size=11, max_size=11)


def _one(found) -> tuple[float, float, float]:
    return found.values_q[0], found.low_q[0], found.high_q[0]


@given(true=SCORES, code=SCORES, k=st.integers(1, N))
def test_overlap_without_rescoring(make_views: MakeViews, true: list, code: list, k: int) -> None:
    """By enumeration, and by the formula of the design as an exact fraction."""
    (view,) = make_views([true], [code], k=[k])
    value, low, high = _one(Overlap().measure(view))
    wanted = oracles.expected(code, lambda order: oracles.overlap_at(order, true, k))
    assert (value, low, high) == pytest.approx(wanted, abs=1e-12)
    assert value == pytest.approx(float(oracles.overlap_by_formula(true, code, k)), abs=1e-15)


@given(true=LONGER, code=LONGER, k=st.integers(1, 11), oversample=st.integers(1, 6))
def test_overlap_after_rescoring(make_views: MakeViews, true: list, code: list, k: int, oversample: int) -> None:
    """Mean, least and most over every set of candidates; true ties let more than k be relevant."""
    (view,) = make_views([true], [code], k=[k], oversample=[oversample])
    wanted = oracles.rescored_overlap(true, code, k, min(11, k * oversample))
    assert _one(Overlap().measure(view)) == pytest.approx([float(x) for x in wanted], abs=1e-12)


def test_overlap_with_true_ties_needs_the_hypergeometric_mean(make_views: MakeViews) -> None:
    """4 relevant of 6 tied candidates, 3 are fetched, 2 places: E min(2, X), worked by hand.

    X relevant ones among 3 of 6: P(1) = 4/20, P(2) = 12/20, P(3) = 4/20, so E min(2, X) = 36/20.
    """
    (view,) = make_views([[1, 1, 1, 1, 0, 0]], [[5] * 6], k=[2], oversample=[1])
    assert Overlap().measure(view).values_q[0] == pytest.approx(4 / 6)
    view = make_views([[1, 1, 1, 1, 0, 0]], [[5] * 6], k=[1, 2], oversample=[3, 1])[2]
    assert (view.k, view.fetched) == (2, 6)
    assert Overlap().measure(view).values_q[0] == 1.0
    (view,) = make_views([[1, 1, 1, 1, 0, 0, -1]], [[5, 5, 5, 5, 5, 5, 9]], k=[2], oversample=[2])
    assert Overlap().measure(view).values_q[0] == pytest.approx(float(Fraction(36, 40)), abs=1e-12)


@given(true=SCORES, code=SCORES, k=st.integers(1, N))
def test_recall_without_rescoring(make_views: MakeViews, true: list, code: list, k: int) -> None:
    (view,) = make_views([true], [code], k=[k])
    wanted = oracles.expected(code, lambda order: oracles.recall_at(order, true, k))
    assert _one(Top1().measure(view)) == pytest.approx(wanted, abs=1e-12)


@given(true=LONGER, code=LONGER, k=st.integers(1, 5), oversample=st.integers(1, 3))
def test_recall_after_rescoring(make_views: MakeViews, true: list, code: list, k: int, oversample: int) -> None:
    """A candidate that is the nearest comes first, so top1@k asks whether one is a candidate."""
    (view,) = make_views([true], [code], k=[k], oversample=[oversample])
    found = [
        max(true[row] for row in candidates) == max(true)
        for candidates in oracles.candidate_sets(code, min(11, k * oversample))
    ]
    wanted = sum(found) / len(found), float(min(found)), float(max(found))
    assert _one(Top1().measure(view)) == pytest.approx(wanted, abs=1e-12)


def test_several_queries_at_once(make_views: MakeViews) -> None:
    """Every query at every k and oversample factor as if it stood alone, its own row left out."""
    rng = np.random.default_rng(0)
    true_qn, code_qn = rng.integers(0, 4, (9, 9)), rng.integers(0, 4, (9, 9))
    ks, factors = [1, 2, 4, 8], [0, 1, 2, 8]
    views = make_views(true_qn, code_qn, k=ks, oversample=factors, exclude_q=range(9))
    assert [(view.k, view.oversample) for view in views] == [(k, o) for k in ks for o in factors]
    for view in views:
        found = Overlap().measure(view)
        for query in range(9):
            others = [row for row in range(9) if row != query]
            fetched = min(8, view.k * max(1, view.oversample))
            wanted = oracles.rescored_overlap(true_qn[query][others], code_qn[query][others], view.k, fetched)
            value = found.values_q[query], found.low_q[query], found.high_q[query]
            assert value == pytest.approx([float(x) for x in wanted], abs=1e-12)


def test_worst_counts_the_queries_below_the_threshold(make_views: MakeViews) -> None:
    """Overlap 1/2, 1/3 in expectation, 0 and 1: a value on the threshold is not below it."""
    true_qn = [[9, 8, 1, 0], [9, 8, 1, 0], [9, 8, 1, 0], [9, 8, 1, 0]]
    code_qn = [[9, 1, 8, 0], [5, 5, 9, 5], [0, 1, 8, 9], [9, 8, 1, 0]]
    (view,) = make_views(true_qn, code_qn, k=[2])
    assert Overlap().measure(view).values_q.tolist() == pytest.approx([1 / 2, 1 / 3, 0, 1])
    assert Worst().measure(view).values_q.tolist() == [0, 1, 1, 0]
    assert Worst(threshold=1.0).measure(view).values_q.tolist() == [1, 1, 1, 0]
    assert Worst(threshold=0.1).measure(view).values_q.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
def test_worst_refuses_a_threshold_out_of_range(threshold: float) -> None:
    with pytest.raises(VqbenchError, match="threshold"):
        Worst(threshold=threshold)


@given(st.integers(1, 200), st.data())
def test_chances_of_tied_documents_are_hypergeometric(tied: int, data: st.DataObject) -> None:
    straddling, places = (data.draw(st.integers(1, tied)) for _ in range(2))
    counts = np.arange(max(0, places - (tied - straddling)), min(straddling, places) + 1)
    expected = stats.hypergeom.pmf(counts, tied, straddling, places)
    assert _chances(counts, tied, straddling, places) == pytest.approx(expected, rel=1e-9, abs=1e-13)
    none_q = np.zeros(2, np.int64)
    chance_q = _chance_of_none(Cut(none_q, np.array([straddling, 0]), np.array([tied, 0]), np.array([places, 0])))
    assert chance_q == pytest.approx([float(stats.hypergeom.pmf(0, tied, straddling, places)), 1], rel=1e-9, abs=1e-300)
