"""The same rows in every format, each written by the library that owns it, or by the format's public description."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import writers
from pyarrow import feather
from pyarrow import parquet as pq

Ids = Sequence[str]
Write = Callable[[Path, np.ndarray, Ids], object]
TEXT, WORDS, WHOLE, NONE = "any text", "texts without blanks", "whole numbers", "none"
FLOAT32, FLOAT64 = np.dtype("f4"), np.dtype("f8")


@dataclass(frozen=True)
class Format:
    """How rows are written, and what of them is kept."""

    write: Write
    ids: str = NONE
    kinds: str = "float32 float16 uint8 int8"  #: that it can hold, exactly
    as_kind: np.dtype | None = None  #: what they are read as; None: as they were
    keeps_bytes: bool = False  #: whether whole numbers that fit into a byte are read as bytes all the same
    shortest: bool = False  #: whether it has only as many digits as tell numbers of their kind apart
    key: str = ""  #: what names the vectors, where lists of whole numbers may be token ids
    distances: dict[str, Write] = field(default_factory=dict)  #: how those are written that state a distance
    beside: bool = False  #: whether the ids lie in a file beside it

    def holds(self, x_nd: np.ndarray) -> bool:
        return x_nd.dtype.name in self.kinds.split()

    def dtype(self, kind: np.dtype) -> np.dtype:
        """What the rows must be read as."""
        return kind if self.keeps_bytes and kind.kind in "iu" else self.as_kind or kind

    def ids_of(self, ids: Ids) -> list[str]:
        """The ids that a run must find."""
        if self.ids == WORDS:
            return list(map(underscored, ids))
        kept = self.ids == TEXT or (self.ids == WHOLE and whole(ids) is not None)
        return list(ids) if kept else [str(row) for row in range(len(ids))]

    def settings(self, path: Path, x_nd: np.ndarray) -> list[str]:
        """What a run must be told."""
        beside = [f"dataset.ids={path.with_suffix('.ids')}"] if self.beside else []
        return beside + ([f"dataset.key={self.key}"] if self.key and x_nd.dtype.kind in "iu" else [])


def whole(ids: Ids) -> np.ndarray | None:
    """Ids as numbers, where they are."""
    return np.array(ids, np.int64) if all(i.isdecimal() for i in ids) else None


def frame(x_nd: np.ndarray, ids: Ids) -> pd.DataFrame:
    """A column for each dimension."""
    return pd.DataFrame({"id": ids} | {f"d{at}": x_nd[:, at] for at in range(x_nd.shape[1])})


def listed(x_nd: np.ndarray, ids: Ids) -> pd.DataFrame:
    """A column of Python lists."""
    return pd.DataFrame({"id": ids, "vector": x_nd.tolist()})


def plain(path: Path, x_nd: np.ndarray, _: Ids) -> None:
    (writers.write_vecs if path.suffix.endswith("vecs") else writers.write_bin)(path, x_nd)


def hdf5(distance: str = "", **more) -> Write:
    def write(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
        with h5py.File(path, "w") as file:
            file.create_dataset("vectors", data=x_nd, **more)
            file.create_dataset("ids", data=list(ids), dtype=h5py.string_dtype())
            if distance:
                file.attrs["distance"] = distance

    return write


def parquet(column: Callable[[np.ndarray], pa.Array], **more) -> Write:
    def write(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
        pq.write_table(pa.table({"id": pa.array(ids), "vector": column(x_nd)}), path, **more)

    return write


def pandas_parquet(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    pd.DataFrame({"vector": list(x_nd)}, index=pd.Index(ids)).to_parquet(path)


def tensors(x_nd: np.ndarray) -> pa.Array:
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(x_nd))


def arrow_stream(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    table = pa.table({"id": pa.array(ids), "vector": writers.lists(x_nd)})
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table, 50)


def arrow_feather(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    feather.write_feather(pa.table({"id": pa.array(ids), "vector": writers.lists(x_nd, "fixed")}), str(path))


def arrow_folder(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    half = len(ids) // 2
    tables = [
        pa.table({"id": pa.array(ids[a:b]), "vector": writers.lists(x_nd[a:b])}) for a, b in pairwise((0, half, None))
    ]
    writers.save(path, *tables)


def values(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), "utf-8")


def json_lines(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    rows = (json.dumps({"id": i, "embedding": row}) for i, row in zip(ids, x_nd.tolist(), strict=True))
    path.write_text("\n".join(rows), "utf-8")


def words(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    writers.write_words(path, x_nd, [underscored(i) for i in ids] if path.suffix == ".bin" else list(ids))


def underscored(word: str) -> str:
    """A word without blanks: in word2vec's binary format a blank ends it."""
    return word.replace(" ", "_")


