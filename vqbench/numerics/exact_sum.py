"""A sum of any number of float64 values that comes in parts and is rounded once, at the end."""

from __future__ import annotations

import math

from vqbench.numerics.arrays import Floats


class ExactSum:
    """Whatever the parts and their order, ``value`` is what ``math.fsum`` gives for all values together.

    Between parts the exact sum is kept as few numbers that do not overlap (Shewchuk, Adaptive Precision
    Floating-Point Arithmetic, Discrete & Computational Geometry 18, 1997): the rounded sum, the rounded rest, ..

    >>> import numpy as np
    >>> total = ExactSum()
    >>> total.add(np.array([1e100, 0.1]))
    >>> total.add(np.array([-1e100, 0.2]))
    >>> total.value == math.fsum([0.1, 0.2]), total.count
    (True, 4)
    """

    def __init__(self) -> None:
        self._rounded: list[float] = []
        self.count = 0

    def add(self, values: Floats) -> None:
        """Add all values ``(m,)``."""
        self.count += len(values)
        rest, self._rounded = [*self._rounded, *values.tolist()], []
        while (part := math.fsum(rest)) != 0:
            self._rounded.append(part)
            if not math.isfinite(part):
                break
            rest.append(-part)

    @property
    def value(self) -> float:
        """The sum, correctly rounded; 0.0 for no values."""
        return math.fsum(self._rounded)

    @property
    def mean(self) -> float:
        """The rounded sum over the number of values; NaN where there are none."""
        return self.value / self.count if self.count else math.nan
