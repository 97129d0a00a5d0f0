"""Floats of another width: the reference and the mildest quantizers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import ml_dtypes
import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec, Layout
from vqbench.quantizers.parts.rounding import LARGEST

_TYPES = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
}


@dataclass(frozen=True, kw_only=True)
class Cast(Quantizer):
    """Floats rounded to the nearest of another type, ties to even, little-endian.

    What is larger than the type's largest finite number is clipped to it.

    Source: float16, float32, float64: IEEE 754-2019, section 3.6. bfloat16: Kalamkar et al., A Study of
    BFLOAT16 for Deep Learning Training (2019). float8: Micikevicius et al., FP8 Formats for Deep Learning (2022).

    >>> codec = Cast(dtype="float16").fit(np.zeros((1, 3), np.float32), np.random.default_rng(0))
    >>> codec.decode(codec.encode(np.float32([[0.1, 1, 70000]])))
    array([[9.9975586e-02, 1.0000000e+00, 6.5504000e+04]], dtype=float32)
    """

    #: float32 and float64 hold float32 input exactly. bfloat16: the upper half of a float32, 8 bits of significand.
    #: float8_e4m3 (without infinity: e4m3fn elsewhere) and float8_e5m2: 4 and 3 bits of significand, largest finite
    #: value 448 and 57344.
    dtype: Literal["float16", "float32", "float64", "bfloat16", "float8_e4m3", "float8_e5m2"] = "float32"

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return CastCodec(d=sample_nd.shape[1], dtype=self.dtype)


@dataclass(frozen=True, kw_only=True)
class CastCodec(BlockCodec):
    """The bytes of the floats, low byte first."""

    dtype: str

    numbers_at_once = 2**15

    @property
    def _type(self) -> np.dtype:
        return np.dtype(_TYPES.get(self.dtype, self.dtype))

    @property
    def layout(self) -> Layout:
        return Layout(count=self.d, bits=8 * self._type.itemsize)

    @property
    def _largest(self) -> float:
        return min(float(ml_dtypes.finfo(self._type).max), LARGEST)

    def encode_block(self, x_nd: Floats) -> Codes:
        size, largest = self._type.itemsize, self._largest
        # Beyond the largest a cast would give infinity, or none of the type's numbers.
        cast_nd = np.clip(x_nd, -largest, largest).astype(self._type)
        return cast_nd.view(f"u{size}").astype(f"<u{size}", copy=False).view(np.uint8)

    def decode(self, codes_nb: Codes) -> Floats:
        size = self._type.itemsize
        codes_nd = np.ascontiguousarray(codes_nb).view(f"<u{size}").astype(f"u{size}", copy=False)
        return codes_nd.view(self._type).astype(np.float32)

    def clipped(self, x_nd: Floats) -> Bools:
        return np.abs(x_nd) > self._largest
