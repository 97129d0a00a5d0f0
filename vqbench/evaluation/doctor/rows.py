"""Checks of the rows as a set: how many there are, and how many are equal or nearly so."""

from __future__ import annotations

import math

from vqbench.evaluation.doctor.base import Finding, graded, share
from vqbench.evaluation.doctor.sample import LEAST, Sample

_SMALL = 1000
_MANY = 0.1
_NEAR = 0.999  # cosine
_SAME = 1 - 1e-7  # what float32 rows of one direction may differ by
_SOME_NEAR = 0.01


def count(sample: Sample) -> Finding:
    """Count the rows."""
    n = sample.whole.n
    if n < LEAST:
        text = f"Fewer than {LEAST} rows have no neighbours worth ranking, so most checks are left out."
        return Finding(float(n), f"{n:,}", text, "warning")
    if n < _SMALL:
        text = "Small corpora give optimistic results: measure at a size near your own."
        return Finding(float(n), f"{n:,}", text, "note")
    return Finding(float(n), f"{n:,}", "Enough rows to rank. A larger corpus is still harder to rank.")


def duplicates(sample: Sample) -> Finding:
    """Count the rows that repeat another row to the last bit."""
    n = sample.whole.n
    repeated = n - sample.whole.distinct
    text = "All rows differ."
    if repeated:
        text = (
            "Equal rows get equal codes and always tie. vqbench averages over every order of them, an engine returns "
            "one. Drop the copies, or expect lists that are filled with them."
        )
    level = graded(repeated / n, 1 / n if n > 1 / _MANY else _MANY, _MANY)
    return Finding(float(repeated), f"{repeated:,} of {n:,} repeat another", text, level)


def near_duplicates(sample: Sample) -> Finding:
    """Measure the share of the sample's rows with a near-copy in it: a cosine above .999 in another direction.

    Signs of a random projection differ with probability angle / pi (Charikar, STOC 2002, section 3).
    """
    close_pp = (sample.pairs_pp > _NEAR) & (sample.pairs_pp < _SAME)
    value = float(close_pp.any(axis=1).mean())
    text = "Few rows or none have a near-copy."
    if value >= _SOME_NEAR:
        text = (
            f"After a rotation at most 1 in {math.pi / math.acos(_NEAR):.0f} of such a pair's sign bits differs on "
            "average (angle / pi), so 1-bit codes can hardly order them. Rescore more candidates (oversample), or drop "
            "the copies."
        )
    shown = f"{share(value)} of {len(close_pp):,} rows have one at a cosine above .999"
    return Finding(value, shown, text, graded(value, _SOME_NEAR, _MANY))
