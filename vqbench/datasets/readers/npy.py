"""``.npy``: an array that numpy saved. Pickled objects are never loaded."""

from __future__ import annotations

import math
import os
import tokenize
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.choice import pasted
from vqbench.datasets.readers.array_parts import Array, described, named_type, rows_shape
from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import blocks, is_real
from vqbench.storage.raw_rows import RawRows, stamp_of
from vqbench.storage.scratch import Scratch
from vqbench.text import python_command

ENDINGS = (".npy",)
NEEDS = ("needs one plain array of numbers", "save it with numpy.save")
USES = ()
_HEADER = 10_000  # characters of a header at most, as numpy's own limit
_USUAL = (1536, 1024, 768, 384, 256, 128)  # dimensions of embeddings
_BLOCK = 1 << 24  # bytes of columns that are turned at a time


def read(path: Path, wanted: Wanted) -> Content:
    """Rows stay in the file. What numpy wrote column by column is turned into a scratch file of rows first."""
    with open(path, "rb") as file:
        array, by_column = header(file)
        offset, stat = file.tell(), os.fstat(file.fileno())
    if not is_real(array.dtype) or rows_shape(array.shape) is None:
        raise unsuited(path, array)
    n, d = rows_shape(array.shape) or (0, 0)
    dtype = array.dtype
    needed = offset + math.prod(array.shape) * dtype.itemsize
    if needed != stat.st_size:
        raise ValueError(f"{array.shape} of {dtype} make a file of {needed} bytes, this one has {stat.st_size}")
    place = {"path": path, "offset": offset, "dtype": dtype, "stamp": stamp_of(stat)}
    if not by_column or n == 1 or d == 1:
        return Content(rows_nd=RawRows(**place, shape=(n, d)))
    with Scratch(d, dtype, n * d * dtype.itemsize) as scratch:
        for block_nd in turned(RawRows(**place, shape=(d, n))):
            scratch.write(block_nd)
    return Content(rows_nd=scratch.rows())


def header(file: BinaryIO, name: str = "") -> tuple[Array, bool]:
    """The array, and whether it was written column by column; ``file`` then stands at its first value.

    Raises ValueError where it is no header.
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
    try:
        shape, by_column, dtype = readers[version](file, max_header_size=_HEADER)
    except (SyntaxError, TypeError, LookupError, RecursionError, tokenize.TokenError) as error:
        raise ValueError(f"a damaged header: {error}") from None
    if any(type(x) is not int or x < 0 for x in shape):
        raise ValueError(f"shape {shape}")
    return Array(name, shape, named_type(dtype)), by_column


def unsuited(path: Path, array: Array) -> VqbenchError:
    """Why an array cannot be vectors, and what makes some of it."""
    dtype, shape = array.dtype, array.shape
    problem, rule = f"{described(dtype)}, shape {shape}", "needs (n, d), at least one row and dimension"
    if dtype.hasobject:
        problem, rule = f"holds Python objects, shape {shape}", "they are not loaded, since that could execute code"
    elif not is_real(dtype):
        problem, rule = f"dtype {described(dtype)}", "vectors must be real numbers (float, integer or bool)"
    place = f"array {array.name}" if array.name else ""
    return refusal(path, place=place, problem=problem, rule=rule, remedy=_remedy(path, array))


def _remedy(path: Path, array: Array) -> str:
    """A command that saves the vectors in an array, or what to do where there are none."""
    dtype, shape, pickled = array.dtype, array.shape, ", allow_pickle=True" if array.dtype.hasobject else ""
    x = f"np.load({str(path)!r}{pickled})" + (f"[{array.name!r}]" if array.name else "")
    if dtype.hasobject:
        return _command(f"np.stack({x}).astype('float32')") + " makes numbers of them, and executes what the file holds"
    if dtype.names is not None:
        tables = [name for name in dtype.names if dtype[name].subdtype is not None]
        recfunctions = "np.lib.recfunctions.structured_to_unstructured"
        return _command(f"{x}[{tables[0]!r}]" if tables else f"{recfunctions}({x})", "numpy.lib.recfunctions")
    if 0 in shape or not shape:
        return "save at least one row and dimension"
    if len(shape) == 1 and dtype.kind in "USiu":
        return f"if these are ids, name the file of the vectors and add {pasted('ids', path)}"
    if not is_real(dtype):
        text = dtype.kind in "US"
        return _command(f"{x}.astype('float32')") if text else "convert them first, as in x.astype('float32')"
    if len(shape) == 1:
        d = next((size for size in _USUAL if shape[0] % size == 0), shape[0])
        return f"{_command(f'{x}.reshape(-1, {d})')} where {d} stands for your number of dimensions"
    rows = f"{x}.reshape(-1, {shape[-1]})"
    return (
        f"{_command(rows)} if every {shape[-1]} numbers are a vector; .mean(axis=1) there if they are tokens of a text"
    )


def _command(rows: str, module: str = "numpy") -> str:
    imports = "numpy as np" if module == "numpy" else f"numpy as np, {module}"
    return python_command(f"import {imports}; np.save('rows.npy', {rows})")


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
