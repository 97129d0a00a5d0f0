"""Checks of what all rows share: a common mean, offsets of dimensions, and the sign bits that these spoil."""

from __future__ import annotations

import numpy as np

from vqbench.evaluation.doctor.base import Finding, Gain, better, highest, points, share
from vqbench.evaluation.doctor.sample import Sample
from vqbench.numerics.arrays import Floats

_SHARED = 0.1  # of the squared length
_MUCH_SHARED = 0.25
_OFF = 0.25  # standard deviations: 60 % of a Gaussian's numbers then lie on one side of zero
_BALANCED = 0.9  # bits per bit: a bit that is 1 in 32 % of rows
_LOPSIDED = 0.8  # 24 %
_DEAD = 0.05  # of the rows differ in a bit that says next to nothing


def common_mean(sample: Sample) -> Finding:
    """Measure the mean vector's share of the squared length, and what 1-bit codes of float queries lose to it."""
    value = float((sample.mean_d**2).sum()) / sample.squared_length
    shown = f"{share(value)} of the squared length"
    if value < _SHARED:
        return Finding(value, shown, "Rows point in all directions, so there is no common mean to remove.")
    old, new = "binary_zero_decoded", ("binary_mean_dimension_levels", "rabitq1_hadamard")
    gains = {name: sample.gain(old, name) for name in new}
    if not (variants := better(gains)):
        text = (
            f"Any two rows have a cosine of about {value:.2f}, so all scores lie close together. "
            "Codes that remove the mean do not find more here."
        )
        return Finding(value, shown, text, "note" if value >= _MUCH_SHARED else "fine")
    found = ", ".join(f"{name} {points(gains[name].after)}" for name in variants)
    text = (
        "Much of what the sign bits store is the same in every row. Codes that remove the mean find more of the top 10 "
        f"with a float query: {found}; {old}, which keeps the mean, {points(gains[variants[0]].before)}."
    )
    return Finding(value, shown, text, highest(gain.level for gain in gains.values()), variants)


def offset(sample: Sample) -> Finding:
    """Measure how far the dimensions' means lie from zero, and what a threshold of zero loses."""
    varying_d = sample.varying_d
    offset_d = np.abs(sample.mean_d[varying_d]) / np.sqrt(sample.variance_d[varying_d])
    value = float(np.median(offset_d)) if len(offset_d) else 0.0
    shown = f"median |mean| {value:.2f} standard deviations"
    if value < _OFF:
        return Finding(value, shown, "Zero lies near the middle of most dimensions, so it is a good threshold.")
    gain = sample.gain("binary_zero", "binary_mean_dimension")
    if gain.level != "fine":
        text = (
            "Zero lies at the edge of many dimensions, so their sign bits say little. "
            f"Thresholds at each dimension's mean find {gain}."
        )
        return Finding(value, shown, text, gain.level, ("binary_mean_dimension",))
    both = f"{points(gain.before)} and {points(gain.after)} of the top 10"
    if Gain(gain.after, gain.before, gain.error).level != "fine":
        text = f"Zero lies off centre, but thresholds at each dimension's mean hurt more than they help ({both})."
        return Finding(value, shown, text, "note", ("binary_zero",))
    text = f"Thresholds at zero and at each dimension's mean find about the same ({both}). Keep either."
    return Finding(value, shown, text)


def balance(sample: Sample) -> Finding:
    """Measure the entropy of sign bits, with thresholds at zero and at each dimension's mean."""
    zero_d, centred_d = ((sample.rows64_md > threshold).mean(axis=0) for threshold in (0.0, sample.mean_d))
    value = float(entropy(zero_d).mean())
    shown = f"{value:.2f} bits per sign bit; {entropy(centred_d).mean():.2f} around each dimension's mean"
    if value >= _BALANCED:
        return Finding(value, shown, "Sign bits are 0 and 1 about equally often.")
    gain = sample.gain("binary_zero", "binary_mean_dimension")
    dead = share(float((np.minimum(zero_d, 1 - zero_d) < _DEAD).mean()))
    text = f"{dead} of the sign bits are the same in 95 % of rows and say next to nothing."
    level = highest([gain.level, "note" if value < _LOPSIDED else "fine"])
    if gain.level == "fine":
        return Finding(
            value, shown, f"{text} Thresholds at the means do not find more, so nothing needs changing.", level
        )
    return Finding(
        value, shown, f"{text} Thresholds at each dimension's mean find {gain}.", level, ("binary_mean_dimension",)
    )


def entropy(ones_d: Floats) -> Floats:
    """Entropy in bits of bits that are 1 with probability ``ones_d`` (Shannon 1948, section 6)."""
    both = np.stack([ones_d, 1 - ones_d])
    return -(both * np.log2(np.where(both > 0, both, 1))).sum(axis=0) + 0.0
