"""Compiled: the k-th smallest of some numbers."""

# pyright: reportMissingImports=false

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True)
def kth_smallest(values, k):
    """The k-th smallest of ``values``, which are put into another order (Hoare's selection)."""
    low, high, at = 0, len(values) - 1, k - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if at <= j:
            high = j
        elif at >= i:
            low = i
        else:
            break
    return values[at]
