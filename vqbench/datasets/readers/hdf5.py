"""HDF5: tables of numbers in any group, ids beside them, and the layout of ann-benchmarks.

There ``train`` are the rows, ``test`` the queries, ``neighbors`` their nearest rows. Needs the extra ``hdf5``. Nothing
but data of the file itself is read: links, virtual datasets and external storage are refused, since they could name any
other file, and filters that would have to be loaded.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.choice import VECTORS, Part, choose
from vqbench.datasets.readers.array_parts import Opened, check_together, parts_of, rows_shape
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.datasets.readers.hdf5_objects import LINK, arrays_in, dataset_at, type_of
from vqbench.datasets.stated_neighbours import StatedNeighbours
from vqbench.datasets.unpacking import Sheet
from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.storage.raw_rows import RawRows, stamp_of
from vqbench.text import shortened

ENDINGS = (".hdf5", ".h5")
NEEDS = ("needs a whole HDF5 file", "write it again")
USES = ("key", "queries_key", "id_column", "query_id_column", "texts", "labels")
IMPORTS = ("h5py",)
_BLOCK = 1 << 24  # bytes that are unpacked at a time, or the rows of one chunk
_CHUNKS = 1 << 12  # chunks that are read at a time: HDF5 takes about 2 KB for each
_WORDS = 300  # characters of a reason
_TALL = 1 << 28  # bytes that even those may take


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the datasets that are chosen; ``train`` and ``test`` where both are there and none is named."""
    try:
        import h5py
    except ImportError:
        raise VqbenchError(runnable(f"{path}: h5py is not installed: pip install 'vqbench[hdf5]'")) from None
    with h5py.File(path, "r") as file:
        arrays = {array.name: array for array in arrays_in(path, file)}
        usual = all(name in arrays and arrays[name].part.kind in VECTORS for name in ("train", "test"))
        lists = "neighbors" in arrays and ("train" in arrays or "test" in arrays)
        stated = {name: arrays.pop(name).part for name in ("neighbors", "distances") if lists and name in arrays}
        if usual and wanted.key is None and wanted.queries_key is None:
            wanted = replace(wanted, **({"key": "test"} if wanted.queries else {"key": "train", "queries_key": "test"}))
        expected = "test" if wanted.queries else "train"
        links = [expected] if expected in arrays and arrays[expected].what == LINK and wanted.key is None else []
        for name in (wanted.key, wanted.queries_key, *links):
            if name is not None:
                dataset_at(path, file, name, sheet)  # what is not there, or a link, is refused by name

        stack = "np.savez('rows.npz', ids=list(f), x=np.stack([f[i][:] for i in f]))"
        check_together(path, arrays.values(), "dataset", f", h5py; f = h5py.File({str(path)!r}); {stack}")

        def rows(name: str) -> RawRows:
            return _rows(path, dataset_at(path, file, name, sheet), sheet)

        opened = Opened(path, sheet, "dataset", rows, lambda name: _values(dataset_at(path, file, name, sheet)))
        content = opened.content(choose(path, parts_of(arrays.values()), wanted, noun="dataset"))
        content = replace(content, distance=_word(file.attrs.get("distance", "")))
        if "neighbors" in stated and (wanted.key, wanted.queries_key) == ("train", "test"):
            return replace(content, stated_neighbours=_stated(path, content, stated, rows))
        return content


def _word(distance: object) -> str:
    distance = distance.decode(errors="replace") if isinstance(distance, bytes) else distance
    return distance.lower() if isinstance(distance, str) else ""


def _stated(
    path: Path, content: Content, parts: Mapping[str, Part], rows: Callable[[str], RawRows]
) -> StatedNeighbours:
    """What the file says of its queries' nearest rows. What cannot be read is no reason to refuse the vectors."""
    tables, obstacles = dict[str, RawRows](), dict[str, str]()
    for name, part in parts.items():
        if part.kind not in VECTORS:
            obstacles[name] = f"{part.what}: not a table of numbers"
            continue
        try:
            tables[name] = rows(name)
        except MemoryError:  # says nothing of the file
            raise
        except Exception as error:  # whatever damage makes h5py raise
            obstacles[name] = shortened(str(error).removeprefix(f"{path}: "), _WORDS)
    return StatedNeighbours(
        neighbours_qk=tables.get("neighbors"),
        distances_qk=tables.get("distances"),
        distance=content.distance,
        obstacle=obstacles.get("neighbors", ""),
        distances_obstacle=obstacles.get("distances", ""),
    ).checked(len(content.queries_qd or ()))


def _rows(path: Path, dataset: Any, sheet: Sheet) -> RawRows:
    """Rows that lie plainly in the file are read from there, all others unpacked."""
    import h5py

    offset, dtype, (n, d) = dataset.id.get_offset(), type_of(dataset), rows_shape(dataset.shape) or (0, 0)
    plain = h5py.h5t.py_create(dataset.dtype) == dataset.id.get_type()  # it may stand there otherwise than in memory
    if plain and dataset.chunks is None and offset is not None:
        stat = os.stat(path)
        if offset + n * d * dtype.itemsize <= stat.st_size:
            rows = RawRows(path=path, offset=offset, shape=(n, d), dtype=dtype, stamp=stamp_of(stat))
            if all(rows[at : at + 1].tobytes() == dataset[at : at + 1].tobytes() for at in (0, n - 1)):
                return rows
    return sheet.table(n, (block.reshape(-1, d) for block in _blocks(dataset)))


def _values(dataset: Any) -> Iterator[NDArray[Any]]:
    """A value for each row; text as bytes."""
    return (block.reshape(-1) for block in _blocks(dataset))


def _blocks(dataset: Any) -> Iterator[NDArray[Any]]:
    """Whole chunks at a time, so that none is unpacked twice, unless they are too tall for that."""
    n, width = len(dataset), max(1, math.prod(dataset.shape[1:]) * dataset.dtype.itemsize)
    step = min(dataset.chunks[0], max(1, _TALL // width)) if dataset.chunks else 1
    across = math.prod(-(-x // each) for x, each in zip(dataset.shape[1:], (dataset.chunks or ())[1:], strict=False))
    size = step * max(1, min(_BLOCK // (step * width), _CHUNKS // across if dataset.chunks else n))
    for start in range(0, n, size):
        block = np.asarray(dataset[start : start + size])
        yield block.view(type_of(dataset)) if block.dtype.kind == "V" else block
