"""Checks of how long rows are, how large their numbers get, and how often."""

from __future__ import annotations

import math

import numpy as np

from vqbench.evaluation.doctor.base import Finding, better, highest, number, points, share
from vqbench.evaluation.doctor.sample import OFFSET_STEPS, Sample

_UNIT = 0.01  # norms so near to 1 are those of unit rows in float16 or better
_SPREAD = 1.05  # longest to shortest
_TINY = 1e-3  # of the median norm: what is left of such a row's direction may be rounding
_HEAVY = 0.3  # excess kurtosis; that of a Gaussian is 0, of a Laplace distribution 3


def norms(sample: Sample) -> Finding:
    """Measure how long rows are as they come."""
    shortest, longest = sample.whole.shortest, sample.whole.longest
    median, value = sample.median_norm, longest / shortest
    shown = " to ".join(dict.fromkeys(map(number, (shortest, longest))))
    if shortest < _TINY * median:
        text = (
            f"The shortest row has {shortest / median:.1g} of the median length. Its direction may be nothing but "
            "rounding, yet it is ranked like any other: look at such rows."
        )
        return Finding(value, shown, text, "warning")
    if max(abs(shortest - 1), abs(longest - 1)) <= _UNIT:
        return Finding(value, shown, "All rows have length 1.")
    if value <= _SPREAD:
        return Finding(value, shown, "All rows have about the same length, so nothing depends on it.")
    text = (
        "Rows are scaled to length 1 first, as cosine engines do. An engine that ranks by inner product or Euclidean "
        "distance without scaling gives another ranking."
        if sample.normalized
        else "Rows are quantized at these lengths. Ranges must cover the longest row, so the shortest row gets few "
        "steps; with normalize=true all rows get the same."
    )
    return Finding(value, shown, text, "note")


def value_range(sample: Sample) -> Finding:
    """Measure how much of the range of offset_int8, [-1, 1] in 255 codes, these numbers use and exceed."""
    whole = sample.whole
    ends = float(whole.low_d.min()), float(whole.high_d.max())
    low, high = (min(max(end, -1.0), 1.0) for end in ends)
    used = math.floor((high + 1) * OFFSET_STEPS) - math.floor((low + 1) * OFFSET_STEPS) + 1
    beyond = whole.beyond / (whole.n * whole.d)
    gains = {name: sample.gain("offset_int8", name) for name in ("int8_minmax", "int8_minmax_global")}
    variants, gain = better(gains), gains["int8_minmax"]
    overlap = f"({points(gain.after)} of the top 10, offset_int8 {points(gain.before)})"
    if beyond and variants:
        text = f"offset_int8 clips numbers beyond [-1, 1]. A range learned from the data finds more {overlap}."
    elif beyond:
        text = f"offset_int8 clips numbers beyond [-1, 1], without harm on the sample {overlap}."
    elif variants:
        text = f"offset_int8 spreads its codes over [-1, 1], so many are unused. A learned range finds more {overlap}."
    else:
        text = f"A range learned from the data finds hardly more than the fixed range [-1, 1] {overlap}."
    of_codes = f"{share(beyond)} beyond [-1, 1]" if beyond else f"{used} of 255 codes used"
    shown = f"{of_codes}, numbers from {' to '.join(map(number, ends))}"
    return Finding(beyond or used / 255, shown, text, highest(gain.level for gain in gains.values()), variants)


def tails(sample: Sample) -> Finding:
    """Measure rare large numbers, on which a min-max range wastes its steps."""
    varying_d = sample.varying_d
    z_md = (sample.rows64_md - sample.mean_d)[:, varying_d] / np.sqrt(sample.variance_d[varying_d])
    squares_md = z_md * z_md  # a power of 4 would take ten times as long
    value = float((squares_md * squares_md).mean() - 3) if varying_d.any() else 0.0
    farthest = float(np.abs(z_md).max(initial=0))
    shown = f"excess kurtosis {value:.2f}, farthest number {farthest:.1f} standard deviations out"
    if value < _HEAVY:
        text = "Numbers are spread like a Gaussian's or more evenly, so a min-max range wastes little."
        return Finding(value, shown, text)
    gains = {f"int{bits}_quantile": sample.gain(f"int{bits}_minmax", f"int{bits}_quantile") for bits in (4, 8)}
    four, eight = gains.values()
    text = (
        f"A few large numbers stretch a min-max range. Clipped to the middle 99 %, 4 bits find {four}; "
        f"8 bits find {points(eight.after)} instead of {points(eight.before)}."
    )
    return Finding(value, shown, text, highest([four.level, eight.level]), better(gains))
