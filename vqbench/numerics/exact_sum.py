"""A sum of any number of float64 values that comes in parts and is rounded once, at the end.

``math.fsum`` needs all values at once. Here they are added as whole numbers, which never round: a float64 is
mantissa * 2**exponent with 53 bits of mantissa.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from vqbench.numerics.arrays import Floats

_LOW = 27  # bits of a mantissa that are added apart, so that 2**36 of them fit into int64
_LEAST = -1074 - 53  # exponent of the smallest float64, with the mantissa's bits before the point


class ExactSum:
    """Whatever the parts and their order, ``value`` is what ``math.fsum`` gives for all values together."""

    def __init__(self) -> None:
        self._units, self._special, self.count = 0, set[float](), 0

    def add(self, values: Floats) -> None:
        """Add all values ``(m,)``."""
        values = np.asarray(values, dtype=np.float64)
        self.count += len(values)
        finite = np.isfinite(values)
        if not finite.all():
            self._special |= {x if x == x else math.nan for x in values[~finite].tolist()}
            values = values[finite]
        fraction, exponent = np.frexp(values)
        mantissa = np.ldexp(fraction, 53).astype(np.int64)
        order = np.argsort(exponent, kind="stable")
        exponent, mantissa = exponent[order], mantissa[order]
        edges = [0, *(np.flatnonzero(np.diff(exponent)) + 1).tolist(), len(values)] if len(values) else []
        for start, stop in itertools.pairwise(edges):
            some = mantissa[start:stop]
            high = int((some >> _LOW).sum())
            total = (high << _LOW) + int((some & ((1 << _LOW) - 1)).sum())
            self._units += total << (int(exponent[start]) - 53 - _LEAST)

    @property
    def value(self) -> float:
        """The sum, correctly rounded; 0.0 for no values."""
        if self._special:
            return math.fsum(self._special)
        return self._units / (1 << -_LEAST)  # a quotient of whole numbers is rounded once

    @property
    def mean(self) -> float:
        """The rounded sum over the number of values; NaN where there are none."""
        return self.value / self.count if self.count else math.nan
