"""The int8 and uint8 of sentence-transformers before v5.7, which wrap what lies outside the calibrated range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats, Ints
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec
from vqbench.quantizers.parts.rounding import LARGEST


@dataclass(frozen=True, kw_only=True)
class Wrapped(Quantizer):
    """``(x - low) / step`` with step = (max - min) / 255 of each dimension, cast to a byte without clipping.

    A number outside the sample's range wraps to the other end of it (issues 2837, 3159 and 3847 of the project).
    Kept to measure what the mistake costs. The arithmetic is float32; where step is 0, 0 / 0 is cast to 0.

    Source: huggingface/sentence-transformers v3.0.0, quantize_embeddings in quantization.py; clipped since
    v5.7.0 (``scalar.Scalar`` with rounding floor). Its rescoring decodes to low + code * step, the code without
    its sign's 128.

    >>> codec = Wrapped(signed=False).fit(np.float32([[0], [255]]), np.random.default_rng(0))
    >>> codec.encode(np.float32([[1.9], [255], [257]]))
    array([[  1],
           [255],
           [  1]], dtype=uint8)
    """

    #: Subtract 128 first. The cast drops the fraction, so signed codes are rounded toward zero: 0 stands for two
    #: steps and -128 hardly occurs.
    signed: bool = True

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        low_d, high_d = sample_nd.min(axis=0), sample_nd.max(axis=0)
        with np.errstate(over="ignore"):
            step_d = np.minimum(high_d - low_d, np.float32(LARGEST)) / np.float32(255)
        return WrappedCodec(d=sample_nd.shape[1], signed=self.signed, low_d=low_d, step_d=step_d)


@dataclass(frozen=True, kw_only=True)
class WrappedCodec(BlockCodec):
    """Bytes modulo 256, as a C cast through a wider integer gives on common hardware."""

    signed: bool
    low_d: Floats  # the sample's least number, float32
    step_d: Floats  # float32

    numbers_at_once = 2**15

    def _scaled(self, x_nd: Floats) -> Floats:
        """What is cast; where step is 0, not 0 / 0 but 0."""
        with np.errstate(over="ignore"):
            scaled_nd = x_nd - self.low_d
            scaled_nd /= np.where(self.step_d == 0, np.float32(LARGEST), self.step_d)
        if self.signed:
            scaled_nd -= np.where(self.step_d == 0, np.float32(0), np.float32(128))
        return scaled_nd

    def encode_block(self, x_nd: Floats) -> Codes:
        scaled_nd = self._scaled(x_nd)
        # From 2**31 on a float32 is a multiple of 256; an int32 cannot hold it, and a cast would be undefined.
        scaled_nd[np.abs(scaled_nd) >= 2**31] = 0
        return scaled_nd.astype(np.int32).astype(np.uint8)

    def decode(self, codes_nb: Codes) -> Floats:
        level_nd = self.integers(codes_nb).astype(np.float32)
        if self.signed:
            level_nd += np.float32(128)
        return level_nd * self.step_d + self.low_d

    def integers(self, codes_nb: Codes) -> Ints:
        return np.ascontiguousarray(codes_nb).view(np.int8) if self.signed else codes_nb

    def clipped(self, x_nd: Floats) -> Bools:
        """Here: wrapped. In a constant dimension, what is not its value."""
        whole_nd = np.trunc(self._scaled(x_nd))
        least = -128 if self.signed else 0
        return np.where(self.step_d == 0, x_nd != self.low_d, (whole_nd < least) | (whole_nd > least + 255))
