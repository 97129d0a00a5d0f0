"""What holds for every metric: float search scores perfectly, values stay in the declared range."""

from __future__ import annotations

import inspect
import pkgutil
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from conftest import MakeViews
from hypothesis import given
from hypothesis import strategies as st

import vqbench
import vqbench.metrics
from vqbench.metrics.base import Metric, QueryMetric, RowMetric
from vqbench.quantizers.cast import Cast


def _metrics() -> list[Metric]:
    """One of every concrete metric there is, found in the package's folder."""
    found = []
    for module in pkgutil.iter_modules(vqbench.metrics.__path__, "vqbench.metrics."):
        for _, kind in inspect.getmembers(import_module(module.name), inspect.isclass):
            if issubclass(kind, Metric) and not inspect.isabstract(kind) and kind.__module__ == module.name:
                found.append(kind())
    return found


ALL = [metric for metric in _metrics() if type(metric) not in (Metric, QueryMetric, RowMetric)]
QUERY = [metric for metric in ALL if isinstance(metric, QueryMetric)]


def test_every_metric_declares_itself() -> None:
    assert {metric.name for metric in ALL} >= {
        "overlap", "top1", "worst", "rbo", "kendall", "spearman", "ndcg", "mrr", "regret",
        "mse", "cosine_error", "clipped",
    }  # fmt: skip
    assert len({metric.name for metric in ALL}) == len(ALL)
    for metric in ALL:
        assert metric.label
        assert metric.unit
        assert metric.lowest < metric.highest
        assert isinstance(metric.higher_is_better, bool)
        assert (type(metric).__doc__ or "").strip(), f"{metric.name} has no docstring"


@pytest.mark.slow
@pytest.mark.parametrize("metric", QUERY, ids=lambda metric: metric.name)
@given(
    true=st.lists(st.integers(0, 3), min_size=9, max_size=9),
    code=st.lists(st.integers(0, 3), min_size=9, max_size=9),
    gains=st.lists(st.integers(0, 3), min_size=9, max_size=9),
    k=st.integers(1, 9),
    oversample=st.integers(0, 3),
)
def test_values_stay_in_the_declared_range(
    make_views: MakeViews, metric: QueryMetric, true: list, code: list, gains: list, k: int, oversample: int
) -> None:
    """Exactly, not up to rounding; and low <= value <= high."""
    true_n, code_n = np.array(true) / 3, np.array(code) / 3
    (view,) = make_views([true_n], [code_n], k=[k], oversample=[oversample], gain_qn=[gains])
    found = metric.measure(view)
    value = found.values_q[0]
    if np.isnan(value):
        return
    low = metric.lowest if found.low_q is None else found.low_q[0]
    high = metric.highest if found.high_q is None else found.high_q[0]
    assert metric.lowest <= low <= value <= high <= metric.highest


def _perfect(metric: Metric) -> float:
    return 1.0 if metric.higher_is_better else 0.0


@pytest.mark.parametrize("metric", QUERY, ids=lambda metric: metric.name)
@pytest.mark.parametrize("levels", [1, 2, 5, 1000])
@pytest.mark.parametrize("own", [False, True])
def test_the_true_ranking_is_exactly_perfect(
    make_views: MakeViews, metric: QueryMetric, levels: int, own: bool
) -> None:
    """Also with duplicates by the dozen, at every k and oversample factor, self queries or not.

    The judgements follow the true scores. A judged metric must be float search's own to the bit, and
    perfect up to the rounding of its sums of discounts.
    """
    rng = np.random.default_rng(levels)
    true_qn = rng.integers(0, levels, (8, 60)) / 7
    views = make_views(
        true_qn, true_qn, k=[1, 3, 10, 59], oversample=[0, 1, 2, 60], gain_qn=np.round(7 * true_qn),
        exclude_q=range(8) if own else None, priority_n=rng.permutation(60),
    )  # fmt: skip
    for view in views:
        if view.oversample and not metric.rescored:
            continue
        values_q = metric.measure(view).values_q
        if metric.judged:
            floats_q = metric.measure(replace(view, final=view.truth)).values_q
            np.testing.assert_array_equal(values_q, floats_q)
        if metric.name == "judged_recall":  # there may be more relevant documents than places
            continue
        values_q = values_q[np.isfinite(values_q)]
        tolerance = 1e-15 if metric.judged else 0
        assert (np.abs(values_q - _perfect(metric)) <= tolerance).all(), (view.k, view.oversample, values_q)
        if levels == 1000 and view.k > 1:
            assert len(values_q) == (0 if metric.bounded else 8)  # no code here states a bound


@pytest.mark.parametrize(
    ("dtype", "similarity", "normalize"),
    [("float32", "decoded", True), ("float64", "decoded", False), ("float32", "symmetric", True)],
)
def test_float_codes_are_exactly_perfect(tied_rows: np.ndarray, dtype: str, similarity: str, normalize: bool) -> None:
    """The whole pipeline on rows of which most have copies, self queries and others."""
    rng = np.random.default_rng(0)
    copies_nd = np.tile(rng.standard_normal((12, 13)).astype(np.float32), (9, 1))
    for corpus_nd, queries_qd in ((tied_rows, None), (copies_nd, None), (copies_nd, copies_nd[:20] + 1)):
        table = vqbench.evaluate(
            corpus_nd, queries_qd, k=[1, 10, 40], oversample=[0, 1, 3], normalize=normalize, metrics=ALL,
            variants={"float": vqbench.Variant(quantizer=Cast(dtype=dtype), similarity=similarity)},
        ).set_index("metric")  # fmt: skip
        for metric in ALL:
            if isinstance(metric, QueryMetric) and (metric.judged or metric.bounded):
                continue
            values = table.loc[[metric.name], "value"]
            assert (values == _perfect(metric)).all(), (metric.name, values.tolist())
