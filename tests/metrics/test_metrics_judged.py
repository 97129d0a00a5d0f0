"""NDCG and MRR against enumeration of all tie-breakings, and against other evaluators' numbers."""

from __future__ import annotations

import json

import numpy as np
import oracles
import pytest
from conftest import MakeViews
from hypothesis import assume, given
from hypothesis import strategies as st
from places import FACTS

from vqbench.metrics.base import QueryMetric
from vqbench.metrics.judged import MRR, NDCG, JudgedRecall

N = 6
SCORES = st.lists(st.integers(0, 2), min_size=N, max_size=N)
GAINS = st.lists(st.sampled_from([0, 0, 1, 2, 3]), min_size=N, max_size=N)
FACT = json.loads((FACTS / "rank_metrics.json").read_text("utf-8"))["ndcg"]


def _one(metric: QueryMetric, view) -> tuple[float, float, float]:
    found = metric.measure(view)
    return found.values_q[0], found.low_q[0], found.high_q[0]


@given(true=SCORES, code=SCORES, gains=GAINS, k=st.integers(1, N))
def test_mrr(make_views: MakeViews, true: list, code: list, gains: list, k: int) -> None:
    assume(any(gains))
    (view,) = make_views([true], [code], k=[k], gain_qn=[gains])
    wanted = oracles.expected(code, lambda order: oracles.mrr_at(order, gains, k))
    assert _one(MRR(), view) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("exponential", [False, True])
@given(true=SCORES, code=SCORES, gains=GAINS, k=st.integers(1, N))
def test_ndcg(make_views: MakeViews, exponential: bool, true: list, code: list, gains: list, k: int) -> None:
    assume(any(gains))
    (view,) = make_views([true], [code], k=[k], gain_qn=[gains])
    metric = NDCG(gain="exponential" if exponential else "linear")
    wanted = oracles.expected(code, lambda order: oracles.ndcg_at(order, gains, k, exponential=exponential))
    assert _one(metric, view) == pytest.approx(wanted, abs=1e-12)


@given(true=SCORES, code=SCORES, gains=GAINS, k=st.integers(1, N))
def test_recall_by_judgements(make_views: MakeViews, true: list, code: list, gains: list, k: int) -> None:
    assume(any(gains))
    (view,) = make_views([true], [code], k=[k], gain_qn=[gains])
    wanted = oracles.expected(code, lambda order: oracles.judged_recall_at(order, gains, k))
    assert _one(JudgedRecall(), view) == pytest.approx(wanted, abs=1e-12)


@given(true=SCORES, code=SCORES, gains=GAINS, k=st.integers(1, 3), oversample=st.integers(1, 3))
def test_after_rescoring(make_views: MakeViews, true: list, code: list, gains: list, k: int, oversample: int) -> None:
    """The candidates are the list's first rows; equal true scores stand in any order."""
    assume(any(gains))
    (view,) = make_views([true], [code], k=[k], oversample=[oversample], gain_qn=[gains])
    candidates, _, _ = oracles.top(code, min(N, k * oversample))
    rescored = [true[row] if row in candidates else -1 for row in range(N)]
    wanted = oracles.expected(rescored, lambda order: oracles.ndcg_at(order, gains, k))
    assert _one(NDCG(), view) == pytest.approx(wanted, abs=1e-12)
    wanted = oracles.expected(rescored, lambda order: oracles.mrr_at(order, gains, k))
    assert _one(MRR(), view) == pytest.approx(wanted, abs=1e-12)
    wanted = oracles.expected(rescored, lambda order: oracles.judged_recall_at(order, gains, k))
    assert _one(JudgedRecall(), view) == pytest.approx(wanted, abs=1e-12)


def test_a_relevant_document_far_below_the_list(make_views: MakeViews) -> None:
    """It is in no list that was fetched, yet in the ideal ranking."""
    true, code, gains = list(range(40)), list(range(40)), np.zeros(40)
    gains[[0, 38]] = 3, 1
    (view,) = make_views([true], [code], k=[5], gain_qn=[gains])
    assert _one(MRR(), view) == (0.5, 0.5, 0.5)
    wanted = (1 / np.log2(3)) / (3 + 1 / np.log2(3))
    assert _one(NDCG(), view) == pytest.approx((wanted, wanted, wanted), abs=1e-15)


def test_the_first_of_three_tied_documents_by_hand(make_views: MakeViews) -> None:
    """One relevant among three equal scores: rank 1, 2 or 3, each with probability 1/3."""
    (view,) = make_views([[3, 2, 1]], [[1, 1, 1]], k=[3], gain_qn=[[1, 0, 0]])
    assert MRR().measure(view).values_q[0] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)


def test_queries_without_a_judgement_are_undefined(make_views: MakeViews) -> None:
    rows = [[3, 2, 1], [1, 2, 3], [1, 2, 3]]
    (view,) = make_views(rows, rows, k=[2], gain_qn=[[1, 0, 0], [0, 0, 0], [1, 0, 0]])
    for metric in (MRR(), NDCG(), NDCG(gain="exponential")):
        np.testing.assert_array_equal(metric.measure(view).values_q, [1, np.nan, 0])
    np.testing.assert_array_equal(JudgedRecall().measure(view).values_q, [1, np.nan, 0])


def test_numbers_of_other_evaluators(make_views: MakeViews) -> None:
    names = sorted(FACT["judgements"])
    code = [FACT["run"].get(name, 0.1 - 0.01 * at) for at, name in enumerate(names)]
    gains = [FACT["judgements"][name] for name in names]
    (view,) = make_views([code], [code], k=[6], gain_qn=[gains])
    assert NDCG().measure(view).values_q[0] == pytest.approx(FACT["ndcg@6_linear"], abs=1e-12)
    exponential = NDCG(gain="exponential").measure(view).values_q[0]
    assert exponential == pytest.approx(FACT["ndcg@6_exponential"], abs=1e-12)
    assert MRR().measure(view).values_q[0] == FACT["reciprocal_rank"]
    for k in (1, 3):
        (view,) = make_views([code], [code], k=[k], gain_qn=[gains])
        assert JudgedRecall().measure(view).values_q[0] == pytest.approx(FACT[f"recall@{k}"], abs=1e-15)


def test_a_run_that_ends_before_k(make_views: MakeViews) -> None:
    """d7 and d8 are judged but not in the run: rows without gain fill the list, as trec_eval has it."""
    names = sorted(FACT["judgements"])
    code = [FACT["run"].get(name, -1.0) for name in names] + [0.5 - 0.01 * at for at in range(6)]
    gains = [FACT["judgements"][name] for name in names] + [0] * 6
    (view,) = make_views([code], [code], k=[10], gain_qn=[gains])
    assert NDCG().measure(view).values_q[0] == pytest.approx(FACT["ndcg@10_linear"], abs=1e-12)
    assert JudgedRecall().measure(view).values_q[0] == pytest.approx(FACT["recall@10"], abs=1e-15)
