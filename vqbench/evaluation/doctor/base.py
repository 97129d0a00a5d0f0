"""What a check finds, and how large a difference has to be before it is worth a word."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats import intervals as stats

Level = Literal["fine", "note", "warning"]
LEVELS: tuple[Level, ...] = get_args(Level)

#: Significant digits of stored values: so few that the order of a sum, which may change with threads, cannot show.
DIGITS = 6
#: Points of overlap@10 from which a difference is a note, and from which it is a warning.
NOTE, WARNING = 0.02, 0.10
#: Standard errors that a difference must exceed. A dozen pairs are compared, so two would cry wolf.
ERRORS = 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of a diagnosis.

    check: the short name of the check. value: its number; shown: the same in words, with its unit.
    sentence: what it means for codes. variants: names under conf/quantizer that are worth trying because of it.
    """

    check: str
    title: str
    value: float
    shown: str
    level: Level
    sentence: str
    variants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise VqbenchError(f"{self.check}: level = {self.level!r}: must be one of {', '.join(LEVELS)}")
        if not math.isfinite(self.value):
            raise VqbenchError(f"{self.check}: value = {self.value}: must be a finite number")

    def plain(self) -> dict[str, Any]:
        """For JSON: the same bytes on every run."""
        return {**vars(self), "value": rounded(self.value), "variants": list(self.variants)}


def rounded(value: float) -> float:
    """``value`` with ``DIGITS`` significant digits; no negative zero."""
    return float(f"{value:.{DIGITS - 1}e}") + 0.0


@dataclass(frozen=True)
class Gain:
    """Mean overlap@10 of two settings on the same queries, and the standard error of their difference."""

    before: float
    after: float
    error: float

    @classmethod
    def between(cls, before_q: Floats, after_q: Floats) -> Gain:
        """From the overlap of each query, ``(q,)``, under either setting."""
        differences_q = np.asarray(after_q, dtype=np.float64) - before_q
        centre, q = stats.mean(differences_q), len(differences_q)
        error = math.sqrt(math.fsum((differences_q - centre) ** 2) / max(q - 1, 1) / q)
        return cls(stats.mean(before_q), stats.mean(after_q), error)

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def level(self) -> Level:
        """How much the better setting is worth; ``fine`` where it may be chance."""
        if self.difference <= ERRORS * self.error or self.difference < NOTE:
            return "fine"
        return "warning" if self.difference >= WARNING else "note"


def highest(levels: Iterable[Level]) -> Level:
    """The worst of some levels."""
    return LEVELS[max((LEVELS.index(level) for level in levels), default=0)]


def graded(value: float, note: float, warning: float) -> Level:
    """The level of a number that is worse the larger it is."""
    return "warning" if value >= warning else "note" if value >= note else "fine"


def share(value: float) -> str:
    """A share in words: ``12 %``, ``0.3 %``."""
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{percent:.2g} %"


def number(value: float) -> str:
    """Three digits, and no exponent where none is needed: ``0.0123``, ``65,536``."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def points(value: float) -> str:
    """An overlap as the tables print it, with two decimals."""
    return f"{value:.2f}".removeprefix("0") if value < 0.995 else "1.00"
