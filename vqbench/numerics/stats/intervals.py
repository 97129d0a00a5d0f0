"""Means and intervals over queries.

Three cases, since no one method holds for all of them (tests/statistics/test_coverage.py shows how often each holds
the true mean): many queries differ: a studentised bootstrap, which follows skewed losses where
Student's interval does not; few do: an interval for their share, joined with one for how much they
lose; none does: the rule of three. Queries that come in groups count by group (``groups.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vqbench.numerics.arrays import Floats, Ints
from vqbench.numerics.stats.distributions import CONFIDENCE, t_quantile
from vqbench.numerics.stats.few import few_interval, is_few, rule_of_three
from vqbench.numerics.stats.groups import Groups, groups_of

_RESAMPLES = 2000
_SEED = 20240607
_COLUMNS = 64  # samples that are resampled together: more would not be faster, and take memory
_GRID_BITS = 30  # numbers so rounded, times counts, add up without rounding: no sum depends on threads


@dataclass(frozen=True)
class Sample:
    """Values of one metric, whose mean is asked for.

    >>> intervals([Sample(np.full(300, 1.0), lowest=0, highest=1)])
    [(1.0, 0.99, 1.0)]
    """

    values_q: Floats
    lowest: float  #: no value of the metric is less
    highest: float
    groups: Groups | None = None  #: of the queries

    @property
    def errors(self) -> tuple[Floats, Groups | None]:
        """What the mean's interval is that of."""
        return self.values_q, self.groups

    def around(self, low: float, high: float) -> tuple[float, float, float]:
        """Return the mean and its interval, from that of ``errors``."""
        return mean(self.values_q), max(self.lowest, low), min(self.highest, high)

    def rare(self, confidence: float) -> tuple[float, float, float] | None:
        """Return the mean and its interval where none or only few values differ; None where many do."""
        values_q, lowest, highest = self.values_q, self.lowest, self.highest
        groups, centre = groups_of(self.groups, len(values_q)), mean(values_q)
        if groups.count < 2 or len(values_q) < 2:
            return centre, math.nan, math.nan
        if np.ptp(values_q) == 0:
            share = rule_of_three(groups.count)
            low = lowest if math.isinf(lowest) else centre - share * (centre - lowest)
            high = highest if math.isinf(highest) else centre + share * (highest - centre)
            return centre, low, high
        reach = (highest - lowest) * groups.largest
        for end, sign in ((highest, -1), (lowest, 1)):
            distance = groups.scaled_sums(np.abs(values_q - end))
            if is_few(distance):
                return self.around(*sorted(end + sign * x for x in few_interval(distance, reach, confidence)))
        return None


@dataclass(frozen=True)
class RatioSample:
    """Paired values, the ratio of whose means is asked for; NaN where the mean of the base is 0.

    >>> intervals([RatioSample(np.full(300, 0.5), np.full(300, 0.5))])
    [(1.0, 0.98, 1.02)]
    """

    values_q: Floats
    base_q: Floats
    reach: float = 1  #: no two values can differ by more
    groups: Groups | None = None  #: of the queries

    @property
    def ratio(self) -> float:
        """The ratio of the means."""
        return mean(self.values_q) / mean(self.base_q)

    @property
    def errors(self) -> tuple[Floats, Groups | None]:
        """What the ratio's error is the mean of, linearised (Cochran, Sampling Techniques, 3rd ed., section 6.3)."""
        return (self.values_q - self.ratio * self.base_q) / mean(self.base_q), self.groups

    def around(self, low: float, high: float) -> tuple[float, float, float]:
        """Return the ratio and its interval, from that of ``errors``."""
        return self.ratio, self.ratio + low, self.ratio + high

    def rare(self, confidence: float) -> tuple[float, float, float] | None:
        """Return the ratio and its interval where none or only few queries lose; None where many differ."""
        groups, base = groups_of(self.groups, len(self.values_q)), mean(self.base_q)
        if groups.count < 2 or base == 0:
            return math.nan, math.nan, math.nan
        lost_q = self.base_q - self.values_q
        if not lost_q.any():
            half = rule_of_three(groups.count) * self.reach / base
            return self.around(-half, half)
        lost = groups.scaled_sums(lost_q)
        if (lost_q >= 0).all() and is_few(lost):
            low, high = few_interval(lost, self.reach * groups.largest, confidence)
            return self.ratio, 1 - high / base, 1 - low / base
        return None


def mean(values_q: Floats) -> float:
    """Return the mean, independent of the order of the values; NaN where there are none."""
    return math.fsum(values_q) / len(values_q) if len(values_q) else math.nan


