"""Lucene's scalar codes before 10.4 against ScalarQuantizer.java, restated one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vqbench.numerics.arrays import unit_rows
from vqbench.quantizers.lucene import LuceneScalar, LuceneScalarCodec

F = np.float32


def _fit(sample_nd: np.ndarray, bits: int = 7, seed: int = 0) -> LuceneScalarCodec:
    codec = LuceneScalar(bits=bits).fit(np.asarray(sample_nd, F), np.random.default_rng(seed))
    assert isinstance(codec, LuceneScalarCodec)
    return codec


def _quantiles(values: list[float], d: int) -> tuple[float, float]:
    """getUpperAndLowerQuantile at the default confidence interval."""
    share = max(F(0.9), F(1) - F(1) / F(d + 1))
    cut = int(F(len(values)) * (F(1) - share) / F(2) + F(0.5))
    kept = sorted(values)[cut : len(values) - cut]
    return kept[0], kept[-1]


@pytest.mark.parametrize(("n", "d"), [(1, 50), (7, 30), (20, 3), (20, 384), (13, 1)])
def test_up_to_twenty_vectors_are_ranked_together(n: int, d: int) -> None:
    sample_nd = np.random.default_rng(d).standard_normal((n, d)).astype(F)
    codec = _fit(sample_nd)
    assert (codec.low, codec.high) == _quantiles(sample_nd.ravel().tolist(), d)


def test_about_one_component_in_d_plus_one_is_cut_off() -> None:
    """384 dimensions: 7680 / 385 / 2 + 1/2 = 10.47, so 10 of 7,680 on each side."""
    sample_nd = np.random.default_rng(1).permutation(7680).reshape(20, 384)
    codec = _fit(sample_nd)
    assert (codec.low, codec.high) == (10, 7669)


def test_of_more_vectors_the_quantiles_of_twenties_are_averaged() -> None:
    """Rows that are permutations of one another: any twenty hold the same numbers, whichever are drawn."""
    rng = np.random.default_rng(2)
    row_d = rng.standard_normal(64).astype(F)
    sample_nd = np.stack([rng.permutation(row_d) for _ in range(75)])
    codec = _fit(sample_nd)
    assert (codec.low, codec.high) == _quantiles(row_d.tolist() * 20, 64)


@pytest.mark.parametrize(("n", "groups"), [(39, 1), (40, 2)])
def test_what_is_left_over_after_the_last_twenty_is_not_used(n: int, groups: int) -> None:
    """Whole numbers, a row each: of one group the second smallest is whole, of two the mean often is not."""
    lows = [float(_fit(np.arange(n)[:, None], seed=seed).low) for seed in range(12)]
    assert {low * 2 % 1 for low in lows} == {0}
    assert any(low % 1 for low in lows) == (groups == 2)


def test_the_mean_of_twenties_lies_within_them_and_the_order_of_rows_does_not_matter() -> None:
    """Extremes of 20 vectors are smaller than those of all 400: that is what averaging does."""
    sample_nd = np.random.default_rng(3).standard_normal((400, 32)).astype(F)
    codec, turned = _fit(sample_nd), _fit(sample_nd[::-1])
    assert (codec.low, codec.high) == (turned.low, turned.high)
    everything = np.sort(sample_nd.ravel())
    cut = round(400 * 32 / 33 / 2)
    # The expected value of order statistic 10 of 640 lies a little inside that of 194 of 12,800 (mean of a
    # convex quantile function): within 3 %, and the average over 20 groups has a standard error of 1.5 %.
    assert codec.high == pytest.approx(everything[-cut], rel=0.06)
    assert codec.low == pytest.approx(everything[cut], rel=0.06)


def _quantized(x: np.float32, low: np.float32, high: np.float32, bits: int) -> tuple[int, float]:
    """quantizeFloat: the code, and what the component adds to the offset."""
    divisor = F(2**bits - 1)
    scale, alpha = divisor / (high - low), (high - low) / divisor
    dx = x - low
    dxs = scale * (max(low, min(high, x)) - low)
    code = math.floor(float(dxs) + 0.5)  # Math.round
    dxq = F(code) * alpha
    return code, float(low * (x - low / F(2)) + (dx - dxq) * dxq)


@pytest.mark.parametrize("bits", [4, 7])
def test_codes_and_offsets_one_by_one(bits: int) -> None:
    x_nd = unit_rows(np.random.default_rng(4).normal(0.05, 1, (60, 48)))
    codec = _fit(x_nd, bits)
    codes_nb = codec.encode(x_nd)
    for x_d, code_b in zip(x_nd, codes_nb, strict=True):
        codes, parts = zip(*(_quantized(x, F(codec.low), F(codec.high), bits) for x in x_d), strict=True)
        assert code_b[:48].tolist() == list(codes)
        # Each part was computed in float32, about 2**-24 of numbers below 0.5; 48 of them.
        assert code_b[48:].view("<f4")[0] == pytest.approx(math.fsum(parts), abs=48 * 2**-24)
    assert codec.clipped(x_nd).any()


def test_the_score_is_the_corrected_dot_product() -> None:
    x_nd = unit_rows(np.random.default_rng(5).normal(0.05, 1, (40, 32)))
    codec = _fit(x_nd)
    codes_nb = codec.encode(x_nd)
    ours_qn = codec.estimate_queries(x_nd[:5]) @ codec.estimate_rows(codes_nb).T
    alpha = (float(codec.high) - float(codec.low)) / 127
    for q in range(5):
        for n in range(40):
            dot = sum(int(a) * int(b) for a, b in zip(codes_nb[q, :32], codes_nb[n, :32], strict=True))
            offsets = sum(float(codes_nb[row, 32:].view("<f4")[0]) for row in (q, n))
            # alpha is rounded to float32, twice: 2 * 2**-24 of alpha**2 dot, which is below 2.
            assert ours_qn[q, n] == pytest.approx(alpha**2 * dot + offsets, abs=4 * 2**-24)


def test_the_score_falls_short_of_the_dot_product_by_what_the_docstring_says() -> None:
    x_nd = unit_rows(np.random.default_rng(6).normal(0, 1, (30, 64)))
    codec = LuceneScalarCodec(d=64, bits=7, low=np.asarray(F(-1)), high=np.asarray(F(1)))  # nothing is clipped
    codes_nb = codec.encode(x_nd)
    wide_nd = x_nd.astype(np.float64)
    a_nd = codes_nb[:, :64] * float(F(2) / F(127))
    e_nd = wide_nd + 1 - a_nd
    score_nn = codec.estimate_queries(x_nd) @ codec.estimate_rows(codes_nb).T
    parts = list(zip(e_nd, a_nd, strict=True))
    short_nn = np.array([[e @ f - (e - f) @ (a - b) for f, b in parts] for e, a in parts])
    # Both offsets are stored in float32; between 32 and 64 its steps are 2**-18, so half of that for each.
    offsets_n = codes_nb[:, 64:].view("<f4")
    assert (np.abs(offsets_n) >= 32).any()
    assert (np.abs(offsets_n) < 64).all()
    np.testing.assert_allclose(score_nn + short_nn, wide_nd @ wide_nd.T, rtol=0, atol=2 * 2**-19 + 1e-12)


def test_a_constant_sample_is_coded_as_zeros() -> None:
    codec = _fit(np.full((40, 6), 0.5))
    codes_nb = codec.encode(np.array([[0.5, 9, -9, 0, 1, 2]], F))
    assert codes_nb[:, :6].tolist() == [[0] * 6]
    assert codec.decode(codes_nb).tolist() == [[0.5] * 6]
