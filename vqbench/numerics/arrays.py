"""Arrays: types, unit rows, row-by-row arithmetic.

Shapes are written as suffixes: n corpus rows, q queries, d dimensions, k ranks, b bytes,
f "flat" (one entry for each (query, document) pair, sorted by query).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Protocol

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Codes = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Numbers = NDArray[Any]
Keys = NDArray[np.uint64]

#: The upper half of a float32.
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
#: Scores that agree after rounding to this many decimals are equal.
SCORE_DECIMALS = 12

# einsum buffers rows beyond 8192 elements, and where it cuts them depends on the other rows.
_CHUNK = 4096
_CACHED = 1 << 15  # numbers whose float64 copy stays in a second-level cache
_BLOCK = 1 << 22  # numbers that are read at a time: 16 MiB as float32


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
    def span(self, start: int, stop: int) -> Stored: ...  # rows of their own, not yet read
    @property
    def lasting(self) -> bool: ...  # does the file stay where it is until this process ends?


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


def is_real(dtype: np.dtype[Any]) -> bool:
    """Return whether values are real numbers: float, integer, bool, or bfloat16, which numpy counts among raw bytes."""
    return dtype.kind in "fiub" or dtype == BFLOAT16


def row_dots(x_nd: Floats, y: Floats) -> Floats:
    """Return dot products in float64 of each row of ``x_nd`` with ``y``: ``(d,)``, or ``(n, d)`` row by row.

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
    """Return Euclidean norms ``(n,)`` in float64, row by row."""
    return np.sqrt(row_dots(x_nd, x_nd))


def unit_rows(x_nd: Floats) -> Floats:
    """Return rows divided by their float64 norm and rounded to float32; a zero row stays zero.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    x_nd = np.asarray(x_nd)
    unit_nd = np.empty(x_nd.shape, dtype=np.float32)
    # A few rows at a time: their float64 copies then stay in the processor's cache.
    for start, stop in blocks(len(x_nd), max(1, _CACHED // max(1, x_nd.shape[1]))):
        some_bd = np.asarray(x_nd[start:stop], dtype=np.float64)
        norms_b = row_norms(some_bd)
        np.divide(some_bd, np.where(norms_b == 0, 1, norms_b)[:, None], out=unit_nd[start:stop], casting="same_kind")
    return unit_nd


def as_float32(x_nd: NDArray[np.generic]) -> Floats:
    """Return any numeric rows as C-ordered native float32; -0.0 becomes 0.0, so that equal rows have equal bytes."""
    return np.ascontiguousarray(x_nd, dtype=np.float32) + np.float32(0)


def processors() -> int:
    """Return how many processors this process may use.

    OMP_NUM_THREADS counts too: it is how joblib, Dask and Ray tell a worker that others share the machine.
    """
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(here, int(limit)) if limit.isdecimal() and int(limit) > 0 else here


def blocks(n: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield ``(start, stop)`` pairs that cover ``range(n)`` in steps of ``size``."""
    for start in range(0, n, size):
        yield start, min(start + size, n)


def block_rows(d: int, most: int) -> int:
    """Return how many rows of ``d`` numbers to read at a time, at most ``most``: wide rows must fit into memory."""
    return max(1, min(most, _BLOCK // max(1, d)))
