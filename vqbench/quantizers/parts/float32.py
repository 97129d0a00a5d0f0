"""What float32 can hold."""

from __future__ import annotations

import numpy as np

from vqbench.numerics.arrays import Floats

#: The largest finite float32.
LARGEST = float(np.finfo(np.float32).max)


def to_float32(x: Floats) -> Floats:
    """Round to float32; a number beyond its range becomes its largest one."""
    return np.clip(x, -LARGEST, LARGEST).astype(np.float32)


def half_up(x: Floats) -> Floats:
    """Round to the nearest whole number, halves up; ``floor(x + 1/2)`` would also round up what is just below a half."""
    whole = np.floor(x)
    return whole + (x - whole >= 0.5)
