"""Paired differences, seeds and groups against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from vqbench.numerics.stats.groups import Groups
from vqbench.numerics.stats.intervals import mean_interval, studentised
from vqbench.numerics.stats.paired import differences, p_values
from vqbench.numerics.stats.seeds import SeedSpread, mean_over_seeds, ratio_over_seeds

RNG = np.random.default_rng


def test_of_normal_differences_it_says_what_a_paired_t_test_says() -> None:
    """2,000 resamples place each end within 4 * .04 of the half width."""
    d = RNG(1).normal(0.02, 0.1, 400)
    (found,) = differences([d[None]], reach=1)
    wanted = scipy_stats.ttest_1samp(d, 0)
    ends, inner = (wanted.confidence_interval(level) for level in (0.95, 0.90))
    half = (ends.high - ends.low) / 2
    assert found.mean == pytest.approx(d.mean(), rel=1e-12)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), abs=0.16 * half)
    assert (found.low90, found.high90) == pytest.approx((inner.low, inner.high), abs=0.16 * half)
    assert found.p == pytest.approx(wanted.pvalue, abs=4 * math.sqrt(wanted.pvalue / 9999) + 2e-4)
    assert found.low == studentised(d[:, None], (0.95,))[0][0, 0]


def test_detectable_is_the_difference_that_a_t_test_finds_four_times_in_five() -> None:
    """By the noncentral t distribution, which is exact for normal differences."""
    d = RNG(2).normal(0, 0.1, 250)
    (found,) = differences([d[None]], reach=1)
    error = d.std(ddof=1) / math.sqrt(250)
    limit = scipy_stats.t.ppf(0.975, 249)
    assert scipy_stats.nct.sf(limit, 249, found.detectable / error) == pytest.approx(0.8, abs=0.005)


def test_equivalence_is_two_one_sided_tests() -> None:
    """At the margin itself it is claimed 5 % of the time; 600 samples have a standard error of .009."""
    rng = RNG(3)
    found = differences([rng.normal(0.01, 0.05, 200)[None] for _ in range(600)], reach=1)
    assert np.mean([each.within(0.01) for each in found]) == pytest.approx(0.05, abs=0.036)
    near = differences([rng.normal(0, 0.01, 200)[None]], reach=1)[0]
    assert near.within(0.01)
    assert not near.within(0.0005)


def test_no_difference_at_all_is_not_certain_either() -> None:
    (found,) = differences([np.zeros((1, 300))], reach=1)
    assert (found.mean, found.p) == (0, 1)
    assert found.detectable == pytest.approx(7.91 / 300)
    assert (found.low, found.high) == pytest.approx((-0.01, 0.01))
    assert not found.within(0.01)
    assert differences([np.zeros((1, 301))], reach=1)[0].within(0.01)


def test_it_takes_six_losers_to_see_a_difference() -> None:
    """7.91 expected losers are 6 or more four times in five, and 6 of one sign are the fewest with p < 5 %."""
    assert scipy_stats.poisson.sf(5, 7.91) == pytest.approx(0.8, abs=0.0005)
    for losers, significant in ((5, False), (6, True)):
        d = np.zeros(300)
        d[:losers] = -1.0
        (found,) = differences([d[None]], reach=1)
        assert (found.p <= 0.05) == significant
        assert found.detectable >= 7.91 / 300


def test_few_that_differ_on_one_side_leave_room_for_the_other() -> None:
    d = np.zeros(200)
    d[:3] = -0.1
    (found,) = differences([d[None]], reach=1)
    losses = mean_interval(1 + d, lowest=0, highest=1)
    assert found.low == pytest.approx(losses[0] - 1)
    assert found.high == pytest.approx(d.mean() + math.hypot(losses[1] - 1 - d.mean(), 3 / 200 * 0.1))
    (mirrored,) = differences([-d[None]], reach=1)
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


@given(st.lists(st.sampled_from([-0.2, -0.1, 0.0, 0.0, 0.0, 0.1, 0.3]), min_size=2, max_size=60), st.booleans())
def test_order_and_sign_do_not_matter(values: list[float], grouped: bool) -> None:
    d = np.array(values)
    names = [str(at % 5) for at in range(len(d))] if grouped and len(d) > 5 else None
    groups, order = (None if names is None else Groups.of(names)), np.argsort(np.arange(len(d)) * 7 % (len(d) + 1))
    again = None if names is None else Groups.of([names[at] for at in order])
    (found,) = differences([d[None]], reach=1, groups=groups)
    (shuffled,) = differences([d[order][None]], reach=1, groups=again)
    (flipped,) = differences([-d[None]], reach=1, groups=groups)
    assert shuffled.mean == found.mean == -flipped.mean
    assert (shuffled.low, shuffled.high) == pytest.approx((found.low, found.high), abs=1e-12)
    assert found.low <= found.mean + 1e-12
    assert found.mean <= found.high + 1e-12
    if groups is None:
        assert flipped.p == found.p


def test_undefined_queries_are_left_out() -> None:
    d = RNG(4).normal(0, 0.1, (1, 60))
    with_gaps = np.concatenate([d, np.full((1, 5), np.nan)], axis=1)
    assert differences([with_gaps], reach=1) == differences([d], reach=1)


def test_seeds_add_what_student_says_of_their_means() -> None:
    """Deterministic queries: the whole spread is that of the seeds, with Student's interval over 5 of them."""
    offsets = np.array([0.01, -0.02, 0.0, 0.03, -0.01])
    values_sq = 0.5 + offsets[:, None] + np.zeros((5, 40))
    centre, low, high = mean_over_seeds(values_sq, lowest=0, highest=1)
    wanted = scipy_stats.ttest_1samp(0.5 + offsets, 0).confidence_interval(0.95)
    queries = mean_interval(np.full(40, centre), lowest=0, highest=1)
    assert centre == pytest.approx(0.5 + offsets.mean())
    assert low == pytest.approx(centre - math.hypot(centre - queries[0], centre - wanted.low))
    assert high == pytest.approx(centre + math.hypot(queries[1] - centre, wanted.high - centre))
    assert SeedSpread.of(values_sq).variance == pytest.approx(offsets.var(ddof=1) / 5)


