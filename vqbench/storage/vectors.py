"""Rows of float vectors: an array, a memory map or a file, read in blocks and brought to unit length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.numerics.arrays import Floats, Ints, Table, as_float32, block_rows, blocks, unit_rows
from vqbench.storage.mapped import Mapped

_TAKEN = 8192  # rows that are read at a time
_KEPT = 512 * 2**20  # bytes of finished rows that stay in memory


class Vectors:
    """Float rows over an array that may lie on disk: float32, optionally unit length, read in blocks.

    ``rows`` picks a subset of the array without copying it. Up to ``_KEPT`` bytes of finished rows are
    kept in memory; a larger corpus is read, converted and normalised again whenever it is needed.
    """

    def __init__(self, array_nd: Table | Mapped, *, normalize: bool, rows: Ints | None = None):
        self._source, self._rows, self.normalize = array_nd, rows, normalize
        self._finished: Floats | None = None

    @property
    def _array(self) -> Table:
        """The array; what came by its place on disk is opened on first use, where an error can be told."""
        if isinstance(self._source, Mapped):
            self._source = self._source.open()
        return self._source

    @property
    def n(self) -> int:
        return len(self._array) if self._rows is None else len(self._rows)

    @property
    def d(self) -> int:
        return self._array.shape[1]

    def raw(self, start: int, stop: int) -> Floats:
        """Rows ``start`` to ``stop`` as float32, not yet normalised."""
        picked = slice(start, stop) if self._rows is None else self._rows[start:stop]
        return as_float32(self._array[picked])

    def block(self, start: int, stop: int) -> Floats:
        """Rows ``start`` to ``stop``: ``(stop - start, d)`` float32, not to be written to."""
        if self._kept is not None:
            return self._kept[start:stop]
        return self._finish(self._array[slice(start, stop) if self._rows is None else self._rows[start:stop]])

    def take(self, rows: Ints) -> Floats:
        """The given rows: ``(len(rows), d)`` float32."""
        if self._kept is not None:
            return self._kept[rows]
        return self._take(rows, self._finish)

    def take_raw(self, rows: Ints) -> Floats:
        """The given rows as float32, not yet normalised."""
        return self._take(rows, as_float32)

    def _take(self, rows: slice | Ints, finish: Callable[[NDArray[np.generic]], Floats]) -> Floats:
        """Rows, some at a time, so that what is made of them on the way stays small."""
        count = rows.stop if isinstance(rows, slice) else len(rows)
        taken_nd = np.empty((count, self.d), dtype=np.float32)
        for start, stop in blocks(count, block_rows(self.d, _TAKEN)):
            some = slice(start, stop) if isinstance(rows, slice) else rows[start:stop]
            taken_nd[start:stop] = finish(self._array[some if self._rows is None else self._rows[some]])
        return taken_nd

    def _finish(self, x_nd: NDArray[np.generic]) -> Floats:
        return unit_rows(as_float32(x_nd)) if self.normalize else as_float32(x_nd)

    @property
    def _kept(self) -> Floats | None:
        if isinstance(self._array, np.ndarray) and self._array.dtype == np.float32 and not self.normalize:
            return None  # next to nothing is left to do
        if self._finished is None and 4 * self.n * self.d <= _KEPT:
            self._finished = self._take(slice(0, self.n), self._finish)
        return self._finished

    def only(self, rows: Ints) -> Vectors:
        """Those of the vectors that ``rows`` names, in that order."""
        return Vectors(self._array, normalize=self.normalize, rows=rows if self._rows is None else self._rows[rows])

    def span(self, start: int, stop: int) -> Vectors:
        """Rows ``start`` to ``stop`` as vectors of their own, without a copy."""
        if self._rows is not None:
            return self.only(np.arange(start, stop))
        array = self._array
        part = array[start:stop] if isinstance(array, np.ndarray) else array.span(start, stop)
        return Vectors(part, normalize=self.normalize)

    @property
    def on_disk(self) -> bool:
        """Whether another process can read the rows from a file."""
        array = self._array
        return Mapped.of(array) is not None if isinstance(array, np.ndarray) else array.lasting

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: the place on disk, or of an array in memory these rows alone."""
        array = self._source
        if isinstance(array, np.ndarray):
            array = Mapped.of(array) or array
            if self._rows is not None and isinstance(array, np.ndarray):
                return {"array": array[self._rows], "rows": None, "normalize": self.normalize}
        return {"array": array, "rows": self._rows, "normalize": self.normalize}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["array"], normalize=state["normalize"], rows=state["rows"])
