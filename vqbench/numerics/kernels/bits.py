"""Compiled: what kernels over packed bits share."""

# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

from numba import njit, types
from numba.extending import intrinsic

TILE = 256  # codes that are worked on at a time: their counts stay in the first-level cache


@intrinsic
def _popcount(context, word):
    """The number of ones in a 64-bit word, as one instruction of the processor where it has one."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


popcount: Any = _popcount  # called with the word alone


@njit(cache=True, nogil=True)
def transpose(words_bw, start, stop, tile_wt):
    """Codes ``start`` to ``stop``, a column each, so that one instruction works on several codes."""
    for j in range(words_bw.shape[1]):
        for t in range(stop - start):
            tile_wt[j, t] = words_bw[start + t, j]
