"""Chunks of HDF5 data, measured before HDF5 unpacks them.

HDF5 unpacks a chunk until its stream ends, however long that gets, and fills what a short one leaves with
whatever lies in memory. So every chunk must unpack to exactly the bytes that it stands for.
"""

from __future__ import annotations

import itertools
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqbench.datasets.readers.base import refusal
from vqbench.datasets.readers.lzf import unpacked_length

#: Filters that come with HDF5 or h5py; another one would be looked for among plugins on this machine.
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
_PACKERS = ("gzip", "lzf")
_SUM = 4  # bytes that fletcher32 puts behind what it is given
_WALK = "chunk_iter"  # HDF5 before 1.12.3 has none
_AGAIN = "write it again with compression='gzip'"


@dataclass(frozen=True, kw_only=True)
class _Pipeline:
    """The filters of a dataset, in the order in which they were applied, and the bytes of a chunk without them."""

    filters: tuple[str, ...]
    plain: int

    def measures(self, mask: int) -> tuple[str, int, int]:
        """How a chunk is packed (``""``: not at all), the bytes it unpacks to, the bytes stored behind those packed.

        Bit i of ``mask`` says that the chunk went without filter i.
        """
        used = [name for at, name in enumerate(self.filters) if not mask >> at & 1]
        packer = next((name for name in used if name in _PACKERS), "")
        summed = _SUM * ("fletcher32" in used)
        behind = summed if packer and used[-1] == "fletcher32" else 0
        return packer, self.plain + summed - behind, behind

    def misfit(self, mask: int, size: int) -> str | None:
        """What is wrong with a chunk that is stored in ``size`` bytes, as far as that tells."""
        packer, whole, behind = self.measures(mask)
        most = whole + whole // 100 + 1024 + behind if packer else whole
        if size > most or (not packer and size < whole):
            return f"stored in {size} bytes, {'at most ' if packer else ''}{most} are needed"
        return None

    def fault(self, mask: int, stored: bytes) -> str | None:
        """What is wrong with a chunk. Takes memory for the chunk once more, however long it would unpack."""
        packer, whole, behind = self.measures(mask)
        misfit = self.misfit(mask, len(stored))
        if misfit or not packer:
            return misfit
        packed = stored[: len(stored) - behind]
        return _gzip_fault(packed, whole) if packer == "gzip" else _lzf_fault(packed, whole)


def check_filters(path: Path, place: str, dataset: Any) -> None:
    """Raise VqbenchError unless the filters are usual ones, in a usual order: at most one packs, and last."""
    filters = [number for number, _ in _filters(dataset)]
    names = [_FILTERS.get(number, str(number)) for number in filters]
    if not set(filters) <= set(_FILTERS):
        raise refusal(
            path,
            place=place,
            found=f"filter {', '.join(x for x in names if x.isdigit())}",
            rule=f"only {', '.join(_FILTERS.values())} are read",
            remedy=_AGAIN,
        )
    packers = [at for at, name in enumerate(names) if name in _PACKERS]
    late = names[packers[0] + 1 :] if packers else []
    if len(set(names)) < len(names) or not set(late) <= {"fletcher32"}:
        raise refusal(
            path,
            place=place,
            found=f"filters {', '.join(names)}",
            remedy=_AGAIN,
            rule="each may stand once, gzip or lzf once, and only fletcher32 behind them",
        )


def chunk_bytes(dataset: Any) -> int:
    """The bytes of one chunk as they are unpacked; at the edges of a dataset too, chunks are whole."""
    return math.prod(dataset.chunks) * dataset.id.get_type().get_size()


def check_chunks(path: Path, place: str, dataset: Any) -> None:
    """Raise VqbenchError unless every chunk unpacks to exactly its bytes. ``check_filters`` comes before."""
    named = _filters(dataset)
    if not named:
        return
    pipeline = _Pipeline(filters=tuple(_FILTERS[number] for number, _ in named), plain=chunk_bytes(dataset))
    for number, values in named:  # lzf begins with so many bytes, and again with more while they are too few
        if _FILTERS[number] == "lzf" and values[2:3] != (pipeline.plain,):
            found = f"lzf is told of {values[2] if len(values) > 2 else 'no number of'} bytes in a chunk"
            raise _wrong(path, place, found, pipeline)
    # The sizes in the index come first, so that no chunk is read that is too large.
    visit = getattr(dataset.id, _WALK, None)
    found = visit and visit(lambda chunk: _at(chunk.chunk_offset, pipeline.misfit(chunk.filter_mask, chunk.size)))
    if found:
        raise _wrong(path, place, found, pipeline)
    if visit and not set(pipeline.filters) & set(_PACKERS):
        return
    for offset in itertools.product(*map(range, (0, 0), dataset.shape, dataset.chunks)):
        found = _at(offset, pipeline.fault(*dataset.id.read_direct_chunk(offset)))
        if found:
            raise _wrong(path, place, found, pipeline)


def _filters(dataset: Any) -> list[tuple[int, tuple[int, ...]]]:
    plist = dataset.id.get_create_plist()
    found = [plist.get_filter(at) for at in range(plist.get_nfilters())]
    return [(int(number), tuple(values)) for number, _, values, _ in found]


def _at(offset: tuple[int, ...], fault: str | None) -> str | None:
    return fault and f"chunk {tuple(int(x) for x in offset)}: {fault}"


def _wrong(path: Path, place: str, found: str, pipeline: _Pipeline) -> Exception:
    return refusal(
        path,
        place=place,
        found=found,
        rule=f"a chunk must unpack to exactly {pipeline.plain} bytes",
        remedy="the file is damaged or made to harm: get it again, or write it again with h5py",
    )


def _gzip_fault(packed: bytes, whole: int) -> str | None:
    stream = zlib.decompressobj()
    try:
        count = len(stream.decompress(packed, whole + 1))
    except zlib.error as error:
        return f"no gzip data ({error})"
    if count > whole:
        return "gzip unpacks to more"
    if not stream.eof:
        return f"gzip data that is cut short, after {count} bytes"
    if stream.unused_data:
        return f"{len(stream.unused_data)} bytes behind the gzip data"
    return None if count == whole else f"gzip unpacks to {count} bytes"


def _lzf_fault(packed: bytes, whole: int) -> str | None:
    at, count = unpacked_length(packed, whole)
    if count > whole:
        return "lzf unpacks to more"
    if at < len(packed):
        return f"lzf data that is damaged or cut short at byte {at}"
    return None if count == whole else f"lzf unpacks to {count} bytes"
