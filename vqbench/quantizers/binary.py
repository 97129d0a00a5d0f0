"""One bit per dimension: is the component above a threshold?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.arrays import Codes, Floats, Ints
from vqbench.ledger import Item, Ledger
from vqbench.packing import pack_bits, unpack_bits
from vqbench.quantizers.base import Codec, Quantizer


@dataclass(frozen=True, kw_only=True)
class Binary(Quantizer):
    """1 bit per dimension: ``x > threshold``, so a component on the threshold gives 0.

    threshold: ``zero``; or the ``mean`` or ``median`` of the calibration sample, over all its
    numbers (scope ``global``, one scalar: the seed notebook's) or for each ``dimension``.
    levels: what a bit decodes to: -1 and 1 (``sign``), or the mean of the sample's values on
    either side of the threshold (``means``), in the same scope.
    """

    threshold: Literal["zero", "mean", "median"] = "zero"
    scope: Literal["global", "dimension"] = "global"
    levels: Literal["sign", "means"] = "sign"

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        d = sample_nd.shape[1]
        axis = 0 if self.scope == "dimension" else None
        threshold = _threshold(sample_nd, self.threshold, axis)
        low, high = (-1.0, 1.0) if self.levels == "sign" else _side_means(sample_nd, threshold, axis)
        return BinaryCodec(d=d, threshold=threshold, low=low, high=high, fitted=self._fitted())

    def _fitted(self) -> tuple[str, ...]:
        thresholds = () if self.threshold == "zero" else ("threshold",)
        return thresholds + (("low", "high") if self.levels == "means" else ())


def _threshold(sample_nd: Floats, kind: str, axis: int | None) -> Floats:
    if kind == "zero":
        return np.zeros(())
    if kind == "mean":
        return np.asarray(sample_nd.mean(axis=axis, dtype=np.float64))
    return _median(sample_nd, axis)


def _median(sample_nd: Floats, axis: int | None) -> Floats:
    """The median in float64; ``np.median`` would round the mean of the two middle values to float32."""
    values = sample_nd.ravel() if axis is None else sample_nd
    low, high = (len(values) - 1) // 2, len(values) // 2
    parted = np.partition(values, [low, high], axis=0)
    return np.asarray((parted[low].astype(np.float64) + parted[high]) / 2)


def _side_means(sample_nd: Floats, threshold: Floats, axis: int | None) -> tuple[Floats, Floats]:
    """Mean of the values on each side; a side without values gets the threshold itself."""
    above_nd = sample_nd > threshold
    sides = []
    for side_nd in (~above_nd, above_nd):
        count = side_nd.sum(axis=axis)
        total = np.where(side_nd, sample_nd, 0).sum(axis=axis, dtype=np.float64)
        sides.append(np.where(count == 0, threshold, total / np.maximum(count, 1)))
    return sides[0], sides[1]


@dataclass(frozen=True, kw_only=True)
class BinaryCodec(Codec):
    """Packed bits, first dimension in the highest bit.

    ``threshold``, ``low`` and ``high`` are float64, scalars or ``(d,)``; ``fitted`` names those
    that were learned and so must be stored.
    """

    threshold: Floats
    low: Floats | float
    high: Floats | float
    fitted: tuple[str, ...]

    is_binary = True

    def encode(self, x_nd: Floats) -> Codes:
        return pack_bits(x_nd > self.threshold)

    def decode(self, codes_nb: Codes) -> Floats:
        bits_nd = unpack_bits(codes_nb, self.d)
        return np.where(bits_nd, np.asarray(self.high, np.float32), np.asarray(self.low, np.float32))

    def integers(self, codes_nb: Codes) -> Ints:
        return unpack_bits(codes_nb, self.d)

    def ledger(self) -> Ledger:
        once = [Item(name, "once", np.asarray(getattr(self, name)).nbytes) for name in self.fitted]
        return Ledger.of_bits(bits=self.d, once=once)
