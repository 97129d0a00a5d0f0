"""Means and intervals over queries.

Three cases, since no one method holds for all of them (tests/test_coverage.py shows how often each holds
the true mean): many queries differ: a studentised bootstrap, which follows skewed losses where
Student's interval does not; few do: an interval for their share, joined with one for how much they
lose; none does: the rule of three. Queries that come in groups count by group (``groups.py``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.distributions import CONFIDENCE, t_quantile, t_quantiles
from vqbench.numerics.stats.few import few_interval, is_few, rule_of_three
from vqbench.numerics.stats.groups import Groups

_RESAMPLES = 2000
_SEED = 20240607
_COLUMNS = 64  # samples that are resampled together: more would not be faster, and take memory
_GRID_BITS = 30  # numbers so rounded, times counts, add up without rounding: no sum depends on threads


@dataclass(frozen=True)
class Sample:
    """Values ``(q,)`` of one metric, which lie between ``lowest`` and ``highest``, and the groups of its queries."""

    values_q: Floats
    lowest: float
    highest: float
    groups: Groups | None = None


@dataclass(frozen=True)
class RatioSample:
    """Paired values ``(q,)`` the ratio of whose means is asked for; no two can differ by more than ``reach``."""

    values_q: Floats
    base_q: Floats
    reach: float = 1
    groups: Groups | None = None


def mean(values_q: Floats) -> float:
    """The mean, independent of the order of the values; NaN where there are none."""
    return math.fsum(values_q) / len(values_q) if len(values_q) else math.nan


def mean_interval(
    values_q: Floats, *, lowest: float, highest: float, groups: Groups | None = None, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Interval of the mean over queries, within the metric's range; NaN for fewer than two queries or groups.

    Where all n values are the same the sample says nothing about spread, but at most 3 / n of all
    queries can differ (rule of three: Hanley and Lippman-Hand, JAMA 249(13), 1983); the
    interval then reaches as far as such a share of worst or best values could move the mean.
    """
    return mean_intervals([Sample(values_q, lowest, highest, groups)], confidence)[0]


def mean_intervals(samples: Sequence[Sample], confidence: float = CONFIDENCE) -> list[tuple[float, float]]:
    """``mean_interval`` of each sample, the same numbers; those of one size share their resamples' sums."""
    found = [_unusual(sample, confidence) for sample in samples]
    left = [at for at, ends in enumerate(found) if ends is None]
    usual_ends = usual([(samples[at].values_q, samples[at].groups) for at in left], confidence)
    for at, (low, high) in zip(left, usual_ends, strict=True):
        found[at] = max(samples[at].lowest, low), min(samples[at].highest, high)
    return [ends for ends in found if ends is not None]


def _unusual(sample: Sample, confidence: float) -> tuple[float, float] | None:
    """The interval where none or only few values differ; None where many do."""
    values_q, lowest, highest, groups = sample.values_q, sample.lowest, sample.highest, sample.groups
    units, centre = len(values_q) if groups is None else groups.count, mean(values_q)
    if units < 2 or len(values_q) < 2:
        return math.nan, math.nan
    if np.ptp(values_q) == 0:
        share = rule_of_three(units)
        low = lowest if math.isinf(lowest) else centre - share * (centre - lowest)
        high = highest if math.isinf(highest) else centre + share * (highest - centre)
        return low, high
    away = summed(np.abs(values_q - highest), groups)
    if is_few(away):
        low, high = few_interval(away, _reach(highest - lowest, groups), confidence)
        return max(lowest, highest - high), highest - low
    away = summed(np.abs(values_q - lowest), groups)
    if is_few(away):
        low, high = few_interval(away, _reach(highest - lowest, groups), confidence)
        return lowest + low, min(highest, lowest + high)
    return None


def ratio_interval(
    values_q: Floats, base_q: Floats, *, reach: float = 1, groups: Groups | None = None
) -> tuple[float, float, float]:
    """Ratio of the means of paired values, with its 95 % interval.

    Linearised (Cochran, Sampling Techniques, 3rd ed., section 6.3): the ratio's error is the mean
    of (value - ratio * base) / mean(base), of which the studentised bootstrap gives the interval.
    Where few queries lose and none gains, the interval of their losses; where none differs, the rule of
    three: at most a share of 3 / n could, by ``reach`` each. NaN where the base is 0.
    """
    return ratio_intervals([RatioSample(values_q, base_q, reach, groups)])[0]


def ratio_intervals(samples: Sequence[RatioSample]) -> list[tuple[float, float, float]]:
    """``ratio_interval`` of each sample, the same numbers; those of one size share their resamples' sums."""
    found = [_unusual_ratio(sample) for sample in samples]
    left = [at for at, ends in enumerate(found) if ends is None]
    ratios, errors = [], []
    for sample in (samples[at] for at in left):
        base = mean(sample.base_q)
        ratios.append(mean(sample.values_q) / base)
        errors.append(((sample.values_q - ratios[-1] * sample.base_q) / base, sample.groups))
    for at, ratio, (low, high) in zip(left, ratios, usual(errors, CONFIDENCE), strict=True):
        found[at] = ratio, ratio + low, ratio + high
    return [ends for ends in found if ends is not None]


