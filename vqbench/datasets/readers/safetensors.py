"""``.safetensors``: a header in JSON, which says where in the file each tensor lies, and then plain numbers.

The format is https://huggingface.co/docs/safetensors: 8 bytes with the length of the header, the header, the numbers.
Rows stay in the file.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.choice import choose
from vqbench.datasets.readers.array_parts import Array, Opened, parts_of, rows_shape
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.datasets.unpacking import Sheet
from vqbench.numerics.arrays import BFLOAT16, blocks
from vqbench.storage.raw_rows import RawRows, stamp_of

ENDINGS = (".safetensors",)
NEEDS = ("needs a whole file of tensors", "save it with safetensors.numpy.save_file")
USES = ("key", "queries_key", "id_column", "query_id_column", "texts", "labels")
_LENGTH = 8  # bytes that hold the length of the header
_LONGEST = 100_000_000  # bytes of a header, as the format's own limit
_BLOCK = 1 << 18  # values that are read at a time
_NOTES = "__metadata__"  # not a tensor, but texts that say where the file comes from
_TYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the tensors that are chosen."""
    with open(path, "rb") as file:
        stat = os.fstat(file.fileno())
        length = int.from_bytes(file.read(_LENGTH), "little")
        if length > min(_LONGEST, stat.st_size - _LENGTH):
            raise ValueError(f"a header of {length} bytes in a file of {stat.st_size}")
        header = json.loads(file.read(length).decode(), object_pairs_hook=_once)
    begin = _LENGTH + length
    tensors = {name: _tensor(name, entry, stat.st_size - begin) for name, entry in header.items() if name != _NOTES}

    def table(name: str, shape: tuple[int, int]) -> RawRows:
        array, start = tensors[name]
        return RawRows(path=path, offset=begin + start, shape=shape, dtype=array.dtype, stamp=stamp_of(stat))

    def rows(name: str) -> RawRows:
        return table(name, rows_shape(tensors[name][0].shape) or (0, 0))

    def values(name: str) -> Iterator[NDArray[Any]]:
        n = math.prod(tensors[name][0].shape)
        return (table(name, (n, 1))[start:stop][:, 0] for start, stop in blocks(n, _BLOCK))

    parts = parts_of(array for array, _ in tensors.values())
    return Opened(path, sheet, "tensor", rows, values).content(choose(path, parts, wanted, noun="tensor"))


def _tensor(name: str, entry: Mapping[str, Any], size: int) -> tuple[Array, int]:
    """A tensor and the byte where it begins among the ``size`` bytes behind the header.

    Raises ValueError where it does not lie in the file.
    """
    kind, shape, (start, stop) = entry["dtype"], entry["shape"], entry["data_offsets"]
    if any(type(x) is not int or x < 0 for x in (*shape, start, stop)) or not start <= stop <= size:
        raise ValueError(f"tensor {name[:80]!r}: shape {shape}, bytes {start} to {stop} of {size}")
    dtype = _TYPES.get(kind)
    if dtype is None:
        return Array(name, tuple(shape), np.dtype("V"), what=f"{str(kind)[:20]}, which is not read"), start
    if math.prod(shape) * dtype.itemsize != stop - start:
        raise ValueError(f"tensor {name[:80]!r}: {kind} {shape} in {stop - start} bytes")
    return Array(name, tuple(shape), dtype), start


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON whose names all differ."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("a name occurs twice in its header")
    return entries
