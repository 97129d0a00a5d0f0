"""Rows that come in blocks and can be read in that order alone: kept if they are few, else in a scratch file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.numerics.arrays import Table
from vqbench.storage.scratch import Scratch

KEPT = 64 * 2**20  # bytes
_FREE = 64 * 2**20  # bytes that anything may unpack to
_FACTOR = 100  # times its size that more may: vectors shrink to a fifth at best, bombs to a thousandth and less


def most(packed: int) -> int:
    """How many bytes ``packed`` compressed ones may become."""
    return max(_FREE, _FACTOR * packed)


def too_large(claimed: int, packed: int) -> dict[str, str]:
    """What a refusal says of data that would unpack to more than ``most``."""
    return {
        "found": f"{packed} bytes that unpack to {claimed}",
        "rule": f"a file may unpack to {_FREE >> 20} MiB, or to {_FACTOR} times its size",
        "remedy": "if it is what you expect, unpack it yourself and save it with numpy.save",
    }


def unpacked(n: int, blocks_nd: Iterator[NDArray[Any]]) -> Table:
    """``n`` rows in all, at least one; every block has as many columns and the same dtype.

    Raises ValueError where there are more rows or fewer: they are counted as they come.
    """
    counted_nd = _counted(n, blocks_nd)
    first_nd = next(counted_nd)
    d, dtype, at = first_nd.shape[1], first_nd.dtype, 0
    if n * d * dtype.itemsize <= KEPT:
        rows_nd = np.empty((n, d), dtype)
        for block_nd in chain([first_nd], counted_nd):
            rows_nd[at : at + len(block_nd)] = block_nd
            at += len(block_nd)
        return rows_nd
    with Scratch(d, dtype, n * d * dtype.itemsize) as scratch:
        for block_nd in chain([first_nd], counted_nd):
            scratch.write(block_nd)
        return scratch.rows()


def _counted(n: int, blocks_nd: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    count = 0
    for block_nd in blocks_nd:
        count += len(block_nd)
        if count > n:
            break
        yield block_nd
    if count != n:
        raise ValueError(f"{count} rows {'and more ' if count > n else ''}where {n} were announced")
