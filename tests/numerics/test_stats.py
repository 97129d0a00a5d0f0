"""Intervals against scipy, a bootstrap and the rule of three."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from vqbench.numerics.stats import intervals as stats
from vqbench.numerics.stats.few import mid_p
from vqbench.numerics.stats.groups import Groups

WIDE = {"lowest": -math.inf, "highest": math.inf}
VALUES = st.lists(st.floats(0, 1), min_size=2, max_size=40)


def _ratio(values: np.ndarray, base: np.ndarray) -> tuple[float, float, float]:
    return stats.intervals([stats.RatioSample(values, base)])[0]


@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_values_does_not_matter(values: list[float], random) -> None:
    shuffled = random.sample(values, len(values))
    left, right = np.array(values), np.array(shuffled)
    assert stats.mean(left) == stats.mean(right) == math.fsum(values) / len(values)
    assert stats.mean_interval(left, lowest=0, highest=1) == stats.mean_interval(right, lowest=0, highest=1)
    base = 1 + left * left
    order = np.argsort(left, kind="stable")
    found, again = _ratio(left, base), _ratio(left[order], base[order])
    assert found == again


@pytest.mark.parametrize("n", [2, 3, 9])
def test_a_handful_of_values_has_students_interval(n: int) -> None:
    values = np.random.default_rng(n).normal(0.5, 0.2, n)
    wanted = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert stats.mean_interval(values, **WIDE) == pytest.approx((wanted.low, wanted.high), rel=1e-12)


@pytest.mark.parametrize("n", [30, 1000])
def test_of_normal_values_the_bootstrap_says_what_student_says(n: int) -> None:
    """2,000 resamples place each end within 4 * .04 of the half width (the quantile's sampling error)."""
    values = np.random.default_rng(n).normal(0.5, 0.2, n)
    wanted = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    half = (wanted.high - wanted.low) / 2
    assert stats.mean_interval(values, **WIDE) == pytest.approx((wanted.low, wanted.high), abs=0.16 * half)


def test_the_bootstrap_against_a_loop_with_resamples_of_its_own() -> None:
    """Skewed values: the interval leans to the right, as a plain loop over 4,000 other resamples finds."""
    values = np.random.default_rng(5).gamma(0.3, 1.0, 120)
    rng, found = np.random.default_rng(6), []
    for _ in range(4000):
        drawn = values[rng.integers(0, 120, 120)]
        found.append((drawn.mean() - values.mean()) / (drawn.std(ddof=1) / math.sqrt(120)))
    low, high = np.quantile(found, [0.025, 0.975])
    error = values.std(ddof=1) / math.sqrt(120)
    wanted = (values.mean() - high * error, values.mean() - low * error)
    (got,) = np.column_stack(stats.studentised(values[:, None], (0.95,))).tolist()
    assert got == pytest.approx(wanted, abs=0.2 * error)
    assert got[1] - values.mean() > 1.1 * (values.mean() - got[0])


def test_mean_interval_stays_in_the_range() -> None:
    values = np.array([0.0, 0.2] * 3 + [1.0] * 3)
    low, high = stats.mean_interval(values, lowest=0.1, highest=0.6)
    free_low, free_high = stats.mean_interval(values, **WIDE)
    assert free_low < low == 0.1
    assert high == 0.6 < free_high


@given(st.integers(1, 14), st.integers(30, 3000))
def test_mid_p_is_where_half_the_first_term_leaves_a_fortieth(count: int, n: int) -> None:
    low, high = mid_p(count, n)
    pmf = scipy_stats.binom.pmf
    assert sum(pmf(np.arange(count), n, high)) + pmf(count, n, high) / 2 == pytest.approx(0.025, rel=1e-6)
    assert sum(pmf(np.arange(count), n, low)) + pmf(count, n, low) / 2 == pytest.approx(0.975, rel=1e-6)
    exact = scipy_stats.binomtest(count, n).proportion_ci(0.95, "exact")
    assert exact.low < low < count / n < high < exact.high


def test_few_that_lose_alike_have_the_interval_of_their_share() -> None:
    values = np.array([0.9] * 6 + [1.0] * 194)
    low, high = stats.mean_interval(values, lowest=0, highest=1)
    share = mid_p(6, 200)
    assert (low, high) == pytest.approx((1 - 0.1 * share[1], 1 - 0.1 * share[0]), rel=1e-12)
    mirrored = stats.mean_interval(1 - values, lowest=0, highest=1)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)
    apart = np.array([0.5, 0.98, 0.98, 0.98, 0.98, 0.98] + [1.0] * 194)
    wide = stats.mean_interval(apart, lowest=0, highest=1)
    assert (1 - wide[0]) / (1 - apart.mean()) > share[1] / 0.03, "sizes that scatter add to the doubt"


