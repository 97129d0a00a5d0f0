"""``.npz``: arrays that numpy saved into one zip file, compressed or not. Pickled objects are never loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.npy import header, turned
from vqbench.datasets.unpacking import Sheet

ENDINGS = (".npz",)
NEEDS = ("needs plain arrays of numbers", "save them with numpy.savez")
USES = ("key",)
_BEGINS = b"PK\x03\x04"
_BLOCK = 1 << 22  # bytes that are unpacked at a time


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the array that ``key`` names, or the only one."""
    with open(path, "rb") as file:
        if file.read(len(_BEGINS)) != _BEGINS:  # zip files are looked for from the end, whatever stands before them
            raise ValueError("it does not begin like a file of numpy")
    with ZipFile(path) as archive:
        member = _member(path, archive, wanted.key)
        place = f"array {_name(member)}"
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED) or member.flag_bits & 1:
            raise refusal(
                path,
                place=place,
                problem="encrypted or compressed in another way than numpy does",
                rule=NEEDS[0],
                remedy=NEEDS[1],
            )
        with archive.open(member) as opened:
            file = cast(BinaryIO, opened)
            shape, by_column, dtype = header(path, file, place)
            n, d = shape[::-1] if by_column else shape
            rows_nd = sheet.table(n, _blocks(file, n, d, dtype))
    return Content(rows_nd=sheet.table(d, turned(rows_nd)) if by_column else rows_nd)


def _name(member: ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _member(path: Path, archive: ZipFile, key: str | None) -> ZipInfo:
    names = [_name(member) for member in archive.infolist()]
    members = [member for member in archive.infolist() if key in (None, _name(member))]
    if len(members) == 1:
        return members[0]
    held = ", ".join(names) or "nothing"
    problem, rule = f"holds {held}", "needs one array of that name"
    if key is not None and not members:
        problem, rule = f"has no array {key!r}", f"only {held}"
    raise refusal(path, problem=problem, rule=rule, remedy="choose one with dataset.key=NAME")


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
        raise ValueError(f"it has data after row {n - 1}, the last one")
