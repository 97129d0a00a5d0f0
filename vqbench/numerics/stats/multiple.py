"""Many comparisons at once: p values that stay honest, and letters for what cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqbench.numerics.arrays import Bools, Floats

LEVEL = 0.05
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def holm(p_m: Floats) -> Floats:
    """Adjusted p values: those below alpha make a false claim in the whole family with chance alpha at most.

    Holm, Scandinavian Journal of Statistics 6, 1979. NaN stays NaN and does not count.
    """
    adjusted_m = np.full(len(p_m), np.nan)
    known = np.flatnonzero(np.isfinite(p_m))
    order = known[np.argsort(p_m[known], kind="stable")]
    steps = (len(order) - np.arange(len(order))) * p_m[order]
    adjusted_m[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted_m


def letters(apart_mm: Bools, order: Sequence[int]) -> list[str]:
    """Letters for ``m`` things: two share one exactly when they are not ``apart_mm``.

    Insert and absorb (Piepho, Journal of Computational and Graphical Statistics 13, 2004). ``order``: best
    first; the best has an "a". Empty strings where the alphabet does not suffice.
    """
    groups = [set(order)]
    for left, right in zip(*np.nonzero(np.triu(apart_mm | apart_mm.T, 1)), strict=True):
        torn = [group for group in groups if {left, right} <= group]
        groups = [group for group in groups if group not in torn]
        groups += [group - {one} for group in torn for one in (left, right)]
        groups = [
            g for at, g in enumerate(groups) if not any(g < h or (g == h and at > i) for i, h in enumerate(groups))
        ]
    rank = {thing: at for at, thing in enumerate(order)}
    groups.sort(key=lambda group: sorted(rank[thing] for thing in group))
    if len(groups) > len(ALPHABET):
        return [""] * len(apart_mm)
    return [
        "".join(a for a, group in zip(ALPHABET, groups, strict=False) if thing in group)
        for thing in range(len(apart_mm))
    ]
