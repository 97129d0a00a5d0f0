"""sqlite-vec's 8-bit integers for vectors of unit length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats, Ints
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec

#: 2 / 255 as the C code holds it: so little above it that 1 becomes 126, not 127.
STEP = np.float64(np.float32(2 / 255))


@dataclass(frozen=True, kw_only=True)
class SqliteVecInt8(Quantizer):
    """``int8((x + 1) / step - 128)`` with step = 2 / 255, truncated toward zero and clamped, in float64.

    255 steps cover [-1, 1], of which unit vectors of many dimensions use only a few. Zero becomes -0.5, so
    truncation toward zero shrinks either side and shifts the middle.

    Source: sqlite-vec 0.1.9, sqlite-vec.c, ``vec_quantize_int8(vector, 'unit')``.

    >>> codec = SqliteVecInt8().fit(np.zeros((1, 3), np.float32), np.random.default_rng(0))
    >>> codec.integers(codec.encode(np.float32([[-1, 0, 1]])))
    array([[-128,    0,  126]], dtype=int8)
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return SqliteVecInt8Codec(d=sample_nd.shape[1])


@dataclass(frozen=True, kw_only=True)
class SqliteVecInt8Codec(BlockCodec):
    """Signed bytes; nothing is learned."""

    def encode_block(self, x_nd: Floats) -> Codes:
        levels_nd = (x_nd.astype(np.float64) + 1) / STEP - 128
        return np.clip(levels_nd, -128, 127).astype(np.int8).view(np.uint8)  # the cast truncates

    def decode(self, codes_nb: Codes) -> Floats:
        """Reverse the formula. sqlite-vec itself compares the integers and never decodes."""
        return ((self.integers(codes_nb) + 128.0) * STEP - 1).astype(np.float32)

    def integers(self, codes_nb: Codes) -> Ints:
        return np.ascontiguousarray(codes_nb).view(np.int8)

    def clipped(self, x_nd: Floats) -> Bools:
        return np.abs(x_nd) > 1
