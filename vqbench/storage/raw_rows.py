"""Rows of numbers that lie in a file one after the other, read when they are asked for.

Not a memory map: the pages of a map count as memory of the process for as long as the system likes, while
what is read here is gone with the block. Nothing is open between two calls, so that rows can be read by
several threads at once and sent to other processes as a path and a few numbers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Ints

_GAP = 4096  # bytes between two wanted rows that cost less to read than to skip
_SPAN = 1 << 22  # bytes that are read at a time to pick rows from


@dataclass(frozen=True, kw_only=True)
class RawRows:
    """Rows of numbers in a file. A slice or an integer array as index gives an array, as of a two-dimensional array."""

    path: Path
    #: Byte where the first row begins.
    offset: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    #: Bytes that stand before the numbers of each row, the same in all.
    lead: bytes = b""
    #: Size and time of the file when it was opened (``stamp_of``): a file that has changed since is refused.
    stamp: tuple[int, int] | None = None
    #: Kept alive with the rows, such as the scratch file that they lie in; not sent along to other processes.
    owner: object = field(default=None, compare=False, repr=False)

    ndim = 2

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "owner": None}

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def stride(self) -> int:
        """Bytes from one row to the next."""
        return len(self.lead) + self.shape[1] * self.dtype.itemsize

    def __getitem__(self, picked: slice | Ints) -> NDArray[Any]:
        """Some rows as they stand in the file: ``(m, d)`` of its dtype, whichever way they lie in memory."""
        with open(self.path, "rb", buffering=0) as file:
            self._check_unchanged(file)
            if isinstance(picked, slice):
                start, stop, step = picked.indices(len(self))
                if step == 1:
                    return self._numbers(self._span(file, start, max(start, stop)), start)
                picked = np.arange(start, stop, step)
            return self._gather(file, np.asarray(picked))

    @property
    def lasting(self) -> bool:
        """Whether the file stays where it is, so that other processes can read it."""
        return self.owner is None

    def span(self, start: int, stop: int) -> RawRows:
        """Rows ``start`` to ``stop``, not read yet."""
        return replace(self, offset=self.offset + start * self.stride, shape=(stop - start, self.shape[1]))

    def _check_unchanged(self, file: FileIO) -> None:
        if self.stamp is not None and self.stamp != stamp_of(os.fstat(file.fileno())):
            raise VqbenchError(f"{self.path}: has changed since it was opened: do not write to it meanwhile")

    def _span(self, file: FileIO, start: int, stop: int) -> NDArray[np.uint8]:
        """The bytes of rows ``start`` to ``stop``: ``(stop - start, stride)``."""
        bytes_ns = np.empty((stop - start, self.stride), dtype=np.uint8)
        self._fill(file, bytes_ns.reshape(-1).data, start)
        return bytes_ns

    def _fill(self, file: FileIO, view: memoryview, start: int) -> None:
        """Bytes from row ``start`` on, until ``view`` is full."""
        offset = self.offset + start * self.stride
        while view:
            got = _read_at(file, view, offset)
            if not got:
                raise VqbenchError(
                    f"{self.path}: ends before row {start} or soon after it: it was cut off; copy or download it again"
                )
            view, offset = view[got:], offset + got

    def _gather(self, file: FileIO, rows: Ints) -> NDArray[Any]:
        """Rows in any order, repeated ones too: in the order of the file, neighbours in one read."""
        rows = np.where(rows < 0, rows + len(self), rows)
        if rows.size and not (rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        order = np.argsort(rows, kind="stable")
        sorted_m = rows[order]
        far_m = np.diff(sorted_m) > 1 + _GAP // self.stride
        # A run ends at the next full span too, counted from the start of the file, so that a read stays bounded.
        far_m |= np.diff(sorted_m // max(1, _SPAN // self.stride)) > 0
        edges = [0, *(np.flatnonzero(far_m) + 1).tolist(), len(rows)] if len(rows) else []
        read_ms = np.empty((len(rows), self.stride), dtype=np.uint8)
        flat, low_m, stride = read_ms.reshape(-1).data, sorted_m.tolist(), self.stride
        for first, last in zip(edges, edges[1:], strict=False):
            if last == first + 1:
                self._fill(file, flat[first * stride : last * stride], low_m[first])
            else:
                span_ns = self._span(file, low_m[first], low_m[last - 1] + 1)
                read_ms[first:last] = span_ns[sorted_m[first:last] - low_m[first]]
        bytes_ms = np.empty_like(read_ms)
        bytes_ms[order] = read_ms
        return self._numbers(bytes_ms, rows)

    def _numbers(self, bytes_ms: NDArray[np.uint8], rows: int | Ints) -> NDArray[Any]:
        """The numbers behind the lead, without a copy; ``rows`` names the rows, or the first of them."""
        lead = len(self.lead)
        wrong = (bytes_ms[:, :lead] != np.frombuffer(self.lead, np.uint8)).any(axis=1) if lead else np.zeros(0)
        if wrong.any():
            wrong_row = int(np.flatnonzero(wrong)[0])
            row = rows + wrong_row if isinstance(rows, int) else int(rows[wrong_row])
            here, first = (int.from_bytes(x, "little", signed=True) for x in (bytes_ms[wrong_row, :lead], self.lead))
            raise VqbenchError(
                f"{self.path}: row {row} (byte {self.offset + row * self.stride}): {here} dimensions, the first row "
                f"has {first}: all rows must have the same number; write the file again"
            )
        if not len(bytes_ms):
            return np.empty((0, self.shape[1]), self.dtype)
        strides = (self.stride, self.dtype.itemsize)
        return np.ndarray((len(bytes_ms), self.shape[1]), self.dtype, bytes_ms, lead, strides)


def _read_at(file: FileIO, view: memoryview, offset: int) -> int:
    """Fill ``view`` from byte ``offset`` on; how many bytes there were."""
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), [view], offset)
    file.seek(offset)  # Windows
    return file.readinto(view) or 0


def stamp_of(stat: os.stat_result) -> tuple[int, int]:
    """Size and time of last change: what tells whether a file is still the one that was opened."""
    return stat.st_size, stat.st_mtime_ns
