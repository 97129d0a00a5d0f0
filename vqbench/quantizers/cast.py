"""Floats of another width: the baseline and the mildest quantizers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.arrays import Bools, Codes, Floats
from vqbench.ledger import Ledger
from vqbench.quantizers.base import Codec, Quantizer


@dataclass(frozen=True, kw_only=True)
class Cast(Quantizer):
    """IEEE 754 floats, little-endian. float32 and float64 hold float32 input exactly."""

    dtype: Literal["float16", "float32", "float64"] = "float32"

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return CastCodec(d=sample_nd.shape[1], dtype=self.dtype)


@dataclass(frozen=True, kw_only=True)
class CastCodec(Codec):
    """Components rounded to the nearest float of the given width, ties to even."""

    dtype: str

    @property
    def _stored(self) -> np.dtype:
        return np.dtype(self.dtype).newbyteorder("<")

    def encode(self, x_nd: Floats) -> Codes:
        largest = np.finfo(self.dtype).max  # beyond it a cast would give infinity
        stored_nd = np.clip(x_nd, -largest, largest).astype(self._stored)
        return np.ascontiguousarray(stored_nd).view(np.uint8)

    def decode(self, codes_nb: Codes) -> Floats:
        return np.ascontiguousarray(codes_nb).view(self._stored).astype(np.float32)

    def clipped(self, x_nd: Floats) -> Bools:
        return np.abs(x_nd) > np.finfo(self.dtype).max

    def ledger(self) -> Ledger:
        return Ledger.of_bits(bits=8 * self._stored.itemsize * self.d)
