"""The ranges of scalar quantization: of all numbers, of each dimension, of each vector."""

from __future__ import annotations

import math
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from vqbench.quantizers.parts.ranges import GAUSSIAN_STEPS, inner_extremes
from vqbench.quantizers.scalar import Scalar, ScalarCodec

FIELDS = [
    {"range": "minmax"}, {"range": "quantile", "quantile": 0.8}, {"range": "sigma"}, {"range": "absmax"},
    {"range": "mse"}, {"range": "minmax", "rounding": "floor", "decode": "midpoint", "divisor": "range"},
    {"range": "sigma", "rounding": "floor", "span": "cells", "decode": "midpoint"},
]  # fmt: skip
EVERY = pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: "-".join(map(str, fields.values())))
OWN = pytest.mark.parametrize("fields", [f for f in FIELDS if f["range"] != "mse"], ids=lambda f: f["range"])
SCOPES = pytest.mark.parametrize("scope", ["global", "dimension", "vector"])
FLOATS = st.floats(-(2.0**126), 2.0**126, width=32) | st.floats(-2, 2, width=32)
ROWS = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=FLOATS)


def fit(sample_nd: np.ndarray, **fields) -> ScalarCodec:
    codec = Scalar(**fields).fit(sample_nd, np.random.default_rng(0))
    assert isinstance(codec, ScalarCodec)
    return codec


def numbers(n: int, d: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, d)) * rng.uniform(0.2, 2, d) + rng.standard_normal(d)).astype(np.float32)


def groups(x_nd: np.ndarray, scope: str) -> list[list[float]]:
    return [x_nd.ravel().tolist()] if scope == "global" else x_nd.T.tolist()


def ends(codec: ScalarCodec) -> list[tuple[float, float]]:
    assert codec.low is not None
    assert codec.width is not None
    low, high = np.broadcast_arrays(np.atleast_1d(codec.low), codec.low + codec.width)
    return list(zip(low.tolist(), high.tolist(), strict=True))


@pytest.mark.parametrize("scope", ["global", "dimension"])
@pytest.mark.parametrize(("n", "share", "cut"), [(1000, 0.99, 5), (200, 0.9, 10), (200, 1.0, 0), (37, 0.5, 9)])
def test_quantile_cuts_whole_numbers_of_values_on_each_side(scope: str, n: int, share: float, cut: int) -> None:
    x_nd = numbers(n, 3)
    codec = fit(x_nd, range="quantile", quantile=share, scope=scope)
    for group, (low, high) in zip(groups(x_nd, scope), ends(codec), strict=True):
        cut = cut if scope == "dimension" else round(1e9 * len(group) * (1 - share) / 2) // 10**9
        assert low == sorted(group)[cut]
        assert high == pytest.approx(sorted(group)[-1 - cut], rel=1e-6)
    assert ends(fit(x_nd, range="quantile", scope=scope)) == ends(
        fit(x_nd, range="quantile", quantile=0.99, scope=scope)
    )


def test_the_tails_of_a_large_sample_are_found_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vqbench.quantizers.parts.ranges._COPIED", 64)
    x_nd = numbers(301, 7)
    ordered = np.sort(x_nd.ravel())
    for share in (0.2, 0.9, 0.99, 1.0):
        cut = int(x_nd.size * (1 - share) / 2)
        assert [float(end) for end in inner_extremes(x_nd, None, share)] == [ordered[cut], ordered[-1 - cut]]
        low_d, high_d = inner_extremes(x_nd, 0, share)
        cut = int(301 * (1 - share) / 2)
        np.testing.assert_array_equal(low_d, np.sort(x_nd, axis=0)[cut])
        np.testing.assert_array_equal(high_d, np.sort(x_nd, axis=0)[-1 - cut])


