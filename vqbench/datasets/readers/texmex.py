"""``.fvecs`` and ``.bvecs`` (the TEXMEX corpora): each row its dimension as int32, then float32 or uint8 numbers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.storage.raw_rows import RawRows, stamp_of

_TYPES = {".fvecs": "<f4", ".bvecs": "u1"}
ENDINGS = tuple(_TYPES)
NEEDS = ("needs rows of one dimension", "write it again")
USES = ()
_HEAD = 4


def read(path: Path, wanted: Wanted) -> Content:
    """All rows are as wide as the first, which the file's size must bear out; each row is checked when it is read."""
    dtype = np.dtype(_TYPES[path.suffix.lower()])
    with open(path, "rb") as file:
        head, stat = file.read(_HEAD), os.fstat(file.fileno())
    d, size = int.from_bytes(head, "little", signed=True), stat.st_size
    stride = _HEAD + d * dtype.itemsize
    if len(head) < _HEAD or d < 1 or stride > size:
        raise refusal(
            path,
            place="row 0",
            problem=f"{d} dimensions" if len(head) == _HEAD else f"{len(head)} bytes",
            rule=f"each row begins with its dimension, a little-endian int32, and this file has {size} bytes",
            remedy="check that the file is what its name says",
        )
    n, left = divmod(size, stride)
    if left:
        raise refusal(
            path,
            problem=f"{size} bytes",
            rule=f"rows of {d} dimensions have {stride} bytes, {left} are left over",
            remedy="the file was cut off, or its rows differ in width: copy or download it again, or write it again",
        )
    return Content(rows_nd=RawRows(path=path, offset=0, shape=(n, d), dtype=dtype, lead=head, stamp=stamp_of(stat)))
