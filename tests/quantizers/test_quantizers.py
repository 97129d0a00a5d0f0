"""What holds for every quantizer: row by row, pure, and every byte counted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from vqbench.errors import NotApplicableError
from vqbench.numerics.packing import unpack_bits
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.cast import Cast
from vqbench.quantizers.offset_int8 import OffsetInt8, WrapInt8
from vqbench.quantizers.parts.ledger import Item, Ledger

BINARY = [
    Binary(threshold=threshold, scope=scope, levels=levels)
    for threshold in ("zero", "mean", "median")
    for scope in ("global", "dimension")
    for levels in ("sign", "means")
]
ALL: list[Quantizer] = [
    *BINARY, OffsetInt8(), OffsetInt8(half_step=False), WrapInt8(),
    *(Cast(dtype=dtype) for dtype in ("float16", "float32", "float64")),
]  # fmt: skip
EVERY = pytest.mark.parametrize("quantizer", ALL, ids=repr)
WIDTHS = pytest.mark.parametrize("d", [1, 7, 8, 19])


def _sample(d: int, n: int = 33) -> np.ndarray:
    rng = np.random.default_rng(d)
    return (rng.standard_normal((n, d)) * 0.6 + rng.standard_normal(d) * 0.3).astype(np.float32)


def _fit(quantizer: Quantizer, sample_nd: np.ndarray) -> Codec:
    return quantizer.fit(sample_nd, np.random.default_rng(0))


def _learned(codec: Codec) -> int:
    """Bytes of every float64 that the codec learned: thresholds unless zero, levels unless -1 and 1."""
    if not codec.is_binary:
        return 0
    arrays = [np.asarray(getattr(codec, name)) for name in ("threshold", "low", "high")]
    constants = (0.0, -1.0, 1.0)
    return sum(a.size * 8 for a, c in zip(arrays, constants, strict=True) if not (a == c).all())


@EVERY
@WIDTHS
def test_a_batch_gives_what_row_by_row_gives(quantizer: Quantizer, d: int) -> None:
    x_nd = _sample(d)
    codec = _fit(quantizer, x_nd)
    codes_nb = codec.encode(x_nd)
    assert codes_nb.dtype == np.uint8
    assert codes_nb.shape[0] == len(x_nd)
    single_nb = np.concatenate([codec.encode(x_nd[i : i + 1]) for i in range(33)])
    np.testing.assert_array_equal(codes_nb, single_nb)
    decoded_nd = codec.decode(codes_nb)
    assert decoded_nd.dtype == np.float32
    assert decoded_nd.shape == x_nd.shape
    single_nd = np.concatenate([codec.decode(codes_nb[i : i + 1]) for i in range(33)])
    np.testing.assert_array_equal(decoded_nd, single_nd)
    np.testing.assert_array_equal(codec.decode(codes_nb[::-2]), decoded_nd[::-2])
    np.testing.assert_array_equal(codec.encode(x_nd[::-2]), codes_nb[::-2])
    np.testing.assert_array_equal(codec.clipped(x_nd)[::-1], codec.clipped(x_nd[::-1].copy()))
    assert codec.encode(x_nd[:0]).shape == (0, codes_nb.shape[1])


@EVERY
def test_inputs_are_never_written_to(quantizer: Quantizer) -> None:
    x_nd = _sample(9)
    before = x_nd.copy()
    x_nd.flags.writeable = False
    codec = _fit(quantizer, x_nd)
    codes_nb = codec.encode(x_nd)
    kept = codes_nb.copy()
    codes_nb.flags.writeable = False
    codec.decode(codes_nb)
    codec.clipped(x_nd)
    np.testing.assert_array_equal(x_nd, before)
    np.testing.assert_array_equal(codes_nb, kept)
    with pytest.raises(dataclasses.FrozenInstanceError):
        codec.d = 3  # pyright: ignore[reportAttributeAccessIssue]


@EVERY
@WIDTHS
def test_the_ledger_counts_the_code_and_what_was_learned(quantizer: Quantizer, d: int) -> None:
    x_nd = _sample(d)
    codec = _fit(quantizer, x_nd)
    ledger = codec.ledger()
    assert ledger.total("vector") == codec.encode(x_nd).shape[1]
    assert ledger.total("once") == _learned(codec)
    names = [item.name for item in ledger.items]
    assert len(set(names)) == len(names)
    bits = 8 * ledger.items[0].bytes
    assert bits == d * (1 if codec.is_binary else 8 * codec.encode(x_nd).shape[1] // d)


def test_the_ledgers_totals_and_shares() -> None:
    """10 bits and 6 of padding, 40 bytes once, which 100 vectors share."""
    ledger = Ledger.of_bits(bits=10, once=[Item("threshold", "once", 40)])
    assert [(item.name, item.scope, item.bytes) for item in ledger.items] == [
        ("code", "vector", 1.25), ("padding", "vector", 0.75), ("threshold", "once", 40),
    ]  # fmt: skip
    assert (ledger.total("vector"), ledger.total("once")) == (2, 40)
    assert ledger.bytes_per_vector(n=100) == pytest.approx(2.4)
    assert [item.name for item in Ledger.of_bits(bits=16).items] == ["code"]


@EVERY
def test_the_integers_behind_the_raw_similarity(quantizer: Quantizer) -> None:
    x_nd = _sample(11)
    codec = _fit(quantizer, x_nd)
    codes_nb = codec.encode(x_nd)
    if isinstance(quantizer, Cast):
        with pytest.raises(NotApplicableError, match="no integers"):
            codec.integers(codes_nb)
    elif codec.is_binary:
        np.testing.assert_array_equal(codec.integers(codes_nb), unpack_bits(codes_nb, 11))
    else:
        wanted = codes_nb if isinstance(quantizer, OffsetInt8) else codes_nb.astype(np.int16)
        wanted = np.where(wanted > 127, wanted - 256, wanted) if isinstance(quantizer, WrapInt8) else wanted
        np.testing.assert_array_equal(codec.integers(codes_nb), wanted)


class TestCast:
    def test_float16_rounds_and_clips_what_overflows(self) -> None:
        """65504 is the largest half; from 65520 on a plain cast gives infinity. Ties go to even."""
        x = [0.1, 65504, 65519, 65520, 1e30, -1e30, 2049, 2051, 1e-8, 6e-8, -0.0]
        x_nd = np.array([x], dtype=np.float32)
        codec = _fit(Cast(dtype="float16"), x_nd)
        wanted = [0.0999755859375, 65504, 65504, 65504, 65504, -65504, 2048, 2052, 0, 2.0**-24, 0]
        assert codec.decode(codec.encode(x_nd)).tolist() == [wanted]
        assert codec.clipped(x_nd).tolist() == [[abs(a) > 65504 for a in x]]
        two = _fit(Cast(dtype="float16"), x_nd[:, :2])
        assert two.encode(np.float32([[1.0, -2.0]])).tolist() == [[0x00, 0x3C, 0x00, 0xC0]]

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_wider_floats_are_exact(self, dtype: str) -> None:
        x_nd = np.concatenate([_sample(5), np.float32([[3.4e38, -3.4e38, 1e-45, 0, 1]])])
        codec = _fit(Cast(dtype=dtype), x_nd)
        np.testing.assert_array_equal(codec.decode(codec.encode(x_nd)), x_nd)
        assert codec.encode(x_nd).tobytes() == x_nd.astype(f"<{dtype[0]}{int(dtype[5:]) // 8}").tobytes()
        assert not codec.clipped(x_nd).any()
