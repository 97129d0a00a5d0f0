"""One bit per dimension: is the component above a threshold?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Codes, Floats, Ints
from vqbench.numerics.packing import expand_bits, pack_bits, unpack_bits
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.ledger import Item, Ledger


@dataclass(frozen=True, kw_only=True)
class Binary(Quantizer):
    """1 bit per dimension: ``x > threshold``, so a component on the threshold gives 0.

    threshold: ``zero``; or the ``mean`` or ``median`` of the calibration sample, over all its
    numbers (scope ``global``, one scalar: the seed notebook's) or for each ``dimension``;
    ``trained``: in the middle between the means of the two sides, reached from the mean, where with
    the levels ``means`` the mean square error has its (local) minimum (Lloyd, Least Squares
    Quantization in PCM, 1982, method I; Max, Quantizing for Minimum Distortion, 1960).
    levels: what a bit decodes to: -1 and 1 (``sign``), or the mean of the sample's values on
    either side of the threshold (``means``), in the same scope.
    """

    threshold: Literal["zero", "mean", "median", "trained"] = "zero"
    scope: Literal["global", "dimension"] = "global"
    levels: Literal["sign", "means"] = "sign"

    def __post_init__(self) -> None:
        if self.threshold not in ("zero", "mean", "median", "trained"):
            raise VqbenchError(f"threshold = {self.threshold!r}: must be zero, mean, median or trained")

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
    if kind == "trained":
        columns = [sample_nd.ravel()] if axis is None else sample_nd.T
        trained = [_trained(np.sort(column_n)) for column_n in columns]
        return np.asarray(trained[0] if axis is None else trained)
    return _median(sample_nd, axis)


def _median(sample_nd: Floats, axis: int | None) -> Floats:
    """The median in float64; ``np.median`` would round the mean of the two middle values to float32."""
    values = sample_nd.ravel() if axis is None else sample_nd
    low, high = (len(values) - 1) // 2, len(values) // 2
    parted = np.partition(values, [low, high], axis=0)
    return np.asarray((parted[low].astype(np.float64) + parted[high]) / 2)


def _trained(sorted_n: Floats) -> float:
    """Where Lloyd's iteration ends for two levels: ``sorted_n`` float32, in rising order.

    From the mean, each round moves the threshold and so the split one way, until no value changes sides.
    """
    if sorted_n[0] == sorted_n[-1]:
        return float(sorted_n[0])
    threshold, split = float(sorted_n.mean(dtype=np.float64)), -1
    for _ in range(len(sorted_n)):
        below = np.float32(threshold)  # the largest float32 up to the threshold: no float64 copy to search in
        below = np.nextafter(below, np.float32(-np.inf)) if float(below) > threshold else below
        # Neither side may be empty, even where rounding puts the mean of almost equal values outside them.
        count = int(np.searchsorted(sorted_n, below, side="right"))
        before, split = split, min(max(count, 1), len(sorted_n) - 1)
        if split == before:
            break
        low, high = sorted_n[:split].mean(dtype=np.float64), sorted_n[split:].mean(dtype=np.float64)
        threshold = float(low + high) / 2
    return threshold


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
        if np.ndim(self.low) == np.ndim(self.high) == 0:
            return expand_bits(codes_nb, self.d, float(self.low), float(self.high))
        decoded_nd = np.empty((len(codes_nb), self.d), np.float32)
        decoded_nd[:] = self.low
        np.copyto(decoded_nd, np.asarray(self.high, np.float32), where=unpack_bits(codes_nb, self.d).view(bool))
        return decoded_nd

    def integers(self, codes_nb: Codes) -> Ints:
        return unpack_bits(codes_nb, self.d)

    def ledger(self) -> Ledger:
        once = [Item(name, "once", np.asarray(getattr(self, name)).nbytes) for name in self.fitted]
        return Ledger.of_bits(bits=self.d, once=once)
