"""Levels placed for the least mean square error: computed for a normal, or trained on the sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vqbench.numerics.arrays import Codes, Floats, Ints
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec, Layout
from vqbench.quantizers.parts.levels import float32_thresholds, gaussian_levels, midpoints, nearest_levels
from vqbench.quantizers.parts.ranges import square_deviations
from vqbench.quantizers.parts.rounding import to_float32
from vqbench.quantizers.parts.spec import Bits

_ROUNDS = 1000  # of 1-D k-means; samples of 20,000 take under 100, eight million numbers up to 2000
_GAPS = 256  # quantiles per level that the start of the training is read from
_ROWS = 4096


@dataclass(frozen=True, kw_only=True)
class LloydMax(Quantizer):
    """``2**bits`` levels per dimension; each number is coded by the nearest, on a midpoint by the lower.

    Source: ``gaussian``: Max, Quantizing for minimum distortion (1960), Table I; ``trained``: Lloyd, Least squares
    quantization in PCM (1957/1982), Method I.

    >>> x_nd = np.float32([[0, 1], [10, 11]])
    >>> codec = LloydMax(bits=1, codebook="trained").fit(x_nd, np.random.default_rng(0))
    >>> codec.decode(codec.encode(x_nd))
    array([[ 0.5,  0.5],
           [10.5, 10.5]], dtype=float32)
    """

    bits: Bits = 4  # per dimension
    #: The best levels of a normal, moved and scaled by the sample's mean and standard deviation; or 1-D k-means.
    codebook: Literal["gaussian", "trained"] = "gaussian"
    #: One codebook for all numbers, or one for each dimension.
    scope: Literal["global", "dimension"] = "global"

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        d, axis = sample_nd.shape[1], None if self.scope == "global" else 0
        if self.codebook == "gaussian":
            learned = _mean_and_deviation(sample_nd, axis)
        elif axis is None:
            learned = _trained(sample_nd.ravel(), self.bits)
        else:
            learned = np.stack([_trained(column_n, self.bits) for column_n in sample_nd.T])
        return LloydMaxCodec(d=d, spec=self, parameters=to_float32(learned))


def _mean_and_deviation(sample_nd: Floats, axis: int | None) -> Floats:
    """Mean and standard deviation, float64 ``(2,)`` or ``(d, 2)``."""
    mean = np.asarray(sample_nd.mean(axis=axis, dtype=np.float64))
    count = sample_nd.size if axis is None else len(sample_nd)
    deviation = np.sqrt(square_deviations(sample_nd, mean, axis=axis, rows=_ROWS) / count)
    return np.stack([mean, deviation], axis=-1)


def _trained(values_n: Floats, bits: int) -> Floats:
    """Levels ``(2**bits,)`` ascending: each the mean of the values nearest to it.

    The values are sorted, so a cell is a range, and prefix sums give its mean: exact in float64, and
    the same for any order of the rows. Where there are no more distinct values than levels, each
    value is a level, and the last is repeated.
    """
    count = 2**bits
    values_n = np.sort(values_n).astype(np.float64)
    first = np.flatnonzero(np.diff(values_n, prepend=-np.inf))
    if len(first) <= count:
        return np.pad(values_n[first], (0, count - len(first)), mode="edge")
    centre = values_n.mean()
    values_n -= centre  # prefix sums lose fewer digits
    sums_m = np.concatenate([[0.0], np.cumsum(values_n)])
    levels_k, edges = _spread(values_n, count), None
    for _ in range(_ROUNDS):
        cuts = np.searchsorted(values_n, midpoints(levels_k), side="right")
        before, edges = edges, np.concatenate([[0], cuts, [len(values_n)]])
        if before is not None and np.array_equal(before, edges):
            break
        sizes_k = np.diff(edges)
        means_k = np.diff(sums_m[edges]) / np.maximum(sizes_k, 1)
        levels_k = means_k if sizes_k.all() else _refilled(values_n, edges, means_k)
    return levels_k + centre


def _spread(values_n: Floats, count: int) -> Floats:
    """Levels to start from, spaced by the cube root of the sample's density (Panter and Dite, 1951).

    Where ``j`` of the quantiles lie within a gap the density is in proportion to j / gap, so that the
    integral of its cube root grows by gap ** (2/3) * j ** (1/3). j is over 1 where values repeat, as
    those of float16 data do.
    """
    gaps = min(_GAPS * count, len(values_n) - 1)
    quantiles = np.interp(np.linspace(0, len(values_n) - 1, gaps + 1), np.arange(len(values_n)), values_n)
    distinct, repeats = np.unique(quantiles, return_counts=True)
    grown = np.concatenate([[0.0], np.cumsum(np.diff(distinct) ** (2 / 3) * repeats[1:] ** (1 / 3))])
    return np.interp((np.arange(count) + 0.5) / count * grown[-1], grown, distinct)


def _refilled(values_n: Floats, edges: Ints, means_k: Floats) -> Floats:
    """Levels of empty cells go where they help most: to the farthest value of each of the worst cells."""
    empty = np.diff(edges) == 0
    filled = np.flatnonzero(~empty)
    low, high = edges[:-1][filled], edges[1:][filled]
    errors = np.add.reduceat(np.square(values_n - np.repeat(means_k, np.diff(edges))), low)
    worst = np.argsort(-errors, kind="stable")[: empty.sum()]
    ends = np.stack([values_n[low[worst]], values_n[high[worst] - 1]])
    distances = np.abs(ends - means_k[filled][worst])
    farthest = np.where(distances[0] > distances[1], ends[0], ends[1])
    spare = np.full(empty.sum() - len(worst), means_k[filled][0])  # more empty cells than cells: wait a round
    return np.sort(np.concatenate([means_k[filled], farthest, spare]))


@dataclass(frozen=True, kw_only=True)
class LloydMaxCodec(BlockCodec):
    """Packed numbers of levels, the lowest level 0."""

    spec: LloydMax
    #: float32: mean and standard deviation ``(2,)`` or ``(d, 2)`` (``gaussian``: the levels of N(0, 1) need not be
    #: stored), or the levels ``(2**bits,)`` or ``(d, 2**bits)`` (``trained``).
    parameters: Floats

    @property
    def layout(self) -> Layout:
        return Layout(count=self.d, bits=self.spec.bits)

    @cached_property
    def levels(self) -> Floats:
        """The levels, float32, ``(2**bits,)`` or ``(d, 2**bits)``."""
        if self.spec.codebook == "trained":
            return self.parameters
        mean, deviation = np.split(self.parameters.astype(np.float64), 2, axis=-1)
        return to_float32(mean + deviation * gaussian_levels(self.spec.bits)[0])

    @cached_property
    def _thresholds(self) -> Floats:
        return float32_thresholds(self.levels)

    def encode_block(self, x_nd: Floats) -> Codes:
        return self.layout.pack(nearest_levels(x_nd, self._thresholds))

    def decode(self, codes_nb: Codes) -> Floats:
        levels_nd = self.layout.numbers(codes_nb)
        if self.levels.ndim == 1:
            return self.levels[levels_nd]
        return self.levels.ravel()[levels_nd + np.arange(self.d) * 2**self.spec.bits]

    def learned(self) -> Mapping[str, NDArray[Any]]:
        return {"codebook" if self.spec.codebook == "trained" else "mean and deviation": self.parameters}
