"""Files of every format, written as the format is described."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def write_vecs(path: Path, x_nd: np.ndarray) -> None:
    """A row's dimension before its numbers, row by row as the format is described."""
    kind = {".fvecs": "<f4", ".bvecs": "u1"}[path.suffix]
    path.write_bytes(b"".join(len(row).to_bytes(4, "little") + row.astype(kind).tobytes() for row in x_nd))


def write_bin(path: Path, x_nd: np.ndarray, width: int = 4) -> None:
    kind = {".fbin": "<f4", ".f16bin": "<f2", ".u8bin": "u1", ".i8bin": "i1"}[path.suffix]
    head = b"".join(x.to_bytes(width, "little") for x in x_nd.shape)
    path.write_bytes(head + x_nd.astype(kind).tobytes())


def write_parquet(path: Path, x_nd: np.ndarray, *, fixed: bool = True, ids: list | None = None, **more) -> None:
    values = pa.array(x_nd.ravel())
    offsets = np.arange(len(x_nd) + 1, dtype=np.int32) * x_nd.shape[1]
    lists = (
        pa.FixedSizeListArray.from_arrays(values, x_nd.shape[1]) if fixed else pa.ListArray.from_arrays(offsets, values)
    )
    columns = {"vector": lists} | ({} if ids is None else {"id": pa.array(ids)})
    pq.write_table(pa.table(columns), path, **more)


def write_hdf5(path: Path, x_nd: np.ndarray, **more) -> None:
    with h5py.File(path, "w", userblock_size=more.pop("userblock_size", 0)) as file:
        file.create_dataset("train", data=x_nd, **more)


def write_safetensors(path: Path, arrays: dict[str, np.ndarray], notes: dict[str, str] | None = None) -> None:
    """As the format is described: the length of the header, the header, the numbers."""
    header: dict[str, object] = {} if notes is None else {"__metadata__": notes}
    content = b""
    for name, array in arrays.items():
        kind = {"bfloat16": "BF16", "bool": "BOOL"}.get(
            array.dtype.name, f"{array.dtype.kind.upper()}{8 * array.dtype.itemsize}"
        )
        place = [len(content), len(content) + array.nbytes]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": place}
        content += array.astype(array.dtype.newbyteorder("<")).tobytes()
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(len(head).to_bytes(8, "little") + head + content)


def write_csv(path: Path, x_nd: np.ndarray) -> None:
    pd.DataFrame(x_nd).to_csv(path, index=False, header=False)


def write_json_lines(path: Path, x_nd: np.ndarray) -> None:
    path.write_text("".join(json.dumps({"text": "a", "embedding": row}) + "\n" for row in x_nd.tolist()), "utf-8")


def write_sqlite(path: Path, x_nd: np.ndarray, *, ids: list | None = None, table: str = "docs") -> None:
    """Blobs of float32; small pages keep the file small."""
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.execute("PRAGMA page_size = 512")
    db.execute(f"CREATE TABLE {table} ({'' if ids is None else 'id TEXT, '}body TEXT, vector BLOB)")
    names = [() for _ in x_nd] if ids is None else [(i,) for i in ids]
    rows = [(*name, "a text", row.astype("<f4").tobytes()) for name, row in zip(names, x_nd, strict=True)]
    db.executemany(f"INSERT INTO {table} VALUES ({'?, ' * len(names[0])}?, ?)", rows)
    db.commit()
    db.close()


def write_faiss(path: Path, x_nd: np.ndarray, *, ids: list[int] | None = None) -> None:
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexFlat(x_nd.shape[1], faiss.METRIC_Canberra)  # a distance that says nothing of ours
    if ids is not None:
        index = faiss.IndexIDMap(index)
        index.add_with_ids(x_nd.astype(np.float32), np.array(ids))
    else:
        index.add(x_nd.astype(np.float32))
    faiss.write_index(index, str(path))


