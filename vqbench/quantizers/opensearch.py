"""OpenSearch's binary quantization: 1, 2 or 4 thresholds per dimension, a bit for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Codes, Floats, blocks
from vqbench.numerics.packing import pack_bits, unpack_bits
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.ledger import Item, Ledger

_LARGEST = float(np.finfo(np.float32).max)
_BLOCK = 2**17  # numbers that are worked on at a time


@dataclass(frozen=True, kw_only=True)
class OpenSearchBinary(Quantizer):
    """Bit i of a dimension is ``x > mean + (2 (i + 1) / (bits + 1) - 1) sd``, its own mean and population sd.

    One bit: the mean. Two: mean -+ sd / 3. Four: mean -+ 0.2 sd and -+ 0.6 sd. The bits of a dimension
    are a thermometer (1, 11, 111 ...), so that the Hamming distance of two rows is the sum over
    dimensions of how many cells they lie apart: 4 bits tell 5 cells from each other, not 16.

    Source: OpenSearch, k-NN plugin, MultiBitScalarQuantizer.java, OneBitScalarQuantizer.java and
    QuantizerHelper.java (commit 0ebbef0), which sum in float32; here sums are float64, thresholds float32.
    """

    bits: Literal[1, 2, 4] = 1

    def __post_init__(self) -> None:
        if self.bits not in (1, 2, 4):
            raise VqbenchError(f"bits = {self.bits}: must be 1, 2 or 4")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        mean_d = sample_nd.mean(axis=0, dtype=np.float64)
        square_d = np.zeros(sample_nd.shape[1])
        for start, stop in blocks(len(sample_nd), max(1, _BLOCK // sample_nd.shape[1])):
            square_d += ((sample_nd[start:stop] - mean_d) ** 2).sum(axis=0)
        sd_d = np.sqrt(square_d / len(sample_nd))
        places_b = 2 * np.arange(1, self.bits + 1) / (self.bits + 1) - 1
        thresholds_bd = np.clip(mean_d + places_b[:, None] * sd_d, -_LARGEST, _LARGEST).astype(np.float32)
        return OpenSearchBinaryCodec(d=len(mean_d), thresholds_bd=thresholds_bd)


@dataclass(frozen=True, kw_only=True)
class OpenSearchBinaryCodec(Codec):
    """The bits of all dimensions for the first threshold, then for the next. ``thresholds_bd``: float32."""

    thresholds_bd: Floats

    is_binary = True

    @property
    def code_bits(self) -> int:
        return self.thresholds_bd.size

    def encode(self, x_nd: Floats) -> Codes:
        codes_nb = np.empty((len(x_nd), -(-self.code_bits // 8)), np.uint8)
        for start, stop in blocks(len(x_nd), max(1, _BLOCK // self.d)):
            planes = [x_nd[start:stop] > threshold_d for threshold_d in self.thresholds_bd]
            codes_nb[start:stop] = pack_bits(np.concatenate(planes, axis=1))
        return codes_nb

    def decode(self, codes_nb: Codes) -> Floats:
        """Bits as -1 and 1, summed for each dimension: what the distance compares. OpenSearch never decodes."""
        planes_nbd = unpack_bits(codes_nb, self.code_bits).reshape(len(codes_nb), -1, self.d)
        return planes_nbd.sum(axis=1, dtype=np.float32) * 2 - len(self.thresholds_bd)

    def ledger(self) -> Ledger:
        return Ledger.of_bits(bits=self.code_bits, once=[Item("thresholds", "once", self.thresholds_bd.nbytes)])
