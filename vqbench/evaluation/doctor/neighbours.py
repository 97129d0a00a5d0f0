"""Checks of the neighbourhood: how close the candidates for the top 10 lie, and whether a few rows are in all lists."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from vqbench.evaluation.doctor.base import NOTE, WARNING, Finding, graded, points, share
from vqbench.evaluation.doctor.sample import OFFSET_STEPS, Sample
from vqbench.evaluation.doctor.trials import K
from vqbench.numerics.arrays import Floats

_HUBS = 2.0
_LEAST_ERROR = 1e-12  # scores agree beyond that
_HALVINGS = 60


def gap(sample: Sample) -> Finding:
    """Compare the gap between ranks 10 and 11 with the error of int8, and predict overlap@10 under such errors."""
    near_ak = sample.nearest_ak
    fixed_ak, ranged_ak, bit_ak = errors(sample)
    between = float(np.median(near_ak[:, K - 1] - near_ak[:, K]))
    error, bit = (float(np.median(error_ak[:, K - 1])) for error_ak in (ranged_ak, bit_ak))
    overlap = expected_overlap(near_ak, ranged_ak)
    expected = [f"int8 finds {points(overlap)}", f"1 bit {points(expected_overlap(near_ak, bit_ak))}"]
    if not sample.whole.beyond:  # the formula knows rounding, not clipping
        expected.insert(1, f"offset_int8 {points(expected_overlap(near_ak, fixed_ak))}")
    shown = f"{between:.2g} to rank 11; in theory {', '.join(expected)}"
    text = (
        f"Expected by theory among {sample.searched:,} rows: int8 with a range for each dimension changes a cosine by "
        f"about {error:.2g}, one bit (rotated and centred) by {bit:.2g}."
    )
    value, level = between / max(error, _LEAST_ERROR), graded(1 - overlap, NOTE, WARNING)
    if level == "fine":
        return Finding(value, shown, text)
    return Finding(value, shown, f"{text} Neighbours lie closer together than int8 can tell.", level, ("float16",))


def errors(sample: Sample) -> tuple[Floats, Floats, Floats]:
    """Standard deviations ``(a, k)`` of a cosine's error under offset_int8, int8_minmax, and one bit.

    A uniform step s in each dimension errs by s^2 / 12 per component (Gersho and Gray 1992, section 5.2), of which a
    cosine c sees the part across the row: its error has variance (1 - c^2) s^2 / 12. With a step for each dimension
    s^2 is their mean, weighted by variance. One bit after a rotation, around the mean: (1/a^2 - 1) / (d - 1) times
    |q|^2 |x|^2 (1 - c^2) of the centred vectors, with a^2 = 2 / pi (Gao and Long 2024, section 3.2). The errors of
    rows that lie close together are partly the same, which changes no rank: tight clusters lose less than this says.
    """
    near_ak, whole = sample.nearest_ak, sample.whole
    variance_d, step_d = sample.variance_d, (whole.high_d - whole.low_d) / 255
    total = float(variance_d.sum())
    step = math.sqrt(float((variance_d * step_d**2).sum()) / total) if total else 0.0
    across_ak = np.sqrt(np.maximum(1 - near_ak**2, 0)) / math.sqrt(12 * sample.squared_length)
    held = min(float((sample.mean_d**2).sum()) / sample.squared_length, 1.0)
    apart_ak = np.sqrt(np.maximum((1 - held) ** 2 - (near_ak - held) ** 2, 0))
    return across_ak / OFFSET_STEPS, across_ak * step, apart_ak * math.sqrt((math.pi / 2 - 1) / max(whole.d - 1, 1))


def expected_overlap(near_ak: Floats, error_ak: Floats, k: int = K) -> float:
    """Expected overlap@k of lists whose scores ``(a, k')``, best first, get independent Gaussian errors.

    Row j stays above a threshold t with probability Phi((s_j - t) / error_j); t is where k rows are expected, found
    by bisection.
    """
    error_ak = np.maximum(error_ak, _LEAST_ERROR)
    reach_a1 = 10 * error_ak.max(axis=1, keepdims=True)
    low_a1, high_a1 = near_ak[:, -1:] - reach_a1, near_ak[:, :1] + reach_a1
    for _ in range(_HALVINGS):
        middle_a1 = (low_a1 + high_a1) / 2
        more_a1 = special.ndtr((near_ak - middle_a1) / error_ak).sum(axis=1, keepdims=True) > k
        low_a1, high_a1 = np.where(more_a1, middle_a1, low_a1), np.where(more_a1, high_a1, middle_a1)
    kept_a = special.ndtr((near_ak[:, :k] - low_a1) / error_ak[:, :k]).sum(axis=1) / k
    return math.fsum(kept_a) / len(kept_a)


def hubness(sample: Sample) -> Finding:
    """Measure the skewness of how often a row is among another's 10 nearest (Radovanovic et al., JMLR 11, 2010)."""
    pairs_pp = sample.pairs_pp
    often_p = (pairs_pp >= np.partition(pairs_pp, -K, axis=1)[:, -K, None]).sum(axis=0)
    around_p = often_p - often_p.mean()
    value = float((around_p**3).mean() / (around_p**2).mean() ** 1.5) if np.ptp(often_p) else 0.0
    shown = f"skewness {value:.1f} of N_10 in {len(often_p):,} rows"
    if value < _HUBS:
        return Finding(value, shown, "No row is in far more lists than others.")
    text = (
        f"One row is among the 10 nearest of {often_p.max()} others, and {share(float((often_p == 0).mean()))} of rows "
        "of none. Errors in such a hub's code change many lists at once."
    )
    return Finding(value, shown, text, "note")
