"""Codes that come with the vectors: they are looked up by row, not computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Codes, Floats, Ints
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.binary import BinaryCodec
from vqbench.quantizers.parts.layout import BlockCodec
from vqbench.quantizers.parts.rounding import half_up


@dataclass(frozen=True, kw_only=True)
class Provided(Quantizer):
    """Codes of a provider: what they stand for is known or fitted; which row has which is the dataset's.

    packed: bits that stand for -1 and 1. int8: whole numbers as they stand, whose scale no cosine shows. uint8: one
    offset and one scale, fitted to the vectors by least squares.

    >>> codes_mb = np.uint8([[0, 128], [255, 128]])
    >>> codec = Provided(kind="uint8").fit_codes(np.float32([[-1, 0], [0.9921875, 0]]), codes_mb)
    >>> codec.decode(codes_mb).tolist()
    [[-1.0, 0.0], [0.9921875, 0.0]]
    """

    kind: Literal["packed", "int8", "uint8"]

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        raise NotApplicableError("codes of a provider come with the vectors: set dataset.codes and dataset.codes_path")

    def fit_codes(self, sample_md: Floats, codes_mb: Codes) -> Codec:
        """Learn what codes stand for from some rows ``(m, d)`` and their codes."""
        d = sample_md.shape[1]
        if self.kind == "packed":
            return BinaryCodec(d=d, threshold=0.0, low=-1.0, high=1.0)
        if self.kind == "int8":
            return ByteCodec(d=d, signed=True, offset=0.0, scale=1.0)
        offset, scale = (np.array([x], np.float32) for x in _line(codes_mb, sample_md))
        return ByteCodec(d=d, signed=False, offset=offset, scale=scale)


def _line(codes_mb: Codes, x_md: Floats) -> tuple[float, float]:
    """Offset and scale of the least square error ``(x - offset - scale * code)**2``."""
    codes, x = codes_mb.ravel().astype(np.float64), x_md.ravel().astype(np.float64)
    code_mean, x_mean = codes.mean(), x.mean()
    codes -= code_mean
    square = float(np.square(codes).sum())
    scale = float((codes * (x - x_mean)).sum()) / square if square else 1.0
    return float(x_mean - scale * code_mean), scale


@dataclass(frozen=True, kw_only=True)
class ByteCodec(BlockCodec):
    """A whole number of a byte for each dimension, which stands for ``offset + scale * number``."""

    signed: bool
    #: float64 as a part of the format, an array of one float32 where they were fitted and so are stored.
    offset: Floats | float
    scale: Floats | float

    def encode_block(self, x_nd: Floats) -> Codes:
        numbers_nd = half_up((x_nd.astype(np.float64) - self.offset) / self.scale)
        low = -128 if self.signed else 0
        return np.clip(numbers_nd, low, low + 255).astype(np.int16).astype(np.uint8)

    def decode(self, codes_nb: Codes) -> Floats:
        return (self.integers(codes_nb) * np.float64(self.scale) + self.offset).astype(np.float32)

    def integers(self, codes_nb: Codes) -> Ints:
        return np.ascontiguousarray(codes_nb).view(np.int8 if self.signed else np.uint8)
