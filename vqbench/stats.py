"""Means and intervals over queries."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from vqbench.arrays import Floats

CONFIDENCE = 0.95


def mean(values_q: Floats) -> float:
    """The mean, independent of the order of the values; NaN where there are none."""
    return math.fsum(values_q) / len(values_q) if len(values_q) else math.nan


def mean_interval(values_q: Floats, *, lowest: float, highest: float) -> tuple[float, float]:
    """95 % Student interval of the mean over queries, cut to the metric's range.

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
    spread = math.sqrt(math.fsum((values_q - centre) ** 2) / (n - 1) / n)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread
    return max(lowest, centre - half), min(highest, centre + half)


def ratio_interval(values_q: Floats, base_q: Floats, *, reach: float = 1) -> tuple[float, float, float]:
    """Ratio of the means of paired values, with its 95 % interval by the delta method.

    Linearised (Cochran, Sampling Techniques, 3rd ed., section 6.3): the ratio's error is the mean
    of (value - ratio * base) / mean(base). Where no query differs, the rule of three: at most a
    share of 3 / n could, by ``reach`` each. NaN where the base is 0.
    """
    n, base = len(values_q), mean(base_q)
    if n < 2 or base == 0:
        return math.nan, math.nan, math.nan
    ratio = mean(values_q) / base
    residual_q = (values_q - ratio * base_q) / base
    if not residual_q.any():
        half = min(1, 3 / n) * reach / base
        return ratio, ratio - half, ratio + half
    spread = math.sqrt(math.fsum(residual_q**2) / (n - 1) / n)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread
    return ratio, ratio - half, ratio + half
