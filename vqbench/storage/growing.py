"""Rows and texts whose number is known only at their end: in memory while they are few, then in a scratch file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.numerics.arrays import Table
from vqbench.storage.ids import PackedIds
from vqbench.storage.scratch import Scratch, Temporary

_KEPT = 64 * 2**20  # bytes of rows in memory
_TEXTS = 4 * 2**20  # bytes of texts in memory


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


class GrowingTexts:
    """Texts, added one by one."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._size = 0
        self._file: Temporary | None = None
        self._starts = [np.zeros(1, np.int64)]

    def add(self, text: str) -> None:
        """Add a text. Raises UnicodeEncodeError where UTF-8 cannot hold it."""
        self._size += len(text.encode())
        self._texts.append(text)
        if self._size > _TEXTS:
            self._write()

    def _write(self) -> None:
        self._file = self._file or Temporary(".texts")
        encoded = [text.encode() for text in self._texts]
        self._file.write(b"".join(encoded))
        self._starts.append(self._starts[-1][-1] + np.cumsum([len(text) for text in encoded], dtype=np.int64))
        self._texts, self._size = [], 0

    def finish(self) -> Sequence[str]:
        """All texts, in their order."""
        if self._file is None:
            return self._texts
        if self._texts:
            self._write()
        self._file.file.flush()
        return PackedIds(self._file.path, np.concatenate(self._starts), owner=self._file)


def in_batches(texts: Sequence[str], size: int = 1 << 14) -> Iterator[list[str]]:
    """The texts as lists of at most ``size``."""
    for start in range(0, len(texts), size):
        yield list(texts[start : start + size])
