"""``.npz``: arrays that numpy saved into one zip file, compressed or not. Pickled objects are never loaded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.choice import VECTORS, choose
from vqbench.datasets.readers.array_parts import Array, Opened, check_together, parts_of, rows_shape
from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.npy import header, turned, unsuited
from vqbench.datasets.unpacking import Sheet
from vqbench.storage.raw_rows import RawRows

ENDINGS = (".npz",)
NEEDS = ("needs plain arrays of numbers", "save them with numpy.savez")
USES = ("key", "queries_key", "id_column", "query_id_column", "texts", "labels")
_BEGINS = b"PK\x03\x04"
_BLOCK = 1 << 22  # bytes that are unpacked at a time
_MOST = 10_000  # arrays whose headers are read


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the arrays that are chosen."""
    with open(path, "rb") as file:
        if file.read(len(_BEGINS)) != _BEGINS:  # zip files are looked for from the end, whatever stands before them
            raise ValueError("it does not begin like a file of numpy")
    with ZipFile(path) as archive:
        members = _members(path, archive)
        arrays = {name: _header(archive, member) for name, member in members.items()}
        parts = parts_of(arrays.values())
        asked = [arrays[name] for name in (wanted.key, wanted.queries_key) if name in arrays]
        if all(part.kind not in VECTORS for part in parts):
            asked += [array for array in arrays.values() if array.dtype.hasobject or len(arrays) == 1]
        stack = "np.savez('rows.npz', ids=x.files, x=np.stack([x[i] for i in x.files]))"
        check_together(path, arrays.values(), "array", f"; x = np.load({str(path)!r}); {stack}")
        for array in asked:
            if array.part.kind not in VECTORS and not array.what:
                raise unsuited(path, array)

        def rows(name: str) -> RawRows:
            with archive.open(members[name]) as opened:
                array, by_column = header(cast(BinaryIO, opened))
                n, d = rows_shape(array.shape) or (0, 0)
                n, d = (d, n) if by_column else (n, d)
                table = sheet.table(n, _blocks(opened, n, d, array.dtype))
            return sheet.table(d, turned(table)) if by_column else table

        def values(name: str) -> Iterator[NDArray[Any]]:
            with archive.open(members[name]) as opened:
                array, _ = header(cast(BinaryIO, opened))
                for block_n1 in _blocks(opened, math.prod(array.shape), 1, array.dtype):
                    yield block_n1[:, 0]

        return Opened(path, sheet, "array", rows, values).content(choose(path, parts, wanted, noun="array"))


def _members(path: Path, archive: ZipFile) -> dict[str, ZipInfo]:
    members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
    if not 0 < len(archive.infolist()) <= _MOST or len(members) < len(archive.infolist()):
        problem = f"{len(archive.infolist())} arrays, {len(members)} different names"
        raise refusal(path, problem=problem, rule=f"needs 1 to {_MOST} arrays, each with a name", remedy=NEEDS[1])
    return members


def _header(archive: ZipFile, member: ZipInfo) -> Array:
    """What an array is; one that cannot be read is none that can be chosen."""
    name = member.filename.removesuffix(".npy")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or member.flag_bits & 1:
        return Array(name, (), np.dtype("V"), what="encrypted or compressed in another way than numpy does")
    if not member.filename.endswith(".npy"):
        return Array(name, (), np.dtype("V"), what="not an array")
    with archive.open(member) as opened:
        return header(cast(BinaryIO, opened), name)[0]


def _blocks(file: Any, n: int, d: int, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Rows as they come; the member must end, with the right checksum, where the last one does."""
    stride = d * dtype.itemsize
    step = max(1, _BLOCK // stride)
    for start in range(0, n, step):
        wanted = min(step, n - start) * stride
        content = file.read(wanted)
        if len(content) < wanted:
            raise EOFError(f"it ends in row {start + len(content) // stride} of {n}")
        yield np.frombuffer(content, dtype).reshape(-1, d)
    if file.read(1):
        raise ValueError(f"it has data after row {n - 1}, the last one")
