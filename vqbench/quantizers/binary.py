"""One bit per dimension: is the component above a threshold?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.numerics.arrays import Codes, Floats, Ints
from vqbench.numerics.packing import expand_bits
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec


@dataclass(frozen=True, kw_only=True)
class Binary(Quantizer):
    """1 bit per dimension: ``x > threshold``, so a component on the threshold gives 0.

    Source of the trained threshold: Lloyd, Least Squares Quantization in PCM (1982), method I; Max, Quantizing for
    Minimum Distortion (1960).

    >>> x_nd = np.float32([[0, 2], [4, 6]])
    >>> codec = Binary(threshold="mean", levels="means").fit(x_nd, np.random.default_rng(0))
    >>> codec.encode(x_nd)  # the mean is 3; the first dimension is the highest bit
    array([[  0],
           [192]], dtype=uint8)
    >>> codec.decode(codec.encode(x_nd))
    array([[1., 1.],
           [5., 5.]], dtype=float32)
    """

    #: ``mean`` or ``median`` of the calibration sample; ``trained``: in the middle between the means of the two sides,
    #: reached from the mean, where with the levels ``means`` the mean square error has its (local) minimum.
    threshold: Literal["zero", "mean", "median", "trained"] = "zero"
    #: One threshold for all numbers (the teaching notebook's), or one for each dimension.
    scope: Literal["global", "dimension"] = "global"
    #: What a bit decodes to: -1 and 1, or the mean of the sample's values on either side of the threshold.
    levels: Literal["sign", "means"] = "sign"

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        axis = 0 if self.scope == "dimension" else None
        threshold = _threshold(sample_nd, self.threshold, axis)
        low, high = (-1.0, 1.0) if self.levels == "sign" else _side_means(sample_nd, threshold, axis)
        return BinaryCodec(d=sample_nd.shape[1], threshold=threshold, low=low, high=high)


def _threshold(sample_nd: Floats, kind: str, axis: int | None) -> Floats | float:
    if kind == "zero":
        return 0.0
    if kind == "mean":
        return np.asarray(sample_nd.mean(axis=axis, dtype=np.float64))
    if kind == "median":
        return _median(sample_nd, axis)
    columns = [sample_nd.ravel()] if axis is None else sample_nd.T
    trained = np.array([_trained(np.sort(column_n)) for column_n in columns])
    return trained[0, ...] if axis is None else trained


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


def _side_means(sample_nd: Floats, threshold: Floats | float, axis: int | None) -> tuple[Floats, Floats]:
    """Mean of the values on each side; a side without values gets the threshold itself."""
    above_nd = sample_nd > threshold
    sides = []
    for side_nd in (~above_nd, above_nd):
        count = side_nd.sum(axis=axis)
        total = np.where(side_nd, sample_nd, 0).sum(axis=axis, dtype=np.float64)
        sides.append(np.where(count == 0, threshold, total / np.maximum(count, 1)))
    return sides[0], sides[1]


@dataclass(frozen=True, kw_only=True)
class BinaryCodec(BlockCodec):
    """Packed bits, first dimension in the highest bit. What was learned is an array, what was known before a float."""

    threshold: Floats | float  # float64, a scalar or ``(d,)``, as the two levels
    low: Floats | float
    high: Floats | float

    is_binary = True

    def encode_block(self, x_nd: Floats) -> Codes:
        return self.layout.pack(x_nd > self.threshold)

    def decode(self, codes_nb: Codes) -> Floats:
        if np.ndim(self.low) == 0:
            return expand_bits(codes_nb, self.d, float(self.low), float(self.high))
        decoded_nd = np.empty((len(codes_nb), self.d), np.float32)
        decoded_nd[:] = self.low
        np.copyto(decoded_nd, np.asarray(self.high, np.float32), where=self.integers(codes_nb).view(bool))
        return decoded_nd

    def integers(self, codes_nb: Codes) -> Ints:
        return self.layout.numbers(codes_nb)
