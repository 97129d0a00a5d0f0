"""Many comparisons at once: p values that stay honest, and letters for what cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqbench.numerics.arrays import Bools, Floats

LEVEL = 0.05
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def holm(p_m: Floats) -> Floats:
    """Return adjusted p values: those below alpha make a false claim in the whole family with chance alpha at most.

    Holm, Scandinavian Journal of Statistics 6, 1979. NaN stays NaN and does not count.
    """
    adjusted_m = np.full(len(p_m), np.nan)
    known = np.flatnonzero(np.isfinite(p_m))
    order = known[np.argsort(p_m[known], kind="stable")]
    steps = (len(order) - np.arange(len(order))) * p_m[order]
    adjusted_m[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted_m


def letters(apart_mm: Bools, order: Sequence[int]) -> list[str]:
    """Return letters for ``m`` things: two share one exactly when they are not ``apart_mm``.

    Insert and absorb (Piepho, Journal of Computational and Graphical Statistics 13, 2004).

    >>> letters(np.array([[False, False, True], [False, False, False], [True, False, False]]), order=[0, 1, 2])
    ['a', 'ab', 'b']

    Args:
        apart_mm: which things differ; one of the two halves suffices.
        order: the things, best first; the best has an "a".

    Returns:
        A string for each thing; empty ones where the alphabet does not suffice.
    """
    groups = [set(order)]
    for left, right in zip(*np.nonzero(np.triu(apart_mm | apart_mm.T, 1)), strict=True):
        mixed = [group for group in groups if {left, right} <= group]
        groups = [group for group in groups if group not in mixed]
        groups += [group - {one} for group in mixed for one in (left, right)]
        groups = [g for j, g in enumerate(groups) if not any(g < h or (g == h and j > i) for i, h in enumerate(groups))]
    rank = {thing: i for i, thing in enumerate(order)}
    groups.sort(key=lambda group: sorted(rank[thing] for thing in group))
    if len(groups) > len(ALPHABET):
        return [""] * len(apart_mm)
    return [
        "".join(a for a, group in zip(ALPHABET, groups, strict=False) if thing in group)
        for thing in range(len(apart_mm))
    ]
