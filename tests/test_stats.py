"""Intervals against scipy, a bootstrap and the rule of three."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from vqbench import stats

WIDE = {"lowest": -math.inf, "highest": math.inf}
VALUES = st.lists(st.floats(0, 1), min_size=2, max_size=40)


@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_values_does_not_matter(values: list[float], random) -> None:
    shuffled = random.sample(values, len(values))
    left, right = np.array(values), np.array(shuffled)
    assert stats.mean(left) == stats.mean(right) == math.fsum(values) / len(values)
    assert stats.mean_interval(left, lowest=0, highest=1) == stats.mean_interval(right, lowest=0, highest=1)
    base = 1 + left * left
    order = np.argsort(left, kind="stable")
    found, again = stats.ratio_interval(left, base), stats.ratio_interval(left[order], base[order])
    assert found == again


@pytest.mark.parametrize("n", [2, 3, 30, 1000])
def test_mean_interval_is_students(n: int) -> None:
    values = np.random.default_rng(n).normal(0.5, 0.2, n)
    wanted = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert stats.mean_interval(values, **WIDE) == pytest.approx((wanted.low, wanted.high), rel=1e-12)


def test_mean_interval_stays_in_the_range() -> None:
    values = np.array([0.0] + [1.0] * 19)
    low, high = stats.mean_interval(values, lowest=0, highest=1)
    free_low, free_high = stats.mean_interval(values, **WIDE)
    assert high == 1 < free_high
    assert low == free_low > 0
    assert stats.mean_interval(1 - values, lowest=0, highest=1) == pytest.approx((0, 1 - low), abs=1e-15)


@pytest.mark.parametrize(
    ("value", "n", "lowest", "highest", "wanted"),
    [
        (1.0, 300, 0, 1, (0.99, 1.0)),
        (0.0, 300, 0, 1, (0.0, 0.01)),
        (0.5, 30, 0, 1, (0.45, 0.55)),
        (1.0, 2, -1, 1, (-1.0, 1.0)),
        (0.0, 100, 0, math.inf, (0.0, math.inf)),
    ],
)
def test_rule_of_three_where_all_values_agree(
    value: float, n: int, lowest: float, highest: float, wanted: tuple
) -> None:
    found = stats.mean_interval(np.full(n, value), lowest=lowest, highest=highest)
    assert found == pytest.approx(wanted, abs=1e-15)


def test_rule_of_three_covers() -> None:
    """With 3 / n of all queries different, a sample of n without any is seen at most 5 % of the time."""
    for n in (10, 100, 10_000):
        assert (1 - 3 / n) ** n <= 0.05


@pytest.mark.parametrize("values", [[], [0.5]])
def test_too_few_values(values: list[float]) -> None:
    assert all(math.isnan(x) for x in stats.mean_interval(np.array(values), lowest=0, highest=1))
    assert all(math.isnan(x) for x in stats.ratio_interval(np.array(values), np.array(values)))
    assert math.isnan(stats.mean(np.array([])))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ratio_interval_is_a_bootstraps(seed: int) -> None:
    """400 paired queries, 4000 resamples: both ends agree to a tenth of the interval's width."""
    rng = np.random.default_rng(seed)
    base = rng.beta(2, 2, 400)
    values = base * rng.beta(8, 2, 400)
    ratio, low, high = stats.ratio_interval(values, base)
    assert ratio == pytest.approx(values.sum() / base.sum(), rel=1e-14)
    picked = rng.integers(0, 400, (4000, 400))
    resampled = values[picked].sum(axis=1) / base[picked].sum(axis=1)
    ends = np.quantile(resampled, [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(ends), abs=0.1 * (high - low))
    # Pairing matters: as independent means the interval would be far wider.
    assert high - low < 0.5 * (np.quantile(values[picked].mean(axis=1), 0.975) / base.mean() - ratio) * 2


def test_ratio_to_nothing_is_undefined() -> None:
    assert all(math.isnan(x) for x in stats.ratio_interval(np.zeros(5), np.zeros(5)))


def test_a_ratio_without_any_loss_is_not_certain() -> None:
    """Ten queries that all keep everything do not prove that every query does."""
    values = np.array([0.2, 0.4, 0.6, 0.8, 1.0] * 2)
    ratio, low, _ = stats.ratio_interval(values, values)
    assert ratio == 1
    assert low < 1
