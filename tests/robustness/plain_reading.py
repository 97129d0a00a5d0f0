"""What stands in a file by its plainest reading: the fuzzers compare what vqbench read with it."""

from __future__ import annotations

import base64
import codecs
import contextlib
import csv
import io
import itertools
import json
import re
import shutil
import sqlite3
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mutations import ROWS, good_files

from vqbench.datasets.base import Source
from vqbench.datasets.file import File

#: Endings of text that is read in several ways.
TEXTS = (".csv", ".tsv", ".txt", ".vec")
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
            rows_nd = np.asarray(found.corpus_nd[:])
            if path.suffix in TEXTS:
                right = any(_columns_of(rows_nd, x_nd) for x_nd in text_readings(path.read_bytes(), path.suffix))
            else:
                right = any(_same(rows_nd, x_nd) for x_nd in _plainly(path))
            if not right:
                return f"misread: a plain reading gives other numbers than {rows_nd.shape}"
            wrong = [name for name, mine, theirs in _beside(path, found) if not _same(np.asarray(mine), theirs)]
            return f"misread: a plain reading gives other {wrong[0]}" if wrong else "read"
    except Exception:
        return f"misread: a plain reading fails: {traceback.format_exc(limit=-1)}"


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether both hold the same; a NaN is the same as another one."""
    one, other = (x.astype(np.float32) if x.dtype == ml_dtypes.bfloat16 else x for x in (one, other))
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=one.dtype.kind == other.dtype.kind == "f")


def _plainly(path: Path) -> Iterable[np.ndarray]:
    """What may be the rows: the one table, or each table where names say which it is, which may be damaged."""
    if path.suffix in (".npz", ".safetensors", ".h5", ".hdf5"):
        tables = [x for x in _arrays(path).values() if x.ndim > 1 and x.size]
        return [x.reshape(len(x), -1) for x in tables if x.ndim == 2 or (x.ndim == 3 and x.shape[1] == 1)]
    return [_table(path)]


def _arrays(path: Path, taken: str = "") -> dict[str, np.ndarray]:
    """The tables of a file, and what ``taken`` names, as far as they can be read.

    Damage in what nobody asked for is none of what was read; texts of HDF5 may even have no end.
    """
    found: dict[str, np.ndarray] = {}
    if path.suffix == ".npz":
        with np.load(path) as archive:
            for name in archive.files:
                with contextlib.suppress(Exception):
                    found[name] = _named(archive[name])
        return found
    if path.suffix == ".safetensors":
        content = path.read_bytes()
        begin = 8 + int.from_bytes(content[:8], "little")
        for name, entry in json.loads(content[8:begin].decode()).items():
            kind = {"F32": "<f4", "F16": "<f2", "BF16": ml_dtypes.bfloat16, "U8": "u1", "I64": "<i8"}.get(
                entry.get("dtype")
            )
            if kind is not None:
                start, stop = entry["data_offsets"]
                found[name] = np.frombuffer(content[begin + start : begin + stop], kind).reshape(entry["shape"])
        return found
    with h5py.File(path, "r") as file:
        _collect(file, "", found, taken)
    return found


def _collect(group: h5py.Group, above: str, found: dict[str, np.ndarray], taken: str) -> None:
    for name in group:
        with contextlib.suppress(Exception):
            item = group[name] if group.get(name, getlink=True).__class__ is h5py.HardLink else None
            if isinstance(item, h5py.Group) and above.count("/") < 9:
                _collect(item, f"{above}{name}/", found, taken)
            elif isinstance(item, h5py.Dataset) and (item.ndim > 1 or repr(above + name) in taken):
                text = h5py.check_string_dtype(item.dtype) is not None and item.dtype.kind == "O"
                found[above + name] = np.array(item.asstr()[:].tolist()) if text else _named(item[:])


def _named(array: np.ndarray) -> np.ndarray:
    return array.view(ml_dtypes.bfloat16) if array.dtype.kind == "V" and array.dtype.itemsize == 2 else array


def _table(path: Path) -> np.ndarray:
    content, ending = path.read_bytes(), path.suffix
    if ending in (".ids", ".qrels"):
        return ROWS
    if ending == ".npy":
        rows = _named(np.load(path))
        return rows.reshape(len(rows), -1) if rows.ndim == 3 and rows.shape[1] == 1 else rows
    if ending in (".fvecs", ".bvecs"):
        d, kind = int.from_bytes(content[:4], "little"), {".fvecs": "<f4", ".bvecs": "u1"}[ending]
        rows = np.frombuffer(content, np.dtype([("d", "<i4"), ("x", kind, (d,))]))
        if not (rows["d"] == d).all():
            raise ValueError("widths differ")
        return rows["x"]
    if ending in (".fbin", ".f16bin", ".u8bin", ".i8bin"):
        kind = {".fbin": "<f4", ".f16bin": "<f2", ".u8bin": "u1", ".i8bin": "i1"}[ending]
        n, d = np.frombuffer(content, "<u4", 2).tolist()
        wide = d == 0
        n, d = np.frombuffer(content, "<u8", 2).tolist() if wide else (n, d)
        return np.frombuffer(content, kind, offset=16 if wide else 8).reshape(n, d)
    if ending == ".bin":
        return _words(content)
    if ending in (".json", ".jsonl", ".ndjson"):
        return np.array(_longest(_json(content.decode("utf-8-sig"))), dtype=float)
    if ending in (".sqlite", ".sqlite3", ".db"):
        return _blobs(path)
    if ending in (".faiss", ".index"):
        return _flat(content)
    return _of_table(path)


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


def _blobs(path: Path) -> np.ndarray:
    """The last column of the first table, which holds blobs."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        name = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchone()[0]
        rows = [row[-1] for row in db.execute(f'SELECT * FROM "{name}" ORDER BY rowid')]
    return np.array([np.frombuffer(row, "<f4") for row in rows])


