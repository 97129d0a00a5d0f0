"""The int8 and uint8 of sentence-transformers before v5.7, which wrap what lies outside the calibrated range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats, Ints, blocks
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.ledger import Item, Ledger

_LARGEST = np.finfo(np.float32).max
_BLOCK = 1 << 15  # numbers that are coded at a time: what this takes stays in the processor's cache


@dataclass(frozen=True, kw_only=True)
class Wrapped(Quantizer):
    """``(x - start) / step`` with step = (max - min) / 255 of each dimension, cast to a byte without clipping.

    signed: 128 is subtracted first. The cast drops the fraction, so signed codes are rounded toward
    zero: 0 stands for two steps and -128 hardly occurs. A number outside the sample's range lands at the
    other end of it (issues 2837, 3159 and 3847 of the project). Kept to measure what the mistake costs.

    Source: huggingface/sentence-transformers v3.0.0, quantize_embeddings in quantization.py;
    clipped since v5.7.0 (``scalar.Scalar`` with rounding floor). Float32 arithmetic. Its rescoring decodes
    to start + code * step, the code without its sign's 128. Where step is 0, 0 / 0 is cast to 0.
    """

    signed: bool = True

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        low_d, high_d = sample_nd.min(axis=0), sample_nd.max(axis=0)
        with np.errstate(over="ignore"):
            step_d = np.minimum(high_d - low_d, _LARGEST) / np.float32(255)
        return WrappedCodec(d=sample_nd.shape[1], signed=self.signed, low_d=low_d, step_d=step_d)


@dataclass(frozen=True, kw_only=True)
class WrappedCodec(Codec):
    """Bytes modulo 256, as a C cast through a wider integer gives on common hardware."""

    signed: bool
    low_d: Floats
    step_d: Floats

    def _scaled(self, x_nd: Floats) -> Floats:
        """What is cast; where step is 0, not 0 / 0 but 0."""
        with np.errstate(over="ignore"):
            scaled_nd = x_nd - self.low_d
            scaled_nd /= np.where(self.step_d == 0, _LARGEST, self.step_d)
        if self.signed:
            scaled_nd -= np.where(self.step_d == 0, np.float32(0), np.float32(128))
        return scaled_nd

    def encode(self, x_nd: Floats) -> Codes:
        codes_nd = np.empty(x_nd.shape, np.uint8)
        for start, stop in blocks(len(x_nd), max(1, _BLOCK // self.d)):
            scaled_nd = self._scaled(x_nd[start:stop])
            # From 2**31 on a float32 is a multiple of 256; an int32 cannot hold it, and a cast would be undefined.
            scaled_nd[np.abs(scaled_nd) >= 2**31] = 0
            codes_nd[start:stop] = scaled_nd.astype(np.int32).astype(np.uint8)
        return codes_nd

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

    def ledger(self) -> Ledger:
        once = [Item("low", "once", self.low_d.nbytes), Item("step", "once", self.step_d.nbytes)]
        return Ledger.of_bits(bits=8 * self.d, once=once)
