"""HDF5, as ann-benchmarks lays it out: ``train`` are the rows, ``test`` the queries, ``neighbors`` their nearest rows.

Needs the extra ``hdf5``.

Nothing but data of the file itself is read: links, virtual datasets and external storage are refused, since
they could name any other file, and filters that would have to be loaded.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.hdf5_chunks import check_chunks, check_filters, chunk_bytes
from vqbench.datasets.readers.heaps import text_attribute
from vqbench.datasets.readers.unpack import most, too_large, unpacked
from vqbench.datasets.stated_neighbours import Given, check_given
from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.numerics.arrays import Table
from vqbench.storage.raw_rows import RawRows, stamp_of

_BLOCK = 1 << 24  # bytes that are unpacked at a time, or the rows of one chunk
_TALL = 1 << 28  # bytes that even those may take
_CHUNK = 1 << 26  # bytes of one chunk at most
_OWN = {"rule": "vectors must lie in the file itself", "remedy": "copy them into it"}


def read(path: Path, wanted: Wanted) -> Content:
    """The dataset that ``key`` names; else ``train`` (or ``test``, for queries), else the only one that fits."""
    try:
        import h5py
    except ImportError:
        raise VqbenchError(runnable(f"{path}: h5py is not installed: pip install 'vqbench[hdf5]'")) from None
    with h5py.File(path, "r") as file:
        name = wanted.key or _chosen(path, file, "test" if wanted.queries else "train")
        rows_nd = _rows(path, _dataset(path, file, name))
        queries_qd = given = None
        if name == "train" and not wanted.queries and _link(file, "test") != "none":
            queries_qd = _rows(path, _dataset(path, file, "test"))
            given = _given(path, file, len(rows_nd), len(queries_qd))
        return Content(rows_nd=rows_nd, queries_qd=queries_qd, given=given)


def _link(group: Any, name: str) -> str:
    """``none``, ``hard``, or ``elsewhere``. h5py's own look-up would follow a link, into other files too."""
    import h5py

    links, key = group.id.links, os.fsencode(name)
    if not links.exists(key):
        return "none"
    return "hard" if links.get_info(key).type == h5py.h5l.TYPE_HARD else "elsewhere"


def _chosen(path: Path, file: Any, usual: str) -> str:
    if _link(file, usual) != "none":
        return usual
    fits = [name for name in file if _link(file, name) == "hard" and _is_table(file[name])]
    if len(fits) != 1:
        raise refusal(
            path,
            found=f"tables of numbers: {', '.join(fits) or 'none'}",
            rule=f"needs {usual!r}, or exactly one",
            remedy="choose one with dataset.key=NAME",
        )
    return fits[0]


def _given(path: Path, file: Any, n: int, q: int) -> Given | None:
    """The nearest rows that the file states for ``test``: ``neighbors``, ``distances``, the attribute ``distance``."""
    if _link(file, "neighbors") == "none":
        return None
    distance = text_attribute(path, file, "distance") if "distance" in file.attrs else ""
    stated = _link(file, "distances") != "none"
    return check_given(
        Given(
            neighbours_qk=_rows(path, _dataset(path, file, "neighbors")),
            distances_qk=_rows(path, _dataset(path, file, "distances")) if stated else None,
            distance=distance.lower(),
        ),
        path,
        n=n,
        q=q,
    )


def _is_table(found: Any) -> bool:
    import h5py

    return isinstance(found, h5py.Dataset) and found.ndim == 2 and 0 not in found.shape and found.dtype.kind in "fiu"


def _dataset(path: Path, file: Any, name: str) -> Any:
    """The dataset, if it lies in this file and the file holds as much as it claims."""
    import h5py

    at, place = file, f"dataset {name}"
    for part in [part for part in name.split("/") if part]:
        link = _link(at, part) if isinstance(at, h5py.Group) else "none"
        if link == "none":
            raise refusal(
                path,
                place=place,
                found="not there",
                rule=f"the file holds {', '.join(file) or 'nothing'}",
                remedy="choose one with dataset.key=NAME",
            )
        if link == "elsewhere":
            raise refusal(path, place=place, found=f"{part!r} is a link", **_OWN)
        at = at[part]
    if not _is_table(at):
        found = f"{at.dtype} {at.shape}" if isinstance(at, h5py.Dataset) else "a group"
        raise refusal(
            path,
            place=place,
            found=found,
            rule="needs numbers of shape (n, d)",
            remedy="choose one with dataset.key=NAME",
        )
    if at.is_virtual or at.external:
        raise refusal(path, place=place, found="refers to other files", **_OWN)
    _check_storage(path, place, at)
    return at


def _check_storage(path: Path, place: str, dataset: Any) -> None:
    """Usual filters, chunks of a size that can be unpacked, every byte that is claimed."""
    check_filters(path, place, dataset)
    chunks = dataset.chunks
    if chunks and chunk_bytes(dataset) > _CHUNK:
        raise refusal(
            path,
            place=place,
            found=f"chunks of {chunks}",
            rule=f"a chunk may have up to {_CHUNK} bytes",
            remedy="write it again with smaller chunks",
        )
    packed = min(dataset.id.get_storage_size(), path.stat().st_size)
    claimed = math.prod(dataset.shape) * dataset.dtype.itemsize
    needed = math.prod(-(-n // size) for n, size in zip(dataset.shape, chunks, strict=True)) if chunks else 0
    # Chunks that were not written would be read as zeros.
    whole = dataset.id.get_num_chunks() >= needed if chunks else packed >= claimed
    if packed == 0 or not whole:
        raise refusal(
            path,
            place=place,
            found=f"{dataset.dtype} {dataset.shape}, {claimed} bytes",
            rule=f"the file holds {packed} bytes of it",
            remedy="it was never written whole: write it again",
        )
    unpacks = max(claimed, needed * chunk_bytes(dataset)) if chunks else claimed  # chunks reach over the edges
    if unpacks > most(packed):
        raise refusal(path, place=place, **too_large(unpacks, packed))
    if chunks:
        check_chunks(path, place, dataset)


def _rows(path: Path, dataset: Any) -> Table:
    """Rows that lie plainly in the file are read from there, chunked ones unpacked."""
    import h5py

    offset, dtype = dataset.id.get_offset(), dataset.dtype
    plain = h5py.h5t.py_create(dtype) == dataset.id.get_type()  # a dtype may stand in the file otherwise than in memory
    if plain and dataset.chunks is None and offset is not None:
        stat = os.stat(path)
        if offset + math.prod(dataset.shape) * dtype.itemsize <= stat.st_size:
            rows = RawRows(path=path, offset=offset, shape=dataset.shape, dtype=dtype, stamp=stamp_of(stat))
            ends = (0, len(rows) - 1)
            if all(rows[at : at + 1].tobytes() == dataset[at : at + 1].tobytes() for at in ends):
                return rows
    return unpacked(len(dataset), _blocks(dataset))


def _blocks(dataset: Any) -> Iterator[NDArray[Any]]:
    """Whole chunks at a time, so that none is unpacked twice, unless they are too tall for that."""
    n, width = len(dataset), dataset.shape[1] * dataset.dtype.itemsize
    step = min(dataset.chunks[0], max(1, _TALL // width)) if dataset.chunks else 1
    size = step * max(1, _BLOCK // (step * width))
    for start in range(0, n, size):
        yield np.asarray(dataset[start : start + size])
