"""Student's t and the binomial as the statistics here need them, from scipy.special alone.

scipy.stats takes half a second and 50 MB to import, which is more than most of a run's own arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable

from scipy import special

CONFIDENCE = 0.95  # of intervals, where nothing else is said


def t_quantile(p: float, free: float) -> float:
    """Return the value below which Student's t with ``free`` degrees of freedom lies with probability ``p``."""
    return float(special.stdtrit(free, p))


def t_below(t: float, free: float) -> float:
    """Return the probability that Student's t lies below ``t``."""
    return float(special.stdtr(free, t))


def normal_quantile(p: float) -> float:
    """Return the value below which a standard normal number lies with probability ``p``."""
    return float(special.ndtri(p))


def normal_below(z: float) -> float:
    """Return the probability that a standard normal number lies below ``z``."""
    return float(special.ndtr(z))


def mid_binomial(count: int, n: int, share: float) -> float:
    """Return P(X < count) + P(X = count) / 2 of a binomial: its distribution function, half the last step taken."""
    return float(special.bdtr(count - 1, n, share) + special.bdtr(count, n, share)) / 2


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Find where ``function``, monotone on [low, high] with signs that differ at the ends, is 0, to the last bit.

    ``scipy.optimize`` would need fewer steps, but takes longer to import than a run spends here.
    """
    rising = function(high) > 0
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return middle
        if (function(middle) > 0) == rising:
            high = middle
        else:
            low = middle
