"""The int8 that wraps. The examples that sentence-transformers itself gave are in test_scalar.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vqbench.quantizers.base import Codec
from vqbench.quantizers.scalar import Scalar
from vqbench.quantizers.wrapped import Wrapped

SIGNED = pytest.mark.parametrize("signed", [True, False])
ROWS = hnp.arrays(np.float32, (5, 4), elements=st.floats(-50, 50, width=32))


def fit(sample_nd: np.ndarray, signed: bool) -> Codec:
    return Wrapped(signed=signed).fit(sample_nd, np.random.default_rng(0))


@SIGNED
@given(sample_nd=ROWS, x_nd=ROWS)
def test_one_number_at_a_time(signed: bool, sample_nd: np.ndarray, x_nd: np.ndarray) -> None:
    """``((x - min) / step).astype(uint8)`` and ``(... - 128).astype(int8)``: float32, truncated, modulo 256."""
    codec = fit(sample_nd, signed)
    stored_nd, decoded_nd = codec.integers(codec.encode(x_nd)), codec.decode(codec.encode(x_nd))
    clipped_nd = codec.clipped(x_nd)
    for row, column in np.ndindex(x_nd.shape):
        low, x = sample_nd[:, column].min(), x_nd[row, column]
        step = (sample_nd[:, column].max() - low) / np.float32(255)
        if step == 0:
            assert (stored_nd[row, column], decoded_nd[row, column]) == (0, low + 128 * step)
            assert clipped_nd[row, column] == (x != low)
            continue
        with np.errstate(over="ignore"):
            cast = (x - low) / step - np.float32(128 if signed else 0)
        whole = int(cast) if np.isfinite(cast) else None
        least = -128 if signed else 0
        if whole is not None and abs(whole) < 2**31:
            assert stored_nd[row, column] == (whole - least) % 256 + least
            code = np.float32(stored_nd[row, column]) + np.float32(128 if signed else 0)
            assert decoded_nd[row, column] == code * step + low
        assert clipped_nd[row, column] == (whole is None or not least <= whole <= least + 255)


@SIGNED
def test_far_outside_until_an_int32_overflows(signed: bool) -> None:
    """Steps of 1/128: whole numbers beyond 2**29 are cast with their last bits; in 2**47 the sign's 128 is lost."""
    codec = fit(np.array([[0], [255 / 128]], dtype=np.float32), signed)
    x_nd = np.array([[(2.0**29 + 64 * odd) / 128] for odd in (1, 3, 5)], dtype=np.float32)
    wanted = [int(x * 128) % 256 for x in x_nd[:, 0].tolist()]
    assert wanted == [64, 192, 64]
    assert codec.encode(x_nd)[:, 0].tolist() == [(c - 128 * signed) % 256 for c in wanted]
    assert codec.encode(np.float32([[2.0**40], [-(2.0**40)], [3e38]])).tolist() == [[0], [0], [0]]


@SIGNED
def test_within_the_range_only_the_rounding_differs_from_the_clipped_code(signed: bool) -> None:
    """Unsigned: no difference. Signed: negative codes are rounded up, so 0 stands for two steps and -128 is rare."""
    x_nd = np.random.default_rng(0).uniform(-1, 1, (5000, 8)).astype(np.float32)
    old = fit(x_nd, signed)
    new = Scalar(rounding="floor", signed=signed).fit(x_nd, np.random.default_rng(0))
    before_nd = old.integers(old.encode(x_nd)).astype(int)
    after_nd = new.integers(new.encode(x_nd)).astype(int)
    if not signed:
        np.testing.assert_array_equal(before_nd, after_nd)
        return
    up_nd = before_nd - after_nd
    assert set(np.unique(up_nd)) == {0, 1}
    assert not up_nd[after_nd >= 0].any()
    zeros, ones = (before_nd == 0).mean(), (before_nd == 1).mean()
    # 40,000 numbers, 1/255 of them in a step: 4 standard errors of the ratio are 4 sqrt((1/2 + 1) / 157) / 1 = .39
    assert zeros / ones == pytest.approx(2, abs=2 * 0.39)
    assert (before_nd == -128).mean() < 0.2 * ones
    error_nd = old.decode(old.encode(x_nd)).astype(float) - x_nd
    step = 2 / 255
    assert error_nd[before_nd > 0].mean() == pytest.approx(-step / 2, rel=0.05)
    assert error_nd[before_nd < 0].mean() == pytest.approx(step / 2, rel=0.05)


@SIGNED
def test_a_little_beyond_the_range_is_coded_at_its_other_end(signed: bool) -> None:
    sample_nd = np.float32([[-1, -1], [1, 1]])
    codec = fit(sample_nd, signed)
    x_nd = np.float32([[1.05, -1.05]])
    decoded_nd = codec.decode(codec.encode(x_nd))
    assert decoded_nd[0, 0] < -0.9
    assert decoded_nd[0, 1] > 0.9
    assert codec.clipped(x_nd).all()
    assert not codec.clipped(sample_nd).any()
    ledger = codec.ledger()
    assert (ledger.total("vector"), ledger.total("once")) == (2, 16)
