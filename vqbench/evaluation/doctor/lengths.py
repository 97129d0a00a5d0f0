"""Checks of how long rows are, how large their numbers get, and how often."""

from __future__ import annotations

import math

import numpy as np

from vqbench.evaluation.doctor.base import Finding, highest, number, points, share
from vqbench.evaluation.doctor.sample import Subject

_UNIT = 0.01  # norms so near to 1 are those of unit rows in float16 or better
_SPREAD = 1.05  # longest to shortest
_TINY = 1e-3  # of the median norm: what is left of such a row's direction may be rounding
_HEAVY = 0.3  # excess kurtosis; that of a Gaussian is 0, of a Laplace distribution 3
_SCALE = 127  # steps of offset int8 per unit, which covers [-1, 1]


def norms(subject: Subject) -> Finding:
    """How long rows are as they come."""
    whole, median = subject.whole, float(np.median(subject.norms_m))
    spread = whole.longest / whole.shortest
    ends = dict.fromkeys(number(norm) for norm in (whole.shortest, whole.longest))
    title, shown = "Length of rows", " to ".join(ends)
    if whole.shortest < _TINY * median:
        text = (
            f"The shortest row has {whole.shortest / median:.1g} of the median length: its direction may be nothing "
            "but rounding, yet it is ranked like any other. Look at such rows."
        )
        return Finding(check="norms", title=title, value=spread, shown=shown, level="warning", sentence=text)
    unit = max(abs(whole.shortest - 1), abs(whole.longest - 1)) <= _UNIT
    if unit or spread <= _SPREAD:
        text = "All rows are of length 1." if unit else "All rows are equally long, so nothing hangs on their length."
        return Finding(check="norms", title=title, value=spread, shown=shown, level="fine", sentence=text)
    text = (
        "Rows are scaled to length 1 first, as cosine engines do; an engine that ranks by inner product or "
        "Euclidean distance without scaling ranks otherwise than these numbers say."
        if subject.normalized
        else "Rows are quantized at these lengths: ranges must cover the longest row, and the shortest gets few steps. "
        "With normalize=true all rows get the same."
    )
    return Finding(check="norms", title=title, value=spread, shown=shown, level="note", sentence=text)


def value_range(subject: Subject) -> Finding:
    """How much of the range of offset int8, [-1, 1] in 255 codes, these numbers use, and leave."""
    whole = subject.whole
    low, high = (min(max(end, -1.0), 1.0) for end in (whole.low, whole.high))
    used = math.floor((high + 1) * _SCALE) - math.floor((low + 1) * _SCALE) + 1
    beyond = whole.beyond / (whole.n * whole.d)
    gains = {name: subject.gain("offset_int8", name) for name in ("int8_minmax", "int8_minmax_global")}
    best = gains["int8_minmax"]
    variants = [name for name, gain in gains.items() if gain.level != "fine"]
    ends = f"numbers from {number(whole.low)} to {number(whole.high)}"
    shown = f"{used} of 255 codes used, {ends}"
    trial = f"({points(best.after)} of the top 10 instead of {points(best.before)})"
    if beyond:
        shown = f"{share(beyond)} beyond [-1, 1], {ends}"
        text = f"offset_int8 cuts off what lies beyond [-1, 1]: a range learned from the data finds more {trial}."
    elif variants:
        text = f"offset_int8 spreads its codes over [-1, 1] and leaves many unused; a learned range finds more {trial}."
    else:
        text = f"A learned range finds no more than offset_int8's fixed one, [-1, 1] {trial}."
    if beyond and not variants:
        found = f"{points(best.before)} of the top 10, a learned range {points(best.after)}"
        text = f"Some numbers lie beyond [-1, 1], where offset_int8 cuts them off, without harm on the sample: {found}."
    level = highest([gain.level for gain in gains.values()])
    return Finding(
        check="range",
        title="Range of numbers",
        value=beyond if beyond else used / 255,
        shown=shown,
        level=level,
        sentence=text,
        variants=tuple(variants),
    )


def tails(subject: Subject) -> Finding:
    """Rare large numbers, for which a min-max range gives its steps away."""
    varying_d = subject.varying_d
    z_md = (subject.rows64_md - subject.mean_d)[:, varying_d] / np.sqrt(subject.variance_d[varying_d])
    squares_md = z_md * z_md  # a power of 4 would take ten times as long
    kurtosis = float((squares_md * squares_md).mean() - 3) if varying_d.any() else 0.0
    farthest = float(np.abs(z_md).max(initial=0))
    shown = f"excess kurtosis {kurtosis:.2f}, farthest number {farthest:.1f} standard deviations out"
    if kurtosis < _HEAVY:
        text = (
            "Numbers are spread like a Gaussian's or more evenly: a range from the least to the largest wastes little."
        )
        return Finding(check="tails", title="Heavy tails", value=kurtosis, shown=shown, level="fine", sentence=text)
    four, eight = subject.gain("int4_minmax", "int4_quantile"), subject.gain("int8_minmax", "int8_quantile")
    variants = [name for name, gain in (("int4_quantile", four), ("int8_quantile", eight)) if gain.level != "fine"]
    text = (
        "A few large numbers stretch a range from the least to the largest. Clipped to the middle 99 %, 4 bits find "
        f"{points(four.after)} of the top 10 instead of {points(four.before)}, "
        f"8 bits {points(eight.after)} instead of {points(eight.before)}."
    )
    return Finding(
        check="tails",
        title="Heavy tails",
        value=kurtosis,
        shown=shown,
        level=highest([four.level, eight.level]),
        sentence=text,
        variants=tuple(variants),
    )
