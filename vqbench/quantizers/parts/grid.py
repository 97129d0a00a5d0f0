"""Uniform grids: numbers coded by the step of equal width that they lie in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.numerics.arrays import Bools, Codes, Floats
from vqbench.numerics.kernels.choice import compiled

_SLOWER = 3e-9  # seconds that numpy takes longer for a number
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Whole numbers ``first`` to ``last`` and what they stand for, given the low end and the width of a range.

    symmetric: around zero, ``2**bits - 1`` levels. nearest: to the nearest level, else truncated.
    cells: the range holds ``2**bits`` steps, else one less. midpoint: a code stands for the middle
    of its step, else for its lower edge. by_width: ``(x - low) / width * steps`` instead of
    ``(x - low) / step``; in float32 the two differ in the last bit. All arithmetic is float32.
    """

    bits: int
    symmetric: bool = False
    nearest: bool = True
    cells: bool = False
    midpoint: bool = False
    by_width: bool = False

    @property
    def first(self) -> int:
        return -self.last if self.symmetric else 0

    @property
    def last(self) -> int:
        return 2 ** (self.bits - self.symmetric) - 1

    @property
    def steps(self) -> int:
        """How many steps the range holds."""
        return self.last - self.first + self.cells

    @property
    def shift(self) -> float:
        """Where in its step a code stands."""
        return 0.5 if self.midpoint else 0.0

    def _scaled(self, x_nd: Floats, low: Floats, width: Floats) -> Floats:
        """``x_nd`` in steps from the low end. What is infinitely far outside is clipped later."""
        with np.errstate(over="ignore"):
            t_nd = x_nd - low
            if self.by_width:
                # A range of no width: everything finite comes out as 0.
                t_nd /= np.where(width == 0, np.float32(_LARGEST), width)
                t_nd *= np.float32(self.steps)
            else:
                step = width / np.float32(self.steps)
                t_nd /= np.where(step == 0, np.float32(1), step)
        return t_nd

    def levels(self, x_nd: Floats, low: Floats, width: Floats) -> Codes:
        """Codes ``(n, d)`` uint8 counted from ``first``, clipped to the grid."""
        t_nd = self._scaled(x_nd, low, width)
        np.maximum(t_nd, np.float32(self.first), out=t_nd)
        np.minimum(t_nd, np.float32(self.last), out=t_nd)
        if self.nearest:
            np.rint(t_nd, out=t_nd)
        if self.first:
            t_nd -= np.float32(self.first)
        return t_nd.astype(np.uint8)  # after clipping at 0 this truncation is the floor

    def values(self, levels_nd: Codes, low: Floats, width: Floats, out_nd: Floats) -> None:
        """Fill ``out_nd`` float32 with what levels stand for. A range of no width stands for its one value."""
        divisor = np.float32(self.steps if self.by_width else 1)
        scale, shift = width if self.by_width else width / np.float32(self.steps), np.float32(self.first + self.shift)
        kernels = compiled("grid", _SLOWER * levels_nd.size)
        if kernels is not None:
            rows = np.ndim(low) == 2 or np.ndim(scale) == 2  # (n, 1) against (d,)
            size = levels_nd.shape[0 if rows else 1]
            ends = (np.ascontiguousarray(np.broadcast_to(np.ravel(x), size)) for x in (scale, low))
            kernel = kernels.by_row if rows else kernels.by_dimension
            kernel(np.ascontiguousarray(levels_nd), shift, divisor, *ends, out_nd)
            return
        out_nd[:] = levels_nd
        if shift:
            out_nd += shift
        if self.by_width:
            out_nd /= divisor
        out_nd *= scale
        out_nd += low

    def outside(self, x_nd: Floats, low: Floats, width: Floats) -> Bools:
        """Which numbers lie beyond the outermost steps, so that their error is more than rounding's."""
        t_nd = self._scaled(x_nd, low, width)
        reach = (-0.5, 0.5) if self.nearest else (0.0, 1.0)
        outside_nd = (t_nd < self.first + reach[0]) | (t_nd > self.last + reach[1])
        # Where a step is too small for a float32, the ends themselves tell.
        start = low - width / 2 if self.symmetric else low
        beyond_nd = (x_nd < start) | (x_nd > start + width)
        return np.where(width / np.float32(self.steps) == 0, beyond_nd, outside_nd)


def float32_range(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The low end and the width as they are stored: float32. The difference is rounded once, as in float32."""
    low32 = np.asarray(np.clip(low, -_LARGEST, _LARGEST), dtype=np.float32)
    width = np.asarray(high, dtype=np.float64) - low32
    return low32, np.asarray(np.clip(width, 0, _LARGEST), dtype=np.float32)
