"""Floats of other widths: against numpy's and ml_dtypes' casts, and against all 256 numbers of 8 bits."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqbench.quantizers.base import Codec
from vqbench.quantizers.cast import Cast

TYPES = {
    "float16": np.float16, "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3": ml_dtypes.float8_e4m3fn, "float8_e5m2": ml_dtypes.float8_e5m2,
}  # fmt: skip
LARGEST = {"float16": 65504.0, "bfloat16": 2.0**128 - 2.0**120, "float8_e4m3": 448.0, "float8_e5m2": 57344.0}
EVERY = pytest.mark.parametrize("dtype", TYPES)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.floats(-2, 2, width=32)


def fit(dtype: str, d: int) -> Codec:
    return Cast(dtype=dtype).fit(np.zeros((1, d), dtype=np.float32), np.random.default_rng(0))


def float8(exponent_bits: int, code: int) -> float | None:
    """The number of a code by the definition: sign, exponent, mantissa; None where it is none.

    Micikevicius et al., FP8 Formats for Deep Learning (2022), table 1: e5m2 keeps the highest exponent
    for infinity and NaN, as IEEE 754 does; e4m3 only the very last code for NaN.
    """
    mantissa_bits = 7 - exponent_bits
    sign = -1 if code & 128 else 1
    exponent, mantissa = (code & 127) >> mantissa_bits, code & (2**mantissa_bits - 1)
    if exponent == 2**exponent_bits - 1 and (exponent_bits == 5 or mantissa == 2**mantissa_bits - 1):
        return None
    bias = 2 ** (exponent_bits - 1) - 1
    if exponent == 0:
        return sign * mantissa * 2.0 ** (1 - bias - mantissa_bits)
    return sign * (1 + mantissa / 2**mantissa_bits) * 2.0 ** (exponent - bias)


@EVERY
@given(x=st.lists(FLOATS, min_size=1, max_size=20))
def test_casts_are_those_of_numpy_and_ml_dtypes(dtype: str, x: list[float]) -> None:
    x_nd = np.array([x], dtype=np.float32)
    codec = fit(dtype, len(x))
    kept = np.clip(x_nd, -LARGEST[dtype], LARGEST[dtype]).astype(TYPES[dtype])
    assert codec.encode(x_nd).tobytes() == kept.tobytes()  # low byte first, as on every machine that runs this
    np.testing.assert_array_equal(codec.decode(codec.encode(x_nd)), kept.astype(np.float32))
    assert codec.clipped(x_nd).tolist() == [[abs(a) > LARGEST[dtype] for a in x]]


@pytest.mark.parametrize(("dtype", "exponent_bits"), [("float8_e4m3", 4), ("float8_e5m2", 5)])
def test_every_8_bit_float_is_the_nearest_of_all(dtype: str, exponent_bits: int) -> None:
    """Every value, every midpoint between two (which goes to the even code), and numbers in between."""
    values = {code: float8(exponent_bits, code) for code in range(256)}
    finite = {code: value for code, value in values.items() if value is not None}
    assert len(finite) == {4: 254, 5: 248}[exponent_bits]
    assert max(finite.values()) == LARGEST[dtype]
    ordered = sorted(set(finite.values()))
    middles = [(a + b) / 2 for a, b in zip(ordered, ordered[1:], strict=False)]
    rng = np.random.default_rng(0)
    between = (rng.standard_normal(2000) * 10.0 ** rng.integers(-6, 6, 2000)).astype(np.float32).tolist()
    x_nd = np.array([[*ordered, *middles, *between, 1e7, -1e7, 0.0]], dtype=np.float32)
    codec = fit(dtype, x_nd.shape[1])
    codes = codec.encode(x_nd)[0].tolist()
    decoded = codec.decode(codec.encode(x_nd))[0].tolist()
    for x, code, value in zip(x_nd[0].tolist(), codes, decoded, strict=True):
        nearest = min(abs(x - other) for other in finite.values())
        best = [other for other in finite if abs(x - finite[other]) == nearest]
        assert value == finite[code]
        assert code in best
        if len({finite[other] for other in best}) > 1:
            assert code % 2 == 0


def test_bfloat16_is_the_upper_half_of_a_float32() -> None:
    """Rounded to even by adding to the bits, as hardware does."""
    x_nd = np.random.default_rng(0).standard_normal((50, 40)).astype(np.float32)
    bits_nd = x_nd.view(np.uint32)
    upper_nd = ((bits_nd + 0x7FFF + ((bits_nd >> 16) & 1)) >> 16).astype("<u2")
    codec = fit("bfloat16", 40)
    assert codec.encode(x_nd).tobytes() == upper_nd.tobytes()
    assert codec.encode(np.float32([[1.0] * 40]))[0, :2].tolist() == [0x80, 0x3F]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_wider_floats_hold_the_largest_exactly(dtype: str) -> None:
    x_nd = np.float32([[np.finfo(np.float32).max, -np.finfo(np.float32).max, 1e-45, 0]])
    codec = fit(dtype, 4)
    np.testing.assert_array_equal(codec.decode(codec.encode(x_nd)), x_nd)
    assert not codec.clipped(x_nd).any()


@EVERY
def test_bytes_are_counted(dtype: str) -> None:
    ledger = fit(dtype, 5).ledger()
    assert (ledger.total("vector"), ledger.total("once")) == (5 * np.dtype(TYPES[dtype]).itemsize, 0)