def _flat(content: bytes) -> np.ndarray:
    """The vectors of a flat index, also one behind a map of ids: a head of 37 bytes or 41, their number, they."""
    start = content.index(b"IxF")
    d = int.from_bytes(content[start + 4 : start + 8], "little")
    n = int.from_bytes(content[start + 8 : start + 16], "little")
    head = 37 if content[start + 33 : start + 37] in (b"\0\0\0\0", b"\1\0\0\0") else 41  # with a metric's argument
    count = int.from_bytes(content[start + head : start + head + 8], "little")
    return np.frombuffer(content, "<f4", count, start + head + 8).reshape(n, d)


def _words(content: bytes) -> np.ndarray:
    head, _, rest = content.partition(b"\n")
    n, d = map(int, head.split())
    rows = []
    for _ in range(n):
        begin = rest.index(b" ") + 1
        rows.append(np.frombuffer(rest[begin : begin + 4 * d], "<f4"))
        rest = rest[begin + 4 * d :]
    return np.array(rows)


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
    if path.suffix == ".json" and found.ids is not None:
        tree = json.loads(path.read_text("utf-8-sig"))
        yield "ids", list(found.ids), np.array(next((x for name, x in tree.items() if "mbed" not in name), 0)
                                               if any(map(_is_text_list, tree.values())) else list(tree))  # fmt: skip
    if path.suffix == ".db" and found.ids is not None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            yield "ids", list(found.ids), np.array([str(row[0]) for row in db.execute("SELECT * FROM docs")])
    if path.suffix not in (".npz", ".safetensors", ".h5", ".hdf5"):
        return
    arrays, stated = _arrays(path, " ".join(found.taken)), found.stated_neighbours
    if found.ids is not None:
        yield "ids", list(found.ids), _matching(found.ids, [_ids(x) for x in arrays.values() if x.size == len(x)])
    if found.queries_qd is not None:
        yield "queries", found.queries_qd[:], _matching(found.queries_qd[:], arrays.values())
    if stated is not None and stated.neighbours_qk is not None:
        yield "neighbors", stated.neighbours_qk[:], arrays["neighbors"]
    if stated is not None and stated.distances_qk is not None:
        yield "distances", stated.distances_qk[:], arrays["distances"]


def _ids(values: np.ndarray) -> np.ndarray:
    texts = [x.decode("utf-8", "replace") if isinstance(x, bytes) else x for x in values.ravel().tolist()]
    return np.array([str(int(x)) if isinstance(x, float) and x.is_integer() else str(x) for x in texts])


def _matching(read: Iterable[object], arrays: Iterable[np.ndarray]) -> np.ndarray:
    """The array that was read, else one that was not."""
    return next(
        (x for x in arrays if _same(np.asarray(read if isinstance(read, np.ndarray) else list(read)), x)), np.array([])
    )


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], str)


def _columns_of(rows_nd: np.ndarray, table_nd: np.ndarray) -> bool:
    """Whether each column of some rows is one of a table: which of them are dimensions is not judged here."""
    if len(rows_nd) != len(table_nd):
        return False
    columns = {column.tobytes() for column in table_nd.T + 0.0}
    return all(column.tobytes() in columns for column in rows_nd.astype(float).T + 0.0)


def text_readings(content: bytes, ending: str) -> Iterator[np.ndarray]:
    """All numbers of a text in each way that it may be read: lines of words, of lists, or of fields."""
    wide = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    text = content.decode("utf-16" if wide else "utf-8-sig").rstrip("\r\n")
    if ending in (".vec", ".txt"):
        lines = text.split("\n")
        for skip in (0, 1):
            for d in range(2, len(lines[-1].split()) + 1):
                with contextlib.suppress(ValueError):
                    yield np.array([line.encode().rsplit(None, d)[-d:] for line in lines[skip:]], dtype=float)
    for delimiter, quoting in itertools.product(",;\t| ", (csv.QUOTE_MINIMAL, csv.QUOTE_NONE)):
        with contextlib.suppress(csv.Error):
            lines = io.StringIO(re.sub(" +", " ", text) if delimiter == " " else text, newline="")
            rows = list(csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True))
            skips = {0, 1, next((i for i, row in enumerate(rows) if not "".join(row).startswith("#")), 0)}
            for body in (rows[skip:] for skip in skips):
                if body and len({len(row) for row in body}) == 1:
                    yield _numbers(body)
                    yield from _lists_of(body)


def _numbers(rows: list[list[str]]) -> np.ndarray:
    """The columns of numbers, with points or commas for decimals; NaN for others."""
    columns = []
    for column in zip(*rows, strict=True):
        for fields in (column, [field.replace(",", ".") for field in column]):
            with contextlib.suppress(ValueError):
                columns.append(np.array(fields, dtype=object).astype(float))
                break
    return np.array(columns).T if columns else np.empty((len(rows), 0))


def _lists_of(rows: list[list[str]]) -> Iterator[np.ndarray]:
    for column in zip(*rows, strict=True):
        with contextlib.suppress(ValueError):
            yield np.array([re.split(r"[,\s]+", field.strip()[1:-1].strip()) for field in column], dtype=float)
