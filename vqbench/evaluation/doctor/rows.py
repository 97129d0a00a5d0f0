"""Checks of the rows as a set: how many, how many of them equal or nearly so."""

from __future__ import annotations

import math

from vqbench.evaluation.doctor.base import Finding, graded, share
from vqbench.evaluation.doctor.sample import LEAST, Subject

_SMALL = 1000
_MANY = 0.1
_NEAR = 0.999  # cosine
_SAME = 1 - 1e-7  # what float32 rows of one direction may differ by
_SOME_NEAR = 0.01


def count(subject: Subject) -> Finding:
    """How many rows there are."""
    n = subject.whole.n
    text = "Enough rows to rank among; a larger corpus still ranks harder."
    if n < LEAST:
        text = f"Below {LEAST} rows there are no neighbours to speak of: most checks are left out."
    elif n < _SMALL:
        text = "On few rows every code looks better than it will on many: measure at a size near your own."
    level = "warning" if n < LEAST else "note" if n < _SMALL else "fine"
    return Finding(check="rows", title="Number of rows", value=float(n), shown=f"{n:,}", level=level, sentence=text)


def duplicates(subject: Subject) -> Finding:
    """Rows that repeat another one to the last bit, of all rows."""
    n = subject.whole.n
    repeated = n - subject.whole.distinct
    text = "All rows differ."
    if repeated:
        text = (
            "Equal rows get equal codes and always tie. vqbench counts every order of them, an engine shows one. Drop "
            "the copies, or expect lists that are filled with them."
        )
    return Finding(
        check="duplicates",
        title="Equal rows",
        value=float(repeated),
        shown=f"{repeated:,} of {n:,} repeat another",
        level=graded(repeated / n, 1 / n if n > 1 / _MANY else _MANY, _MANY),
        sentence=text,
    )


def near_duplicates(subject: Subject) -> Finding:
    """Share of the sample's rows that have a near-copy in it: a cosine above .999, but not the same direction.

    Signs of a random projection differ with probability angle / pi (Charikar, STOC 2002, section 3).
    """
    close_pp = subject.pairs_pp > _NEAR
    close_pp &= subject.pairs_pp < _SAME
    value = float(close_pp.any(axis=1).mean())
    bits = math.acos(_NEAR) / math.pi
    text = "Rows keep apart."
    if value >= _SOME_NEAR:
        text = (
            f"After a rotation at most 1 in {1 / bits:.0f} of such a pair's sign bits differs on average (angle / pi): "
            "1-bit codes can hardly order them. Fetch more candidates (oversample) and rescore, or drop the copies."
        )
    return Finding(
        check="near_duplicates",
        title="Near-copies",
        value=value,
        shown=f"{share(value)} of {len(close_pp):,} rows have one at a cosine above .999",
        level=graded(value, _SOME_NEAR, _MANY),
        sentence=text,
    )
