"""Rows of several tables as one table: the parts of a corpus that lie in files of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.numerics.arrays import Ints, Table


@dataclass(frozen=True)
class JoinedRows:
    """Tables of one dtype and width, one below the other; each is read only where rows of it are asked for.

    Example:
        >>> joined = JoinedRows([np.zeros((2, 3)), np.ones((4, 3))])
        >>> joined.shape, joined[np.array([5, 0])].tolist()
        ((6, 3), [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    """

    #: At least one.
    parts: Sequence[Table]

    ndim = 2

    @property
    def shape(self) -> tuple[int, ...]:
        return sum(map(len, self.parts)), self.parts[0].shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def _starts(self) -> Ints:
        """The first row of each part, and the number of all rows."""
        return np.cumsum([0, *map(len, self.parts)])

    def __getitem__(self, picked: slice | Ints) -> NDArray[Any]:
        """Some rows as an array ``(m, d)``."""
        if isinstance(picked, slice):
            start, stop, step = picked.indices(len(self))
            if step == 1:
                return np.concatenate([np.empty((0, self.shape[1]), self.dtype), *self._between(start, stop)])
            picked = np.arange(start, stop, step)
        rows = np.asarray(picked)
        rows = np.where(rows < 0, rows + len(self), rows)
        if rows.size and not (rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        starts, x_md = self._starts, np.empty((len(rows), self.shape[1]), self.dtype)
        part_m = np.searchsorted(starts, rows, side="right") - 1
        for number in np.unique(part_m):
            own_m = part_m == number
            x_md[own_m] = self.parts[number][rows[own_m] - starts[number]]
        return x_md

    def _between(self, start: int, stop: int) -> list[NDArray[Any]]:
        """What each part holds of these rows."""
        starts = self._starts.tolist()
        return [
            np.asarray(part[max(0, start - first) : min(stop, last) - first])
            for part, first, last in zip(self.parts, starts, starts[1:], strict=False)
            if first < stop and start < last
        ]

    def span(self, start: int, stop: int) -> JoinedRows:
        """Rows ``start`` to ``stop``, not read yet."""
        starts = self._starts.tolist()
        parts = [
            part[low:high] if isinstance(part, np.ndarray) else part.span(low, high)
            for part, first, last in zip(self.parts, starts, starts[1:], strict=False)
            if (low := max(0, start - first)) < (high := min(stop, last) - first)
        ]
        return JoinedRows(parts or [self.parts[0][:0]])

    @property
    def lasting(self) -> bool:
        """Whether all rows lie in files that stay where they are, so that other processes can read them."""
        return not any(isinstance(part, np.ndarray) or not part.lasting for part in self.parts)
