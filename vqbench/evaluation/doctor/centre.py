"""Checks of what all rows share: a common mean, offsets of dimensions, and the sign bits that these spoil."""

from __future__ import annotations

import numpy as np

from vqbench.evaluation.doctor.base import Finding, Gain, Level, highest, points, share
from vqbench.evaluation.doctor.sample import Subject
from vqbench.numerics.arrays import Floats

_SHARED = 0.1  # of the squared length
_MUCH_SHARED = 0.25
_OFF = 0.25  # standard deviations: 60 % of a Gaussian's numbers then lie on one side of zero
_BALANCED = 0.9  # bits per bit: a bit that is 1 in 32 % of rows
_LOPSIDED = 0.8  # 24 %


def common_mean(subject: Subject) -> Finding:
    """Share of the squared length that the mean vector holds, and what 1-bit codes met by float queries lose to it."""
    held = float((subject.mean_d**2).sum()) / subject.squared_length
    title, shown = "Common mean", f"{share(held)} of the squared length"
    if held < _SHARED:
        text = "Rows point in all directions: there is no mean to take off."
        return Finding(check="mean", title=title, value=held, shown=shown, level="fine", sentence=text)
    names = ("binary_mean_dimension_levels", "rabitq1_hadamard")
    gains = {name: subject.gain("binary_zero_decoded", name) for name in names}
    variants = tuple(name for name, gain in gains.items() if gain.level != "fine")
    level = highest([gain.level for gain in gains.values()])
    if variants:
        found = ", ".join(f"{name} {points(gains[name].after)}" for name in variants)
        text = (
            "Much of what signs code is the same in every row. Codes that allow for it find more of the top 10 with a "
            f"float query: {found}; binary_zero_decoded, which does not, {points(gains[variants[0]].before)}."
        )
    else:
        level = "note" if held >= _MUCH_SHARED else "fine"
        text = (
            f"Any two rows have a cosine of about {held:.2f}, so scores lie close together; codes that take the mean "
            "into account do not find more here."
        )
    return Finding(check="mean", title=title, value=held, shown=shown, level=level, sentence=text, variants=variants)


def offset(subject: Subject) -> Finding:
    """How far the dimensions' means lie from zero, in standard deviations: what a zero threshold loses."""
    median = float(np.median(subject.offset_d)) if len(subject.offset_d) else 0.0
    title, shown = "Offset of dimensions", f"median |mean| {median:.2f} standard deviations"
    if median < _OFF:
        text = "Zero lies in the middle of most dimensions: it is as good a threshold as any."
        return Finding(check="offset", title=title, value=median, shown=shown, level="fine", sentence=text)
    gain = subject.gain("binary_zero", "binary_mean_dimension")
    back = Gain(gain.after, gain.before, gain.error)
    level, variants, found = "fine", (), f"{points(gain.before)} and {points(gain.after)}"
    text = f"Sign bits at zero and at each dimension's mean find alike ({found} of the top 10): neither needs changing."
    if gain.level != "fine":
        level, variants = gain.level, ("binary_mean_dimension",)
        text = (
            "Zero lies at the edge of many dimensions, whose bits then tell little: thresholds at each dimension's "
            f"mean find {points(gain.after)} of the top 10 instead of {points(gain.before)}."
        )
    elif back.level != "fine":
        level, variants = "note", ("binary_zero",)
        text = (
            f"Zero lies off centre, but thresholds at each dimension's mean lose more than they mend "
            f"({points(back.before)} of the top 10, zero finds {points(back.after)}): keep zero."
        )
    return Finding(
        check="offset", title=title, value=median, shown=shown, level=level, sentence=text, variants=variants
    )


def balance(subject: Subject) -> Finding:
    """Entropy of sign bits, with thresholds at zero and at each dimension's mean."""
    zero_d, centred_d = ((subject.rows64_md > at).mean(axis=0) for at in (0.0, subject.mean_d))
    value, centred = float(entropy(zero_d).mean()), float(entropy(centred_d).mean())
    shown = f"{value:.2f} bits a sign bit; {centred:.2f} around each dimension's mean"
    level: Level = "fine"
    variants: tuple[str, ...] = ()
    text = "Sign bits are 0 and 1 about equally often."
    if value < _BALANCED:
        dead = share(float((np.minimum(zero_d, 1 - zero_d) < 0.05).mean()))
        gain = subject.gain("binary_zero", "binary_mean_dimension")
        level = highest([gain.level, "note" if value < _LOPSIDED else "fine"])
        text = f"{dead} of the sign bits are the same in 95 % of rows and tell next to nothing"
        if gain.level == "fine":
            text += ", yet thresholds at the means do not find more: the lopsided bits still tell rows apart."
        else:
            variants = ("binary_mean_dimension",)
            text += f"; around each dimension's mean the bits find {points(gain.after)}, not {points(gain.before)}."
    return Finding(
        check="balance",
        title="Balance of sign bits",
        value=value,
        shown=shown,
        level=level,
        sentence=text,
        variants=variants,
    )


def entropy(ones_d: Floats) -> Floats:
    """Entropy in bits of bits that are 1 with probability ``ones_d`` (Shannon 1948, section 6)."""
    both = np.stack([ones_d, 1 - ones_d])
    return -(both * np.log2(np.where(both > 0, both, 1))).sum(axis=0) + 0.0
