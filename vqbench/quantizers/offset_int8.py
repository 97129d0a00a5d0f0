"""One byte per dimension by a fixed offset and scale: the teaching notebook's int8, and its first, wrong version."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats, Ints
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec

#: Steps per unit: [-1, 1] becomes the codes 0 to 254; 255 is never used.
SCALE = 127


@dataclass(frozen=True, kw_only=True)
class OffsetInt8(Quantizer):
    """The teaching notebook's int8: ``((clip(x + 1, 0, 2)) * 127).astype(uint8)`` in float64, bit for bit.

    It truncates, so codes are half a step low on average.

    Source of the error: Gersho and Gray, Vector Quantization and Signal Compression (1992), section 5.2, uniform
    error within a step.

    >>> codec = OffsetInt8().fit(np.zeros((1, 3), np.float32), np.random.default_rng(0))
    >>> codec.encode(np.float32([[-1, 0.5, 2]]))
    array([[  0, 190, 254]], dtype=uint8)
    >>> codec.decode(np.uint8([[0, 190, 254]])).round(4)
    array([[-0.9961,  0.5   ,  1.0039]], dtype=float32)
    """

    #: Add the lost half step when decoding: the mean square error per component falls from 1/(3 * 127**2) to
    #: 1/(12 * 127**2).
    half_step: bool = True

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return OffsetInt8Codec(d=sample_nd.shape[1], half_step=self.half_step)


@dataclass(frozen=True, kw_only=True)
class OffsetInt8Codec(BlockCodec):
    """Unsigned bytes; nothing is learned."""

    half_step: bool

    def encode_block(self, x_nd: Floats) -> Codes:
        return (np.clip(x_nd.astype(np.float64) + 1, 0, 2) * SCALE).astype(np.uint8)

    def decode(self, codes_nb: Codes) -> Floats:
        values_256 = (np.arange(256) + (0.5 if self.half_step else 0.0)) / SCALE - 1
        return values_256.astype(np.float32)[codes_nb]

    def integers(self, codes_nb: Codes) -> Ints:
        return codes_nb

    def clipped(self, x_nd: Floats) -> Bools:
        return np.abs(x_nd) > 1


@dataclass(frozen=True, kw_only=True)
class WrapInt8(Quantizer):
    """The notebook's first version, ``((x + 1) * 127).astype(int8)``, to measure what the mistake costs.

    Values from 128 on do not fit a signed byte and wrap to the other end of the range: every
    component above 1/127 turns negative.

    >>> codec = WrapInt8().fit(np.zeros((1, 3), np.float32), np.random.default_rng(0))
    >>> codec.integers(codec.encode(np.float32([[-1, 0, 0.5]])))
    array([[  0, 127, -66]], dtype=int8)
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        return WrapInt8Codec(d=sample_nd.shape[1])


@dataclass(frozen=True, kw_only=True)
class WrapInt8Codec(BlockCodec):
    """Signed bytes, wrapped modulo 256 as a C cast does on common hardware."""

    def encode_block(self, x_nd: Floats) -> Codes:
        return np.mod(_steps(x_nd), 256).astype(np.uint8)  # numpy leaves an out-of-range cast to the platform

    def decode(self, codes_nb: Codes) -> Floats:
        return (self.integers(codes_nb) / np.float64(SCALE) - 1).astype(np.float32)

    def integers(self, codes_nb: Codes) -> Ints:
        return np.ascontiguousarray(codes_nb).view(np.int8)

    def clipped(self, x_nd: Floats) -> Bools:
        steps_nd = _steps(x_nd)
        return (steps_nd < -128) | (steps_nd > 127)


def _steps(x_nd: Floats) -> Floats:
    """Whole steps above -1, before they are cast."""
    return np.trunc((x_nd.astype(np.float64) + 1) * SCALE)
