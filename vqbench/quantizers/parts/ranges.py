"""Finding the range that a uniform grid should span: of a sample, of each dimension, of each row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from vqbench.numerics.arrays import Floats, Ints, blocks, row_dots
from vqbench.quantizers.parts.grid import Grid

#: The step of the uniform grid of 2**bits levels that codes N(0, 1) with the least mean square error.
#: J. Max, Quantizing for Minimum Distortion (1960), Table II, gives the first five to four digits;
#: all eight are where the derivative of the closed form of the error vanishes.
GAUSSIAN_STEPS = (1.59576912, 0.99568670, 0.58601944, 0.33520060, 0.18813880, 0.10406301, 0.05686767, 0.03076239)

_COPIED = 1 << 22  # numbers of a sample that are copied at a time
_BINS = 1 << 18

Reached = tuple[float, float, float]  # an error and the ends of the range that has it

# In what follows axis 0 asks for one range a column ``(d,)``, axis 1 for one a row ``(n, 1)``, which then
# depends on that row only, bit for bit, and None for one range of all numbers ``()``.


def extremes(x_nd: Floats, axis: int | None) -> tuple[Floats, Floats]:
    """The least and the largest number."""
    return x_nd.min(axis=axis, keepdims=axis == 1), x_nd.max(axis=axis, keepdims=axis == 1)


def inner_extremes(x_nd: Floats, axis: int | None, share: float) -> tuple[Floats, Floats]:
    """The ends of the middle ``share`` of m numbers: floor(m (1 - share) / 2) are cut on each side."""
    m = x_nd.size if axis is None else x_nd.shape[axis]
    cut = min((m - 1) // 2, int(m * (1 - share) / 2 + 1e-9))  # 1000 (1 - .99) / 2 is 5, not 4.99...
    if axis is None:
        return order_statistic(x_nd, cut), -order_statistic(x_nd, cut, sign=-1)
    if axis == 1:
        parted_nd = np.partition(x_nd, [cut, m - 1 - cut], axis=1)
        return parted_nd[:, cut, None], parted_nd[:, m - 1 - cut, None]
    low_d, high_d = np.empty((2, x_nd.shape[1]), x_nd.dtype)
    for columns, x_cm in _by_columns(x_nd):
        x_cm.partition([cut, m - 1 - cut], axis=1)
        low_d[columns], high_d[columns] = x_cm[:, cut], x_cm[:, m - 1 - cut]
    return low_d, high_d


def order_statistic(x_nd: Floats, rank: int, sign: int = 1) -> Floats:
    """The number that ``rank`` others of ``sign * x_nd`` are below, a scalar; only the tail up to it is kept."""
    tail = np.empty(0, x_nd.dtype)
    for start, stop in blocks(len(x_nd), max(1, _COPIED // x_nd.shape[1])):
        tail = np.concatenate([tail, sign * x_nd[start:stop].ravel()])
        if len(tail) > rank:
            tail = np.partition(tail, rank)[: rank + 1]
    return np.asarray(tail[rank])


def _by_columns(x_nd: Floats) -> Iterator[tuple[slice, Floats]]:
    """Some columns at a time, copied as rows."""
    for start, stop in blocks(x_nd.shape[1], max(1, _COPIED // len(x_nd))):
        yield slice(start, stop), np.array(x_nd[:, start:stop].T, order="C")


def mean_and_sd(x_nd: Floats, axis: int | None) -> tuple[Floats, Floats]:
    """Mean and standard deviation (of the numbers themselves, not of what they were drawn from), float64."""
    n, d = x_nd.shape
    if axis == 1:
        mean_n1 = row_dots(x_nd, np.ones(d))[:, None] / d
        centred_nd = x_nd - mean_n1
        return mean_n1, np.sqrt(row_dots(centred_nd, centred_nd)[:, None] / d)
    count = n if axis == 0 else n * d
    rows = max(1, _COPIED // (8 * d))
    mean = sum(x_nd[start:stop].sum(axis=axis, dtype=np.float64) for start, stop in blocks(n, rows)) / count
    return np.asarray(mean), np.sqrt(square_deviations(x_nd, np.asarray(mean), axis=axis, rows=rows) / count)


def square_deviations(x_nd: Floats, mean: Floats, *, axis: int | None, rows: int) -> Floats:
    """The sum of ``(x - mean)**2``, float64, ``rows`` rows at a time: no float64 copy of the sample is made."""
    return np.asarray(sum(np.square(x_nd[a:b] - mean).sum(axis=axis) for a, b in blocks(len(x_nd), rows)))


def least_error(x_nd: Floats, axis: int | None, grid: Grid) -> tuple[Floats, Floats]:
    """The range of the least mean square error of ``grid`` on these numbers, for axis 0 or None.

    For all numbers together they are first put into 2**18 bins of equal width, each standing for its mean.
    """
    if axis is None:
        low, high = _least_error(*_binned(x_nd), grid)
        return np.asarray(low), np.asarray(high)
    ends_d2 = np.empty((x_nd.shape[1], 2))
    for columns, x_cm in _by_columns(x_nd):
        x_cm.sort(axis=1)
        ends_d2[columns] = [_least_error(values_m, np.ones(len(values_m)), grid) for values_m in x_cm]
    return ends_d2[:, 0], ends_d2[:, 1]


def _binned(x_nd: Floats) -> tuple[Floats, Floats]:
    """Means and counts of the bins that are not empty."""
    low, high = float(x_nd.min()), float(x_nd.max())
    counts, sums = np.zeros((2, _BINS))
    for start, stop in blocks(len(x_nd), max(1, _COPIED // (8 * x_nd.shape[1]))):
        x = x_nd[start:stop].ravel().astype(np.float64)
        bins: Ints = np.minimum((x - low) * (_BINS / max(high - low, 1e-300)), _BINS - 1).astype(np.int64)
        counts += np.bincount(bins, minlength=_BINS)
        sums += np.bincount(bins, x, minlength=_BINS)
    some = counts > 0
    return sums[some] / counts[some], counts[some]


def _least_error(values_m: Floats, counts_m: Floats, grid: Grid) -> tuple[float, float]:
    """The best range of ascending values, each so many times.

    Each end starts from its far value, and from where it is best for a Gaussian: far values make dents in
    the error, so that one local search is not enough.
    """
    values_m = values_m.astype(np.float64)
    mean = float((values_m * counts_m).sum() / counts_m.sum())  # not @: BLAS adds up by threads
    error = _Error(values_m - mean, counts_m, grid)
    first, last = float(values_m[0]) - mean, float(values_m[-1]) - mean
    if not last > first:
        return float(values_m[0]), float(values_m[0])
    half = GAUSSIAN_STEPS[grid.bits - 1] * grid.steps / 2 * np.sqrt(error.square / counts_m.sum())
    starts = map(error.of, product({first, max(first, -half)}, {last, min(last, half)}))
    best = min(_descended(error, grid.steps, start, 0.08, 0.03) for start in starts)
    # A range that is off by less than this costs some 1e-4 of the error.
    _, low, high = _descended(error, grid.steps, best, 0.02, 0.004)
    return low + mean, high + mean


def _descended(error: _Error, steps: int, best: Reached, move: float, least: float) -> Reached:
    """Where the error falls no more.

    Each end is moved; or both, by half a step, since a peak of the density is coded best where a level
    is; or offset and step are fitted to the codes by least squares (what Lucene's OptimizedScalarQuantizer
    alternates with coding). Where nothing helps, the moves, shares of the width, are halved. Least
    squares alone would stay where it starts: with many bits hardly a code changes, so that the
    error within a step does not show.
    """
    while move > least:
        _, low, high = best
        far, half = move * (high - low), (high - low) / (2 * steps)
        ends = [(low - far, high), (low + far, high), (low, high - far), (low, high + far)]
        ends += [(low - half, high - half), (low + half, high + half), error.refitted(low, high)]
        reached = min(map(error.of, ends))
        if reached[0] > 0.999 * best[0] - 1e-12 * error.square:  # below that is rounding
            move /= 2
        best = min(best, reached)
    return best


class _Error:
    """The square error of a grid on ascending values around 0: a binary search for each step's edge."""

    def __init__(self, values_m: Floats, counts_m: Floats, grid: Grid):
        self._values_m, self._steps = values_m, grid.steps
        self._totals = np.zeros((2, len(values_m) + 1))
        np.cumsum(counts_m, out=self._totals[0, 1:])
        np.cumsum(values_m * counts_m, out=self._totals[1, 1:])
        self.square = float((np.square(values_m) * counts_m).sum())
        codes_c = np.arange(grid.last - grid.first + 1)
        self._stand_c = codes_c + grid.shift
        self._edges_c = codes_c[1:] - (0.5 if grid.nearest else 0.0)
        self._at = np.full(len(codes_c) + 1, len(values_m))
        self._at[0] = 0

    def _cells(self, low: float, high: float) -> tuple[Floats, Floats]:
        """How many values there are in each step, and their sum."""
        edges = low + self._edges_c * ((high - low) / self._steps)
        self._at[1:-1] = np.searchsorted(self._values_m, edges)
        count_c, sum_c = np.diff(self._totals[:, self._at])
        return count_c, sum_c

    def of(self, ends: tuple[float, float]) -> Reached:
        """The error of a range, and the range."""
        low, high = ends
        count_c, sum_c = self._cells(low, high)
        value_c = low + self._stand_c * ((high - low) / self._steps)
        return self.square + float(value_c @ (value_c * count_c - 2 * sum_c)), low, high

    def refitted(self, low: float, high: float) -> tuple[float, float]:
        """The range whose values come nearest to the codes that this one gives."""
        count_c, sum_c = self._cells(low, high)
        weight, code = count_c.sum(), count_c @ self._stand_c
        spread = weight * (count_c @ self._stand_c**2) - code**2
        if spread <= 0:  # one code only
            return low, high
        step = (weight * (sum_c @ self._stand_c) - code * sum_c.sum()) / spread
        start = (sum_c.sum() - step * code) / weight
        return start, start + step * self._steps
