"""Weaviate's codes: signs (BQ), bytes on one range (SQ), and bytes or signs of rotated vectors (RQ)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Bools, Codes, Floats, Ints, blocks, row_dots
from vqbench.numerics.packing import append_floats, pack_bits, split_floats, unpack_bits
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.ledger import Item, Ledger

_LARGEST = float(np.finfo(np.float32).max)
_WORD = 64  # bits are kept in words
_BLOCK = 2**17  # numbers that are worked on at a time
_QUERY_TOP = 31  # queries of 1-bit codes have 5 bits


@dataclass(frozen=True, kw_only=True)
class WeaviateBinary(Quantizer):
    """A bit for ``x < 0``, so that zero counts as positive; a row fills whole words of 64 bits.

    Source: Weaviate, adapters/repos/db/vector/compressionhelpers/binary_quantization.go (commit 044c1d9).
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return WeaviateBinaryCodec(d=sample_nd.shape[1])


@dataclass(frozen=True, kw_only=True)
class WeaviateBinaryCodec(Codec):
    """Nothing is learned. A bit decodes to 1 (not set) or -1."""

    is_binary = True

    @property
    def _width(self) -> int:
        return -(-self.d // _WORD) * _WORD // 8

    def encode(self, x_nd: Floats) -> Codes:
        codes_nb = np.zeros((len(x_nd), self._width), np.uint8)
        codes_nb[:, : -(-self.d // 8)] = pack_bits(x_nd < 0)
        return codes_nb

    def decode(self, codes_nb: Codes) -> Floats:
        return 1 - unpack_bits(codes_nb, self.d).astype(np.float32) * 2

    def ledger(self) -> Ledger:
        filling = self._width - self.d / 8
        padding = (Item("padding", "vector", filling),) if filling else ()
        return Ledger((Item("code", "vector", self.d / 8), *padding))


@dataclass(frozen=True, kw_only=True)
class WeaviateScalar(Quantizer):
    """``floor((x - b) 255 / a)`` with b the least number of the sample and a its range, one for all dimensions.

    Codes are met as ``a code / 255 + b`` on both sides: the lower edge, so half a step is lost.
    Source: Weaviate, adapters/repos/db/vector/compressionhelpers/scalar_quantization.go (commit 0749685),
    which learns from 100,000 vectors. Float32.
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        low, high = sample_nd.min(), sample_nd.max()
        with np.errstate(over="ignore"):
            span = np.minimum(high - low, np.float32(_LARGEST))
        return WeaviateScalarCodec(d=sample_nd.shape[1], low=np.asarray(low), span=np.asarray(span))


@dataclass(frozen=True, kw_only=True)
class WeaviateScalarCodec(Codec):
    """A row: a byte for each dimension, then the sum of the bytes and of their squares, 4 bytes each.

    ``low`` and ``span``: b and a, float32 scalars.
    """

    low: Floats
    span: Floats

    def encode(self, x_nd: Floats) -> Codes:
        codes_nb = np.empty((len(x_nd), self.d + 8), np.uint8)
        for start, stop in blocks(len(x_nd), max(1, _BLOCK // self.d)):
            levels_nd = self._levels(x_nd[start:stop])
            codes_nb[start:stop, : self.d] = levels_nd
            levels_nd = levels_nd.astype(np.float64)
            sums_n2 = np.stack([row_dots(levels_nd, np.ones(self.d)), row_dots(levels_nd, levels_nd)], axis=1)
            codes_nb[start:stop, self.d :] = sums_n2.astype(">u4").view(np.uint8)
        return codes_nb

    def _levels(self, x_nd: Floats) -> Codes:
        if self.span == 0:
            return np.zeros(x_nd.shape, np.uint8)
        with np.errstate(over="ignore"):  # what becomes infinite is clamped
            above_nd = np.clip(x_nd - self.low, 0, self.span) * np.float32(255) / self.span
        return np.minimum(above_nd, np.float32(255)).astype(np.uint8)

    def _values(self, codes_nb: Codes) -> Floats:
        return codes_nb[:, : self.d] * (np.float64(self.span) / 255) + np.float64(self.low)

    def decode(self, codes_nb: Codes) -> Floats:
        return self._values(codes_nb).astype(np.float32)

    def integers(self, codes_nb: Codes) -> Ints:
        return codes_nb[:, : self.d]

    def clipped(self, x_nd: Floats) -> Bools:
        return (x_nd < self.low) | (x_nd > np.float64(self.low) + np.float64(self.span))

    def estimate_queries(self, met_qd: Floats) -> Floats:
        """The query is coded too; the score is the inner product of both sides' decoded vectors."""
        return self._values(self.encode(met_qd))

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        return self._values(codes_nb)

    def ledger(self) -> Ledger:
        once = [Item(name, "once", getattr(self, name).nbytes) for name in ("low", "span")]
        return Ledger((*Ledger.of_bits(bits=8 * self.d, once=once).items, Item("sums of codes", "vector", 8)))


@dataclass(frozen=True, kw_only=True)
class WeaviateRotational(Quantizer):
    """8 bits or 1 bit of vectors that ``transforms.weaviate_rotation.WeaviateRotation`` has turned.

    8: ``floor((x - lower) / step + 1/2)``, step = (max - min) / 255 of each vector; queries alike. Kept
    per vector: lower, step, step times the sum of codes, |x|**2: 16 bytes.
    1: the signs, met as ``step sign``, step = |x|**2 / sum |x| (RaBitQ without a centre). Queries get 5
    bits, ``floor((x + m) / (2 m / 31) + u)`` with m = max |x| and a random rounding u of each dimension,
    uniform in [0, 1). Kept per vector: step, |x|**2: 8 bytes. Padding to 256 dimensions is the rotation's.

    Source: Weaviate, adapters/repos/db/vector/compressionhelpers/rotational_quantization.go (commit 041edea) and
    binary_rotational_quantization.go (commit 0749685). Float32 there, float64 with float32 storage here.
    """

    bits: Literal[1, 8] = 8

    def __post_init__(self) -> None:
        if self.bits not in (1, 8):
            raise VqbenchError(f"bits = {self.bits}: must be 1 or 8")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        d = sample_nd.shape[1]
        if self.bits == 8:
            return RotatedBytesCodec(d=d)
        return RotatedSignsCodec(d=d, rounding_d=rng.random(d, dtype=np.float32))


@dataclass(frozen=True, kw_only=True)
class RotatedBytesCodec(Codec):
    """A row: a byte for each dimension, then lower, step, step times sum of codes, square norm as float32."""

    def encode(self, x_nd: Floats) -> Codes:
        codes_nb = np.empty((len(x_nd), self.d + 16), np.uint8)
        for start, stop in blocks(len(x_nd), max(1, _BLOCK // self.d)):
            codes_nb[start:stop] = self._encode(x_nd[start:stop].astype(np.float64))
        return codes_nb

    def _encode(self, x_nd: Floats) -> Codes:
        lower_n1 = x_nd.min(axis=1, keepdims=True)
        step_n1 = ((x_nd.max(axis=1, keepdims=True) - lower_n1) / 255).astype(np.float32).astype(np.float64)
        flat_n1 = step_n1 == 0  # such a row is coded as zero, whatever it holds
        levels_nd = np.floor((x_nd - lower_n1) / np.where(flat_n1, 1, step_n1) + 0.5)
        sums_n1 = step_n1 * row_dots(levels_nd, np.ones(self.d))[:, None]
        kept_n4 = np.concatenate([lower_n1, step_n1, sums_n1, row_dots(x_nd, x_nd)[:, None]], axis=1) * ~flat_n1
        return append_floats(levels_nd.astype(np.uint8), np.clip(kept_n4, -_LARGEST, _LARGEST))

    def _values(self, codes_nb: Codes) -> Floats:
        levels_nd, kept_n4 = split_floats(codes_nb, 4)
        kept_n4 = kept_n4.astype(np.float64)
        return kept_n4[:, :1] + kept_n4[:, 1:2] * levels_nd

    def decode(self, codes_nb: Codes) -> Floats:
        return np.clip(self._values(codes_nb), -_LARGEST, _LARGEST).astype(np.float32)

    def integers(self, codes_nb: Codes) -> Ints:
        return codes_nb[:, : self.d]

    def estimate_queries(self, met_qd: Floats) -> Floats:
        """The query is coded too; the score is the inner product of both sides' decoded vectors."""
        return self._values(self.encode(met_qd))

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        return self._values(codes_nb)

    def ledger(self) -> Ledger:
        names = ("lower", "step", "sum of codes", "square norm")
        return Ledger((*Ledger.of_bits(bits=8 * self.d).items, *(Item(name, "vector", 4) for name in names)))


@dataclass(frozen=True, kw_only=True)
class RotatedSignsCodec(Codec):
    """A row: the signs, then step and square norm as float32. ``rounding_d``: float32, for queries."""

    rounding_d: Floats

    def encode(self, x_nd: Floats) -> Codes:
        wide_nd = x_nd.astype(np.float64)
        square_n, sum_n = row_dots(wide_nd, wide_nd), row_dots(np.abs(wide_nd), np.ones(self.d))
        kept_n2 = np.stack([square_n / np.where(sum_n == 0, 1, sum_n), square_n], axis=1)
        return append_floats(pack_bits(x_nd > 0), np.minimum(kept_n2, _LARGEST))

    def decode(self, codes_nb: Codes) -> Floats:
        """``|x| / sqrt(d)`` times the sign, as Weaviate restores a vector."""
        bits_nb, kept_n2 = split_floats(codes_nb, 2)
        return self._signs(bits_nb) * np.sqrt(kept_n2[:, 1:] / self.d)

    def _signs(self, bits_nb: Codes) -> Floats:
        return unpack_bits(bits_nb, self.d).astype(np.float32) * 2 - 1

    def estimate_queries(self, met_qd: Floats) -> Floats:
        """``step (2 code - 31)`` of the query's 5 bits."""
        met_qd = met_qd.astype(np.float64)
        reach_q1 = np.abs(met_qd).max(axis=1, keepdims=True)
        step_q1 = np.where(reach_q1 == 0, 1, reach_q1) / _QUERY_TOP
        levels_qd = np.floor((met_qd + reach_q1) / (2 * step_q1) + self.rounding_d)
        return (2 * np.minimum(levels_qd, _QUERY_TOP) - _QUERY_TOP) * step_q1 * (reach_q1 > 0)

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        bits_nb, kept_n2 = split_floats(codes_nb, 2)
        return self._signs(bits_nb) * kept_n2[:, :1].astype(np.float64)

    def ledger(self) -> Ledger:
        once = [Item("query rounding", "once", self.rounding_d.nbytes)]
        code = Ledger.of_bits(bits=self.d, once=once).items
        return Ledger((*code, Item("step", "vector", 4), Item("square norm", "vector", 4)))
