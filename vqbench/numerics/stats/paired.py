"""Paired differences of two settings on the same queries: how large, how sure, how small a one would be seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.distributions import CONFIDENCE, root, t_quantile
from vqbench.numerics.stats.few import few_interval, is_few, rule_of_three
from vqbench.numerics.stats.groups import Groups
from vqbench.numerics.stats.intervals import (
    independent,
    mean,
    mean_interval,
    studentised_columns,
    summed,
)
from vqbench.numerics.stats.permutation import sign_flip
from vqbench.numerics.stats.seeds import SeedSpread

POWER = 0.8
#: Of one sign it takes 6 that differ for p < 5 % (2 / 2^6); so many must be expected to see 6 four times in five.
_LOSERS = 7.91
_TOST = 0.90  # two one-sided tests at 5 % each (Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987)


@dataclass(frozen=True)
class Difference:
    """The mean difference, its 95 % interval, and the 90 % one that two one-sided tests ask for.

    p: two-sided, that there is none. detectable: the smallest true difference that a sample like this one finds
    (p < 5 %) four times in five.
    """

    mean: float
    low: float
    high: float
    inner_low: float
    inner_high: float
    p: float
    detectable: float
    n: int

    def within(self, margin: float) -> bool:
        """Is it proven to be smaller than ``margin``, in either direction?"""
        return -margin < self.inner_low and self.inner_high < margin


def differences(
    columns: Sequence[Floats],
    *,
    reach: float | Sequence[float],
    groups: Groups | None = None,
    seeds: SeedSpread | None = None,
) -> list[Difference]:
    """What each column ``(seeds, queries)`` of differences, none beyond +-``reach``, says of the mean difference.

    reach: of all columns, or one for each. Columns share their resamples, so many at once are faster than one by one.

    Intervals as in ``intervals.py``: a studentised bootstrap; where few queries differ, the intervals of gains and
    of losses joined; the rule of three where none does. p by sign flips; with several seeds also by Student's t over
    queries and over seeds, joined as in ``seeds.py``; the larger of the two counts.
    Queries where a value is undefined (NaN) are left out. seeds: what seeds add to the variance, where the columns
    cannot tell because the two sides ran with different ones.
    """
    parts = [_Part.of(d_sq, groups, seeds) for d_sq in columns]
    reaches = [float(reach)] * len(parts) if isinstance(reach, float | int) else list(reach)
    found: list[Difference | None] = [None] * len(parts)
    for same in _alike(parts):
        units_nm = np.stack([parts[at].units for at in same], axis=1)
        p_m = sign_flip(units_nm)
        low_cm, high_cm = _intervals([parts[at] for at in same], units_nm, np.array([reaches[at] for at in same]))
        for place, at in enumerate(same):
            ends = list(zip(low_cm[:, place].tolist(), high_cm[:, place].tolist(), strict=True))
            found[at] = _joined(parts[at], ends, float(p_m[place]), reaches[at])
    return [each for each in found if each is not None]


def p_values(
    columns: Sequence[Floats], *, groups: Groups | None = None, two_sided: bool = True, seeds: SeedSpread | None = None
) -> Floats:
    """The ``p`` of each column alone; one-sided: that the mean is not below 0."""
    parts = [_Part.of(d_sq, groups, seeds) for d_sq in columns]
    p_m = np.ones(len(parts))
    for at in _alike(parts):
        p_m[at] = sign_flip(np.stack([parts[i].units for i in at], axis=1), two_sided=two_sided)
    return np.array([part.p(float(p), two_sided) for part, p in zip(parts, p_m, strict=True)])


def _alike(parts: Sequence[_Part]) -> list[list[int]]:
    """Which samples have the same size: they share their resamples."""
    sizes = [len(part.units) for part in parts]
    return [[at for at, other in enumerate(sizes) if other == size] for size in sorted(set(sizes))]


@dataclass(frozen=True)
class _Part:
    """One column, made ready. d_q: over seeds. units: what is drawn independently, summing to the same mean."""

    d_q: Floats
    units: Floats
    groups: Groups | None
    seeds: SeedSpread

    @classmethod
    def of(cls, d_sq: Floats, groups: Groups | None, seeds: SeedSpread | None) -> _Part:
        known_q = np.asarray(np.isfinite(d_sq).all(axis=0))
        if not known_q.all():
            d_sq = d_sq[:, known_q]
            groups = None if groups is None else groups.only(known_q)
        d_q = np.where(np.ptp(d_sq, axis=0) == 0, d_sq[0], d_sq.mean(axis=0)) if len(d_sq) > 1 else d_sq[0]
        return cls(d_q, summed(d_q, groups), groups, seeds or SeedSpread.of(d_sq, groups))

    def around(self) -> Floats:
        """Independent values whose spread is that of the mean."""
        return independent(self.d_q, self.groups)

    @property
    def error(self) -> float:
        """Standard error of the mean over queries."""
        around, n = self.around(), len(self.units)
        return math.sqrt(math.fsum((around - mean(around)) ** 2) / (n - 1) / n) if n > 1 else math.nan

    def p(self, flipped: float, two_sided: bool = True) -> float:
        """p over queries and seeds, from that of sign flips over queries."""
        if len(self.units) < 2:
            return math.nan
        if self.seeds.variance == 0:
            return flipped
        both = _with_seeds(abs(mean(self.d_q)), self.error, len(self.units) - 1, self.seeds)
        return max(flipped, both if two_sided else both / 2 if mean(self.d_q) < 0 else 1 - both / 2)


def _intervals(parts: Sequence[_Part], units_nm: Floats, reach_m: Floats) -> tuple[Floats, Floats]:
    """Ends at 95 and 90 %, ``(2, m)``."""
    low_cm, high_cm = np.full((2, 2, len(parts)), np.nan)
    if len(units_nm) < 2:
        return low_cm, high_cm
    usual = [
        at
        for at, part in enumerate(parts)
        if np.ptp(part.d_q) > 0 and not is_few(units_nm[:, at]) and (part.groups is None or part.groups.equal)
    ]
    around = [parts[at].around() for at in usual]
    levels = (CONFIDENCE, _TOST)
    if usual:
        low_cm[:, usual], high_cm[:, usual] = studentised_columns(np.stack(around, axis=1), levels)
    for at in sorted(set(range(len(parts))) - set(usual)):
        for row, level in enumerate(levels):
            low_cm[row, at], high_cm[row, at] = _unusual(parts[at], units_nm[:, at], float(reach_m[at]), level)
    return np.maximum(low_cm, -reach_m), np.minimum(high_cm, reach_m)


def _unusual(part: _Part, units: Floats, reach: float, level: float) -> tuple[float, float]:
    if not units.any() or not is_few(units):
        return mean_interval(part.d_q, lowest=-reach, highest=reach, groups=part.groups, confidence=level)
    largest = reach if part.groups is None else reach * part.groups.largest
    # Of a side that was not seen: a share of 3 / n at most, assumed to be no larger than what was seen.
    unseen = rule_of_three(len(units)) * float(np.abs(units).max())
    (gain, gain_low, gain_high), (loss, loss_low, loss_high) = (
        (mean(side), *few_interval(side, largest, level)) if side.any() else (0.0, 0.0, unseen)
        for side in (np.maximum(units, 0), np.maximum(-units, 0))
    )
    low = gain - loss - math.hypot(gain - gain_low, loss_high - loss)
    return low, gain - loss + math.hypot(gain_high - gain, loss - loss_low)


def _joined(part: _Part, ends: Sequence[tuple[float, float]], p: float, reach: float) -> Difference:
    centre, n = mean(part.d_q), len(part.units)
    (low, high), (inner_low, inner_high) = (
        part.seeds.widened(centre, low, high, level)
        for (low, high), level in zip(ends, (CONFIDENCE, _TOST), strict=True)
    )
    if n < 2:
        return Difference(centre, low, high, inner_low, inner_high, math.nan, math.nan, len(part.d_q))
    error = part.error
    reached = _both(error, n - 1, part.seeds, (1 + CONFIDENCE) / 2) + _both(error, n - 1, part.seeds, POWER)
    least = (high - low) / 2
    if not part.d_q.any() or is_few(part.units):  # where few differ, t says too little
        size = float(np.abs(part.units[part.units != 0]).mean()) if part.d_q.any() else reach
        least = max(least, size * min(1.0, _LOSERS / n))
    return Difference(centre, low, high, inner_low, inner_high, part.p(p), max(reached, least), len(part.d_q))


def _both(error: float, free: int, seeds: SeedSpread, quantile: float) -> float:
    """Student's half width over queries and the one over seeds, joined as their squares."""
    return math.hypot(t_quantile(quantile, free) * error, seeds.half_width(2 * quantile - 1))


def _with_seeds(centre: float, error: float, free: int, seeds: SeedSpread) -> float:
    """p for which the half width over queries and seeds is just ``centre``, so that p and interval agree."""

    def beyond(p: float) -> float:
        return _both(error, free, seeds, 1 - p / 2) - centre

    return 1.0 if centre == 0 else root(beyond, 1e-15, 1.0) if beyond(1e-15) > 0 else 0.0
