"""RBO, Kendall, Spearman and regret against plain definitions, scipy and published numbers."""

from __future__ import annotations

import csv
import json
import re
from statistics import fmean

import numpy as np
import oracles
import pytest
from conftest import MakeViews
from hypothesis import given
from hypothesis import strategies as st
from places import FACTS
from scipy import stats

from vqbench.errors import VqbenchError
from vqbench.metrics.base import QueryMetric, View
from vqbench.metrics.correlation import Kendall, Spearman, _mid_ranks  # pyright: ignore[reportPrivateUsage]
from vqbench.metrics.judged import MRR, NDCG
from vqbench.metrics.overlap import Overlap, Top1
from vqbench.metrics.rbo import RBO
from vqbench.metrics.regret import Regret

N = 6
SCORES = st.lists(st.integers(0, 3), min_size=N, max_size=N)
RANKS = json.loads((FACTS / "rank_metrics.json").read_text("utf-8"))
with (FACTS / "rbo_ties.csv").open(encoding="utf-8", newline="") as _file:
    TIED = list(csv.DictReader(_file))


def _view_of_lists(make_views: MakeViews, true: list[list[str]], code: list[list[str]]) -> View:
    """Two rankings as groups of tied items: what a list does not hold stands below it, untied to others."""
    items = sorted({item for groups in (*true, *code) for item in groups})
    k = sum(len(group) for group in true)
    scores = []
    for groups in (true, code):
        level = {item: -at for at, group in enumerate(groups) for item in group}
        scores.append([level.get(item, -1000 - at) for at, item in enumerate(items)])
    return make_views([scores[0]], [scores[1]], k=[k])[0]


@given(true=SCORES, code=SCORES, k=st.integers(1, N), p=st.sampled_from([0.5, 0.9, 0.98]))
def test_rbo_is_the_mean_over_tie_breakings(make_views: MakeViews, true: list, code: list, k: int, p: float) -> None:
    (view,) = make_views([true], [code], k=[k])
    wanted, _, _ = oracles.expected(code, lambda order: oracles.rbo_at(order, true, k, p))
    assert RBO(p=p).measure(view).values_q[0] == pytest.approx(wanted, abs=1e-12)


@given(true=SCORES, code=SCORES, k=st.integers(1, 3), oversample=st.integers(1, 3))
def test_rbo_after_rescoring(make_views: MakeViews, true: list, code: list, k: int, oversample: int) -> None:
    """The candidates are the list's first; among equal true scores every order is as likely."""
    (view,) = make_views([true], [code], k=[k], oversample=[oversample])
    candidates, _, _ = oracles.top(code, min(N, k * oversample))
    rescored = [true[row] if row in candidates else -1 for row in range(N)]
    wanted, _, _ = oracles.expected(rescored, lambda order: oracles.rbo_at(order, true, k, 0.9))
    assert RBO().measure(view).values_q[0] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("fact", RANKS["rbo"], ids=lambda fact: fact["name"])
def test_rbo_of_published_lists(make_views: MakeViews, fact: dict) -> None:
    view = _view_of_lists(make_views, list(fact["S"]), list(fact["T"]))
    for p, value in fact["rbo_ext"].items():
        assert RBO(p=float(p)).measure(view).values_q[0] == pytest.approx(value, abs=1e-9)


def _groups(ranking: str) -> list[list[str]]:
    return [part.strip("()").split() for part in re.findall(r"\([^)]*\)|\S+", ranking)]


@pytest.mark.parametrize("fact", TIED, ids=[str(at) for at in range(len(TIED))])
def test_rbo_variant_a_of_corsi_and_urbano(make_views: MakeViews, fact: dict) -> None:
    """Their value averages over the ties of both lists; ours over the code's, so x is enumerated here."""
    x = _groups(fact["x"])
    flat = [item for group in x for item in group]
    level = [-at for at, group in enumerate(x) for _ in group]
    values = []
    for order in oracles.orders(level):
        view = _view_of_lists(make_views, [[flat[at]] for at in order], _groups(fact["y"]))
        values.append(RBO(p=float(fact["p"])).measure(view).values_q[0])
    assert fmean(values) == pytest.approx(float(fact["rbo_a_ext"]), abs=1e-9)


@pytest.mark.parametrize("p", [0, 1, -0.5, 2, float("nan")])
def test_rbo_refuses_p_out_of_range(p: float) -> None:
    with pytest.raises(VqbenchError, match="p = "):
        RBO(p=p)


@pytest.mark.parametrize("k", [2, 5, 40])
def test_correlations_are_scipys(make_views: MakeViews, k: int) -> None:
    """Per query over the true top k and all that tie with its end, code scores tied or not."""
    rng = np.random.default_rng(k)
    true_qn = rng.integers(0, 30, (25, 60)).astype(float)
    code_qn = np.where(rng.random((25, 1)) < 0.5, true_qn, 0) + rng.integers(0, 6, (25, 60))
    (view,) = make_views(true_qn, code_qn, k=[k])
    found = Kendall().measure(view).values_q, Spearman().measure(view).values_q
    sizes = set()
    for query in range(25):
        top = sorted(oracles.relevant(true_qn[query], k))
        sizes.add(len(top))
        true, code = true_qn[query][top], code_qn[query][top]
        if len(set(true)) == 1:
            assert np.isnan(found[0][query])
            assert np.isnan(found[1][query])
            continue
        wanted = (0.0, 0.0)
        if len(set(code)) > 1:
            wanted = stats.kendalltau(true, code).statistic, stats.spearmanr(true, code).statistic
        assert (found[0][query], found[1][query]) == pytest.approx(wanted, abs=1e-12)
    assert len(sizes) > 2


