"""Floats of another width: the baseline and the mildest quantizers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import ml_dtypes
import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats, blocks
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.ledger import Ledger

_BLOCK = 1 << 15  # numbers that are cast at a time: what this takes stays in the processor's cache
_TYPES = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
}


@dataclass(frozen=True, kw_only=True)
class Cast(Quantizer):
    """Floats rounded to the nearest of the given type, ties to even, little-endian.

    float16, float32, float64: IEEE 754-2019, section 3.6. float32 and float64 hold float32 input exactly.
    bfloat16: the upper half of a float32, 8 bits of significand (Kalamkar et al., A Study of
    BFLOAT16 for Deep Learning Training, 2019). float8_e4m3, float8_e5m2: 4 and 3 bits of significand,
    largest finite value 448 and 57344 (Micikevicius et al., FP8 Formats for Deep Learning, 2022; e4m3
    has no infinity: the type that others call e4m3fn). What is larger is clipped to the largest finite value.
    """

    dtype: Literal["float16", "float32", "float64", "bfloat16", "float8_e4m3", "float8_e5m2"] = "float32"

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return CastCodec(d=sample_nd.shape[1], dtype=self.dtype)


@dataclass(frozen=True, kw_only=True)
class CastCodec(Codec):
    """Components rounded to the nearest float of the given type."""

    dtype: str

    @property
    def _type(self) -> np.dtype:
        return np.dtype(_TYPES.get(self.dtype, self.dtype))

    @property
    def _stored(self) -> np.dtype:
        """An unsigned integer of the same width, low byte first."""
        return np.dtype(f"<u{self._type.itemsize}")

    @property
    def _largest(self) -> float:
        return min(float(ml_dtypes.finfo(self._type).max), float(np.finfo(np.float32).max))

    def encode(self, x_nd: Floats) -> Codes:
        largest = self._largest  # beyond it a cast would give infinity, or none of the type's numbers
        codes_nd = np.empty(x_nd.shape, self._stored)
        for start, stop in blocks(len(x_nd), max(1, _BLOCK // self.d)):
            cast_nd = np.clip(x_nd[start:stop], -largest, largest).astype(self._type)
            codes_nd[start:stop] = cast_nd.view(f"u{self._type.itemsize}")
        return codes_nd.view(np.uint8)

    def decode(self, codes_nb: Codes) -> Floats:
        codes_nd = np.ascontiguousarray(codes_nb).view(self._stored).astype(f"u{self._type.itemsize}", copy=False)
        return codes_nd.view(self._type).astype(np.float32)

    def clipped(self, x_nd: Floats) -> Bools:
        return np.abs(x_nd) > self._largest

    def ledger(self) -> Ledger:
        return Ledger.of_bits(bits=8 * self._stored.itemsize * self.d)
