"""``.npy`` and ``.npz``: arrays that numpy saved. Pickled objects are never loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vqbench.arrays import blocks
from vqbench.errors import VqbenchError
from vqbench.rawrows import RawRows, stamp_of
from vqbench.readers.base import Content, Wanted, refusal
from vqbench.scratch import Scratch

_HEADER = 10_000  # characters of a header at most, as numpy's own limit
_BLOCK = 1 << 24  # bytes of columns that are turned at a time


def read(path: Path, wanted: Wanted) -> Content:
    """Rows stay in the file. What numpy wrote column by column is turned into a scratch file of rows first."""
    try:
        with open(path, "rb") as file:
            shape, by_column, dtype = _header(file)
            offset, stat = file.tell(), os.fstat(file.fileno())
        needed = offset + int(np.prod([int(x) for x in shape], dtype=object)) * dtype.itemsize
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        if needed != stat.st_size:
            raise ValueError(f"{shape} of {dtype} make a file of {needed} bytes, this one has {stat.st_size}")
        if len(shape) != 2 or 0 in shape or dtype.kind not in "fiu":
            return Content(rows_nd=np.lib.format.open_memmap(path, mode="r"))  # refused by the check of all rows
    except Exception as error:  # a damaged header can raise nearly anything
        raise refusal(
            path, found=f"cannot be read as .npy ({error})", rule="needs one plain array of numbers",
            remedy="save it with numpy.save",
        ) from None  # fmt: skip
    n, d = shape
    if by_column and n > 1 and d > 1:
        columns = RawRows(path=path, offset=offset, shape=(d, n), dtype=dtype, stamp=stamp_of(stat))
        return Content(rows_nd=_turned(columns))
    return Content(rows_nd=RawRows(path=path, offset=offset, shape=(n, d), dtype=dtype, stamp=stamp_of(stat)))


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"format version {version} is none for plain arrays")
    return readers[version](file, max_header_size=_HEADER)


def _turned(columns: RawRows) -> RawRows | NDArray[Any]:
    """Columns ``(d, n)`` as rows ``(n, d)`` in a scratch file."""
    d, n = columns.shape
    size, item = max(1, _BLOCK // (d * columns.dtype.itemsize)), columns.dtype.itemsize
    scratch = Scratch(d, columns.dtype, n * d * item)
    with scratch:
        for start, stop in blocks(n, size):
            block_dn = np.empty((d, stop - start), columns.dtype)
            for column in range(d):
                at = columns.offset + (column * n + start) * item
                part = RawRows(path=columns.path, offset=at, shape=(1, stop - start), dtype=columns.dtype,
                               stamp=columns.stamp)  # fmt: skip
                block_dn[column] = part[0:1][0]
            scratch.write(block_dn.T)
    return scratch.rows()


def read_archive(path: Path, wanted: Wanted) -> Content:
    """One array of a ``.npz``, read whole: its members are compressed, or lie in a zip file at any rate."""
    key = wanted.key
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = archive.files
            if key is None and len(names) != 1:
                raise VqbenchError(f"{path}: holds {', '.join(names)}: choose one with dataset.key=NAME")
            if key is not None and key not in names:
                raise VqbenchError(f"{path}: has no array {key!r}, only {', '.join(names)}")
            return Content(rows_nd=archive[key or names[0]])
    except VqbenchError:
        raise
    except Exception as error:  # a damaged archive, too
        raise VqbenchError(f"{path}: cannot be read as .npz ({error})") from None
