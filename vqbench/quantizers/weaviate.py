"""Weaviate's codes: signs (BQ), bytes on one range (SQ), and bytes or signs of rotated vectors (RQ)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats, row_dots
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec, Layout, SymmetricCodec
from vqbench.quantizers.parts.rounding import LARGEST

_QUERY_TOP = 31  # queries of 1-bit codes have 5 bits


@dataclass(frozen=True, kw_only=True)
class WeaviateBinary(Quantizer):
    """A bit for ``x < 0``, so that zero counts as positive; a row fills whole words of 64 bits.

    Source: Weaviate, adapters/repos/db/vector/compressionhelpers/binary_quantization.go (commit 044c1d9).

    >>> codec = WeaviateBinary().fit(np.zeros((1, 3), np.float32), np.random.default_rng(0))
    >>> codec.encode(np.float32([[-1, 0, 1]]))
    array([[128,   0,   0,   0,   0,   0,   0,   0]], dtype=uint8)
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return WeaviateBinaryCodec(d=sample_nd.shape[1])


@dataclass(frozen=True, kw_only=True)
class WeaviateBinaryCodec(BlockCodec):
    """Nothing is learned. A bit decodes to 1 (not set) or -1."""

    is_binary = True

    @property
    def layout(self) -> Layout:
        return Layout(count=self.d, bits=1, word=64)

    def encode_block(self, x_nd: Floats) -> Codes:
        return self.layout.pack(x_nd < 0)

    def decode(self, codes_nb: Codes) -> Floats:
        return 1 - self.layout.numbers(codes_nb).astype(np.float32) * 2


