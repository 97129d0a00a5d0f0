"""Codebooks that quantize one number best: exact Lloyd-Max levels of symmetric densities, and coding by levels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.linalg import solve_banded
from scipy.special import ndtr, ndtri

from vqbench.numerics.arrays import Codes, Floats

_BLOCK = 1 << 16  # numbers that are coded at a time: what this takes stays in the processor's cache
_COMPARED = 5  # up to so many bits, comparing with each threshold is faster than a binary search,
_FIRST = 4  # and so it is for the first bits of more

Function = Callable[[Floats], Floats]


@cache
def gaussian_levels(bits: int) -> tuple[Floats, Floats]:
    """Levels ``(2**bits,)`` and thresholds ``(2**bits - 1,)`` float64 of least mean square error for N(0, 1).

    Lloyd, Least squares quantization in PCM (1957/1982); Max, Quantizing for minimum distortion (1960).
    The levels start where the asymptotically best compander puts them (Panter and Dite, 1951):
    spaced by the cube root of the density, which for a normal is a normal of three times the variance.
    """
    half = 2 ** (bits - 1)
    start_h = np.sqrt(3) * ndtri(0.5 + (np.arange(half) + 0.5) / 2**bits)
    return symmetric_levels(start_h, tail=lambda t: ndtr(-t), density=_normal, moment=_normal)


def _normal(t: Floats) -> Floats:
    """The density of N(0, 1), and the integral of x times it from t on."""
    return np.exp(-t * t / 2) / np.sqrt(2 * np.pi)


def symmetric_levels(
    start_h: Floats, *, tail: Function, density: Function, moment: Function, end: float = np.inf
) -> tuple[Floats, Floats]:
    """Lloyd-Max levels and thresholds of a symmetric density on ``(-end, end)``, from its upper half.

    start_h: the positive levels to start from, ascending. tail: P(X > t); moment: E[X; X > t].
    Newton's method on the two conditions at once: each level is the mean of its cell, each threshold
    the midpoint of its levels. A level moves with its two neighbours only, so the Jacobian has three diagonals.
    """
    levels_h = start_h
    for _ in range(100):
        inner = (levels_h[1:] + levels_h[:-1]) / 2
        edges = np.concatenate([[0.0], inner, [end]])
        mass_h = -np.diff(tail(edges))
        means_h = -np.diff(moment(edges)) / mass_h
        # How a cell's mean moves with its lower and its upper edge; 0 and the end stay where they are.
        low_h, high_h = np.zeros_like(levels_h), np.zeros_like(levels_h)
        low_h[1:] = density(inner) * (means_h[1:] - inner) / mass_h[1:]
        high_h[:-1] = density(inner) * (inner - means_h[:-1]) / mass_h[:-1]
        bands = np.zeros((3, len(levels_h)))
        bands[0, 1:], bands[1], bands[2, :-1] = -high_h[:-1] / 2, 1 - (low_h + high_h) / 2, -low_h[1:] / 2
        step_h = solve_banded((1, 1), bands, means_h - levels_h)
        levels_h = levels_h + step_h
        if np.abs(step_h).max() <= 1e-9 * levels_h[-1]:  # the convergence is quadratic: nothing is left
            break
    levels_k = np.concatenate([-levels_h[::-1], levels_h])
    thresholds_j = midpoints(levels_k)
    for array in (levels_k, thresholds_j):
        array.setflags(write=False)  # cached, so shared
    return levels_k, thresholds_j


def midpoints(levels: Floats) -> Floats:
    """The thresholds between neighbouring levels along the last axis, float64."""
    levels = np.asarray(levels, dtype=np.float64)
    return (levels[..., 1:] + levels[..., :-1]) / 2


def float32_thresholds(levels: Floats) -> Floats:
    """For float32 levels ``(k,)`` or ``(d, k)``, ascending: thresholds to compare float32 numbers with.

    Rounded down, so that x > threshold says for every float32 x what the exact midpoint would.
    """
    exact = midpoints(levels)
    rounded = exact.astype(np.float32)
    return np.nextafter(rounded, np.float32(-np.inf), out=rounded, where=rounded > exact)


def nearest_levels(x_nd: Floats, thresholds: Floats) -> Codes:
    """Which level is nearest to each number: ``(n, d)`` uint8; on a midpoint the lower one.

    x_nd: float32. thresholds: what ``float32_thresholds`` gave, ``(k - 1,)``, or ``(d, k - 1)`` with one
    codebook per dimension; k is a power of two from 2 on. The code is the number of thresholds below x.
    """
    n, d = x_nd.shape
    codes_nd = np.empty((n, d), np.uint8)
    coded = _compared if thresholds.shape[-1] < 2**_COMPARED else _searched
    rows = max(1, _BLOCK // d)
    for start in range(0, n, rows):
        coded(x_nd[start : start + rows], thresholds, codes_nd[start : start + rows])
    return codes_nd


def _compared(x_nd: Floats, thresholds: Floats, codes_nd: Codes) -> None:
    """Each threshold in turn compared with all numbers."""
    above_nd = np.empty(x_nd.shape, bool)
    codes_nd[:] = 0
    for threshold in np.ascontiguousarray(thresholds.T):  # a number, or one for each dimension
        np.greater(x_nd, threshold, out=above_nd)
        np.add(codes_nd, above_nd.view(np.uint8), out=codes_nd)


def _searched(x_nd: Floats, thresholds: Floats, codes_nd: Codes) -> None:
    """Binary search: comparisons tell the first bits, then one halving of all numbers at a time."""
    count = thresholds.shape[-1] + 1
    step = count >> _FIRST
    _compared(x_nd, thresholds[..., step - 1 :: step], codes_nd)
    table = np.full((*thresholds.shape[:-1], count), np.inf, np.float32)  # each row filled up to a power of two
    table[..., :-1] = thresholds
    first = np.arange(0, table.size, count)  # where the thresholds of a dimension begin
    at_nd = np.multiply(codes_nd, step, dtype=np.intp) + first
    threshold_nd = np.empty(x_nd.shape, np.float32)
    while step := step // 2:
        # "clip" skips numpy's check of the places, and none is out of range.
        np.take(table.ravel()[step - 1 :], at_nd, out=threshold_nd, mode="clip")
        at_nd += np.multiply(x_nd > threshold_nd, step, dtype=np.intp)
    np.subtract(at_nd, first, out=codes_nd, casting="unsafe")
