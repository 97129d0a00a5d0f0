"""Where none or only few of many values differ: the rule of three, and an interval for a share times a size."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.distributions import CONFIDENCE, mid_binomial, root, t_quantile

_FEW = 15  # so many values that differ, and a bootstrap has enough to draw from


def rule_of_three(n: int) -> float:
    """Return the share of all queries that can differ where none of ``n`` does (95 %, one-sided)."""
    return min(1.0, 3 / n)


def is_few(distance_q: Floats) -> bool:
    """Tell whether only few values, and at most half of them, are not 0."""
    count = int(np.count_nonzero(distance_q))
    return bool(np.isfinite(distance_q).all()) and count < _FEW and 2 * count <= len(distance_q)


def few_interval(distance_q: Floats, reach: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of the mean of values of which some, but few, are not 0, and none is more than ``reach``.

    The mean is a share times a size. The share's interval is binomial, mid-P (Lancaster, JASA 56, 1961);
    the size's is Student's on a log scale, with a relative deviation of 1 assumed where only one is seen;
    their half widths, as logs, add in squares (Zou and Donner, Statistics in Medicine 27, 2008).
    """
    n, sizes = len(distance_q), np.sort(distance_q[distance_q != 0])
    count, size = len(sizes), math.fsum(sizes) / len(sizes)
    low, high = mid_p(count, n, confidence)
    scatter = math.fsum((sizes / size - 1) ** 2) / (count - 1) if count > 1 else 1.0
    half = min(t_quantile((1 + confidence) / 2, max(count - 1, 1)), 4.3) * math.sqrt(scatter / count)
    share = count / n
    down, up = math.hypot(math.log(share / low), half), math.hypot(math.log(high / share), half)
    return share * size * math.exp(-down), min(share * size * math.exp(up), high * reach)


@lru_cache(maxsize=1024)
def mid_p(count: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the mid-P interval of a share, ``count`` of ``n``, 0 < count < n: half the tail's first term counts."""
    tail = (1 - confidence) / 2
    low = root(lambda share: 1 - mid_binomial(count, n, share) - tail, 0, count / n)
    high = root(lambda share: mid_binomial(count, n, share) - tail, count / n, 1)
    return low, high
