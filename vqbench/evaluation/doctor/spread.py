"""Checks of how the dimensions share the variance and the length among them."""

from __future__ import annotations

import numpy as np

from vqbench.evaluation.doctor.base import Finding, Gain, graded, highest, points, share
from vqbench.evaluation.doctor.sample import Subject

_EVEN = 0.7  # of the dimensions, counted by their variance
_LOUD = 0.05  # share of the squared length in a hundredth of the dimensions
_MANY_DEAD = 0.1  # share of constant dimensions


def scales(subject: Subject) -> Finding:
    """How evenly dimensions vary: participation ratio of their variances, as a share of all dimensions."""
    variance_d = subject.variance_d
    total = float(variance_d.sum())
    value = total**2 / (float((variance_d**2).sum()) * subject.whole.d) if total > 0 else 1.0
    title, shown = "Evenness of scales", f"as if {share(value)} of the dimensions varied"
    if value >= _EVEN:
        text = "Dimensions vary alike: a rotation has nothing to even out."
        return Finding(check="scales", title=title, value=value, shown=shown, level="fine", sentence=text)
    plain = max(("binary_zero", "binary_mean_dimension"), key=lambda name: float(subject.overlap(name).mean()))
    gain = subject.gain(plain, "binary_hadamard")
    if gain.level == "fine":
        text = (
            f"Few dimensions carry most of the variance, but sign bits do not find more after a rotation "
            f"({points(gain.after)} against {points(gain.before)} of the top 10)."
        )
        return Finding(check="scales", title=title, value=value, shown=shown, level="note", sentence=text)
    text = (
        "Few dimensions carry most of the variance, and codes spend as many bits on every other one. After a random "
        f"rotation sign bits find {points(gain.after)} of the top 10 instead of {points(gain.before)}."
    )
    variants = ["binary_hadamard"]
    if subject.gain("binary_zero_decoded", "rabitq1_hadamard").level != "fine":
        variants.append("rabitq1_hadamard")
    variants.append("scalar4_hadamard")  # untried, since its ranges take long to fit: it gained wherever 1 bit did
    return Finding(
        check="scales", title=title, value=value, shown=shown, level=gain.level, sentence=text, variants=tuple(variants)
    )


def outliers(subject: Subject) -> Finding:
    """Share of the squared length in the largest hundredth of the dimensions."""
    squares_d = np.sort((subject.rows64_md**2).mean(axis=0))[::-1]
    few = max(1, round(len(squares_d) / 100))
    value = float(squares_d[:few].sum() / squares_d.sum())
    even = few / len(squares_d)
    title = "Outlier dimensions"
    shown = f"{share(value)} of the squared length in {few} of {len(squares_d)} dimensions"
    if value < max(_LOUD, 3 * even):
        text = "No few dimensions dominate: one range may serve all."
        return Finding(check="outliers", title=title, value=value, shown=shown, level="fine", sentence=text)
    coarse, fine = subject.gain("int4_vector", "int4_minmax"), subject.gain("int8_minmax_global", "int8_minmax")
    variants = [name for name, gain in (("int4_minmax", coarse), ("int8_minmax", fine)) if gain.level != "fine"]
    told = [f"{_words(gain)} at {bits} bits" for gain, bits in ((coarse, 4), (fine, 8)) if gain.level != "fine"]
    text = (
        "A few dimensions are much larger than the rest and set the range where all share one: a range for each "
        f"dimension finds {' and '.join(told)}."
    )
    if not told:
        text = (
            "A few dimensions are larger than the rest, but a range for each does not find more "
            f"({points(coarse.after)} of the top 10 at 4 bits, {points(coarse.before)} with a range for each vector)."
        )
    return Finding(
        check="outliers",
        title=title,
        value=value,
        shown=shown,
        level=highest([coarse.level, fine.level]),
        sentence=text,
        variants=tuple(variants),
    )


def _words(gain: Gain) -> str:
    return f"{points(gain.after)} of the top 10 instead of {points(gain.before)}"


def constant(subject: Subject) -> Finding:
    """Dimensions that hold one number in all rows."""
    whole = subject.whole
    dead = int((whole.low_d == whole.high_d).sum())
    shown = f"{dead} of {whole.d}"
    text = "Every dimension varies."
    if dead:
        text = (
            f"{dead} of the dimensions hold the same number in every row. They tell no two rows apart, but take "
            f"{share(dead / whole.d)} of a code's bytes. "
            + (
                "As they are not 0 they count in each row's length, so cosines change without them."
                if whole.high_d[whole.low_d == whole.high_d].any()
                else "Leave them out before quantizing."
            )
        )
    level = graded(dead / whole.d, 1 / whole.d, _MANY_DEAD)  # a note from the first on: what is fine has no advice
    return Finding(
        check="constant", title="Constant dimensions", value=float(dead), shown=shown, level=level, sentence=text
    )
