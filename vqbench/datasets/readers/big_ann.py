"""``.fbin``, ``.f16bin``, ``.u8bin``, ``.i8bin`` (big-ann-benchmarks): rows and dimensions, then the numbers.

Rows and dimensions are two uint32, or two uint64 as some tools write them: the size of the file tells which.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from vqbench.datasets.readers.base import Content, Wanted, ending_of, refusal
from vqbench.storage.raw_rows import RawRows, stamp_of

_TYPES = {".fbin": "<f4", ".f16bin": "<f2", ".u8bin": "u1", ".i8bin": "i1"}
ENDINGS = tuple(_TYPES)
NEEDS = ("needs a header and then numbers", "write it again")
USES = ()
_WIDTHS = (4, 8)  # bytes of a number in the header


def read(path: Path, wanted: Wanted) -> Content:
    """The header must agree with the file's size."""
    dtype = np.dtype(_TYPES[ending_of(path)])
    with open(path, "rb") as file:
        head, stat = file.read(2 * max(_WIDTHS)), os.fstat(file.fileno())
    for width in _WIDTHS:
        n, d = (int.from_bytes(head[at : at + width], "little") for at in (0, width))
        if n > 0 and d > 0 and 2 * width + n * d * dtype.itemsize == stat.st_size:
            place = {"offset": 2 * width, "stamp": stamp_of(stat)}
            return Content(rows_nd=RawRows(path=path, shape=(n, d), dtype=dtype, **place))
    n, d = (int.from_bytes(head[at : at + 4], "little") for at in (0, 4))
    needed = 8 + n * d * dtype.itemsize
    raise refusal(
        path,
        place="header",
        problem=f"{n} rows, {d} dimensions" if len(head) >= 8 else f"{len(head)} bytes",
        rule=f"needs two uint32 of at least 1, and here a file of {needed} bytes; this one has {stat.st_size}",
        remedy="the file was cut off or is of another type: copy or download it again, or check its ending",
    )
