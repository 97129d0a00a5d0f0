"""Qdrant's scalar quantization, 127 steps between two values for all dimensions, and its signs with finer queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Bools, Codes, Floats, Ints, blocks, row_dots
from vqbench.numerics.packing import append_floats, pack_bits, unpack_bits
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.ledger import Item, Ledger

#: The largest code: seven bits of the byte are used.
TOP = 127
_LEAST = 127  # vectors below which Qdrant takes the smallest and largest value instead of quantiles
_ALIGNED = 16  # rows are filled up to a multiple of so many bytes
_BLOCK = 2**17  # numbers that are worked on at a time


@dataclass(frozen=True, kw_only=True)
class QdrantScalar(Quantizer):
    """``round(clamp((x - offset) / alpha, 0, 127))``, halves away from zero, in float32.

    offset and alpha = (high - offset) / 127 come from the values of the sample that are left when
    ``cut = trunc(n * (1 - quantile) / 2)``, at least 1, are taken off the top and one more than that
    off the bottom. n counts vectors, yet what is cut off are components: with quantile 0.99 and d
    dimensions a share of about 0.01 / d of them, not of 0.01. quantile 1, or a sample of fewer than
    127 vectors: nothing is cut off.

    Source: Qdrant, lib/quantization/src, encoded_vectors_u8.rs (codes, score; commit 004845e) and quantile.rs
    (``find_quantile_interval``, which draws 5,000 vectors; commit 0e33974).
    """

    quantile: float = 0.99

    def __post_init__(self) -> None:
        if not 0.5 <= self.quantile <= 1:
            raise VqbenchError(f"quantile = {self.quantile}: must be from 0.5 to 1, as Qdrant has it")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        n, d = sample_nd.shape
        below = above = 0
        if n >= _LEAST and self.quantile < 1 and sample_nd.size >= 4:
            kept = np.float32(1) - np.float32(self.quantile)  # float32 all the way: 5,000 vectors give 24, not 25
            above = max(1, min((sample_nd.size - 1) // 2, int(np.float32(n) * kept / np.float32(2))))
            below = above + 1
        low, high = _ranked(sample_nd, below), -_ranked(sample_nd, above, sign=-1)
        with np.errstate(over="ignore"):
            alpha = np.minimum((high - low) / np.float32(TOP), np.finfo(np.float32).max / np.float32(2 * TOP))
        return QdrantScalarCodec(d=d, alpha=np.asarray(alpha, np.float32), offset=np.asarray(low, np.float32))


def _ranked(sample_nd: Floats, rank: int, *, sign: int = 1) -> np.float32:
    """The component of ``sign * sample_nd`` that ``rank`` others lie below, found block by block."""
    kept = np.empty(0, np.float32)
    for start, stop in blocks(len(sample_nd), max(1, _BLOCK // sample_nd.shape[1])):
        kept = np.concatenate([kept, np.float32(sign) * sample_nd[start:stop].ravel()])
        if len(kept) > rank + 1:
            kept = np.partition(kept, rank)[: rank + 1]
    return np.float32(kept.max())


@dataclass(frozen=True, kw_only=True)
class QdrantScalarCodec(Codec):
    """A row: a byte for each dimension, code(0) up to a multiple of 16, then the constant of its score as float32.

    ``alpha`` and ``offset``: float32 scalars.
    """

    alpha: Floats
    offset: Floats

    @property
    def _padded(self) -> int:
        return -(-self.d // _ALIGNED) * _ALIGNED

    def encode(self, x_nd: Floats) -> Codes:
        codes_nb = np.empty((len(x_nd), self._padded + 4), np.uint8)
        for start, stop in blocks(len(x_nd), max(1, _BLOCK // self.d)):
            levels_np = np.empty((stop - start, self._padded), np.uint8)
            levels_np[:, : self.d] = self._levels(x_nd[start:stop])
            levels_np[:, self.d :] = self._levels(np.zeros(1, np.float32))
            codes_nb[start:stop] = append_floats(levels_np, self._constants(levels_np.astype(np.float64)))
        return codes_nb

    def _levels(self, x: Floats) -> Floats:
        if self.alpha == 0:
            return np.zeros_like(x)
        with np.errstate(over="ignore"):  # what becomes infinite is clamped, as it should be
            steps = np.clip((x - self.offset) / self.alpha, 0, TOP)
        return _rounded(steps)

    def _constants(self, levels_np: Floats) -> Floats:
        """What a row adds to its score: ``width offset**2 + alpha offset sum(code)``, ``(n,)``."""
        alpha, offset = np.float64(self.alpha), np.float64(self.offset)
        constant_n = self._padded * offset**2 + alpha * offset * row_dots(levels_np, np.ones(self._padded))
        largest = float(np.finfo(np.float32).max)
        return np.clip(constant_n, -largest, largest)

    def _values(self, codes_nb: Codes) -> Floats:
        return codes_nb[:, : self.d] * np.float64(self.alpha) + np.float64(self.offset)

    def decode(self, codes_nb: Codes) -> Floats:
        return self._values(codes_nb).astype(np.float32)

    def integers(self, codes_nb: Codes) -> Ints:
        return codes_nb[:, : self.d]

    def clipped(self, x_nd: Floats) -> Bools:
        return (x_nd < self.offset) | (x_nd > np.float64(self.offset) + TOP * np.float64(self.alpha))

    def estimate_queries(self, met_qd: Floats) -> Floats:
        """Qdrant codes the query too: its score is the inner product of both sides' decoded vectors."""
        return self._values(self.encode(met_qd))

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        return self._values(codes_nb)

    def ledger(self) -> Ledger:
        filling = self._padded - self.d
        padding = (Item("padding", "vector", filling),) if filling else ()
        once = [Item(name, "once", getattr(self, name).nbytes) for name in ("alpha", "offset")]
        code = Ledger.of_bits(bits=8 * self.d, once=once).items
        return Ledger((*code, *padding, Item("score constant", "vector", 4)))