@dataclass(frozen=True, kw_only=True)
class WeaviateScalar(Quantizer):
    """``floor((x - low) 255 / span)``, low the least number of the sample and span its range, for all dimensions.

    Codes are compared as ``span code / 255 + low`` on both sides: the lower edge, so half a step is lost.

    Source: Weaviate, adapters/repos/db/vector/compressionhelpers/scalar_quantization.go (commit 0749685),
    which learns from 100,000 vectors. Float32.

    >>> codec = WeaviateScalar().fit(np.float32([[0, 255]]), np.random.default_rng(0))
    >>> codec.integers(codec.encode(np.float32([[3.9, 300]])))
    array([[  3, 255]], dtype=uint8)
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        low, high = sample_nd.min(), sample_nd.max()
        with np.errstate(over="ignore"):
            span = np.minimum(high - low, np.float32(LARGEST))
        return WeaviateScalarCodec(d=sample_nd.shape[1], low=np.asarray(low), span=np.asarray(span))


@dataclass(frozen=True, kw_only=True)
class WeaviateScalarCodec(SymmetricCodec):
    """A byte for each dimension, then the sum of the bytes and of their squares, 4 bytes each."""

    low: Floats  # a float32 scalar, as span
    span: Floats

    @property
    def layout(self) -> Layout:
        return Layout(count=self.d, bits=8, side=(("sums of codes", ">u4", (2,)),))

    def encode_block(self, x_nd: Floats) -> Codes:
        with np.errstate(over="ignore"):  # what becomes infinite is clamped
            above_nd = np.clip(x_nd - self.low, 0, self.span) * np.float32(255) / (self.span or np.float32(1))
        levels_nd = np.minimum(above_nd, np.float32(255)).astype(np.uint8)
        wide_nd = levels_nd.astype(np.float64)
        return self.layout.pack(
            levels_nd, np.stack([row_dots(wide_nd, np.ones(self.d)), row_dots(wide_nd, wide_nd)], axis=1)
        )

    def values(self, codes_nb: Codes) -> Floats:
        return codes_nb[:, : self.d] * (np.float64(self.span) / 255) + np.float64(self.low)

    def clipped(self, x_nd: Floats) -> Bools:
        return (x_nd < self.low) | (x_nd > np.float64(self.low) + np.float64(self.span))


@dataclass(frozen=True, kw_only=True)
class WeaviateRotational(Quantizer):
    """8 bits or 1 bit of vectors that ``transforms.weaviate_rotation.WeaviateRotation`` has rotated.

    8 bits: ``floor((x - lower) / step + 1/2)``, step = (max - min) / 255 of each vector; queries alike. Stored
    per vector: lower, step, step times the sum of codes, |x|**2: 16 bytes.
    1 bit: the signs, compared as ``step sign``, step = |x|**2 / sum |x| (RaBitQ without a centre). Queries get 5
    bits, ``floor((x + m) / (2 m / 31) + u)`` with m = max |x| and a random rounding u of each dimension,
    uniform in [0, 1). Stored per vector: step, |x|**2: 8 bytes. The rotation pads to 256 dimensions.

    Source: Weaviate, adapters/repos/db/vector/compressionhelpers/rotational_quantization.go (commit 041edea) and
    binary_rotational_quantization.go (commit 0749685). Float32 there, float64 with float32 storage here.

    >>> codec = WeaviateRotational(bits=8).fit(np.ones((1, 2), np.float32), np.random.default_rng(0))
    >>> codec.integers(codec.encode(np.float32([[-1, 1]])))
    array([[  0, 255]], dtype=uint8)
    """

    #: Bits per dimension of the rotated vector.
    bits: Literal[1, 8] = 8

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        d = sample_nd.shape[1]
        if self.bits == 8:
            return RotatedBytesCodec(d=d)
        return RotatedSignsCodec(d=d, query_rounding_d=rng.random(d, dtype=np.float32))


@dataclass(frozen=True, kw_only=True)
class RotatedBytesCodec(SymmetricCodec):
    """A byte for each dimension, then lower, step, step times sum of codes, square norm as float32."""

    @property
    def layout(self) -> Layout:
        names = ("lower", "step", "sum of codes", "square norm")
        return Layout(count=self.d, bits=8, side=tuple((name, "<f4") for name in names))

    def encode_block(self, x_nd: Floats) -> Codes:
        x_nd = x_nd.astype(np.float64)
        lower_n = x_nd.min(axis=1)
        step_n = ((x_nd.max(axis=1) - lower_n) / 255).astype(np.float32).astype(np.float64)
        varied_n = step_n > 0  # a constant row is coded as zero, whatever it holds
        levels_nd = np.floor((x_nd - lower_n[:, None]) / np.where(varied_n, step_n, 1)[:, None] + 0.5)
        sums_n = step_n * row_dots(levels_nd, np.ones(self.d))
        side = (lower_n, step_n, sums_n, row_dots(x_nd, x_nd))
        return self.layout.pack(levels_nd.astype(np.uint8), *(values_n * varied_n for values_n in side))

    def values(self, codes_nb: Codes) -> Floats:
        side = self.layout.side_values(codes_nb)
        return side["lower"][:, None] + side["step"][:, None] * codes_nb[:, : self.d]


@dataclass(frozen=True, kw_only=True)
class RotatedSignsCodec(BlockCodec):
    """The signs, then step and square norm as float32."""

    query_rounding_d: Floats  # float32

    @property
    def layout(self) -> Layout:
        return Layout(count=self.d, bits=1, side=(("step", "<f4"), ("square norm", "<f4")))

    def encode_block(self, x_nd: Floats) -> Codes:
        wide_nd = x_nd.astype(np.float64)
        square_n, sum_n = row_dots(wide_nd, wide_nd), row_dots(np.abs(wide_nd), np.ones(self.d))
        return self.layout.pack(x_nd > 0, square_n / np.where(sum_n == 0, 1, sum_n), square_n)

    def decode(self, codes_nb: Codes) -> Floats:
        """``|x| / sqrt(d)`` times the sign, as Weaviate restores a vector."""
        square_n = self.layout.side_values(codes_nb)["square norm"].astype(np.float32)
        return self._signs(codes_nb) * np.sqrt(square_n[:, None] / self.d)

    def _signs(self, codes_nb: Codes) -> Floats:
        return self.layout.numbers(codes_nb).astype(np.float32) * 2 - 1

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        """``step (2 code - 31)`` of the query's 5 bits."""
        queries_qd = queries_qd.astype(np.float64)
        reach_q1 = np.abs(queries_qd).max(axis=1, keepdims=True)
        step_q1 = np.where(reach_q1 == 0, 1, reach_q1) / _QUERY_TOP
        levels_qd = np.floor((queries_qd + reach_q1) / (2 * step_q1) + self.query_rounding_d)
        return (2 * np.minimum(levels_qd, _QUERY_TOP) - _QUERY_TOP) * step_q1 * (reach_q1 > 0)

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        return self._signs(codes_nb) * self.layout.side_values(codes_nb)["step"][:, None]
