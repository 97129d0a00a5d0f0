"""``.npz``: arrays that numpy saved into one zip file, compressed or not. Pickled objects are never loaded.

A member is unpacked piece by piece and counted on the way: what its directory entry says of its size is not
trusted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.npy import header, turned
from vqbench.datasets.readers.unpack import most, too_large, unpacked
from vqbench.storage.raw_rows import RawRows

_BEGINS = b"PK\x03\x04"
_BLOCK = 1 << 22  # bytes that are unpacked at a time


def read(path: Path, wanted: Wanted) -> Content:
    """The array that ``key`` names, or the only one."""
    with open(path, "rb") as file:
        if file.read(len(_BEGINS)) != _BEGINS:  # zip files are looked for from the end, whatever stands before them
            raise ValueError("it does not begin as numpy's files do")
    with ZipFile(path) as archive:
        member = _member(path, archive, wanted.key)
        place = f"array {_name(member)}"
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or member.flag_bits & 1:
            raise refusal(
                path,
                place=place,
                found="encrypted or compressed in another way than numpy does",
                rule="needs plain arrays of numbers",
                remedy="save them with numpy.savez",
            )
        with archive.open(member) as opened:
            file = cast(BinaryIO, opened)
            shape, by_column, dtype = header(path, file, place)
            claimed, packed = math.prod(shape) * dtype.itemsize, min(member.compress_size, path.stat().st_size)
            if claimed > most(packed):
                raise refusal(path, place=place, **too_large(claimed, packed))
            n, d = shape[::-1] if by_column else shape
            rows_nd = unpacked(n, _blocks(file, n, d, dtype))
    if not by_column:
        return Content(rows_nd=rows_nd)
    return Content(rows_nd=turned(rows_nd) if isinstance(rows_nd, RawRows) else np.asarray(rows_nd[:]).T)


def _name(member: ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _member(path: Path, archive: ZipFile, key: str | None) -> ZipInfo:
    names = [_name(member) for member in archive.infolist()]
    found = [member for member in archive.infolist() if key is None or _name(member) == key]
    if key is not None and not found:
        raise refusal(
            path,
            found=f"has no array {key!r}",
            rule=f"only {', '.join(names) or 'nothing'}",
            remedy="choose one of them with dataset.key=NAME",
        )
    if len(found) != 1:
        raise refusal(
            path,
            found=f"holds {', '.join(names) or 'nothing'}",
            rule="needs one array of that name",
            remedy="choose one with dataset.key=NAME",
        )
    return found[0]


def _blocks(file: BinaryIO, n: int, d: int, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
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
        raise ValueError(f"it goes on behind row {n - 1}, the last one")