@pytest.mark.parametrize("scope", ["global", "dimension"])
@pytest.mark.parametrize("sigmas", [None, 2.5])
def test_sigma_is_so_many_standard_deviations_around_the_mean(scope: str, sigmas: float | None) -> None:
    x_nd = numbers(300, 4)
    for bits, span in ((4, "ends"), (8, "cells")):
        codec = fit(x_nd, bits=bits, range="sigma", sigmas=sigmas, scope=scope, span=span)
        steps = 2**bits - (span == "ends")
        half = sigmas or {4: 0.3352006, 8: 0.03076239}[bits] * steps / 2
        for group, (low, high) in zip(groups(x_nd, scope), ends(codec), strict=True):
            mean, sd = fmean(group), pstdev(group)
            assert low == pytest.approx(mean - half * sd, rel=1e-6, abs=1e-6)
            assert high == pytest.approx(mean + half * sd, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("bits", range(1, 9))
def test_the_best_steps_for_a_gaussian(bits: int) -> None:
    """The error in closed form, minimised; Max 1960, Table II: 1.596, .9957, .5860, .3352, .1881."""

    def error(step: float) -> float:
        levels = (np.arange(2**bits) - (2**bits - 1) / 2) * step
        edges = np.concatenate([[-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]])
        mass, moment = np.diff(norm.cdf(edges)), -np.diff(norm.pdf(edges))
        return 1 + float(levels**2 @ mass - 2 * levels @ moment)

    found = minimize_scalar(error, bounds=(0.9 * GAUSSIAN_STEPS[bits - 1], 1.1 * GAUSSIAN_STEPS[bits - 1]),
                            method="bounded", options={"xatol": 1e-9})  # fmt: skip
    assert GAUSSIAN_STEPS[bits - 1] == pytest.approx(found.x, rel=1e-5)
    if bits <= 5:
        assert round(GAUSSIAN_STEPS[bits - 1], 4) == pytest.approx((1.5958, 0.9957, 0.5860, 0.3352, 0.1881)[bits - 1])


@OWN
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_vectors_own_range_is_that_of_a_sample_of_it_alone(fields: dict, bits: int) -> None:
    x_nd = numbers(20, 33)
    x_nd[3], x_nd[4] = 0, -1.5
    own = fit(x_nd, bits=bits, scope="vector", **fields)
    for row in range(20):
        x_1d = x_nd[row : row + 1]
        alone = fit(x_1d, bits=bits, scope="global", **fields)
        np.testing.assert_allclose(own.decode(own.encode(x_1d)), alone.decode(alone.encode(x_1d)), rtol=1e-6, atol=1e-6)
        assert (own.integers(own.encode(x_1d)) != alone.integers(alone.encode(x_1d))).sum() <= (
            fields["range"] == "sigma"  # whose sums may round otherwise
        )
    floats = 4 if fields["range"] == "absmax" else 8
    assert own.ledger().total("vector") == math.ceil(33 * bits / 8) + floats
    assert own.ledger().total("once") == 0


@EVERY
def test_a_dimensions_range_is_that_of_the_dimension_alone(fields: dict) -> None:
    x_nd = numbers(400, 5)
    x_nd[:, 2] = 0.7
    every = fit(x_nd, bits=3, scope="dimension", **fields)
    whole_nd = every.decode(every.encode(x_nd))
    for at in range(5):
        x_n1 = np.ascontiguousarray(x_nd[:, at : at + 1])
        alone = fit(x_n1, bits=3, scope="global", **fields)
        np.testing.assert_allclose(whole_nd[:, [at]], alone.decode(alone.encode(x_n1)), rtol=1e-5, atol=1e-6)
    once = 4 * 5 if fields["range"] == "absmax" else 2 * 4 * 5
    assert every.ledger().total("once") == once


@SCOPES
@EVERY
def test_constant_numbers_are_kept_exactly(fields: dict, scope: str) -> None:
    if fields["range"] == "mse" and scope == "vector":
        return  # refused, as test_scalar tells
    x_nd = np.full((7, 9), 0.3, dtype=np.float32)
    for bits in (2, 5, 8):
        codec = fit(x_nd, bits=bits, scope=scope, **fields)
        np.testing.assert_array_equal(codec.decode(codec.encode(x_nd)), x_nd)
        assert not codec.clipped(x_nd).any()
        if scope != "vector" and fields["range"] != "absmax":
            other_nd = x_nd + np.float32(0.5)
            np.testing.assert_array_equal(codec.decode(codec.encode(other_nd)), x_nd)
            assert codec.clipped(other_nd).all()


@pytest.mark.parametrize("bits", range(2, 9))
@SCOPES
def test_absmax_is_symmetric_and_keeps_zero(bits: int, scope: str) -> None:
    x_nd = numbers(50, 16)
    x_nd[:, ::3] = 0
    codec = fit(x_nd, bits=bits, range="absmax", scope=scope)
    decoded_nd, integers_nd = codec.decode(codec.encode(x_nd)), codec.integers(codec.encode(x_nd))
    assert not decoded_nd[:, ::3].any()
    np.testing.assert_array_equal(codec.decode(codec.encode(-x_nd)), -decoded_nd)
    np.testing.assert_array_equal(codec.integers(codec.encode(-x_nd)), -integers_nd)
    most = 2 ** (bits - 1) - 1
    assert np.abs(integers_nd).max() == most
    axis = {"global": None, "dimension": 0, "vector": 1}[scope]
    step = np.abs(x_nd).max(axis=axis, keepdims=True) / most
    np.testing.assert_allclose(decoded_nd, integers_nd * step, rtol=1e-6)
    assert (np.abs(decoded_nd - x_nd) <= step / 2 * (1 + 1e-5)).all()


@EVERY
def test_the_order_of_the_sample_does_not_matter(fields: dict) -> None:
    x_nd = numbers(500, 6)
    order = np.random.default_rng(1).permutation(500)
    for scope in ("global", "dimension"):
        one, other = fit(x_nd, scope=scope, **fields), fit(x_nd[order], scope=scope, **fields)
        np.testing.assert_allclose(ends(one), ends(other), rtol=1e-6)


@SCOPES
@EVERY
@settings(max_examples=25)
@given(x_nd=ROWS)
def test_numbers_of_any_size_are_coded_without_a_warning(fields: dict, scope: str, x_nd: np.ndarray) -> None:
    if fields["range"] == "mse" and scope == "vector":
        return
    for bits in (2, 8):
        codec = fit(x_nd, bits=bits, scope=scope, **fields)
        for some_nd in (x_nd, x_nd[::-1] / 2, np.zeros_like(x_nd), np.full_like(x_nd, 1e30)):
            assert np.isfinite(codec.decode(codec.encode(some_nd))).all()
            assert codec.clipped(some_nd).shape == x_nd.shape
        if fields["range"] in ("minmax", "absmax"):
            assert not codec.clipped(x_nd).any()
