"""USearch's 8-bit integers: 127 times the unit vector, truncated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Codes, Floats, Ints, row_norms
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec


@dataclass(frozen=True, kw_only=True)
class UsearchInt8(Quantizer):
    """``int8(127 x / |x|)``, truncated toward zero, in float64: the zero code is twice as wide as the others.

    Every row is scaled by its own norm, and the norm is not kept. A component of a unit vector in 384
    dimensions is about 1/20, so only some 40 of the 255 codes are used much.

    Source: USearch 2.26, include/usearch/index_plugins.hpp, ``cast_to_i8_gt``.

    >>> codec = UsearchInt8().fit(np.ones((1, 2), np.float32), np.random.default_rng(0))
    >>> codec.integers(codec.encode(np.float32([[3, -4]])))
    array([[  76, -101]], dtype=int8)
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return UsearchInt8Codec(d=sample_nd.shape[1])


@dataclass(frozen=True, kw_only=True)
class UsearchInt8Codec(BlockCodec):
    """Signed bytes; nothing is learned."""

    def encode_block(self, x_nd: Floats) -> Codes:
        x_nd = x_nd.astype(np.float64)
        norms_n = row_norms(x_nd)
        scaled_nd = x_nd * 127 / np.where(norms_n == 0, 1, norms_n)[:, None]
        return np.clip(scaled_nd, -127, 127).astype(np.int8).view(np.uint8)  # the cast truncates

    def decode(self, codes_nb: Codes) -> Floats:
        return self.integers(codes_nb) * np.float32(1 / 127)

    def integers(self, codes_nb: Codes) -> Ints:
        return np.ascontiguousarray(codes_nb).view(np.int8)