def test_one_that_loses_does_not_say_how_much_others_would() -> None:
    values = np.array([0.9] + [1.0] * 199)
    low, _ = stats.mean_interval(values, lowest=0, highest=1)
    assert 1 - low > 0.1 * mid_p(1, 200)[1]
    assert 1 - low <= mid_p(1, 200)[1] + 1e-12, "no more than if all that lose lost everything"
    _, high = stats.mean_interval(1 - values, lowest=0, highest=0.2)
    assert high <= 0.2 * mid_p(1, 200)[1] + 1e-12


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
    assert all(math.isnan(x) for x in _ratio(np.array(values), np.array(values)))
    assert math.isnan(stats.mean(np.array([])))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ratio_interval_is_a_bootstraps(seed: int) -> None:
    """400 paired queries, 4000 resamples: both ends agree to a tenth of the interval's width."""
    rng = np.random.default_rng(seed)
    base = rng.beta(2, 2, 400)
    values = base * rng.beta(8, 2, 400)
    ratio, low, high = _ratio(values, base)
    assert ratio == pytest.approx(values.sum() / base.sum(), rel=1e-14)
    picked = rng.integers(0, 400, (4000, 400))
    resampled = values[picked].sum(axis=1) / base[picked].sum(axis=1)
    ends = np.quantile(resampled, [0.025, 0.975])
    assert (low, high) == pytest.approx(tuple(ends), abs=0.1 * (high - low))
    # Pairing matters: as independent means the interval would be far wider.
    assert high - low < 0.5 * (np.quantile(values[picked].mean(axis=1), 0.975) / base.mean() - ratio) * 2


def test_ratio_to_nothing_is_undefined() -> None:
    assert all(math.isnan(x) for x in _ratio(np.zeros(5), np.zeros(5)))


def test_a_ratio_without_any_loss_is_not_certain() -> None:
    """Ten queries that all keep everything do not prove that every query does."""
    values = np.array([0.2, 0.4, 0.6, 0.8, 1.0] * 2)
    ratio, low, _ = _ratio(values, values)
    assert ratio == 1
    assert low < 1


def test_many_intervals_at_once_are_those_one_by_one() -> None:
    """Samples of several sizes, with and without groups, few and many that differ: the same numbers to the bit."""
    rng = np.random.default_rng(3)
    samples, ratios = [], []
    for at in range(stats._COLUMNS + 9):  # pyright: ignore[reportPrivateUsage]
        n = (40, 40, 60)[at % 3]
        groups = (None, Groups(np.arange(n) // 4, n // 4), Groups(np.minimum(np.arange(n) // 3, 9), 10))[at % 4 % 3]
        values = rng.random(n) if at % 5 else np.where(np.arange(n) < at % 3, 0.5, 1.0)
        samples.append(stats.Sample(values, 0, 1, groups))
        ratios.append(stats.RatioSample(values, np.ones(n) if at % 5 == 0 else rng.random(n) + 0.1, 1, groups))
    for many in (samples, ratios):
        assert stats.intervals(many) == [stats.intervals([each])[0] for each in many]
