"""Chunks of HDF5 data: each must unpack to exactly the bytes that it stands for.

HDF5 fills what a short chunk leaves with whatever lies in memory, so that it would be read as numbers.
"""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from vqbench.datasets.readers.base import refusal

#: Filters that come with HDF5 or h5py; another one would be looked for among plugins on this machine.
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
_PACKERS = {"gzip", "lzf"}
_SUM = 4  # bytes that fletcher32 puts behind what it is given
_PIECE = 1 << 20  # bytes that are unpacked at a time, to be counted
#: Pieces of LZF that often follow one another: 32 bytes as they are, and short repetitions, by their first byte.
_PLAIN = re.compile(rb"(?:\x1f.{32})*", re.DOTALL)
_SHORT = re.compile(rb"(?:[\x20-\xdf].)*", re.DOTALL)
_LENGTHS = bytes((head >> 5) + 2 for head in range(256))


def check_chunks(path: Path, place: str, dataset: Any, item: int) -> None:
    """Raise VqbenchError unless all chunks are there, and unpack to exactly their bytes; ``item``: of one value."""
    filters = _filters(path, place, dataset)
    whole = math.prod(dataset.chunks) * item  # at the edges of a dataset, too
    stored_at = _stored(dataset)
    for index in np.ndindex(*(-(-n // each) for n, each in zip(dataset.shape, dataset.chunks, strict=True))):
        offset = tuple(at * each for at, each in zip(index, dataset.chunks, strict=True))
        stored = stored_at.get(offset) or dataset.id.get_chunk_info_by_coord(offset)
        used = [name for at, name in enumerate(filters) if not stored.filter_mask >> at & 1]
        try:
            size = stored.size
            if _PACKERS & {*used}:
                size = _unpacked_size(used, dataset.id.read_direct_chunk(offset)[1], whole + _SUM)
            elif "fletcher32" in used:
                size -= _SUM
            problem = f"was not written or unpacks to {size} bytes" if size != whole else ""
        except (ValueError, IndexError, zlib.error) as error:
            problem = f"is damaged ({error})"
        if problem:
            raise refusal(
                path,
                place=f"{place}, chunk {offset}",
                problem=problem,
                rule=f"a chunk must unpack to exactly {whole} bytes",
                remedy="the file is damaged or was not written whole: get it again, or write it again with h5py",
            )


def _stored(dataset: Any) -> dict[tuple[int, ...], Any]:
    """What HDF5 says of each chunk, in one pass: asked for one alone, it looks through all of them."""
    chunks: list[Any] = []
    dataset.id.chunk_iter(chunks.append)
    stored_at = {chunk.chunk_offset: chunk for chunk in chunks}
    if len(stored_at) < len(chunks):
        raise ValueError("a chunk is there twice")
    return stored_at


def _filters(path: Path, place: str, dataset: Any) -> list[str]:
    """The filters in the order of writing, which must be usual ones: at most one packs, and only a sum follows it."""
    plist = dataset.id.get_create_plist()
    numbers = [plist.get_filter(at)[0] for at in range(plist.get_nfilters())]
    names = [_FILTERS.get(number, f"number {number}") for number in numbers]
    packers = [at for at, name in enumerate(names) if name in _PACKERS]
    behind = {*names[packers[0] + 1 :]} if packers else set()
    if not {*names} <= {*_FILTERS.values()} or len({*names}) < len(names) or not behind <= {"fletcher32"}:
        raise refusal(
            path,
            place=place,
            problem=f"filters {', '.join(names)}",
            rule="only gzip or lzf, shuffle and fletcher32 are read, each once, and only fletcher32 after gzip or lzf",
            remedy="write it again with compression='gzip'",
        )
    return names


def _unpacked_size(used: list[str], stored: bytes, most: int) -> int:
    """The bytes that a stored chunk unpacks to; counting may end beyond ``most``. Raises ValueError, zlib.error."""
    size = len(stored)
    for name in reversed(used):
        if name == "fletcher32":
            size -= _SUM
        elif name in _PACKERS:
            size = (_gzip_size if name == "gzip" else _lzf_size)(stored[:size], most)
    return size


def _gzip_size(packed: bytes, most: int) -> int:
    stream, size = zlib.decompressobj(), 0
    while size <= most and (piece := stream.decompress(packed, _PIECE)):
        size, packed = size + len(piece), stream.unconsumed_tail
    if size <= most and (not stream.eof or stream.unused_data):
        raise ValueError("gzip data that is cut short, or has more bytes after it")
    return size


def _lzf_size(packed: bytes, most: int) -> int:
    """A piece is some bytes as they are, or how many to repeat from how far back, which the library checks."""
    at = size = 0
    while at < len(packed) and size <= most:
        head = packed[at]
        if head == 31 and (end := _PLAIN.match(packed, at).end()) > at:  # pyright: ignore[reportOptionalMemberAccess]
            at, size = end, size + (end - at) // 33 * 32
        elif head < 32:
            at, size = at + head + 2, size + head + 1
        elif head < 224 and (end := _SHORT.match(packed, at).end()) > at:  # pyright: ignore[reportOptionalMemberAccess]
            at, size = end, size + sum(packed[at:end:2].translate(_LENGTHS))
        else:
            at, size = at + 3, size + packed[at + 1] + 9
    if at > len(packed):
        raise ValueError("lzf data that is cut short")
    return size
