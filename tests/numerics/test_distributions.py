"""Distributions against scipy.stats, which is too slow to import for every run, and what a run may import."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from vqbench.numerics.stats.distributions import (
    mid_binomial,
    normal_below,
    normal_quantile,
    root,
    t_below,
    t_quantile,
)

SHARES = st.floats(1e-6, 1 - 1e-6)


@given(SHARES, st.integers(1, 100_000))
def test_students_quantiles_are_scipys(p: float, free: int) -> None:
    assert t_quantile(p, free) == pytest.approx(float(stats.t.ppf(p, free)), rel=1e-12, abs=1e-12)


@given(st.floats(-40, 40), st.integers(1, 100_000))
def test_students_tails_are_scipys(t: float, free: int) -> None:
    assert t_below(t, free) == pytest.approx(float(stats.t.cdf(t, free)), rel=1e-12, abs=0)
    assert t_below(-t, free) == pytest.approx(float(stats.t.sf(t, free)), rel=1e-12, abs=0)


@given(SHARES, st.floats(-30, 30))
def test_the_normal_is_scipys(p: float, z: float) -> None:
    assert normal_quantile(p) == pytest.approx(float(stats.norm.ppf(p)), rel=1e-12, abs=1e-12)
    assert normal_below(z) == pytest.approx(float(stats.norm.cdf(z)), rel=1e-12, abs=0)


@given(st.integers(1, 100_000), st.data(), SHARES)
def test_half_the_step_of_the_binomial_counts(n: int, data: st.DataObject, share: float) -> None:
    count = data.draw(st.integers(1, max(1, n - 1)))
    expected = stats.binom.cdf(count - 1, n, share) + stats.binom.pmf(count, n, share) / 2
    assert mid_binomial(count, n, share) == pytest.approx(float(expected), rel=1e-9, abs=1e-15)


@given(st.floats(1e-12, 3), st.floats(0.1, 5), st.sampled_from([-1.0, 1.0]))
def test_a_root_is_found_to_the_last_bit(wanted: float, power: float, sign: float) -> None:
    def function(x: float) -> float:
        return sign * (x**power - wanted**power)

    found, high = root(function, 0, 4), float(optimize.brentq(function, 0, 4, xtol=1e-15))
    assert found == pytest.approx(wanted, rel=1e-12)
    assert found == pytest.approx(high, abs=1e-12)
    around = [function(math.nextafter(found, end)) for end in (-1, 5)]
    assert min(around) <= 0 <= max(around)


def test_a_run_imports_nothing_slow_that_it_does_not_need() -> None:
    """scipy.stats alone takes half a second and 50 MB; figures, faiss and pages wait until they are asked for."""
    slow = ("scipy.stats", "scipy.optimize", "scipy.linalg", "matplotlib", "seaborn", "jinja2", "faiss")
    modules = "sys, vqbench.results.assemble, vqbench.cli.screens.summary"
    code = f"import {modules}; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
