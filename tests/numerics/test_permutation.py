"""Sign flips, Holm and letters against scipy, enumeration and hand-made cases."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from vqbench.numerics.stats.multiple import ALPHABET, holm, letters
from vqbench.numerics.stats.permutation import FLIPS, sign_flip


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
def test_few_differences_are_enumerated(values: list[int]) -> None:
    d = np.array(values) / 10
    sums = [abs(sum(s * v for s, v in zip(signs, values, strict=True))) for signs in product((1, -1), repeat=len(d))]
    assert sign_flip(d[:, None])[0] == pytest.approx(np.mean(np.array(sums) >= abs(sum(values))))
    below = [sum(s * v for s, v in zip(signs, values, strict=True)) for signs in product((1, -1), repeat=len(d))]
    assert sign_flip(d[:, None], two_sided=False)[0] == pytest.approx(np.mean(np.array(below) <= sum(values)))


def test_many_differences_agree_with_scipy() -> None:
    """scipy draws its own signs: two estimates of p from 9,999 draws each differ by at most 4 standard errors."""
    rng = np.random.default_rng(2)
    d_nm = np.stack([rng.normal(shift, 1, 80) for shift in (0.0, 0.1, 0.2, 0.3)], axis=1)
    for p, d in zip(sign_flip(d_nm), d_nm.T, strict=True):
        wanted = scipy_stats.permutation_test(
            (d,), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(3)
        ).pvalue
        assert p == pytest.approx(wanted, abs=4 * np.sqrt(2 * wanted * (1 - wanted) / 9999) + 2e-4)


def test_columns_are_tested_by_themselves_and_in_any_order() -> None:
    rng = np.random.default_rng(4)
    d_nm = np.round(rng.normal(0.02, 0.1, (200, 5)), 1)
    together = sign_flip(d_nm)
    assert together.tolist() == [sign_flip(d_nm[:, [at]])[0] for at in range(5)]
    assert sign_flip(-d_nm).tolist() == sign_flip(d_nm[::-1]).tolist() == together.tolist()
    assert sign_flip(np.zeros((50, 2))).tolist() == [1.0, 1.0]
    constant = sign_flip(np.full((50, 1), 0.1))[0]
    assert constant == 1e-12, "no assignment but the one seen, and its mirror, goes as far"


def test_beyond_the_draws_students_tail_counts() -> None:
    """Or a loss of any size could pass, once its p is corrected for hundreds of comparisons."""
    d = np.random.default_rng(6).normal(-0.05, 0.1, 100)
    assert sign_flip(d[:, None])[0] == pytest.approx(scipy_stats.ttest_1samp(d, 0).pvalue, rel=1e-6)
    assert sign_flip(d[:, None])[0] < 1 / (FLIPS + 1)
    assert sign_flip(d[:, None], two_sided=False)[0] == pytest.approx(
        scipy_stats.ttest_1samp(d, 0, alternative="less").pvalue, rel=1e-6
    )
    few = np.zeros(500)
    few[:16] = -0.1
    assert sign_flip(few[:, None])[0] >= 2 * 0.5**16, "no less than signs of 16 differences can say"


@pytest.mark.slow
def test_p_is_uniform_where_nothing_differs() -> None:
    """Of 1,000 samples of symmetric differences about 5 % have p <= .05 (4 standard errors: .028)."""
    rng = np.random.default_rng(5)
    p_m = sign_flip(rng.normal(size=(300, 1000)))
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p_m <= level) == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 1000))
    tied_m = sign_flip(rng.choice([-0.1, 0, 0.1], p=[0.2, 0.6, 0.2], size=(300, 1000)))
    assert np.mean(tied_m <= 0.05) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 1000), "sums that tie count as reached"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_scipys_closed_form(p: list[float]) -> None:
    """Step by step, as Holm wrote it: the smallest p times m, the next times m - 1, and never less than before."""
    order, worst = sorted(range(len(p)), key=lambda at: p[at]), 0.0
    wanted = [0.0] * len(p)
    for step, at in enumerate(order):
        worst = max(worst, (len(p) - step) * p[at])
        wanted[at] = min(1.0, worst)
    assert holm(np.array(p)) == pytest.approx(wanted)
    with_unknown = holm(np.array([*p, np.nan]))
    assert np.isnan(with_unknown[-1])
    assert with_unknown[:-1] == pytest.approx(wanted)


@given(st.integers(2, 8), st.randoms(use_true_random=False))
def test_letters_are_shared_exactly_by_what_is_not_apart(m: int, random) -> None:
    apart = np.zeros((m, m), dtype=bool)
    for left, right in combinations(range(m), 2):
        apart[left, right] = random.random() < 0.4
    found = letters(apart, list(range(m)))
    assert found[0].startswith("a")
    for left, right in combinations(range(m), 2):
        assert bool(set(found[left]) & set(found[right])) == (not apart[left, right])


def test_letters_by_hand() -> None:
    apart = np.zeros((4, 4), dtype=bool)
    apart[0, 2] = apart[0, 3] = apart[1, 3] = True
    assert letters(apart, [0, 1, 2, 3]) == ["a", "ab", "bc", "c"]
    assert letters(np.zeros((3, 3), dtype=bool), [2, 0, 1]) == ["a", "a", "a"]
    crowd = ~np.eye(len(ALPHABET) + 1, dtype=bool)
    assert set(letters(crowd, range(len(ALPHABET) + 1))) == {""}
