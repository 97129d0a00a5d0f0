"""Rows whose number is known only at their end: in memory while they are few, then in a scratch file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.numerics.arrays import Table
from vqbench.storage.scratch import Scratch

_KEPT = 64 * 2**20  # bytes of rows in memory


class GrowingRows:
    """Rows of width ``d`` and of one dtype, added block by block."""

    def __init__(self, d: int, dtype: np.dtype[Any]):
        self._d, self._dtype = d, dtype
        self._blocks: list[NDArray[Any]] = []
        self._scratch: Scratch | None = None

    def add(self, block_nd: NDArray[Any]) -> None:
        """Add rows ``(m, d)``; the array must not be changed afterwards."""
        if self._scratch is not None:
            self._scratch.write(block_nd)
            return
        self._blocks.append(block_nd)
        size = sum(block.nbytes for block in self._blocks)
        if size > _KEPT:
            self._scratch = Scratch(self._d, self._dtype, size)
            for block in self._blocks:
                self._scratch.write(block)
            self._blocks = []

    def finish(self) -> Table:
        """All rows, in their order."""
        if self._scratch is not None:
            return self._scratch.rows()
        return np.concatenate([np.empty((0, self._d), self._dtype), *self._blocks])
