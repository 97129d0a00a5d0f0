"""Means and intervals over queries.

Three cases, since no one method holds for all of them (tests/test_coverage.py shows how often each holds
the true mean): many queries differ: a studentised bootstrap, which follows skewed losses where
Student's interval does not; few do: an interval for their share, joined with one for how much they
lose; none does: the rule of three.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from vqbench.arrays import Floats

CONFIDENCE = 0.95
_RESAMPLES = 2000
_FEW = 15  # so many queries that differ, and a bootstrap has enough to draw from
_SEED = 20240607
_GRID_BITS = 30  # numbers so rounded, times counts, add up without rounding: no sum depends on threads


def mean(values_q: Floats) -> float:
    """The mean, independent of the order of the values; NaN where there are none."""
    return math.fsum(values_q) / len(values_q) if len(values_q) else math.nan


def mean_interval(values_q: Floats, *, lowest: float, highest: float) -> tuple[float, float]:
    """95 % interval of the mean over queries, within the metric's range; NaN for fewer than two.

    Where all n values are the same the sample says nothing about spread, but at most 3 / n of all
    queries can differ (rule of three: Hanley and Lippman-Hand, JAMA 249(13), 1983); the interval
    then reaches as far as such a share of worst or best values could move the mean.
    """
    n, centre = len(values_q), mean(values_q)
    if n < 2:
        return math.nan, math.nan
    if np.ptp(values_q) == 0:
        share = min(1, 3 / n)
        low = lowest if math.isinf(lowest) else centre - share * (centre - lowest)
        high = highest if math.isinf(highest) else centre + share * (highest - centre)
        return low, high
    away_q = np.abs(values_q - highest)
    if _few(away_q):
        low, high = _few_interval(away_q, highest - lowest)
        return max(lowest, highest - high), highest - low
    away_q = np.abs(values_q - lowest)
    if _few(away_q):
        low, high = _few_interval(away_q, highest - lowest)
        return lowest + low, min(highest, lowest + high)
    low, high = studentised(values_q)
    return max(lowest, low), min(highest, high)


def ratio_interval(values_q: Floats, base_q: Floats, *, reach: float = 1) -> tuple[float, float, float]:
    """Ratio of the means of paired values, with its 95 % interval.

    Linearised (Cochran, Sampling Techniques, 3rd ed., section 6.3): the ratio's error is the mean
    of (value - ratio * base) / mean(base), of which the studentised bootstrap gives the interval.
    Where few queries lose and none gains, the interval of their losses; where none differs, the rule of
    three: at most a share of 3 / n could, by ``reach`` each. NaN where the base is 0.
    """
    n, base = len(values_q), mean(base_q)
    if n < 2 or base == 0:
        return math.nan, math.nan, math.nan
    ratio = mean(values_q) / base
    lost_q = base_q - values_q
    if not lost_q.any():
        half = min(1, 3 / n) * reach / base
        return ratio, ratio - half, ratio + half
    if _few(lost_q) and (lost_q >= 0).all():
        low, high = _few_interval(lost_q, reach)
        return ratio, 1 - high / base, 1 - low / base
    low, high = studentised((values_q - ratio * base_q) / base)
    return ratio, ratio + low, ratio + high


def studentised(values_q: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Studentised bootstrap interval of the mean (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, 12.5).

    The same resamples for every sample of this size, values sorted first, so that the interval depends on the
    values alone. Student's interval where there are too few values to resample.
    """
    n, centre = len(values_q), mean(values_q)
    spread = math.sqrt(math.fsum((values_q - centre) ** 2) / (n - 1) / n)
    tail = (1 - confidence) / 2
    low, high = stats.t.ppf([tail, 1 - tail], n - 1)
    if n >= 10:
        found = np.quantile(_bootstrapped(np.sort(values_q) - centre), [tail, 1 - tail], method="inverted_cdf")
        low, high = found if np.isfinite(found).all() else (low, high)
    return centre - float(high) * spread, centre - float(low) * spread


def _bootstrapped(sorted_q: Floats) -> Floats:
    """t of each resample of centred values: its mean over its standard error."""
    n = len(sorted_q)
    scale = float(np.abs(sorted_q).max()) or 1.0
    both_2q = np.rint(np.stack([sorted_q / scale, (sorted_q / scale) ** 2]) * 2.0**_GRID_BITS)
    sums_2r = np.concatenate([both_2q @ part.T for part in resamples(n)], axis=1) / 2.0**_GRID_BITS
    mean_r = sums_2r[0] / n
    error_r = np.sqrt(np.maximum(sums_2r[1] / n - mean_r**2, 0) / (n - 1))
    constant_r = error_r < 1e-9
    infinite_r = np.copysign(np.inf, mean_r)
    return np.where(constant_r, infinite_r, mean_r / np.where(constant_r, 1, error_r))


@lru_cache(maxsize=4)
def resamples(n: int) -> tuple[Floats, ...]:
    """How often each of ``n`` values is drawn, a row a resample, in parts of bounded size."""
    rng = np.random.default_rng(_SEED)
    parts = np.array_split(np.arange(_RESAMPLES), max(1, _RESAMPLES * n // 2**22))
    return tuple(rng.multinomial(n, np.full(n, 1 / n), size=len(part)).astype(np.float64) for part in parts)


def _few(away_q: Floats) -> bool:
    """Do only few values, and at most half of them, differ?"""
    count = int(np.count_nonzero(away_q))
    return bool(np.isfinite(away_q).all()) and count < _FEW and 2 * count <= len(away_q)


def _few_interval(away_q: Floats, reach: float) -> tuple[float, float]:
    """95 % interval of the mean of values most of which are 0, and none more than ``reach``.

    The mean is a share times a size. The share's interval is binomial, mid-P (Lancaster, JASA 56, 1961);
    the size's is Student's on a log scale, with a relative deviation of 1 assumed where only one is seen;
    their half widths, as logs, add in squares (Zou and Donner, Statistics in Medicine 27, 2008).
    """
    n, sizes = len(away_q), np.sort(away_q[away_q != 0])
    count, size = len(sizes), mean(sizes)
    low, high = mid_p(count, n)
    scatter = math.fsum((sizes / size - 1) ** 2) / (count - 1) if count > 1 else 1.0
    half = min(float(stats.t.ppf((1 + CONFIDENCE) / 2, max(count - 1, 1))), 4.3) * math.sqrt(scatter / count)
    share = count / n
    down, up = math.hypot(math.log(share / low), half), math.hypot(math.log(high / share), half)
    return share * size * math.exp(-down), min(share * size * math.exp(up), high * reach)


@lru_cache(maxsize=1024)
def mid_p(count: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Mid-P interval of a share, ``count`` of ``n`` with 0 < count < n: half the tail's first term counts."""
    tail = (1 - confidence) / 2

    def below(share: float) -> float:
        return float(stats.binom.cdf(count - 1, n, share) + stats.binom.pmf(count, n, share) / 2)

    low = optimize.brentq(lambda share: 1 - below(share) - tail, 0, count / n, xtol=1e-15)
    high = optimize.brentq(lambda share: below(share) - tail, count / n, 1, xtol=1e-15)
    return float(low), float(high)
