"""What stands in a file by its plainest reading: the fuzzers compare what vqbench read with it."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import itertools
import json
import re
import shutil
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mutations import ROWS, good_files

from vqbench.datasets.base import Source
from vqbench.datasets.file import File

#: Endings of text that is read in several ways.
TEXTS = (".csv", ".tsv", ".txt", ".vec")


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
                right = _same(rows_nd, _plainly(path))
            if not right:
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
    if ending == ".bin":
        return _words(content)
    if ending == ".json":
        return np.array(list(json.loads(content.decode()).values()), dtype=float)
    if ending in (".parquet", ".arrow"):
        return np.array(_column(path).to_pylist())
    with h5py.File(path, "r") as file:
        # The only dataset may have lost its name, as "trail"; the reader then takes it as the only one that fits.
        return file["train" if "train" in file else next(iter(file))][:]


def _words(content: bytes) -> np.ndarray:
    head, _, rest = content.partition(b"\n")
    n, d = map(int, head.split())
    rows = []
    for _ in range(n):
        begin = rest.index(b" ") + 1
        rows.append(np.frombuffer(rest[begin : begin + 4 * d], "<f4"))
        rest = rest[begin + 4 * d :]
    return np.array(rows)


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
