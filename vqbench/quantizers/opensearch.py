"""OpenSearch's binary quantization: 1, 2 or 4 thresholds per dimension, a bit for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.numerics.arrays import Codes, Floats
from vqbench.numerics.packing import unpack_bits
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec
from vqbench.quantizers.parts.ranges import square_deviations
from vqbench.quantizers.parts.rounding import to_float32


@dataclass(frozen=True, kw_only=True)
class OpenSearchBinary(Quantizer):
    """Bit i of a dimension is ``x > mean + (2 (i + 1) / (bits + 1) - 1) sd``, its own mean and population sd.

    One bit: the mean. Two: mean -+ sd / 3. Four: mean -+ 0.2 sd and -+ 0.6 sd. The bits of a dimension
    are a thermometer (1, 11, 111 ...), so the Hamming distance of two rows is the sum over dimensions of how
    many cells they lie apart: 4 bits distinguish 5 cells, not 16.

    Source: OpenSearch, k-NN plugin, MultiBitScalarQuantizer.java, OneBitScalarQuantizer.java and
    QuantizerHelper.java (commit 0ebbef0), which sum in float32; here sums are float64, thresholds float32.

    >>> codec = OpenSearchBinary(bits=2).fit(np.float32([[-3], [3]]), np.random.default_rng(0))
    >>> codec.encode(np.float32([[-2], [0], [2]]))  # thresholds -1 and 1, the first bit highest
    array([[  0],
           [128],
           [192]], dtype=uint8)
    """

    #: Thresholds, and so bits, per dimension.
    bits: Literal[1, 2, 4] = 1

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        mean_d = sample_nd.mean(axis=0, dtype=np.float64)
        rows = max(1, 2**17 // len(mean_d))
        sd_d = np.sqrt(square_deviations(sample_nd, mean_d, axis=0, rows=rows) / len(sample_nd))
        places_b = 2 * np.arange(1, self.bits + 1) / (self.bits + 1) - 1
        return OpenSearchBinaryCodec(d=len(mean_d), thresholds_bd=to_float32(mean_d + places_b[:, None] * sd_d))


@dataclass(frozen=True, kw_only=True)
class OpenSearchBinaryCodec(BlockCodec):
    """The bits of all dimensions for the first threshold, then for the next."""

    thresholds_bd: Floats  # float32

    is_binary = True

    @property
    def code_bits(self) -> int:
        return self.thresholds_bd.size

    def encode_block(self, x_nd: Floats) -> Codes:
        return self.layout.pack(np.concatenate([x_nd > threshold_d for threshold_d in self.thresholds_bd], axis=1))

    def decode(self, codes_nb: Codes) -> Floats:
        """Bits as -1 and 1, summed for each dimension: what the distance compares. OpenSearch never decodes."""
        planes_nbd = unpack_bits(codes_nb, self.code_bits).reshape(len(codes_nb), -1, self.d)
        return planes_nbd.sum(axis=1, dtype=np.float32) * 2 - len(self.thresholds_bd)
