"""What stands in a file by its plainest reading: the fuzzers compare what vqbench read with it."""

from __future__ import annotations

import base64
import contextlib
import csv
import io
import json
import re
import shutil
import sqlite3
import traceback
import warnings
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
    if ending in (".json", ".jsonl", ".ndjson"):
        return np.array(_longest(_json(content.decode("utf-8-sig"))), dtype=float)
    if ending in (".sqlite", ".sqlite3", ".db"):
        return _blobs(path, [table for table, _ in _tables(path)])
    if ending in (".faiss", ".index"):
        return _flat(content)
    if ending in (".parquet", ".arrow"):
        return np.array(_column(path).to_pylist())
    with h5py.File(path, "r") as file:
        # The only dataset may have lost its name, as "trail"; the reader then takes it as the only one that fits.
        return file["train" if "train" in file else next(iter(file))][:]


def _json(text: str) -> Any:
    """One value, or one on each line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.split("\n") if line.strip()]


def _longest(tree: Any) -> list[list[float]]:
    """All vectors; where members of an object hold several each, those of the member that holds most."""
    groups = [list(_vectors(each)) for each in tree.values()] if isinstance(tree, dict) else []
    longest = max(groups, key=len, default=[])
    return longest if len(longest) > 1 else list(_vectors(tree))


def _vectors(value: Any) -> Iterator[list[float]]:
    """Every list of numbers, in order; answers that are numbered in the order of their numbers."""
    if isinstance(value, str) and len(value) % 4 == 0 and re.fullmatch(r"[A-Za-z0-9+/]{20,}=*", value):
        yield np.frombuffer(base64.b64decode(value), "<f4").tolist()
    if isinstance(value, dict):
        for each in value.values():
            yield from _vectors(each)
    if isinstance(value, list) and value and isinstance(value[0], int | float):
        yield value
    elif isinstance(value, list):
        numbers = [each.get("index") for each in value if isinstance(each, dict)]
        if len(set(numbers)) == len(value) and all(type(each) is int for each in numbers):
            value = sorted(value, key=lambda each: each["index"])
        for each in value:
            yield from _vectors(each)


def _tables(path: Path) -> list[tuple[str, list[str]]]:
    """The tables of a file and their columns."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return [(name, [row[1] for row in db.execute(f'PRAGMA table_info("{name}")')]) for name in names]


def _blobs(path: Path, tables: list[str]) -> np.ndarray:
    """The last column of the first table, which holds blobs."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = [row[-1] for row in db.execute(f'SELECT * FROM "{tables[0]}" ORDER BY rowid')]
    return np.array([np.frombuffer(row, "<f4") for row in rows])


def _flat(content: bytes) -> np.ndarray:
    """The vectors of a flat index, also one behind a map of ids: a head of 37 bytes, their number, they."""
    start = content.index(b"IxF")
    d = int.from_bytes(content[start + 4 : start + 8], "little")
    n = int.from_bytes(content[start + 8 : start + 16], "little")
    head = 37 if content[start + 33 : start + 37] in (b"\0\0\0\0", b"\1\0\0\0") else 41  # with a metric's argument
    count = int.from_bytes(content[start + head : start + head + 8], "little")
    return np.frombuffer(content, "<f4", count, start + head + 8).reshape(n, d)


def _column(path: Path, name: str = "") -> pa.ChunkedArray:
    """The column of that name, or the first of lists.

    No other one is read: damage in a column that nobody asked for is none of what was read. (A file whose column id
    had become "it", its pages damaged too, was read rightly, without ids, while a whole table could not be.)
    """
    if path.suffix == ".parquet":
        return pq.read_table(path, columns=[name or _lists(pq.read_schema(path))]).column(0)
    folder = path.with_name("folder")
    tables = []
    for file in json.loads((folder / "state.json").read_text("utf-8"))["_data_files"]:
        with pa.OSFile(str(folder / file["filename"])) as opened:
            tables.append(pa.ipc.open_stream(opened).read_all())
    return pa.concat_tables(tables)[name or _lists(tables[0].schema)]


def _lists(schema: pa.Schema) -> str:
    return next(field.name for field in schema if "list<" in str(field.type))


def _beside(path: Path, found: Source) -> Iterator[tuple[str, object, np.ndarray]]:
    """What else was read: its name, as it was read, and plainly."""
    if path.suffix in (".parquet", ".arrow") and found.ids is not None:
        yield "ids", list(found.ids), np.array([str(x) for x in _column(path, "id").to_pylist()])
    if path.suffix == ".json" and found.ids is not None:
        tree = json.loads(path.read_text("utf-8-sig"))
        yield "ids", list(found.ids), np.array(next((x for name, x in tree.items() if "mbed" not in name), 0)
                                               if any(map(_is_text_list, tree.values())) else list(tree))  # fmt: skip
    if path.suffix == ".db" and found.ids is not None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            yield "ids", list(found.ids), np.array([str(row[0]) for row in db.execute("SELECT * FROM docs")])
    if path.suffix not in (".h5", ".hdf5") or found.queries_qd is None:
        return
    with h5py.File(path, "r") as file:
        yield "queries", found.queries_qd[:], file["test"][:]
        if found.stated_neighbours is not None:
            yield "neighbors", found.stated_neighbours.neighbours_qk[:], file["neighbors"][:]
            if found.stated_neighbours.distances_qk is not None:
                yield "distances", found.stated_neighbours.distances_qk[:], file["distances"][:]


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], str)


def _csv_readings(text: str) -> Iterator[np.ndarray]:
    """With and without a first line of names, with and without a first column of ids."""
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    for lines in (rows, rows[1:]):
        for first in (0, 1):
            with contextlib.suppress(ValueError):
                yield np.array([row[first:] for row in lines], dtype=float)