@pytest.mark.parametrize("fact", RANKS["tau"], ids=str)
def test_correlations_of_facts(make_views: MakeViews, fact: dict) -> None:
    (view,) = make_views([fact["x"]], [fact["y"]], k=[len(fact["x"])])
    assert Kendall().measure(view).values_q[0] == pytest.approx(fact["tau_b"], abs=1e-12)
    assert Spearman().measure(view).values_q[0] == pytest.approx(fact["spearman"], abs=1e-12)


def test_correlations_where_they_are_undefined(make_views: MakeViews) -> None:
    """All true scores equal: undefined. Only the code's equal: 0. One document: undefined."""
    true_qn, code_qn = [[3, 3, 3, 1], [4, 3, 2, 1], [4, 3, 2, 1]], [[1, 2, 3, 4], [5, 5, 5, 5], [4, 3, 2, 1]]
    (view,) = make_views(true_qn, code_qn, k=[3])
    for metric in (Kendall(), Spearman()):
        np.testing.assert_array_equal(metric.measure(view).values_q, [np.nan, 0, 1])
    (view,) = make_views(true_qn[1:], code_qn[1:], k=[1])
    for metric in (Kendall(), Spearman()):
        np.testing.assert_array_equal(metric.measure(view).values_q, [np.nan, np.nan])


def test_correlations_of_long_lists(make_views: MakeViews) -> None:
    """Beyond the size at which all pairs are compared at once: the same definition."""
    rng = np.random.default_rng(1)
    true_qn = np.concatenate([rng.integers(0, 400, (2, 700)), np.zeros((1, 700))]).astype(float)
    code_qn = true_qn + rng.integers(0, 200, true_qn.shape)
    (view,) = make_views(true_qn, code_qn, k=[600])
    values_q = Kendall().measure(view).values_q
    for query in (0, 1):
        top = sorted(oracles.relevant(true_qn[query], 600))
        wanted = stats.kendalltau(true_qn[query][top], code_qn[query][top]).statistic
        assert values_q[query] == pytest.approx(wanted, abs=1e-12)
    assert np.isnan(values_q[2])


@pytest.mark.parametrize("metric", [Kendall(), Spearman()], ids=lambda metric: metric.name)
@pytest.mark.parametrize("n", [100, 512, 513, 520, 600, 700, 1000])
def test_equal_rankings_correlate_exactly(make_views: MakeViews, metric: QueryMetric, n: int) -> None:
    rng = np.random.default_rng(n)
    true_qn = np.array([rng.permutation(n), rng.integers(0, 30, n), rng.integers(0, 400, n)])
    (view,) = make_views(true_qn, true_qn * 3 - 7, k=[n])
    assert metric.measure(view).values_q.tolist() == [1, 1, 1]


@given(true=SCORES, code=SCORES, k=st.integers(1, N))
def test_regret_is_the_mean_over_tie_breakings(make_views: MakeViews, true: list, code: list, k: int) -> None:
    """With every row fetched, so that no group of ties is cut."""
    view = make_views([true], [code], k=[k, N] if k < N else [k])[0]
    wanted, _, _ = oracles.expected(code, lambda order: oracles.regret_at(order, true, k))
    assert Regret().measure(view).values_q[0] == pytest.approx(wanted, abs=1e-12)


@given(true=SCORES, code=SCORES, k=st.integers(1, 3), oversample=st.integers(1, 4))
def test_regret_after_rescoring(make_views: MakeViews, true: list, code: list, k: int, oversample: int) -> None:
    (view,) = make_views([true], [code], k=[k], oversample=[oversample])
    candidates, _, _ = oracles.top(code, min(N, k * oversample))
    returned = sorted(candidates, key=lambda row: -true[row])
    wanted = oracles.regret_at(returned, true, k)
    assert Regret().measure(view).values_q[0] == pytest.approx(wanted, abs=1e-12)


METRICS = [Overlap(), Top1(), RBO(), Kendall(), Spearman(), Regret(), NDCG(), MRR()]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("oversample", [0, 1, 2])
def test_a_metric_does_not_depend_on_what_else_is_asked_for(
    make_views: MakeViews, metric: QueryMetric, oversample: int
) -> None:
    """That deeper ranks and more oversampling were asked for too changes nothing."""
    rng = np.random.default_rng(3)
    true_qn, code_qn, gain_qn = rng.random((8, 40)), rng.integers(0, 3, (8, 40)), rng.integers(0, 2, (8, 40))
    (alone,) = make_views(true_qn, code_qn, k=[4], oversample=[oversample], gain_qn=gain_qn)
    among = make_views(true_qn, code_qn, k=[4, 10], oversample=[oversample, 3], gain_qn=gain_qn)[0]
    assert (among.k, among.oversample) == (4, oversample)
    np.testing.assert_allclose(metric.measure(alone).values_q, metric.measure(among).values_q, atol=1e-12)


@given(st.lists(st.lists(st.integers(0, 5), min_size=7, max_size=7), min_size=1, max_size=4))
def test_mid_ranks_are_scipys(rows: list[list[int]]) -> None:
    x_qr = np.array(rows, dtype=np.float64)
    np.testing.assert_array_equal(_mid_ranks(x_qr), stats.rankdata(x_qr, axis=1))
