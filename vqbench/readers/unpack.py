"""Rows that come in blocks and can be read in that order alone: kept if they are few, else in a scratch file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.arrays import Table
from vqbench.scratch import Scratch

KEPT = 64 * 2**20  # bytes


def unpacked(n: int, blocks_nd: Iterator[NDArray[Any]]) -> Table:
    """``n`` rows in all; every block has as many columns and the same dtype."""
    first_nd = next(blocks_nd)
    d, dtype = first_nd.shape[1], first_nd.dtype
    size = n * d * dtype.itemsize
    if size <= KEPT:
        return np.concatenate([first_nd, *blocks_nd])
    with Scratch(d, dtype, size) as scratch:
        scratch.write(first_nd)
        for block_nd in blocks_nd:
            scratch.write(block_nd)
        return scratch.rows()
