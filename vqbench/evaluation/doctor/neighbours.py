"""Checks of the neighbourhood: how close the candidates for the top 10 lie, and whether a few rows are in all lists."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from vqbench.evaluation.doctor.base import NOTE, WARNING, Finding, Level, graded, points, share
from vqbench.evaluation.doctor.sample import Subject
from vqbench.numerics.arrays import Floats

K = 10
_HUBS = 2.0
_SCALE = 127  # steps of offset int8 per unit
_LEAST_ERROR = 1e-12  # scores agree beyond that
_STEPS, _EXACT = 200, 1e-10  # to a threshold: at most so many, or until so near to k rows are expected above it
_FLAT = 1e-200  # slope of a curve that tells no step


def gap(subject: Subject) -> Finding:
    """The gap between ranks 10 and 11 against the error of int8, and the overlap@10 to expect of such errors."""
    near_ak, whole = subject.nearest_ak, subject.whole
    fixed_ak, ranged_ak, bit_ak = errors(subject)
    between = float(np.median(near_ak[:, K - 1] - near_ak[:, K]))
    error, bit = float(np.median(ranged_ak[:, K - 1])), float(np.median(bit_ak[:, K - 1]))
    overlap = expected_overlap(near_ak, ranged_ak)
    level: Level = graded(1 - overlap, NOTE, WARNING)
    expected = [f"int8 finds {points(overlap)}", f"1 bit {points(expected_overlap(near_ak, bit_ak))}"]
    if not whole.beyond:  # the formula knows rounding, not clipping
        expected.insert(1, f"offset_int8 {points(expected_overlap(near_ak, fixed_ak))}")
    text = (
        f"What to expect by theory among {subject.searched:,} rows: int8 with a range for each dimension errs by "
        f"{error:.2g} in a cosine, one bit, rotated and centred, by {bit:.2g}."
    )
    if level != "fine":
        text += " Neighbours lie closer together than int8 can tell."
    return Finding(
        check="gap",
        title="Gap at rank 10",
        value=between / max(error, _LEAST_ERROR),
        shown=f"{between:.2g} to rank 11; in theory {', '.join(expected)}",
        level=level,
        sentence=text,
        variants=("float16",) if level != "fine" else (),
    )


def errors(subject: Subject) -> tuple[Floats, Floats, Floats]:
    """Standard deviations ``(a, k)`` of a cosine's error under offset int8, int8 in ranges of dimensions, and one bit.

    A uniform step s in each dimension errs by s^2 / 12 per component (Gersho and Gray 1992, section 5.2), of which a
    cosine c sees the part across the row: its error has variance (1 - c^2) s^2 / 12. With a step for each dimension
    s^2 is their mean, weighted by variance. One bit after a rotation, around the mean: (1/a^2 - 1) / (d - 1) times
    |q|^2 |x|^2 (1 - c^2) of the centred vectors, with a^2 = 2 / pi (Gao and Long 2024, section 3.2). The errors of
    rows that lie close together are partly the same, which changes no rank: tight clusters lose less than this says.
    """
    near_ak, whole = subject.nearest_ak, subject.whole
    length = math.sqrt(subject.squared_length)
    variance_d, step_d = subject.variance_d, (whole.high_d - whole.low_d) / 255
    total = float(variance_d.sum())
    step = math.sqrt(float((variance_d * step_d**2).sum()) / total) if total else 0.0
    across_ak = np.sqrt(np.maximum(1 - near_ak**2, 0)) / (length * math.sqrt(12))
    held = min(float((subject.mean_d**2).sum()) / subject.squared_length, 1.0)
    apart_ak = np.sqrt(np.maximum((1 - held) ** 2 - (near_ak - held) ** 2, 0))
    return across_ak / _SCALE, across_ak * step, apart_ak * math.sqrt((math.pi / 2 - 1) / max(whole.d - 1, 1))


def expected_overlap(near_ak: Floats, error_ak: Floats, k: int = K) -> float:
    """Expected overlap@k of lists whose scores ``(a, k')``, best first, get independent Gaussian errors.

    Row j stays above a threshold t with probability Phi((s_j - t) / error_j); t is where k rows are expected.
    """
    error_ak = np.maximum(error_ak, _LEAST_ERROR)
    threshold_a1 = _threshold(near_ak, error_ak, k)[:, None]
    kept_a = special.ndtr((near_ak[:, :k] - threshold_a1) / error_ak[:, :k]).sum(axis=1) / k
    return math.fsum(kept_a) / len(kept_a)


def _threshold(near_ak: Floats, error_ak: Floats, k: int) -> Floats:
    """Above which ``k`` rows of each list are expected, ``(a,)``.

    Newton's method; halving where a step would leave the bracket.
    """
    reach_a = 10 * error_ak.max(axis=1)
    low_a, high_a = near_ak[:, -1] - reach_a, near_ak[:, 0] + reach_a
    at_a = np.clip(near_ak[:, k - 1], low_a, high_a)
    moved_a = np.ones(len(at_a), dtype=bool)
    for _ in range(_STEPS):
        z_ak = (near_ak - at_a[:, None]) / error_ak
        beyond_a = special.ndtr(z_ak).sum(axis=1) - k
        low_a, high_a = np.where(beyond_a > 0, at_a, low_a), np.where(beyond_a > 0, high_a, at_a)
        if not (moved_a & (np.abs(beyond_a) > _EXACT)).any():
            break
        slope_a = (np.exp(-(z_ak**2) / 2) / error_ak).sum(axis=1) / math.sqrt(2 * math.pi)
        step_a = at_a + np.divide(beyond_a, slope_a, out=np.full(len(at_a), np.inf), where=slope_a > _FLAT)
        next_a = np.where((low_a <= step_a) & (step_a <= high_a), step_a, (low_a + high_a) / 2)
        next_a = np.where(np.abs(beyond_a) > _EXACT, next_a, at_a)
        moved_a, at_a = next_a != at_a, next_a
    return at_a


def hubness(subject: Subject) -> Finding:
    """Skewness of how often a row of the sample is among another's 10 nearest (Radovanovic et al., JMLR 11, 2010)."""
    pairs_pp = subject.pairs_pp
    edge_p1 = np.partition(pairs_pp, -K, axis=1)[:, -K, None]
    often_p = (pairs_pp >= edge_p1).sum(axis=0)
    around_p = often_p - often_p.mean()
    value = float((around_p**3).mean() / (around_p**2).mean() ** 1.5) if np.ptp(often_p) else 0.0
    never = share(float((often_p == 0).mean()))
    text = "No row is in far more lists than others."
    if value >= _HUBS:
        text = (
            f"One row is among the 10 nearest of {often_p.max()} others, and {never} of rows of none. Errors in such a "
            "hub's code touch many lists at once."
        )
    return Finding(
        check="hubness",
        title="Hubs",
        value=value,
        shown=f"skewness {value:.1f} of N_10 in {len(often_p):,} rows",
        level="note" if value >= _HUBS else "fine",
        sentence=text,
    )