def mean_interval(
    values_q: Floats, *, lowest: float, highest: float, groups: Groups | None = None, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the interval of the mean over queries, in the metric's range; NaN for fewer than two queries or groups.

    Where all n values are the same the sample says nothing about spread, but at most 3 / n of all
    queries can differ (rule of three: Hanley and Lippman-Hand, JAMA 249(13), 1983); the
    interval then reaches as far as such a share of worst or best values could move the mean.
    """
    return intervals([Sample(values_q, lowest, highest, groups)], confidence)[0][1:]


def intervals(
    samples: Sequence[Sample | RatioSample], confidence: float = CONFIDENCE
) -> list[tuple[float, float, float]]:
    """Return mean or ratio of each sample, and the ends of its interval.

    Many at once are faster than one by one, and the same numbers: those of one size share their resamples' sums.
    """
    rare = [each.rare(confidence) for each in samples]
    errors = [each.errors for each, ends in zip(samples, rare, strict=True) if ends is None]
    usual = iter(usual_intervals(errors, (confidence,)))
    return [each.around(*next(usual)[0]) if ends is None else ends for each, ends in zip(samples, rare, strict=True)]


def stacked(columns: Sequence[Floats]) -> Iterator[tuple[Ints, Floats]]:
    """Yield columns of one size together: their positions ``(m,)``, and the columns ``(n, m)``."""
    sizes = np.array([len(column) for column in columns], dtype=np.int64)
    for size in np.unique(sizes):
        positions = np.flatnonzero(sizes == size)
        yield positions, np.stack([columns[i] for i in positions.tolist()], axis=1)


def usual_intervals(
    samples: Sequence[tuple[Floats, Groups | None]], confidences: tuple[float, ...]
) -> list[list[tuple[float, float]]]:
    """Return the intervals of each mean where many values differ, one for each confidence.

    A studentised bootstrap; for groups of different sizes Student's over the jackknife.
    """
    groups = [groups_of(each, len(values_q)) for values_q, each in samples]
    units = [each.pseudo_values(values_q) for (values_q, _), each in zip(samples, groups, strict=True)]
    equal = [i for i, each in enumerate(groups) if each.equal]
    ends = [
        [] if g.equal else [_student(u, level) for level in confidences] for g, u in zip(groups, units, strict=True)
    ]
    for positions, units_nm in stacked([units[i] for i in equal]):
        low_cm, high_cm = studentised(units_nm, confidences)
        for column, i in enumerate(positions.tolist()):
            ends[equal[i]] = list(zip(low_cm[:, column].tolist(), high_cm[:, column].tolist(), strict=True))
    return ends


def _student(values_q: Floats, confidence: float) -> tuple[float, float]:
    """Student's interval of the mean."""
    n, centre = len(values_q), mean(values_q)
    error = math.sqrt(math.fsum((values_q - centre) ** 2) / (n - 1) / n)
    half = t_quantile((1 + confidence) / 2, n - 1) * error
    return centre - half, centre + half


def studentised(values_nm: Floats, confidences: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Return studentised bootstrap intervals of each column's mean: low and high ends ``(confidences, m)``.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 12.5. The same resamples for every sample of
    this size, values sorted first, so that the interval depends on the values alone. Student's interval where there
    are too few values to resample.
    """
    n, m = values_nm.shape
    if m > _COLUMNS:
        spans = [slice(start, start + _COLUMNS) for start in range(0, m, _COLUMNS)]
        parts = [studentised(values_nm[:, span], confidences) for span in spans]
        low_parts, high_parts = zip(*parts, strict=True)
        return np.concatenate(low_parts, axis=1), np.concatenate(high_parts, axis=1)
    centre_m = np.array([mean(column) for column in values_nm.T])
    spread_m = np.array([math.sqrt(math.fsum(column) / (n - 1) / n) for column in (values_nm - centre_m).T ** 2])
    tails = [tail for confidence in confidences for tail in ((1 - confidence) / 2, (1 + confidence) / 2)]
    t_em = np.repeat(np.array([[t_quantile(tail, n - 1)] for tail in tails]), m, axis=1)
    if n >= 10 and m:
        drawn_em = np.quantile(
            _bootstrapped(np.sort(values_nm, axis=0) - centre_m), tails, axis=0, method="inverted_cdf"
        )
        for i in range(0, len(tails), 2):
            usable_m = np.isfinite(drawn_em[i : i + 2]).all(axis=0)
            t_em[i : i + 2, usable_m] = drawn_em[i : i + 2, usable_m]
    return centre_m - t_em[1::2] * spread_m, centre_m - t_em[0::2] * spread_m


def _bootstrapped(sorted_nm: Floats) -> Floats:
    """t of each resample of centred values, its mean over its standard error: ``(resamples, m)``."""
    n, m = sorted_nm.shape
    scale_m = np.abs(sorted_nm).max(axis=0)
    scaled_nm = sorted_nm / np.where(scale_m == 0, 1, scale_m)
    both_nm = np.rint(np.concatenate([scaled_nm, scaled_nm**2], axis=1) * 2.0**_GRID_BITS)
    sums_rm = np.concatenate([part @ both_nm for part in resamples(n)]) / 2.0**_GRID_BITS
    mean_rm = sums_rm[:, :m] / n
    error_rm = np.sqrt(np.maximum(sums_rm[:, m:] / n - mean_rm**2, 0) / (n - 1))
    constant_rm = error_rm < 1e-9
    return np.where(constant_rm, np.copysign(np.inf, mean_rm), mean_rm / np.where(constant_rm, 1, error_rm))


@lru_cache(maxsize=4)
def resamples(n: int) -> tuple[Floats, ...]:
    """Return how often each of ``n`` values is drawn, a row for each resample, in parts of bounded size."""
    rng = np.random.default_rng(_SEED)
    parts = np.array_split(np.arange(_RESAMPLES), max(1, _RESAMPLES * n // 2**22))
    return tuple(rng.multinomial(n, np.full(n, 1 / n), size=len(part)).astype(np.float64) for part in parts)
