"""Distributions against scipy.stats, which is too slow to import for every run, and what a run may import."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from vqbench.metrics.correlation import _mid_ranks  # pyright: ignore[reportPrivateUsage]
from vqbench.metrics.overlap import _chances, _none  # pyright: ignore[reportPrivateUsage]
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


@given(st.integers(1, 200), st.data())
def test_chances_of_torn_documents_are_hypergeometric(tied: int, data: st.DataObject) -> None:
    torn, room = (data.draw(st.integers(1, tied)) for _ in range(2))
    found = np.arange(max(0, room - (tied - torn)), min(torn, room) + 1)
    expected = stats.hypergeom.pmf(found, tied, torn, room)
    assert _chances(found, tied, torn, room) == pytest.approx(expected, rel=1e-9, abs=1e-13)
    none = _none(np.array([tied, 0]), np.array([torn, 0]), np.array([room, 0]))
    assert none == pytest.approx([float(stats.hypergeom.pmf(0, tied, torn, room)), 1], rel=1e-9, abs=1e-300)


@given(st.lists(st.lists(st.integers(0, 5), min_size=7, max_size=7), min_size=1, max_size=4))
def test_mid_ranks_are_scipys(rows: list[list[int]]) -> None:
    x_qr = np.array(rows, dtype=np.float64)
    np.testing.assert_array_equal(_mid_ranks(x_qr), stats.rankdata(x_qr, axis=1))


def test_a_run_imports_nothing_slow_that_it_does_not_need() -> None:
    """scipy.stats alone takes half a second and 50 MB; figures, faiss and pages wait until they are asked for."""
    slow = ("scipy.stats", "scipy.optimize", "scipy.linalg", "matplotlib", "seaborn", "jinja2", "faiss")
    modules = "sys, vqbench.results.assemble, vqbench.cli.screens.summary"
    code = f"import {modules}; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