def _unusual_ratio(sample: RatioSample) -> tuple[float, float, float] | None:
    """Ratio and interval where none or only few lose; None where many differ."""
    values_q, base_q, reach, groups = sample.values_q, sample.base_q, sample.reach, sample.groups
    units, base = len(values_q) if groups is None else groups.count, mean(base_q)
    if units < 2 or base == 0:
        return math.nan, math.nan, math.nan
    ratio = mean(values_q) / base
    lost_q = base_q - values_q
    if not lost_q.any():
        half = rule_of_three(units) * reach / base
        return ratio, ratio - half, ratio + half
    lost = summed(lost_q, groups)
    if (lost_q >= 0).all() and is_few(lost):
        low, high = few_interval(lost, _reach(reach, groups))
        return ratio, 1 - high / base, 1 - low / base
    return None


def summed(values_q: Floats, groups: Groups | None) -> Floats:
    """The values that are drawn independently: those of queries, or of their groups."""
    return values_q if groups is None else groups.scaled_sums(values_q)


def independent(values_q: Floats, groups: Groups | None) -> Floats:
    """Values drawn independently, whose mean is the mean over queries and whose spread is that of its error."""
    return values_q if groups is None else groups.pseudo_values(values_q)


def usual(samples: Sequence[tuple[Floats, Groups | None]], confidence: float) -> list[tuple[float, float]]:
    """Intervals where many differ: studentised bootstrap; of groups of different sizes Student's over the jackknife."""
    found = [(math.nan, math.nan)] * len(samples)
    alike: dict[int, list[tuple[int, Floats]]] = {}
    for at, (values_q, groups) in enumerate(samples):
        units = independent(values_q, groups)
        if groups is None or groups.equal:
            alike.setdefault(len(units), []).append((at, units))
        else:
            found[at] = student(units, confidence)
    for same in alike.values():
        low_cm, high_cm = studentised_columns(np.stack([units for _, units in same], axis=1), (confidence,))
        for (at, _), low, high in zip(same, low_cm[0].tolist(), high_cm[0].tolist(), strict=True):
            found[at] = low, high
    return found


def student(values_q: Floats, confidence: float) -> tuple[float, float]:
    """Student's interval of the mean."""
    n, centre = len(values_q), mean(values_q)
    error = math.sqrt(math.fsum((values_q - centre) ** 2) / (n - 1) / n)
    half = t_quantile((1 + confidence) / 2, n - 1) * error
    return centre - half, centre + half


def _reach(reach: float, groups: Groups | None) -> float:
    """How far one such value can lie from none."""
    return reach if groups is None else reach * groups.largest


def studentised(values_q: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Studentised bootstrap interval of the mean (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, 12.5).

    The same resamples for every sample of this size, values sorted first, so that the interval depends on the
    values alone. Student's interval where there are too few values to resample.
    """
    low, high = studentised_columns(values_q[:, None], (confidence,))
    return float(low[0, 0]), float(high[0, 0])


def studentised_columns(values_nm: Floats, confidences: tuple[float, ...]) -> tuple[Floats, Floats]:
    """The same of each column; low and high ends ``(confidences, m)``."""
    n, m = values_nm.shape
    if m > _COLUMNS:
        parts = [studentised_columns(values_nm[:, at : at + _COLUMNS], confidences) for at in range(0, m, _COLUMNS)]
        low_parts, high_parts = zip(*parts, strict=True)
        return np.concatenate(low_parts, axis=1), np.concatenate(high_parts, axis=1)
    centre_m = np.array([mean(column) for column in values_nm.T])
    spread_m = np.array([math.sqrt(math.fsum(column) / (n - 1) / n) for column in (values_nm - centre_m).T ** 2])
    tails = [tail for confidence in confidences for tail in ((1 - confidence) / 2, (1 + confidence) / 2)]
    found_em = np.repeat(t_quantiles(tails, n - 1)[:, None], m, axis=1)
    if n >= 10 and m:
        drawn_em = np.quantile(
            _bootstrapped(np.sort(values_nm, axis=0) - centre_m), tails, axis=0, method="inverted_cdf"
        )
        for at in range(0, len(tails), 2):
            usable_m = np.isfinite(drawn_em[at : at + 2]).all(axis=0)
            found_em[at : at + 2, usable_m] = drawn_em[at : at + 2, usable_m]
    return centre_m - found_em[1::2] * spread_m, centre_m - found_em[0::2] * spread_m


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
    """How often each of ``n`` values is drawn, a row a resample, in parts of bounded size."""
    rng = np.random.default_rng(_SEED)
    parts = np.array_split(np.arange(_RESAMPLES), max(1, _RESAMPLES * n // 2**22))
    return tuple(rng.multinomial(n, np.full(n, 1 / n), size=len(part)).astype(np.float64) for part in parts)