@dataclass(frozen=True, kw_only=True)
class QdrantBinary(Quantizer):
    """A bit for ``x > 0``, met by the query's bits or, under similarity ``estimate``, by the query in 4 or 8.

    ``query_bits`` of 4 or 8: level = round((q + m) / delta), halves up, delta = 2 m / R, m = max |q|,
    R = 2**query_bits - 1: symmetric around zero, which has no level of its own. Where delta is at most
    2**-23 all levels are 0. The score, d - 2 XOR / R over the levels' bits, is the inner product of
    -1 and 1 with (2 level - R) / R.

    Source: Qdrant, lib/quantization/src, encoded_vectors_binary.rs (``_encode_scalar_query_vector``,
    ``calculate_metric``; commit 000b436). Its 1.5 and 2 bits: ``multibinary.MultiBinary``.
    """

    query_bits: Literal[1, 4, 8] = 1

    def __post_init__(self) -> None:
        if self.query_bits not in (1, 4, 8):
            raise VqbenchError(f"query_bits = {self.query_bits}: must be 1, 4 or 8")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return QdrantBinaryCodec(d=sample_nd.shape[1], query_bits=self.query_bits)


@dataclass(frozen=True, kw_only=True)
class QdrantBinaryCodec(Codec):
    """Bits, filled up to whole words of 128 bits. Nothing is learned."""

    query_bits: int

    is_binary = True

    @property
    def _width(self) -> int:
        return -(-self.d // (8 * _ALIGNED)) * _ALIGNED

    def encode(self, x_nd: Floats) -> Codes:
        codes_nb = np.zeros((len(x_nd), self._width), np.uint8)
        codes_nb[:, : -(-self.d // 8)] = pack_bits(x_nd > 0)
        return codes_nb

    def decode(self, codes_nb: Codes) -> Floats:
        return unpack_bits(codes_nb, self.d).astype(np.float32) * 2 - 1

    def estimate_queries(self, met_qd: Floats) -> Floats:
        """Whole numbers: R times what Qdrant sums, so that equal scores are equal to the last bit."""
        if self.query_bits == 1:
            return (met_qd > 0) * 2.0 - 1
        top = 2**self.query_bits - 1
        reach_q1 = np.abs(met_qd).max(axis=1, keepdims=True)
        with np.errstate(over="ignore"):
            delta_q1 = np.minimum(reach_q1 + reach_q1, np.finfo(np.float32).max) / np.float32(top)
            steps_qd = np.where(
                delta_q1 > np.finfo(np.float32).eps, (met_qd + reach_q1) / np.where(delta_q1 == 0, 1, delta_q1), 0
            )
        return 2 * np.minimum(_rounded(steps_qd), top).astype(np.float64) - top

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        return self.decode(codes_nb).astype(np.float64)

    def ledger(self) -> Ledger:
        filling = self._width - self.d / 8
        padding = (Item("padding", "vector", filling),) if filling else ()
        return Ledger((Item("code", "vector", self.d / 8), *padding))


def _rounded(steps: Floats) -> Floats:
    """To the nearest whole number, halves up; the sum x + 1/2 could round up what lies just below a half."""
    whole = np.floor(steps)
    return whole + (steps - whole >= 0.5)
