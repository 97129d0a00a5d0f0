"""Qdrant's scalar quantization, 127 steps between two values for all dimensions, and its signs with finer queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats, row_dots
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec, Layout, SymmetricCodec
from vqbench.quantizers.parts.ranges import order_statistic
from vqbench.quantizers.parts.rounding import LARGEST, half_up, query_levels
from vqbench.quantizers.parts.spec import Limits

#: The largest code: seven bits of the byte are used.
TOP = 127
_LEAST = 127  # vectors below which Qdrant takes the smallest and largest value instead of quantiles
_WORD = 128  # rows are filled up to a multiple of so many bits


@dataclass(frozen=True, kw_only=True)
class QdrantScalar(Quantizer):
    """``round(clamp((x - offset) / alpha, 0, 127))``, halves away from zero, in float32.

    offset and alpha = (high - offset) / 127 come from the values of the sample that are left when
    ``cut = trunc(n * (1 - quantile) / 2)``, at least 1, are taken off the top and one more than that
    off the bottom. n counts vectors, but what is cut off are components: with quantile 0.99 and d
    dimensions a share of about 0.01 / d of them, not of 0.01.

    Source: Qdrant, lib/quantization/src, encoded_vectors_u8.rs (codes, score; commit 004845e) and quantile.rs
    (``find_quantile_interval``, which draws 5,000 vectors; commit 0e33974).

    >>> codec = QdrantScalar().fit(np.float32([[0, 127]]), np.random.default_rng(0))
    >>> codec.integers(codec.encode(np.float32([[2.5, 200]])))
    array([[  3, 127]], dtype=uint8)
    """

    #: With 1, or a sample of fewer than 127 vectors, nothing is cut off.
    quantile: Annotated[float, Limits(0.5, 1, advice=", as Qdrant has it")] = 0.99

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        n, d = sample_nd.shape
        below = above = 0
        if n >= _LEAST and self.quantile < 1 and sample_nd.size >= 4:
            kept = np.float32(1) - np.float32(self.quantile)  # float32 all the way: 5,000 vectors give 24, not 25
            above = max(1, min((sample_nd.size - 1) // 2, int(np.float32(n) * kept / np.float32(2))))
            below = above + 1
        low, high = order_statistic(sample_nd, below), -order_statistic(sample_nd, above, sign=-1)
        with np.errstate(over="ignore"):
            alpha = np.minimum((high - low) / np.float32(TOP), np.float32(LARGEST) / np.float32(2 * TOP))
        return QdrantScalarCodec(d=d, alpha=np.asarray(alpha, np.float32), offset=np.asarray(low, np.float32))


@dataclass(frozen=True, kw_only=True)
class QdrantScalarCodec(SymmetricCodec):
    """A byte for each dimension, code(0) up to a multiple of 16, then the constant of the row's score as float32."""

    alpha: Floats  # a float32 scalar, as offset
    offset: Floats

    @property
    def layout(self) -> Layout:
        return Layout(count=self.d, bits=8, word=_WORD, side=(("score constant", "<f4"),))

    def encode_block(self, x_nd: Floats) -> Codes:
        padded_np = np.pad(x_nd, ((0, 0), (0, -self.d % (_WORD // 8))))
        with np.errstate(over="ignore"):  # what becomes infinite is clamped, as it should be
            steps_np = (padded_np - self.offset) / self.alpha if self.alpha else np.zeros_like(padded_np)
        levels_np = half_up(np.clip(steps_np, 0, TOP)).astype(np.uint8)
        alpha, offset, width = np.float64(self.alpha), np.float64(self.offset), levels_np.shape[1]
        sums_n = row_dots(levels_np.astype(np.float64), np.ones(width))
        return self.layout.pack(levels_np, width * offset**2 + alpha * offset * sums_n)

    def values(self, codes_nb: Codes) -> Floats:
        return codes_nb[:, : self.d] * np.float64(self.alpha) + np.float64(self.offset)

    def clipped(self, x_nd: Floats) -> Bools:
        return (x_nd < self.offset) | (x_nd > np.float64(self.offset) + TOP * np.float64(self.alpha))


@dataclass(frozen=True, kw_only=True)
class QdrantBinary(Quantizer):
    """A bit for ``x > 0``, compared with the query's bits or, under similarity ``estimate``, with 4 or 8 of its bits.

    The query's level is ``round((q + m) / delta)``, halves up, delta = 2 m / R, m = max |q|, R = 2**query_bits - 1:
    symmetric around zero, which has no level of its own. The score, d - 2 XOR / R over the levels' bits, is the
    inner product of -1 and 1 with (2 level - R) / R.

    Source: Qdrant, lib/quantization/src, encoded_vectors_binary.rs (``_encode_scalar_query_vector``,
    ``calculate_metric``; commit 000b436). Its 1.5 and 2 bits: ``multibinary.MultiBinary``.

    >>> codec = QdrantBinary(query_bits=4).fit(np.zeros((1, 3), np.float32), np.random.default_rng(0))
    >>> codec.encode(np.float32([[-1, 0, 1]]))[:, :2]  # the first two of 16 bytes
    array([[32,  0]], dtype=uint8)
    >>> codec.estimate_queries(np.float32([[-1, 0.1, 1]]))
    array([[-15.,   1.,  15.]])
    """

    #: Bits of a component of the query.
    query_bits: Literal[1, 4, 8] = 1

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return QdrantBinaryCodec(d=sample_nd.shape[1], query_bits=self.query_bits)


@dataclass(frozen=True, kw_only=True)
class QdrantBinaryCodec(BlockCodec):
    """Bits, filled up to whole words of 128 bits. Nothing is learned."""

    query_bits: int

    is_binary = True

    @property
    def layout(self) -> Layout:
        return Layout(count=self.d, bits=1, word=_WORD)

    def encode_block(self, x_nd: Floats) -> Codes:
        return self.layout.pack(x_nd > 0)

    def decode(self, codes_nb: Codes) -> Floats:
        return self.layout.numbers(codes_nb).astype(np.float32) * 2 - 1

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        """Whole numbers: R times what Qdrant sums, so that equal scores are equal to the last bit."""
        if self.query_bits == 1:
            return (queries_qd > 0) * 2.0 - 1
        return 2 * query_levels(queries_qd, self.query_bits).astype(np.float64) - (2**self.query_bits - 1)