def write_words(path: Path, x_nd: np.ndarray, words: list[str], *, header: bool = True) -> None:
    """Word vectors, as GloVe writes them or, below a line of n and d, word2vec; in binary as ``.bin``."""
    lines = [f"{len(x_nd)} {x_nd.shape[1]}".encode()] if header else []
    for word, row in zip(words, x_nd.tolist(), strict=True):
        numbers = np.array(row, "<f4").tobytes() if path.suffix == ".bin" else " ".join(map(repr, row)).encode()
        lines.append(word.encode() + b" " + numbers)
    path.write_bytes(b"\n".join(lines) + b"\n")


def write_ipc(path: Path, x_nd: np.ndarray, *, ids: list | None = None, batch: int = 7, **options) -> None:
    """A column of lists as a file of Arrow, or as a stream."""
    table = pa.table({"vector": lists(x_nd)} | ({} if ids is None else {"id": pa.array(ids)}))
    new = pa.ipc.new_file if path.suffix in (".feather", ".arrow") else pa.ipc.new_stream
    with new(str(path), table.schema, options=pa.ipc.IpcWriteOptions(**options)) as file:
        file.write_table(table, batch)


WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "x.npy": np.save,
    "fortran.npy": lambda path, x_nd: np.save(path, np.asfortranarray(x_nd)),
    "x.fvecs": write_vecs,
    "x.bvecs": write_vecs,
    "x.fbin": write_bin,
    "x.f16bin": write_bin,
    "wide.fbin": lambda path, x_nd: write_bin(path, x_nd, width=8),
    "x.u8bin": write_bin,
    "x.i8bin": write_bin,
    "x.parquet": write_parquet,
    "lists.parquet": lambda path, x_nd: write_parquet(path, x_nd, fixed=False, row_group_size=7),
    "x.feather": write_ipc,
    "x.arrow": lambda path, x_nd: write_ipc(path, x_nd, compression="lz4"),
    "x.arrows": lambda path, x_nd: write_ipc(path, x_nd, compression="zstd"),
    "x.ipc": write_ipc,
    "x.hdf5": write_hdf5,
    "x.h5": lambda path, x_nd: write_hdf5(path, x_nd, userblock_size=512),
    "chunks.hdf5": lambda path, x_nd: write_hdf5(path, x_nd, chunks=(4, 3), compression="gzip"),
    "x.csv": write_csv,
    "x.tsv": lambda path, x_nd: pd.DataFrame(x_nd).to_csv(path, index=False, sep="\t"),
    "x.txt": lambda path, x_nd: np.savetxt(path, x_nd, fmt="%.9g"),
    "x.npz": lambda path, x_nd: np.savez_compressed(path, x=x_nd),
    "x.jsonl": write_json_lines,
    "x.ndjson": write_json_lines,
    "x.sqlite": write_sqlite,
    "x.sqlite3": write_sqlite,
    "x.db": write_sqlite,
    "x.faiss": write_faiss,
    "x.index": write_faiss,
    "x.safetensors": lambda path, x_nd: write_safetensors(path, {"x": x_nd}),
}


def lists(x_nd: np.ndarray, kind: str = "list") -> pa.Array:
    """Rows as a column: ``list``, ``large`` or ``fixed``."""
    values, d = pa.array(x_nd.ravel()), x_nd.shape[1]
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(values, d)
    offsets = np.arange(len(x_nd) + 1) * d
    if kind == "large":
        return pa.LargeListArray.from_arrays(offsets.astype(np.int64), values)
    return pa.ListArray.from_arrays(offsets.astype(np.int32), values)


def save(folder: Path, *tables: pa.Table, batch: int = 10, options: pa.ipc.IpcWriteOptions | None = None) -> Path:
    """A table for each file, as the folder's own writer lays them out."""
    folder.mkdir(exist_ok=True)
    names = [f"data-{at:05}-of-{len(tables):05}.arrow" for at in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        with pa.ipc.new_stream(str(folder / name), table.schema, options=options) as stream:
            stream.write_table(table, batch)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0", "_format_columns": None}
    (folder / "state.json").write_text(json.dumps(state), "utf-8")
    (folder / "dataset_info.json").write_text("{}", "utf-8")
    return folder
