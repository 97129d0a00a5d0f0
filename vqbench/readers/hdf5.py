"""HDF5, as ann-benchmarks lays it out: ``train`` are the rows, ``test`` the queries, ``neighbors`` their nearest rows.

Needs the extra ``hdf5``.

Nothing but data of the file itself is read: links, virtual datasets and external storage are refused, since
they could name any other file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.arrays import Table
from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.given import Given, check_given
from vqbench.rawrows import RawRows, stamp_of
from vqbench.readers.base import Content, Wanted, refusal
from vqbench.readers.unpack import unpacked

_BLOCK = 1 << 24  # bytes that are unpacked at a time
_CHUNK = 1 << 28  # bytes of one chunk at most
_PACKED = 1100  # times that data can be larger than its compressed form: deflate reaches 1032
_ENDINGS = "needs a whole HDF5 file"


def read(path: Path, wanted: Wanted) -> Content:
    """The dataset that ``key`` names; else ``train`` (or ``test``, for queries), else the only one that fits."""
    try:
        import h5py
    except ImportError:
        raise VqbenchError(runnable(f"{path}: h5py is not installed: pip install 'vqbench[hdf5]'")) from None
    try:
        with h5py.File(path, "r") as file:
            name = wanted.key or _chosen(path, file, "test" if wanted.queries else "train")
            rows_nd = _rows(path, _dataset(path, file, name))
            queries_qd = given = None
            if name == "train" and not wanted.queries and "test" in file:
                queries_qd = _rows(path, _dataset(path, file, "test"))
                given = _given(path, file, len(rows_nd), len(queries_qd))
            return Content(rows_nd=rows_nd, queries_qd=queries_qd, given=given)
    except VqbenchError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        raise refusal(path, found=f"cannot be read as HDF5 ({error})", rule=_ENDINGS, remedy="write it again") from None


def _chosen(path: Path, file: Any, usual: str) -> str:
    import h5py

    if usual in file:
        return usual
    fits = [
        name
        for name in file
        if isinstance(file.get(name, getlink=True), h5py.HardLink)
        and isinstance(file[name], h5py.Dataset)
        and file[name].ndim == 2
        and file[name].dtype.kind in "fiu"
    ]
    if len(fits) != 1:
        raise refusal(
            path, found=f"tables of numbers: {', '.join(fits) or 'none'}", rule=f"needs {usual!r}, or exactly one",
            remedy="choose one with dataset.key=NAME",
        )  # fmt: skip
    return fits[0]


def _given(path: Path, file: Any, n: int, q: int) -> Given | None:
    """The nearest rows that the file states for ``test``: ``neighbors``, ``distances``, the attribute ``distance``."""
    if "neighbors" not in file:
        return None
    distance = file.attrs.get("distance", "")
    distance = distance.decode(errors="replace") if isinstance(distance, bytes) else distance
    return check_given(
        Given(
            neighbours_qk=_rows(path, _dataset(path, file, "neighbors")),
            distances_qk=_rows(path, _dataset(path, file, "distances")) if "distances" in file else None,
            distance=distance.lower() if isinstance(distance, str) else "",
        ), path, n=n, q=q,
    )  # fmt: skip


def _dataset(path: Path, file: Any, name: str) -> Any:
    """The dataset, if it lies in this file and the file holds as much as it claims."""
    import h5py

    at, place = file, f"dataset {name}"
    for part in [part for part in name.split("/") if part]:
        link = at.get(part, getlink=True) if isinstance(at, h5py.Group) else None
        if link is None:
            raise refusal(path, place=place, found="not there", rule=f"the file holds {', '.join(file) or 'nothing'}")
        if not isinstance(link, h5py.HardLink):
            raise refusal(path, place=place, found=f"{part!r} is a link", rule="vectors must lie in the file itself",
                          remedy="copy them into it")  # fmt: skip
        at = at[part]
    if not isinstance(at, h5py.Dataset) or at.ndim != 2 or 0 in at.shape or at.dtype.kind not in "fiu":
        found = f"{at.dtype} {at.shape}" if isinstance(at, h5py.Dataset) else "a group"
        raise refusal(path, place=place, found=found, rule="needs numbers of shape (n, d)")
    if at.is_virtual or at.external:
        raise refusal(path, place=place, found="refers to other files", rule="vectors must lie in the file itself",
                      remedy="copy them into it")  # fmt: skip
    stored, claimed = at.id.get_storage_size(), math.prod(at.shape) * at.dtype.itemsize
    most = path.stat().st_size * (_PACKED if at.chunks else 1)
    if stored == 0 or claimed > most:
        raise refusal(
            path, place=place, found=f"{at.dtype} {at.shape}, {claimed} bytes",
            rule=f"the file holds {stored} bytes of it", remedy="it was never written whole: write it again",
        )  # fmt: skip
    if at.chunks and math.prod(at.chunks) * at.dtype.itemsize > _CHUNK:
        raise refusal(path, place=place, found=f"chunks of {at.chunks}", rule=f"a chunk may have up to {_CHUNK} bytes",
                      remedy="write it again with smaller chunks")  # fmt: skip
    return at


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
    """Whole chunks at a time, so that none is unpacked twice."""
    n, width = len(dataset), dataset.shape[1] * dataset.dtype.itemsize
    step = dataset.chunks[0] if dataset.chunks else 1
    size = step * max(1, _BLOCK // (step * width))
    for start in range(0, n, size):
        yield np.asarray(dataset[start : start + size])