def sqlite(value: Callable[[np.ndarray], object]) -> Write:
    def write(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
        path.unlink(missing_ok=True)
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE docs (id TEXT PRIMARY KEY, vector)")
        db.executemany("INSERT INTO docs VALUES (?, ?)", [(i, value(row)) for i, row in zip(ids, x_nd, strict=True)])
        db.commit()
        db.close()

    return write


def vec0(metric: str = "") -> Write:
    def write(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
        apsw, sqlite_vec = pytest.importorskip("apsw"), pytest.importorskip("sqlite_vec")
        path.unlink(missing_ok=True)
        db = apsw.Connection(str(path))
        db.enable_load_extension(True)
        db.load_extension(sqlite_vec.loadable_path())
        said = f" distance_metric={metric}" if metric else ""
        db.execute(f"CREATE VIRTUAL TABLE docs USING vec0(id TEXT PRIMARY KEY, vector float[{x_nd.shape[1]}]{said})")
        with db:
            blobs = [(i, row.astype("<f4").tobytes()) for i, row in zip(ids, x_nd, strict=True)]
            db.executemany("INSERT INTO docs (id, vector) VALUES (?, ?)", blobs)
        db.close()

    return write


def faiss(metric: str = "METRIC_Canberra") -> Write:
    def write(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
        library, numbers = pytest.importorskip("faiss"), whole(ids)
        index = library.IndexFlat(x_nd.shape[1], getattr(library, metric))
        rows_nd = np.ascontiguousarray(x_nd, np.float32)
        if numbers is None:
            index.add(rows_nd)
        else:
            index = library.IndexIDMap(index)
            index.add_with_ids(rows_nd, numbers)
        library.write_index(index, str(path))

    return write


def safetensors(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    numbers = whole(ids)
    writers.write_safetensors(path, {"vectors": x_nd} | ({} if numbers is None else {"ids": numbers}))


def shards(suffix: str, write: Write) -> Write:
    """A folder of three files, the last of them shorter."""

    def written(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
        path.mkdir(exist_ok=True)
        third = -(-len(ids) // 3)
        for at in range(3):
            some = slice(at * third, (at + 1) * third)
            write(path / f"part-{at}{suffix}", x_nd[some], ids[some])

    return written


def compressed(write: Write) -> Write:
    """The file below the ending ``.gz`` or ``.zst``, packed."""

    def written(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
        inner = path.with_suffix("")
        write(inner, x_nd, ids)
        content = inner.read_bytes()
        inner.unlink()
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(content))
        else:
            with pa.CompressedOutputStream(str(path), "zstd") as stream:
                stream.write(content)

    return written


def npy(path: Path, x_nd: np.ndarray, _: Ids) -> None:
    np.save(path, x_nd)


def npy_beside(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    np.save(path, x_nd)
    path.with_suffix(".ids").write_text("".join(f"{i}\n" for i in ids), "utf-8")


def npz(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    np.savez(path, vectors=x_nd, ids=np.array(ids))


def wide_csv(**more) -> Write:
    return lambda path, x_nd, ids: frame(x_nd, ids).to_csv(path, index=False, **more)


def list_csv(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    listed(x_nd, ids).to_csv(path, index=False)


def glove(path: Path, x_nd: np.ndarray, ids: Ids) -> None:
    writers.write_words(path, x_nd, list(ids), header=False)


_HDF5 = ("dot", "euclidean", "cosine")
_FAISS = {"dot": "METRIC_INNER_PRODUCT", "euclidean": "METRIC_L2"}
_VEC0 = {"cosine": "cosine", "euclidean": "L2"}

FORMATS: dict[str, Format] = {
    "x.npy": Format(npy),
    "beside.npy": Format(npy_beside, TEXT, beside=True),
    "x.npz": Format(npz, TEXT),
    "x.fbin": Format(plain, as_kind=FLOAT32),
    "x.f16bin": Format(plain, kinds="float16"),
    "x.u8bin": Format(plain, kinds="uint8"),
    "x.i8bin": Format(plain, kinds="int8"),
    "x.fvecs": Format(plain, as_kind=FLOAT32),
    "x.bvecs": Format(plain, kinds="uint8"),
    "x.hdf5": Format(hdf5(), TEXT, distances={x: hdf5(x) for x in _HDF5}),
    "chunked.h5": Format(hdf5(chunks=(16, 8), compression="gzip", shuffle=True, fletcher32=True), TEXT),
    "list.parquet": Format(parquet(writers.lists), TEXT),
    "fixed.parquet": Format(parquet(lambda x_nd: writers.lists(x_nd, "fixed"), row_group_size=50), TEXT),
    "large.parquet": Format(parquet(lambda x_nd: writers.lists(x_nd, "large"), compression="zstd"), TEXT),
    "tensor.parquet": Format(parquet(tensors), TEXT),
    "wide.parquet": Format(lambda path, x_nd, ids: frame(x_nd, ids).to_parquet(path), TEXT),
    "pandas.parquet": Format(pandas_parquet, TEXT),
    "blob.parquet": Format(
        parquet(lambda x_nd: pa.array([row.astype("<f4").tobytes() for row in x_nd])), TEXT, as_kind=FLOAT32
    ),
    "text.parquet": Format(
        parquet(lambda x_nd: pa.array(map(str, x_nd.tolist()))), TEXT, as_kind=FLOAT64, key="vector"
    ),
    "x.feather": Format(arrow_feather, TEXT),
    "x.ipc": Format(arrow_feather, TEXT),
    "x.arrow": Format(arrow_stream, TEXT),
    "x.arrows": Format(arrow_stream, TEXT),
    "folder/": Format(arrow_folder, TEXT),
    "wide.csv": Format(wide_csv(), TEXT, as_kind=FLOAT64, shortest=True),
    "list.csv": Format(list_csv, TEXT, as_kind=FLOAT64, key="vector"),
    "semicolons.csv": Format(wide_csv(sep=";", decimal=","), TEXT, as_kind=FLOAT64, shortest=True),
    "x.tsv": Format(wide_csv(sep="\t"), TEXT, as_kind=FLOAT64, shortest=True),
    "x.txt": Format(lambda path, x_nd, _: np.savetxt(path, x_nd), as_kind=FLOAT64),
    "glove.txt": Format(glove, TEXT, as_kind=FLOAT64),
    "map.json": Format(
        lambda path, x_nd, ids: values(path, dict(zip(ids, x_nd.tolist(), strict=True))),
        TEXT,
        as_kind=FLOAT64,
    ),
    "rows.json": Format(
        lambda path, x_nd, ids: values(path, listed(x_nd, ids).to_dict("records")),
        TEXT,
        as_kind=FLOAT64,
        keeps_bytes=True,
    ),
    "columns.json": Format(
        lambda path, x_nd, ids: values(path, {"ids": list(ids), "embeddings": x_nd.tolist()}),
        TEXT,
        as_kind=FLOAT64,
        keeps_bytes=True,
    ),
    "list.json": Format(lambda path, x_nd, _: values(path, x_nd.tolist()), as_kind=FLOAT64),
    "x.jsonl": Format(json_lines, TEXT, as_kind=FLOAT64, keeps_bytes=True),
    "x.ndjson": Format(json_lines, TEXT, as_kind=FLOAT64, keeps_bytes=True),
    "x.vec": Format(words, TEXT, as_kind=FLOAT64),
    "x.bin": Format(words, WORDS, as_kind=FLOAT32),
    "blob.sqlite": Format(sqlite(lambda row: row.astype("<f4").tobytes()), TEXT, as_kind=FLOAT32),
    "double.sqlite3": Format(sqlite(lambda row: row.astype("<f8").tobytes()), TEXT, as_kind=FLOAT64),
    "text.db": Format(sqlite(lambda row: json.dumps(row.tolist())), TEXT, as_kind=FLOAT64),
    "vec0.sqlite": Format(vec0(), TEXT, as_kind=FLOAT32, distances={x: vec0(own) for x, own in _VEC0.items()}),
    "x.faiss": Format(faiss(), WHOLE, as_kind=FLOAT32, distances={x: faiss(own) for x, own in _FAISS.items()}),
    "x.index": Format(faiss(), WHOLE, as_kind=FLOAT32),
    "x.safetensors": Format(safetensors, WHOLE),
    "npy-shards": Format(shards(".npy", npy)),
    "parquet-shards": Format(shards(".parquet", parquet(writers.lists)), TEXT),
    "jsonl-shards": Format(shards(".jsonl", json_lines), TEXT, as_kind=FLOAT64, keeps_bytes=True),
    "x.npy.gz": Format(compressed(npy)),
    "wide.csv.gz": Format(compressed(wide_csv()), TEXT, as_kind=FLOAT64, shortest=True),
    "x.vec.gz": Format(compressed(words), TEXT, as_kind=FLOAT64),
    "x.fbin.zst": Format(compressed(plain), as_kind=FLOAT32),
    "x.jsonl.zst": Format(compressed(json_lines), TEXT, as_kind=FLOAT64, keeps_bytes=True),
    "list.parquet.zst": Format(compressed(parquet(writers.lists)), TEXT),
}
