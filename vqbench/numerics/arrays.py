"""Arrays: types, unit rows, row-by-row arithmetic, vectors that may lie on disk.

Shapes are written as suffixes: n corpus rows, q queries, d dimensions, k ranks, b bytes,
f "flat" (one entry for each (query, document) pair, sorted by query).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vqbench.mapped import Mapped

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Codes = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Numbers = NDArray[Any]
Keys = NDArray[np.uint64]

#: Scores that agree after rounding to this many decimals are equal.
SCORE_DECIMALS = 12

# einsum buffers rows beyond 8192 elements, and where it cuts them depends on the other rows.
_CHUNK = 4096
_CACHED = 1 << 15  # numbers whose float64 copy stays in a second-level cache
_TAKEN = 8192  # rows that are read at a time
_BLOCK = 1 << 22  # numbers that are read at a time: 16 MiB as float32
_KEPT = 512 * 2**20  # bytes of finished rows that stay in memory


class Stored(Protocol):
    """Rows ``(n, d)`` that do not lie in memory, indexed like an array with a slice or with row numbers."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, picked: slice | Ints, /) -> NDArray[Any]: ...
    def span(self, start: int, stop: int) -> Stored: ...
    @property
    def lasting(self) -> bool: ...


#: Rows as they come, of any dtype: an array, or what a reader made of a file.
Table = NDArray[np.generic] | Stored


class Rows(Protocol):
    """A corpus of ``n`` rows of ``d`` numbers that can be read block by block or row by row."""

    @property
    def n(self) -> int: ...
    @property
    def d(self) -> int: ...
    def block(self, start: int, stop: int) -> Floats: ...
    def take(self, rows: Ints) -> Floats: ...


def row_dots(x_nd: Floats, y: Floats) -> Floats:
    """Dot products in float64 of each row of ``x_nd`` with ``y``: ``(d,)``, or ``(n, d)`` row by row.

    Each result depends on its own two rows only: not on the block they stand in, nor on threads,
    as BLAS results do. That is what makes equal vectors tie.
    """
    same = y is x_nd
    x_nd = np.asarray(x_nd, dtype=np.float64)
    y = x_nd if same else np.asarray(y, dtype=np.float64)
    spec = "ij,j->i" if y.ndim == 1 else "ij,ij->i"
    total = np.zeros(len(x_nd))
    for start in range(0, x_nd.shape[1], _CHUNK):
        part = slice(start, start + _CHUNK)
        total += np.einsum(spec, np.ascontiguousarray(x_nd[:, part]), np.ascontiguousarray(y[..., part]))
    return total


def row_norms(x_nd: Floats) -> Floats:
    """Euclidean norms ``(n,)`` in float64, row by row."""
    return np.sqrt(row_dots(x_nd, x_nd))


def unit_rows(x_nd: Floats) -> Floats:
    """Rows divided by their float64 norm and rounded to float32; a zero row stays zero."""
    x_nd = np.asarray(x_nd)
    unit_nd = np.empty(x_nd.shape, dtype=np.float32)
    # A few rows at a time: their float64 copies then stay in the processor's cache.
    for start, stop in blocks(len(x_nd), max(1, _CACHED // max(1, x_nd.shape[1]))):
        some_bd = np.asarray(x_nd[start:stop], dtype=np.float64)
        norms_b = row_norms(some_bd)
        np.divide(some_bd, np.where(norms_b == 0, 1, norms_b)[:, None], out=unit_nd[start:stop], casting="same_kind")
    return unit_nd


def as_float32(x_nd: NDArray[np.generic]) -> Floats:
    """Any numeric rows as C-ordered native float32; -0.0 becomes 0.0, so that equal rows have equal bytes."""
    return np.ascontiguousarray(x_nd, dtype=np.float32) + np.float32(0)


def processors() -> int:
    """How many processors this process may use.

    OMP_NUM_THREADS counts too: it is how joblib, Dask and Ray tell a worker that others share the machine.
    """
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(here, int(told)) if told.isdecimal() and int(told) > 0 else here


def blocks(n: int, size: int) -> Iterator[tuple[int, int]]:
    """``(start, stop)`` pairs that cover ``range(n)`` in steps of ``size``."""
    for start in range(0, n, size):
        yield start, min(start + size, n)


def block_rows(d: int, most: int) -> int:
    """How many rows of ``d`` numbers are read at a time, at most ``most``: memory stays bounded if they are wide."""
    return max(1, min(most, _BLOCK // max(1, d)))


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
