"""sqlite-vec's 8-bit integers for vectors of unit length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats, Ints, blocks
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.ledger import Ledger

#: 2 / 255 as the C code holds it: so little above it that 1 becomes 126, not 127.
STEP = np.float64(np.float32(2 / 255))
_BLOCK = 2**17  # numbers that are worked on at a time


@dataclass(frozen=True, kw_only=True)
class SqliteVecInt8(Quantizer):
    """``int8((x + 1) / step - 128)`` with step = 2 / 255, truncated toward zero and clamped, in float64.

    [-1, 1] is laid over 255 steps, of which unit vectors of many dimensions use but a few; zero falls
    on -0.5, so that truncation toward zero shrinks either side and shifts the middle.
    Source: sqlite-vec 0.1.9, sqlite-vec.c, ``vec_quantize_int8(vector, 'unit')``.
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return SqliteVecInt8Codec(d=sample_nd.shape[1])


@dataclass(frozen=True, kw_only=True)
class SqliteVecInt8Codec(Codec):
    """Signed bytes; nothing is learned."""

    def encode(self, x_nd: Floats) -> Codes:
        codes_nd = np.empty(x_nd.shape, np.int8)
        for start, stop in blocks(len(x_nd), max(1, _BLOCK // self.d)):
            levels_nd = x_nd[start:stop].astype(np.float64)
            levels_nd += 1
            levels_nd /= STEP
            levels_nd -= 128
            np.clip(levels_nd, -128, 127, out=levels_nd)
            codes_nd[start:stop] = levels_nd  # the cast truncates
        return codes_nd.view(np.uint8)

    def decode(self, codes_nb: Codes) -> Floats:
        """The formula turned round. sqlite-vec itself compares the integers and never decodes."""
        return ((self.integers(codes_nb) + 128.0) * STEP - 1).astype(np.float32)

    def integers(self, codes_nb: Codes) -> Ints:
        return np.ascontiguousarray(codes_nb).view(np.int8)

    def clipped(self, x_nd: Floats) -> Bools:
        return np.abs(x_nd) > 1

    def ledger(self) -> Ledger:
        return Ledger.of_bits(bits=8 * self.d)
