"""What the luck of a seed adds: rotations, k-means and calibration draws come out differently each time.

Queries and seeds are crossed random effects: every query is asked under every seed. The mean over both
errs by its queries and by its seeds; the intervals of either part are joined as their squares (Zou and Donner,
Statistics in Medicine 27, 2008), which keeps the skew of the queries' part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.distributions import t_quantile
from vqbench.numerics.stats.groups import Groups, groups_of
from vqbench.numerics.stats.intervals import CONFIDENCE, RatioSample, intervals, mean, mean_interval


@dataclass(frozen=True)
class SeedSpread:
    """What seeds add to the variance of the mean over queries and seeds.

    >>> SeedSpread.of(np.array([[0.5, 0.7], [0.6, 0.8]])).half_width() > 0
    True
    """

    variance: float
    count: int  #: seeds

    @classmethod
    def of(cls, values_sq: Floats, groups: Groups | None = None) -> SeedSpread:
        """Return it from values ``(seeds, queries)``. One seed says nothing about seeds: variance 0.

        The variance of the seeds' means, over ``count``. It holds the residuals' part too, which the queries'
        interval counts as well: to subtract it (Searle, Casella and McCulloch, Variance Components, 1992, 4.3)
        would, with the few seeds that people run, too often leave nothing, and differences between
        seeds would pass for differences between variants (tests/statistics/test_paired_coverage.py).
        """
        seeds, centre = len(values_sq), mean(values_sq.ravel())
        if seeds < 2:
            return cls(0.0, seeds)
        groups = groups_of(groups, values_sq.shape[1])
        seed_s = np.array([mean(groups.scaled_sums(values_q - centre)) for values_q in values_sq])
        return cls(math.fsum((seed_s - mean(seed_s)) ** 2) / (seeds - 1) / seeds, seeds)

    @classmethod
    def between(cls, old_sq: Floats, new_sq: Floats, groups: Groups | None = None) -> SeedSpread:
        """Return that of the difference of two means over seeds of their own: the variances add.

        Of a side with one seed the other's scatter is assumed; the degrees of freedom are those of fewer seeds.
        """
        sides = [cls.of(old_sq, groups), cls.of(new_sq, groups)]
        if max(side.count for side in sides) < 2:
            return cls(0.0, 1)
        scatter = max(side.variance * side.count for side in sides)
        variances = [side.variance if side.count > 1 else scatter for side in sides]
        return cls(sum(variances), min(side.count for side in sides if side.count > 1))

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """Return Student's half width of the seeds' part."""
        if self.variance == 0:
            return 0.0
        return t_quantile((1 + confidence) / 2, self.count - 1) * math.sqrt(self.variance)

    def widened(self, centre: float, low: float, high: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the interval around ``centre`` of the queries alone, joined with the seeds' part."""
        half = self.half_width(confidence)
        return centre - math.hypot(centre - low, half), centre + math.hypot(high - centre, half)


def mean_over_seeds(
    values_sq: Floats, *, lowest: float, highest: float, groups: Groups | None = None
) -> tuple[float, float, float]:
    """Return the mean over queries and seeds with its 95 % interval, within the metric's range."""
    values_q = over_seeds(values_sq)
    low, high = mean_interval(values_q, lowest=lowest, highest=highest, groups=groups)
    centre = mean(values_q)
    low, high = SeedSpread.of(values_sq, groups).widened(centre, low, high)
    return centre, max(lowest, low), min(highest, high)


def ratio_over_seeds(
    values_sq: Floats, base_q: Floats, *, reach: float = 1, groups: Groups | None = None
) -> tuple[float, float, float]:
    """Return the ratio of the mean over queries and seeds to that of a base without seeds, with its 95 % interval."""
    ratio, low, high = intervals([RatioSample(over_seeds(values_sq), base_q, reach, groups)])[0]
    if math.isnan(ratio):
        return ratio, low, high
    spread = SeedSpread.of((values_sq - ratio * base_q) / mean(base_q), groups)
    return ratio, *spread.widened(ratio, low, high)


def over_seeds(values_sq: Floats) -> Floats:
    """Return means over seeds ``(queries,)``; of equal values exactly that value."""
    return np.where(np.ptp(values_sq, axis=0) == 0, values_sq[0], values_sq.mean(axis=0))
