"""``.npy``: an array that numpy saved. Pickled objects are never loaded."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.numerics.arrays import blocks
from vqbench.storage.raw_rows import RawRows, stamp_of
from vqbench.storage.scratch import Scratch

ENDINGS = (".npy",)
NEEDS = ("needs one plain array of numbers", "save it with numpy.save")
USES = ()
_HEADER = 10_000  # characters of a header at most, as numpy's own limit
_BLOCK = 1 << 24  # bytes of columns that are turned at a time


def read(path: Path, wanted: Wanted) -> Content:
    """Rows stay in the file. What numpy wrote column by column is turned into a scratch file of rows first."""
    with open(path, "rb") as file:
        shape, by_column, dtype = header(path, file)
        offset, stat = file.tell(), os.fstat(file.fileno())
    needed = offset + math.prod(shape) * dtype.itemsize
    if needed != stat.st_size:
        raise ValueError(f"{shape} of {dtype} make a file of {needed} bytes, this one has {stat.st_size}")
    n, d = shape
    place = {"path": path, "offset": offset, "dtype": dtype, "stamp": stamp_of(stat)}
    if not by_column or n == 1 or d == 1:
        return Content(rows_nd=RawRows(**place, shape=(n, d)))
    with Scratch(d, dtype, n * d * dtype.itemsize) as scratch:
        for block_nd in turned(RawRows(**place, shape=(d, n))):
            scratch.write(block_nd)
    return Content(rows_nd=scratch.rows())


def header(path: Path, file: BinaryIO, place: str = "") -> tuple[tuple[int, int], bool, np.dtype[Any]]:
    """Shape, whether it was written column by column, and dtype; ``file`` then stands at the first number.

    Raises ValueError where it is no header of plain numbers, VqbenchError where they are no rows.
    """
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"format version {version} is not one of plain arrays")
    if version == (2, 0):  # numpy would read up to 4 GiB of it before it looks at the length
        at = file.tell()
        if int.from_bytes(file.read(4), "little") > _HEADER:
            raise ValueError(f"a header of more than {_HEADER} bytes")
        file.seek(at)
    shape, by_column, dtype = readers[version](file, max_header_size=_HEADER)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if any(type(x) is not int or x < 0 for x in shape):
        raise ValueError(f"shape {shape}")
    if dtype.kind not in "fiu":
        raise refusal(
            path,
            place=place,
            problem=f"dtype {dtype}",
            rule="vectors must be real numbers (float or integer)",
            remedy="convert them, as in x.astype('float32')",
        )
    if len(shape) != 2 or 0 in shape:
        raise refusal(
            path,
            place=place,
            problem=f"shape {shape}",
            rule="needs (n, d), at least one row and dimension",
            remedy="save one row for each vector",
        )
    return (shape[0], shape[1]), by_column, dtype


def turned(columns: RawRows) -> Iterator[NDArray[Any]]:
    """Columns ``(d, n)`` as rows ``(n, d)``, a block at a time."""
    d, n = columns.shape
    item = columns.dtype.itemsize
    for start, stop in blocks(n, max(1, _BLOCK // (d * item))):
        block_dn = np.empty((d, stop - start), columns.dtype)
        for column in range(d):
            offset = columns.offset + (column * n + start) * item
            block_dn[column] = replace(columns, offset=offset, shape=(1, stop - start))[0:1][0]
        yield block_dn.T
