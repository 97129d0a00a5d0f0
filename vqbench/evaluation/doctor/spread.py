"""Checks of how the variance and the length are distributed over the dimensions."""

from __future__ import annotations

import numpy as np

from vqbench.evaluation.doctor.base import Finding, better, graded, highest, points, share
from vqbench.evaluation.doctor.sample import Sample

_EVEN = 0.7  # of the dimensions, counted by their variance
_LOUD = 0.05  # share of the squared length in a hundredth of the dimensions
_MANY_DEAD = 0.1  # share of constant dimensions


def scales(sample: Sample) -> Finding:
    """Measure how evenly dimensions vary: the participation ratio of their variances, as a share of all dimensions."""
    variance_d = sample.variance_d
    total = float(variance_d.sum())
    value = total**2 / (float((variance_d**2).sum()) * sample.whole.d) if total > 0 else 1.0
    shown = f"as if {share(value)} of the dimensions varied"
    if value >= _EVEN:
        return Finding(value, shown, "Dimensions vary alike, so a rotation has nothing to even out.")
    old = max(("binary_zero", "binary_mean_dimension"), key=lambda name: float(sample.overlap(name).mean()))
    gain = sample.gain(old, "binary_hadamard")
    if gain.level == "fine":
        text = (
            "Few dimensions carry most of the variance, but sign bits do not find more after a rotation "
            f"({points(gain.after)} of the top 10, before {points(gain.before)})."
        )
        return Finding(value, shown, text, "note")
    text = (
        "Few dimensions carry most of the variance, and codes spend as many bits on each of the others. After a random "
        f"rotation sign bits find {gain}."
    )
    estimates = better({"rabitq1_hadamard": sample.gain("binary_zero_decoded", "rabitq1_hadamard")})
    # scalar4_hadamard is not tried, since its ranges take long to fit: it gained wherever 1 bit did.
    return Finding(value, shown, text, gain.level, ("binary_hadamard", *estimates, "scalar4_hadamard"))


def outliers(sample: Sample) -> Finding:
    """Measure the share of the squared length in the largest hundredth of the dimensions."""
    squares_d = np.sort((sample.rows64_md**2).mean(axis=0))[::-1]
    d = len(squares_d)
    few = max(1, round(d / 100))
    value = float(squares_d[:few].sum() / squares_d.sum())
    shown = f"{share(value)} of the squared length in {few} of {d} dimensions"
    if value < max(_LOUD, 3 * few / d):
        return Finding(value, shown, "No few dimensions dominate, so one range may serve all of them.")
    pairs = {"int4_minmax": "int4_vector", "int8_minmax": "int8_minmax_global"}
    gains = {name: sample.gain(old, name) for name, old in pairs.items()}
    text = "A few dimensions are much larger than the rest and set the range where all share one."
    if variants := better(gains):
        found = " and ".join(f"{gains[name]} at {name[3]} bits" for name in variants)
        text += f" A range for each dimension finds {found}."
    else:
        coarse = gains["int4_minmax"]
        text += (
            f" Still, a range for each dimension does not find more ({points(coarse.after)} of the top 10 at 4 bits; "
            f"a range for each vector {points(coarse.before)})."
        )
    return Finding(value, shown, text, highest(gain.level for gain in gains.values()), variants)


def constant(sample: Sample) -> Finding:
    """Count the dimensions that hold one number in all rows."""
    low_d, high_d, d = sample.whole.low_d, sample.whole.high_d, sample.whole.d
    dead_d = low_d == high_d
    dead = int(dead_d.sum())
    text = "Every dimension varies."
    if dead:
        text = (
            f"{dead} of the dimensions hold the same number in every row. They tell no two rows apart, but take "
            f"{share(dead / d)} of a code's bytes. "
            + (
                "They are not 0 and count in each row's length, so cosines change without them."
                if high_d[dead_d].any()
                else "Leave them out before quantizing."
            )
        )
    level = graded(dead / d, 1 / d, _MANY_DEAD)  # a note from the first on: what is fine has no advice
    return Finding(float(dead), f"{dead} of {d}", text, level)
