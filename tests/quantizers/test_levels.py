"""The best levels of a normal: against exact values, Max's table and their own definition; rounded thresholds."""

from __future__ import annotations

import json
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from places import FACTS
from scipy.integrate import quad

from vqbench.quantizers.parts.levels import float32_thresholds, gaussian_levels, nearest_levels

EXACT = json.loads((FACTS / "lloyd_max.json").read_text("utf-8"))["bits"]
BITS = range(1, 9)
NORMAL = statistics.NormalDist()


@pytest.mark.parametrize("bits", BITS)
def test_levels_and_thresholds_of_a_normal_are_the_exact_ones(bits: int) -> None:
    """The facts have 8 decimals: half a unit of the last, and as much for their own error."""
    levels_k, thresholds_j = gaussian_levels(bits)
    half = 2 ** (bits - 1)
    np.testing.assert_allclose(levels_k[half:], EXACT[str(bits)]["levels"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(thresholds_j[half - 1 :], EXACT[str(bits)]["thresholds"], rtol=0, atol=1e-8)
    np.testing.assert_array_equal(levels_k, -levels_k[::-1])
    assert levels_k.dtype == thresholds_j.dtype == np.float64


@pytest.mark.parametrize("bits", BITS)
def test_distortion_and_entropy_of_a_normal(bits: int) -> None:
    """By the standard library's normal; Max's own table has four figures, and errors up to 0.2 % in the last rows."""
    levels_k, thresholds_j = gaussian_levels(bits)
    below = [0.0, *(NORMAL.cdf(t) for t in thresholds_j), 1.0]
    masses = np.diff(below)
    fact = EXACT[str(bits)]
    mse = 1 - float(np.sum(masses * levels_k**2))  # each level is the mean of its cell
    assert mse == pytest.approx(fact["mse"], rel=1e-9)
    assert -np.sum(masses * np.log2(masses)) == pytest.approx(fact["entropy_bits"], abs=1e-9)
    assert 4.0**-bits <= mse <= math.sqrt(3) * math.pi / 2 * 4.0**-bits
    if fact["max1960_mse"] is not None:
        assert mse == pytest.approx(fact["max1960_mse"], rel=0.003)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_each_level_is_the_mean_of_its_cell(bits: int) -> None:
    """The condition itself, by quadrature. The last cell ends at 12, where nothing is left."""
    levels_k, thresholds_j = gaussian_levels(bits)
    edges = [0.0, *thresholds_j[thresholds_j > 1e-9], 12.0]
    for level, low, high in zip(levels_k[len(levels_k) // 2 :], edges, edges[1:], strict=False):
        moment, _ = quad(lambda x: x * NORMAL.pdf(x), low, high, epsabs=0, epsrel=1e-12)
        mass, _ = quad(NORMAL.pdf, low, high, epsabs=0, epsrel=1e-12)
        assert level == pytest.approx(moment / mass, rel=1e-9)


@given(
    levels=hnp.arrays(np.float32, st.sampled_from([2, 4, 64]), elements=st.floats(-4, 4, width=32), unique=True),
    steps=st.integers(-2, 2),
)
def test_rounded_thresholds_decide_as_exact_midpoints(levels: np.ndarray, steps: int) -> None:
    """Floats next to each midpoint, where a threshold rounded to nearest would fail."""
    levels = np.sort(levels)
    exact = [(float(a) + float(b)) / 2 for a, b in zip(levels, levels[1:], strict=False)]
    x = np.array(exact, np.float32)
    for _ in range(abs(steps)):
        x = np.nextafter(x, np.float32(steps * np.inf))
    codes = nearest_levels(x[:, None], float32_thresholds(levels))[:, 0]
    assert codes.tolist() == [sum(float(a) > t for t in exact) for a in x]
