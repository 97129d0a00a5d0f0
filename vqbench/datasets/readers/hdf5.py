"""HDF5, as ann-benchmarks lays it out: ``train`` are the rows, ``test`` the queries, ``neighbors`` their nearest rows.

Needs the extra ``hdf5``. Nothing but data of the file itself is read: links, virtual datasets and external storage are
refused, since they could name any other file, and filters that would have to be loaded.
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
from vqbench.datasets.readers.hdf5_chunks import check_chunks
from vqbench.datasets.stated_neighbours import StatedNeighbours, check_stated
from vqbench.datasets.unpacking import Sheet
from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.storage.raw_rows import RawRows, stamp_of

ENDINGS = (".hdf5", ".h5")
NEEDS = ("needs a whole HDF5 file", "write it again")
USES = ("key",)
IMPORTS = ("h5py",)
_BLOCK = 1 << 24  # bytes that are unpacked at a time, or the rows of one chunk
_TALL = 1 << 28  # bytes that even those may take
_OWN = {"rule": "vectors must lie in the file itself", "remedy": "copy them into it"}
_CHOOSE = "choose one with dataset.key=NAME"


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the dataset that ``key`` names; else ``train`` (or ``test``, for queries), else the only one that fits."""
    try:
        import h5py
    except ImportError:
        raise VqbenchError(runnable(f"{path}: h5py is not installed: pip install 'vqbench[hdf5]'")) from None
    with h5py.File(path, "r") as file:
        name = wanted.key or _chosen(path, file, "test" if wanted.queries else "train")
        rows_nd, queries_qd, stated = _rows(path, file, name, sheet), None, None
        if name == "train" and not wanted.queries and _link(file, "test") != "none":
            queries_qd = _rows(path, file, "test", sheet)
            if _link(file, "neighbors") != "none":
                distance = file.attrs.get("distance", "")
                distance = distance.decode(errors="replace") if isinstance(distance, bytes) else distance
                stated = StatedNeighbours(
                    neighbours_qk=_rows(path, file, "neighbors", sheet),
                    distances_qk=None if _link(file, "distances") == "none" else _rows(path, file, "distances", sheet),
                    distance=distance.lower() if isinstance(distance, str) else "",
                )
                check_stated(stated, path, n=len(rows_nd), q=len(queries_qd))
        return Content(rows_nd=rows_nd, queries_qd=queries_qd, stated_neighbours=stated)


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
        names = ", ".join(fits) or "none"
        raise refusal(
            path, problem=f"tables of numbers: {names}", rule=f"needs {usual!r}, or exactly one", remedy=_CHOOSE
        )
    return fits[0]


def _is_table(item: Any) -> bool:
    import h5py

    return isinstance(item, h5py.Dataset) and item.ndim == 2 and 0 not in item.shape and item.dtype.kind in "fiu"


def _dataset(path: Path, file: Any, name: str) -> Any:
    """The dataset, if it lies in this file and the file holds as much as it claims."""
    import h5py

    dataset, place = file, f"dataset {name}"
    for part in [part for part in name.split("/") if part]:
        link = _link(dataset, part) if isinstance(dataset, h5py.Group) else "none"
        if link == "none":
            rule = f"the file holds {', '.join(file) or 'nothing'}"
            raise refusal(path, place=place, problem="not there", rule=rule, remedy=_CHOOSE)
        if link == "elsewhere":
            raise refusal(path, place=place, problem=f"{part!r} is a link", **_OWN)
        dataset = dataset[part]
    if not _is_table(dataset):
        problem = f"{dataset.dtype} {dataset.shape}" if isinstance(dataset, h5py.Dataset) else "a group"
        raise refusal(path, place=place, problem=problem, rule="needs numbers of shape (n, d)", remedy=_CHOOSE)
    if dataset.is_virtual or dataset.external:
        raise refusal(path, place=place, problem="refers to other files", **_OWN)
    stored, claimed = dataset.id.get_storage_size(), math.prod(dataset.shape) * dataset.dtype.itemsize
    if dataset.chunks:
        check_chunks(path, place, dataset)
    elif min(stored, path.stat().st_size) < claimed:
        raise refusal(
            path,
            place=place,
            problem=f"{dataset.dtype} {dataset.shape}, {claimed} bytes",
            rule=f"the file holds {stored} bytes of it",
            remedy="it was not written completely: write it again",
        )
    return dataset


def _rows(path: Path, file: Any, name: str, sheet: Sheet) -> RawRows:
    """Rows that lie plainly in the file are read from there, all others unpacked."""
    import h5py

    dataset = _dataset(path, file, name)
    offset, dtype = dataset.id.get_offset(), dataset.dtype
    plain = h5py.h5t.py_create(dtype) == dataset.id.get_type()  # a dtype may stand in the file otherwise than in memory
    if plain and dataset.chunks is None and offset is not None:
        stat = os.stat(path)
        if offset + math.prod(dataset.shape) * dtype.itemsize <= stat.st_size:
            rows = RawRows(path=path, offset=offset, shape=dataset.shape, dtype=dtype, stamp=stamp_of(stat))
            if all(rows[at : at + 1].tobytes() == dataset[at : at + 1].tobytes() for at in (0, len(rows) - 1)):
                return rows
    return sheet.table(len(dataset), _blocks(dataset))


def _blocks(dataset: Any) -> Iterator[NDArray[Any]]:
    """Whole chunks at a time, so that none is unpacked twice, unless they are too tall for that."""
    n, width = len(dataset), dataset.shape[1] * dataset.dtype.itemsize
    step = min(dataset.chunks[0], max(1, _TALL // width)) if dataset.chunks else 1
    size = step * max(1, _BLOCK // (step * width))
    for start in range(0, n, size):
        yield np.asarray(dataset[start : start + size])
