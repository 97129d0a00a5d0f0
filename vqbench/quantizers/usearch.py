"""USearch's 8-bit integers: 127 times the unit vector, truncated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Codes, Floats, Ints, blocks, row_norms
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.ledger import Ledger

_BLOCK = 2**17  # numbers that are worked on at a time


@dataclass(frozen=True, kw_only=True)
class UsearchInt8(Quantizer):
    """``int8(127 x / |x|)``, truncated toward zero, in float64: the zero code is twice as wide as the others.

    Every row is scaled by its own norm, and the norm is not kept. A component of a unit vector in 384
    dimensions is about 1/20, so only some 40 of the 255 codes see much use.
    Source: USearch 2.26, include/usearch/index_plugins.hpp, ``cast_to_i8_gt``.
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return UsearchInt8Codec(d=sample_nd.shape[1])


@dataclass(frozen=True, kw_only=True)
class UsearchInt8Codec(Codec):
    """Signed bytes; nothing is learned."""

    def encode(self, x_nd: Floats) -> Codes:
        codes_nd = np.empty(x_nd.shape, np.int8)
        for start, stop in blocks(len(x_nd), max(1, _BLOCK // self.d)):
            scaled_nd = x_nd[start:stop].astype(np.float64)
            norms_n = row_norms(scaled_nd)
            scaled_nd *= 127
            scaled_nd /= np.where(norms_n == 0, 1, norms_n)[:, None]
            np.clip(scaled_nd, -127, 127, out=scaled_nd)
            codes_nd[start:stop] = scaled_nd  # the cast truncates
        return codes_nd.view(np.uint8)

    def decode(self, codes_nb: Codes) -> Floats:
        return self.integers(codes_nb) * np.float32(1 / 127)

    def integers(self, codes_nb: Codes) -> Ints:
        return np.ascontiguousarray(codes_nb).view(np.int8)

    def ledger(self) -> Ledger:
        return Ledger.of_bits(bits=8 * self.d)