def test_seeds_that_change_nothing_change_no_interval() -> None:
    values_q = RNG(5).beta(5, 4, 100)
    same_sq = np.stack([values_q] * 4)
    assert mean_over_seeds(same_sq, lowest=0, highest=1)[1:] == mean_interval(values_q, lowest=0, highest=1)
    assert SeedSpread.of(values_q[None]).variance == 0
    base_q = np.ones(100)
    ratio, low, high = ratio_over_seeds(same_sq, base_q)
    assert low < ratio < high


def test_with_seeds_p_and_interval_agree() -> None:
    """The interval's end touches 0 just where p is 5 % (where Student, not the sign flips, decides)."""
    rng = RNG(6)
    noise = rng.normal(0, 0.02, (4, 1)) + rng.normal(0, 0.1, (4, 300))
    for shift in np.linspace(0, 0.08, 9):
        (found,) = differences([noise + shift], reach=10)
        if abs(found.p - 0.05) > 0.01:
            assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
    one, other = p_values([noise - 0.2], two_sided=False)[0], p_values([noise + 0.2], two_sided=False)[0]
    assert one < 0.05 < 0.95 < other


def test_groups_of_one_change_nothing() -> None:
    values_q = RNG(7).beta(2, 3, 60)
    alone = Groups.of([f"{at:03}" for at in range(60)])
    free = mean_interval(values_q, lowest=0, highest=1)
    assert mean_interval(values_q, lowest=0, highest=1, groups=alone) == pytest.approx(free, rel=1e-12)


def test_equal_queries_of_a_group_count_once() -> None:
    """Each value ten times over: the interval of the 40 groups, not of 400 queries."""
    values_g = RNG(8).beta(2, 3, 40)
    groups = Groups.of(np.repeat([f"{at:02}" for at in range(40)], 10))
    found = mean_interval(np.repeat(values_g, 10), lowest=0, highest=1, groups=groups)
    assert found == pytest.approx(mean_interval(values_g, lowest=0, highest=1), rel=1e-9)
    lossless = mean_interval(np.ones(400), lowest=0, highest=1, groups=groups)
    assert lossless == pytest.approx((1 - 3 / 40, 1))
    (found,) = differences([np.repeat(values_g - values_g.mean() + 0.1, 10)[None]], reach=1, groups=groups)
    (plain,) = differences([(values_g - values_g.mean() + 0.1)[None]], reach=1)
    assert (found.mean, found.low, found.high, found.p) == pytest.approx((plain.mean, plain.low, plain.high, plain.p))
    assert (found.n, plain.n) == (400, 40)


def test_groups_of_different_sizes_weigh_by_size() -> None:
    """The jackknife of the ratio, by leaving each group out in a loop."""
    values_q = np.array([1.0, 0.0, 0.5, 0.5, 0.2, 1.0, 0.9, 0.8, 0.1])
    names = list("aabbbcdde")
    groups, centre = Groups.of(names), values_q.mean()
    without = [np.mean([v for v, name in zip(values_q, names, strict=True) if name != g]) for g in "abcde"]
    error = math.sqrt(4 / 5 * sum((x - np.mean(without)) ** 2 for x in without))
    low, high = mean_interval(values_q, lowest=-9, highest=9, groups=groups)
    assert (high - low) / 2 == pytest.approx(scipy_stats.t.ppf(0.975, 4) * error)
    assert (high + low) / 2 == pytest.approx(centre)
    assert groups.largest == pytest.approx(3 * 5 / 9)


def test_differences_of_several_metrics_at_once_are_those_one_by_one() -> None:
    """Each column with a reach of its own: the same numbers to the bit."""
    rng = np.random.default_rng(4)
    columns = [rng.normal(0, 0.3, 80)[None], np.zeros((1, 80)), np.where(np.arange(80) < 3, -0.5, 0)[None],
               rng.normal(0.1, 0.2, 50)[None]]  # fmt: skip
    reaches = [1.0, 2.0, 0.5, 1.0]
    together = differences(columns, reach=reaches)
    alone = [differences([d], reach=reach)[0] for d, reach in zip(columns, reaches, strict=True)]
    assert together == alone
    assert [each.high for each in together][1] == 2.0 * 3 / 80
