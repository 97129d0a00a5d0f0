"""What a check reports, and how large a difference must be to be reported."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats import intervals as stats

Level = Literal["fine", "note", "warning"]
LEVELS: tuple[Level, ...] = get_args(Level)

#: Significant digits of stored values: few enough that the order of a sum, which depends on threads, does not show.
DIGITS = 6
#: A difference of overlap@10 is a note from the first on, and a warning from the second on.
NOTE, WARNING = 0.02, 0.10
#: A difference must exceed this many standard errors. About a dozen pairs are compared; 2 would give false alarms.
ERRORS = 3


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Raises:
        VqbenchError: ``value`` is not finite.

    >>> Finding(0.01, "1 %", "Rows point in all directions.").level
    'fine'
    """

    check: str = field(default="", kw_only=True)  #: the short name of the check
    title: str = field(default="", kw_only=True)  #: the check's name for people
    value: float
    shown: str  #: the value in words, with its unit
    sentence: str  #: what it means for codes
    level: Level = "fine"
    variants: tuple[str, ...] = ()  #: names under conf/quantizer that are worth trying because of it

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise VqbenchError(f"{self.check}: value = {self.value}: must be a finite number")

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON, the same bytes on every run."""
        return {**vars(self), "value": rounded(self.value), "variants": list(self.variants)}


def rounded(value: float) -> float:
    """Round to ``DIGITS`` significant digits, without a negative zero."""
    return float(f"{value:.{DIGITS - 1}e}") + 0.0


@dataclass(frozen=True)
class Gain:
    """Mean overlap@10 of two variants on the same queries."""

    before: float
    after: float
    error: float  #: standard error of their difference

    @classmethod
    def between(cls, before_q: Floats, after_q: Floats) -> Gain:
        """Compare the overlaps of each query ``(q,)`` under either variant."""
        differences_q = np.asarray(after_q, dtype=np.float64) - before_q
        centre, q = stats.mean(differences_q), len(differences_q)
        error = math.sqrt(math.fsum((differences_q - centre) ** 2) / max(q - 1, 1) / q)
        return cls(stats.mean(before_q), stats.mean(after_q), error)

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def level(self) -> Level:
        """How much the second variant gains; ``fine`` where it may be chance."""
        return "fine" if self.difference <= ERRORS * self.error else graded(self.difference, NOTE, WARNING)

    def __str__(self) -> str:
        return f"{points(self.after)} of the top 10 instead of {points(self.before)}"


def better(gains: Mapping[str, Gain]) -> tuple[str, ...]:
    """The names of the variants that gain enough to be reported."""
    return tuple(name for name, gain in gains.items() if gain.level != "fine")


def highest(levels: Iterable[Level]) -> Level:
    """The worst of some levels."""
    return LEVELS[max((LEVELS.index(level) for level in levels), default=0)]


def graded(value: float, note: float, warning: float) -> Level:
    """The level of a number that is worse the larger it is."""
    return "warning" if value >= warning else "note" if value >= note else "fine"


def share(value: float) -> str:
    """Write a share with two digits: ``12 %``, ``0.3 %``."""
    percent = 100 * value
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{percent:.2g} %"


def number(value: float) -> str:
    """Write three digits, without an exponent where none is needed: ``0.0123``, ``65,536``."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def points(value: float) -> str:
    """Write an overlap with two decimals: ``.87``, ``1.00``."""
    return f"{value:.2f}".removeprefix("0")
