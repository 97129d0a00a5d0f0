"""Paired differences of two settings on the same queries: how large, how sure, how small a one would be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.distributions import CONFIDENCE, root, t_quantile
from vqbench.numerics.stats.few import few_interval, is_few, rule_of_three
from vqbench.numerics.stats.groups import Groups, groups_of
from vqbench.numerics.stats.intervals import mean, mean_interval, stacked, usual_intervals
from vqbench.numerics.stats.permutation import sign_flip
from vqbench.numerics.stats.seeds import SeedSpread, over_seeds

_POWER = 0.8
#: Of one sign it takes 6 that differ for p < 5 % (2 / 2^6); so many must be expected to see 6 four times in five.
_LOSERS = 7.91
_TOST = 0.90  # two one-sided tests at 5 % each (Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987)
_LEVELS = (CONFIDENCE, _TOST)


@dataclass(frozen=True)
class Difference:
    """The mean difference of two settings, and how sure it is.

    >>> better = differences([np.array([[0.2, 0.1, 0.1, 0.3, 0.2, 0.1, 0.2]])], reach=1)[0]
    >>> round(better.mean, 3), better.low > 0, better.p
    (0.171, True, 0.015625)
    """

    mean: float
    low: float  #: of the 95 % interval
    high: float
    low90: float  #: of the 90 % interval, which two one-sided tests ask for
    high90: float
    p: float  #: two-sided, that there is no difference
    detectable: float  #: the smallest true difference that such a sample finds (p < 5 %) four times in five
    n: int  #: queries

    def within(self, margin: float) -> bool:
        """Tell whether the difference is proven to be smaller than ``margin``, in either direction."""
        return -margin < self.low90 and self.high90 < margin


def differences(
    columns: Sequence[Floats],
    *,
    reach: float | Sequence[float],
    groups: Groups | None = None,
    seeds: SeedSpread | None = None,
) -> list[Difference]:
    """Return what each column of differences says of the mean difference.

    Intervals as in ``intervals.py``: a studentised bootstrap; where few queries differ, the intervals of gains and
    of losses joined; the rule of three where none does. p by sign flips; with several seeds also by Student's t over
    queries and over seeds, joined as in ``seeds.py``; the larger of the two counts.
    Queries where a value is undefined (NaN) are left out. Columns share their resamples, so many at once are faster
    than one by one.

    Args:
        columns: ``(seeds, queries)`` each.
        reach: no difference is beyond +-reach; one for all columns, or one for each.
        groups: of the queries.
        seeds: what seeds add to the variance, where the columns cannot tell because the two sides ran with different
            ones.
    """
    prepared = [_Column.of(d_sq, groups, seeds) for d_sq in columns]
    reaches = [float(reach)] * len(prepared) if isinstance(reach, float | int) else list(reach)
    rare = [column.rare_intervals(reach) for column, reach in zip(prepared, reaches, strict=True)]
    left = [(column.d_q, column.groups) for column, ends in zip(prepared, rare, strict=True) if ends is None]
    usual = iter(usual_intervals(left, _LEVELS))
    ends = [next(usual) if each is None else each for each in rare]
    p_m = _sign_flips(prepared, two_sided=True)
    return [
        column.difference(each, p, reach) for column, each, p, reach in zip(prepared, ends, p_m, reaches, strict=True)
    ]


def p_values(
    columns: Sequence[Floats], *, groups: Groups | None = None, two_sided: bool = True, seeds: SeedSpread | None = None
) -> Floats:
    """Return the ``p`` of each column alone; one-sided: that the mean is not below 0."""
    prepared = [_Column.of(d_sq, groups, seeds) for d_sq in columns]
    p_m = _sign_flips(prepared, two_sided)
    return np.array([column.p(p, two_sided) for column, p in zip(prepared, p_m, strict=True)])


def _sign_flips(columns: Sequence[_Column], two_sided: bool) -> list[float]:
    p_m = np.ones(len(columns))
    for positions, units_nm in stacked([column.units for column in columns]):
        p_m[positions] = sign_flip(units_nm, two_sided=two_sided)
    return p_m.tolist()


@dataclass(frozen=True)
class _Column:
    """One column of differences, made ready."""

    d_q: Floats  #: means over seeds
    units: Floats  #: what is drawn independently, with the same mean
    groups: Groups
    seeds: SeedSpread

    @classmethod
    def of(cls, d_sq: Floats, groups: Groups | None, seeds: SeedSpread | None) -> _Column:
        known_q = np.asarray(np.isfinite(d_sq).all(axis=0))
        groups = groups_of(groups, len(known_q))
        if not known_q.all():
            d_sq, groups = d_sq[:, known_q], groups.only(known_q)
        d_q = over_seeds(d_sq)
        return cls(d_q, groups.scaled_sums(d_q), groups, seeds or SeedSpread.of(d_sq, groups))

    @property
    def error(self) -> float:
        """Standard error of the mean over queries."""
        spread, n = self.groups.pseudo_values(self.d_q), len(self.units)
        return math.sqrt(math.fsum((spread - mean(spread)) ** 2) / (n - 1) / n) if n > 1 else math.nan

    def p(self, flipped: float, two_sided: bool = True) -> float:
        """p over queries and seeds, from that of sign flips over queries."""
        if len(self.units) < 2:
            return math.nan
        if self.seeds.variance == 0:
            return flipped
        both = self._p_with_seeds(abs(mean(self.d_q)))
        return max(flipped, both if two_sided else both / 2 if mean(self.d_q) < 0 else 1 - both / 2)

    def rare_intervals(self, reach: float) -> list[tuple[float, float]] | None:
        """Ends at each level where few or none differ, or groups have several sizes; None where the usual ones hold."""
        if len(self.units) < 2:
            return [(math.nan, math.nan) for _ in _LEVELS]
        few = is_few(self.units)
        if few and self.units.any():
            return [self._few_interval(reach, level) for level in _LEVELS]
        if not few and np.ptp(self.d_q) > 0 and self.groups.equal:
            return None
        return [
            mean_interval(self.d_q, lowest=-reach, highest=reach, groups=self.groups, confidence=level)
            for level in _LEVELS
        ]

    def _few_interval(self, reach: float, level: float) -> tuple[float, float]:
        """The intervals of gains and of losses joined."""
        # Of a side that was not seen: a share of 3 / n at most, assumed to be no larger than what was seen.
        unseen = rule_of_three(len(self.units)) * float(np.abs(self.units).max())
        (gain, gain_low, gain_high), (loss, loss_low, loss_high) = (
            (mean(side), *few_interval(side, reach * self.groups.largest, level)) if side.any() else (0.0, 0.0, unseen)
            for side in (np.maximum(self.units, 0), np.maximum(-self.units, 0))
        )
        low = gain - loss - math.hypot(gain - gain_low, loss_high - loss)
        return low, gain - loss + math.hypot(gain_high - gain, loss - loss_low)

    def difference(self, ends: Sequence[tuple[float, float]], p: float, reach: float) -> Difference:
        """What the column says, from its ends at each level over queries, and its p of sign flips."""
        centre, n = mean(self.d_q), len(self.units)
        (low, high), (low90, high90) = (
            self.seeds.widened(centre, max(low, -reach), min(high, reach), level)
            for (low, high), level in zip(ends, _LEVELS, strict=True)
        )
        if n < 2:
            return Difference(centre, low, high, low90, high90, math.nan, math.nan, len(self.d_q))
        detectable = max(
            self._half_width((1 + CONFIDENCE) / 2) + self._half_width(_POWER),
            (high - low) / 2,
        )
        if not self.d_q.any() or is_few(self.units):  # where few differ, t says too little
            size = float(np.abs(self.units[self.units != 0]).mean()) if self.d_q.any() else reach
            detectable = max(detectable, size * min(1.0, _LOSERS / n))
        return Difference(centre, low, high, low90, high90, self.p(p), detectable, len(self.d_q))

    def _half_width(self, quantile: float) -> float:
        """Student's half width over queries and the one over seeds, joined as their squares."""
        over_queries = t_quantile(quantile, len(self.units) - 1) * self.error
        return math.hypot(over_queries, self.seeds.half_width(2 * quantile - 1))

    def _p_with_seeds(self, centre: float) -> float:
        """p for which the half width over queries and seeds is just ``centre``, so that p and interval agree."""

        def beyond(p: float) -> float:
            return self._half_width(1 - p / 2) - centre

        return 1.0 if centre == 0 else root(beyond, 1e-15, 1.0) if beyond(1e-15) > 0 else 0.0
