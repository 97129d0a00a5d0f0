"""``.fbin``, ``.u8bin``, ``.i8bin`` (big-ann-benchmarks): rows and dimensions as two uint32, then the numbers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.storage.raw_rows import RawRows, stamp_of

_TYPES = {".fbin": "<f4", ".u8bin": "u1", ".i8bin": "i1"}
ENDINGS = tuple(_TYPES)
NEEDS = ("needs a header and then numbers", "write it again")
USES = ()
_HEAD = 8


def read(path: Path, wanted: Wanted) -> Content:
    """The header must agree with the file's size."""
    dtype = np.dtype(_TYPES[path.suffix.lower()])
    with open(path, "rb") as file:
        head, stat = file.read(_HEAD), os.fstat(file.fileno())
    n, d = int.from_bytes(head[:4], "little"), int.from_bytes(head[4:], "little")
    needed = _HEAD + n * d * dtype.itemsize
    if len(head) < _HEAD or n < 1 or d < 1 or needed != stat.st_size:
        raise refusal(
            path,
            place="header",
            problem=f"{n} rows, {d} dimensions" if len(head) == _HEAD else f"{len(head)} bytes",
            rule=f"needs two uint32 of at least 1, and here a file of {needed} bytes; this one has {stat.st_size}",
            remedy="the file was cut off or is of another type: copy or download it again, or check its ending",
        )
    return Content(rows_nd=RawRows(path=path, offset=_HEAD, shape=(n, d), dtype=dtype, stamp=stamp_of(stat)))
