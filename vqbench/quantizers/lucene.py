"""Lucene's scalar quantization before 10.4: one range for all dimensions, and a correction for each vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats, Ints, blocks, row_dots
from vqbench.numerics.draws import content_keys, drawn
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec, Layout
from vqbench.quantizers.parts.rounding import LARGEST

_TOGETHER = 20  # vectors whose components are ranked at a time (SCRATCH_SIZE)
_LEAST_SHARE = np.float32(0.9)
_BLOCK = 2**17  # numbers that are ranked at a time


@dataclass(frozen=True, kw_only=True)
class LuceneScalar(Quantizer):
    """``round((clamp(x, low, high) - low) / alpha)``, alpha = (high - low) / (2**bits - 1), halves up, in a byte.

    low and high: of every 20 vectors of the sample, the ends of the middle share
    ``max(0.9, 1 - 1 / (d + 1))`` of their 20 d components; of those, the means. So about one component
    in d + 1 is clipped. Lucene takes the vectors in their order; here they are drawn, so that the order
    of rows does not matter. What is left over after the last 20 is not used.

    Score, of documents and queries coded alike: ``alpha**2 <codes, codes> + offset + offset`` with
    ``offset = sum(low (x - low / 2) + e a)``, a = alpha code, e = x - low - a. It is less than the dot
    product by ``sum(e e' - (e - e') (a - a'))``, which is little for vectors that lie close together.

    ``int8_hnsw`` of Elasticsearch and ``scalar`` of MongoDB have used it with 7 bits.

    Source: Apache Lucene before 10.4, ScalarQuantizer.java (which draws 25,000 vectors; commit 023cf85) and
    Lucene99ScalarQuantizedVectorsFormat.java. Lucene sums in float32, here it is float64.

    >>> codec = LuceneScalar().fit(np.float32([[0, 127]]), np.random.default_rng(0))
    >>> codec.encode(np.float32([[2.5, 200]]))[:, :2]  # the offset's 4 bytes left out
    array([[  3, 127]], dtype=uint8)
    """

    #: Bits that are used of the byte.
    bits: Literal[4, 7] = 7

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        n, d = sample_nd.shape
        together = min(_TOGETHER, n)
        share = np.maximum(_LEAST_SHARE, np.float32(1) - np.float32(1) / np.float32(d + 1))
        cut = int(np.float32(together * d) * (np.float32(1) - share) / np.float32(2) + np.float32(0.5))
        order = drawn(content_keys(sample_nd), n // together * together, int(rng.integers(2**31)), "lucene")
        sums, last = np.zeros(2), together * d - 1 - cut
        for start, stop in blocks(len(order), together * max(1, _BLOCK // (together * d))):
            values_gm = sample_nd[order[start:stop]].reshape(-1, together * d)
            sums += np.partition(values_gm, [cut, last], axis=1)[:, [cut, last]].sum(axis=0, dtype=np.float64)
        low, high = (sums / (len(order) // together)).astype(np.float32)
        return LuceneScalarCodec(d=d, bits=self.bits, low=np.asarray(low), high=np.asarray(high))


@dataclass(frozen=True, kw_only=True)
class LuceneScalarCodec(BlockCodec):
    """A byte for each dimension, then the offset of the row's score."""

    bits: int
    low: Floats  # a float32 scalar, as high
    high: Floats

    @property
    def layout(self) -> Layout:
        return Layout(count=self.d, bits=8, side=(("offset", "<f4"),))

    @property
    def _alpha(self) -> Floats:
        with np.errstate(over="ignore"):
            return np.minimum((self.high - self.low) / np.float32(2**self.bits - 1), np.float32(LARGEST / 2**8))

    def encode_block(self, x_nd: Floats) -> Codes:
        alpha = self._alpha
        scale = np.float32(0) if alpha == 0 else np.float32(2**self.bits - 1) / (self.high - self.low)
        # Math.round: floor(x + 1/2), in float64 so that the sum is not rounded.
        steps_nd = scale * (np.clip(x_nd, self.low, self.high) - self.low)
        levels_nd = np.floor(steps_nd.astype(np.float64) + 0.5)
        low, kept_nd = np.float64(self.low), levels_nd * np.float64(alpha)
        x_nd = x_nd.astype(np.float64)
        offsets_n = row_dots(low * (x_nd - low / 2) + (x_nd - low - kept_nd) * kept_nd, np.ones(self.d))
        return self.layout.pack(levels_nd.astype(np.uint8), offsets_n)

    def decode(self, codes_nb: Codes) -> Floats:
        return self.integers(codes_nb) * self._alpha + self.low

    def integers(self, codes_nb: Codes) -> Ints:
        return self.layout.numbers(codes_nb)

    def clipped(self, x_nd: Floats) -> Bools:
        return (x_nd < self.low) | (x_nd > self.high)

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        """alpha codes, 1, offset of the coded query: ``(q, d + 2)``."""
        rows_qw = self.estimate_rows(self.encode(queries_qd))
        return np.concatenate([rows_qw[:, : self.d], rows_qw[:, [-1, -2]]], axis=1)

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        """alpha codes, offset, 1: ``(n, d + 2)``."""
        offsets_n = self.layout.side_values(codes_nb)["offset"]
        return np.column_stack([self.integers(codes_nb) * np.float64(self._alpha), offsets_n, np.ones(len(codes_nb))])
