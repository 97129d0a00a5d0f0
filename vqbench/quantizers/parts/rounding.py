"""What float32 can hold, and how numbers are rounded to levels."""

from __future__ import annotations

import numpy as np

from vqbench.numerics.arrays import Floats

#: The largest finite float32.
LARGEST = float(np.finfo(np.float32).max)


def to_float32(x: Floats) -> Floats:
    """Round to float32; a number beyond its range becomes its largest one."""
    return np.clip(x, -LARGEST, LARGEST).astype(np.float32)


def half_up(x: Floats) -> Floats:
    """Round to the nearest whole number, halves up. ``floor(x + 1/2)`` also rounds up what is just below."""
    whole = np.floor(x)
    return whole + (x - whole >= 0.5)


def query_levels(values_qc: Floats, bits: int) -> Floats:
    """Levels 0 to 2**bits - 1 of each query, which stand for -1 to 1 times its largest component, float32.

    Halves are rounded up. Where a step is no more than 2**-23 all levels are 0.

    Source: Qdrant, lib/quantization/src, encoded_vectors_binary.rs (``_encode_scalar_query_vector``; commit 000b436).
    """
    top = 2**bits - 1
    values_qc = np.clip(values_qc, -LARGEST / 2, LARGEST / 2)  # twice the largest must not be infinite
    largest_q1 = np.abs(values_qc).max(axis=1, keepdims=True)
    step_q1 = (largest_q1 + largest_q1) / np.float32(top)
    wide_q1 = step_q1 > np.finfo(np.float32).eps
    steps_qc = np.divide(values_qc + largest_q1, step_q1, out=np.zeros_like(values_qc), where=wide_q1)
    return np.minimum(half_up(steps_qc), top)
