"""What stands in a file by its plainest reading: the fuzzers compare what vqbench read with it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shutil
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mutations import ROWS, good_files

from vqbench.datasets.base import Source
from vqbench.datasets.file import File

_TABLES = (".parquet", ".arrow", ".feather", ".arrows", ".ipc")


def source_of(path: Path) -> Source:
    """The vectors in the file; for a file that comes beside vectors or in a folder, those that go with it."""
    if path.suffix == ".arrow":
        return File(path=str(folder_of(path))).load()
    if path.suffix not in (".ids", ".qrels"):
        return File(path=str(path)).load()
    np.save(path.with_suffix(".npy"), ROWS)
    return File(path=str(path.with_suffix(".npy")), **{path.suffix[1:]: str(path)}).load()


def folder_of(path: Path) -> Path:
    """A folder as ``save_to_disk`` writes it, with one file replaced: the first line says which of which folder."""
    name, _, content = path.read_bytes().partition(b"\n")
    kind, file = name.decode().split("/")
    folder = path.with_name("folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for other, good in good_files()[".arrow"].items():
        if other.startswith(f"{kind}/"):
            (folder / other.partition("/")[2]).write_bytes(good)
    (folder / file).write_bytes(content)
    return folder


def compared(path: Path, found: Source) -> str:
    """``read`` where all that was read is what stands in the file, else ``misread: `` and what is not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = _csv_readings(path.read_text("utf-8-sig")) if path.suffix == ".csv" else [_plainly(path)]
            rows_nd = np.asarray(found.corpus_nd[:])
            if not any(_same(rows_nd, x_nd) for x_nd in wanted):
                return f"misread: a plain reading gives other numbers than {rows_nd.shape}"
            wrong = [name for name, mine, theirs in _beside(path, found) if not _same(np.asarray(mine), theirs)]
            return f"misread: a plain reading gives other {wrong[0]}" if wrong else "read"
    except Exception:
        return f"misread: a plain reading fails: {traceback.format_exc(limit=-1)}"


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.array_equal(one, other)


def _plainly(path: Path) -> np.ndarray:
    content, ending = path.read_bytes(), path.suffix
    if ending in (".ids", ".qrels"):
        return ROWS
    if ending == ".npy":
        return np.load(path)
    if ending == ".npz":
        with np.load(path) as archive:
            return archive[archive.files[0]]
    if ending in (".fvecs", ".bvecs"):
        d, kind = int.from_bytes(content[:4], "little"), {".fvecs": "<f4", ".bvecs": "u1"}[ending]
        rows = np.frombuffer(content, np.dtype([("d", "<i4"), ("x", kind, (d,))]))
        if not (rows["d"] == d).all():
            raise ValueError("widths differ")
        return rows["x"]
    if ending in (".fbin", ".u8bin", ".i8bin"):
        n, d = np.frombuffer(content, "<u4", 2).tolist()
        return np.frombuffer(content, {".fbin": "<f4", ".u8bin": "u1", ".i8bin": "i1"}[ending], offset=8).reshape(n, d)
    if ending == ".json":
        return np.array(list(json.loads(content.decode()).values()), dtype=float)
    if ending in _TABLES:
        return _of_table(path)
    with h5py.File(path, "r") as file:
        # The only dataset may have lost its name, as "trail"; the reader then takes it as the only one that fits.
        return file["train" if "train" in file else next(iter(file))][:]


def _of_table(path: Path) -> np.ndarray:
    """The vectors of a table: of a column of lists; else of texts, bytes, or numbered columns."""
    schema = _opened(path)[0].schema
    name = next((field.name for field in schema if "list<" in str(field.type)), None)
    if name is not None:
        return np.array(_column(path, name).to_pylist())
    if "e" in schema.names:
        is_text = "string" in str(schema.field("e").type)
        values = _column(path, "e").to_pylist()
        return np.array(
            [[*map(float, x.strip()[1:-1].split(","))] if is_text else np.frombuffer(x, "<f4") for x in values]
        )
    matches = [match for name in schema.names if (match := re.fullmatch(r"(.*?)([0-9]+)", name))]
    usual = Counter(match[1] for match in matches).most_common(1)[0][0]
    numbers = {int(match[2]): match[0] for match in matches if match[1] == usual}
    return np.column_stack([np.array(_column(path, numbers[at]).to_pylist()) for at in sorted(numbers)])


def _column(path: Path, name: str) -> pa.ChunkedArray:
    """The column of that name.

    No other one is read: damage in a column that nobody asked for is none of what was read. (A file whose column id
    had become "it", its pages damaged too, was read rightly, without ids, while a whole table could not be.)
    """
    if path.suffix == ".parquet":
        return pq.read_table(path, columns=[name]).column(0)
    return pa.concat_tables([file.read_all() for file in _opened(path, name)])[name]


def _opened(path: Path, name: str | None = None) -> list[Any]:
    """A Parquet or Arrow file, or the Arrow files of a folder, of which one column is read."""
    if path.suffix == ".parquet":
        return [pq.ParquetFile(path).schema_arrow.empty_table()]
    folder, files = path.with_name("folder"), [path]
    if path.suffix == ".arrow":
        listed = json.loads((folder / "state.json").read_text("utf-8"))["_data_files"]
        files = [folder / file["filename"] for file in listed]
    opened = []
    for file in files:
        source = pa.BufferReader(file.read_bytes())
        reader = pa.ipc.open_file if file.read_bytes()[:6] == b"ARROW1" else pa.ipc.open_stream
        fields = [reader(source).schema.names.index(name)] if name else []
        source.seek(0)
        opened.append(reader(source, options=pa.ipc.IpcReadOptions(included_fields=fields)))
    return opened


def _beside(path: Path, found: Source) -> Iterator[tuple[str, object, np.ndarray]]:
    """What else was read: its name, as it was read, and plainly."""
    if path.suffix in _TABLES and found.ids is not None:
        name = next(name for name in _opened(path)[0].schema.names if name.lower() == "id")
        yield "ids", list(found.ids), np.array([str(x) for x in _column(path, name).to_pylist()])
    if path.suffix == ".json":
        yield "ids", list(found.ids or ()), np.array(list(json.loads(path.read_text("utf-8"))))
    if path.suffix not in (".h5", ".hdf5") or found.queries_qd is None:
        return
    with h5py.File(path, "r") as file:
        yield "queries", found.queries_qd[:], file["test"][:]
        if found.stated_neighbours is not None:
            yield "neighbors", found.stated_neighbours.neighbours_qk[:], file["neighbors"][:]
            if found.stated_neighbours.distances_qk is not None:
                yield "distances", found.stated_neighbours.distances_qk[:], file["distances"][:]


def _csv_readings(text: str) -> Iterator[np.ndarray]:
    """With and without a first line of names, with and without a first column of ids."""
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    for lines in (rows, rows[1:]):
        for first in (0, 1):
            with contextlib.suppress(ValueError):
                yield np.array([row[first:] for row in lines], dtype=float)
