"""What type of number bytes hold, and what stands beside vectors: never read as another type, never taken unnamed."""

from __future__ import annotations

import base64
import contextlib
import json
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vqbench.datasets.formats import read
from vqbench.datasets.number_bytes import number_types
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError

RNG = np.random.default_rng(3)
N, D = 24, 32
X = (RNG.standard_normal((N, D)) / np.sqrt(D)).astype("<f4")


def _bfloat16(rows: np.ndarray) -> np.ndarray:
    return (rows.astype("<f4").view("<u4") >> 16).astype("<u2")


def _of_bfloat16(rows: np.ndarray) -> np.ndarray:
    return (_bfloat16(rows).astype("<u4") << 16).view("<f4")


DATA: dict[str, np.ndarray] = {
    "unit": X,
    "of float16": X.astype("<f2"),
    "of bfloat16": _of_bfloat16(X),
    "small": X * 1e-3,
    "large": X * 1e6,
    "tiny": X * 1e-9,
    "zeros": np.maximum(X, 0),
    "sparse": X * (RNG.random(X.shape) < 0.1),
    "whole": RNG.integers(0, 256, (N, D)),
    "whole of 10 bits": RNG.integers(512, 1024, (N, D)),
    "fractions": RNG.integers(512, 4096, (N, D)) / 1024,
    "decimals": X.round(2),
    "signs": np.sign(X),
    "one-hot": np.eye(N, D),
    "one outlier": X * np.where(np.arange(D) == 3, 90, 1),
    "far from 0": X + 5,
    "all sizes": np.exp(3 * RNG.standard_normal((N, D))),
}


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("width", [4, 7, 32])
def test_float32_and_float64_of_any_scale_are_read_as_such(name: str, width: int) -> None:
    rows = DATA[name][:, :width]
    assert number_types([row.astype("<f4").tobytes() for row in rows]) == ("float32",)
    assert number_types([row.astype("<f8").tobytes() for row in rows]) == ("float64",)
    assert number_types([row.astype("<f4").astype("<f8").tobytes() for row in rows]) == ("float64",)


@pytest.mark.parametrize("scale", [0.1, 1, 4, 30])
def test_numbers_of_16_bits_are_told_from_float32(scale: float) -> None:
    for rows in (X, np.maximum(X, 0), np.abs(X)):
        assert number_types([row.astype("<f2").tobytes() for row in rows * scale]) == ("float16",)
        assert number_types([row.tobytes() for row in _bfloat16(rows * scale)]) == ("bfloat16",)
    signs = np.sign(X)
    assert set(number_types([row.tobytes() for row in _bfloat16(signs)])) == {"float16", "bfloat16"}


@pytest.mark.parametrize("content", [RNG.bytes(D * 8), b"a text of one or more lines\n" * 9, bytes(64), b""])
def test_other_bytes_are_no_numbers(content: bytes) -> None:
    rows = [content[at : at + 16] for at in range(0, len(content), 16)]
    assert number_types([row for row in rows if len(row) == 16]) == ()


def _parquet(path: Path, rows: list[bytes]) -> None:
    pq.write_table(pa.table({"id": list(range(N)), "emb": pa.array(rows, pa.binary())}), path)


def _sqlite(path: Path, rows: list[bytes]) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE docs (id INTEGER, emb BLOB)")
        db.executemany("INSERT INTO docs VALUES (?, ?)", enumerate(rows))
        db.commit()


def _json(path: Path, rows: list[bytes]) -> None:
    path.write_text(json.dumps([{"id": at, "emb": base64.b64encode(row).decode()} for at, row in enumerate(rows)]))


WRITERS: dict[str, Callable[[Path, list[bytes]], None]] = {"parquet": _parquet, "db": _sqlite, "json": _json}


def _key(ending: str) -> str:
    return "docs.emb" if ending == "db" else "emb"


@pytest.mark.parametrize("ending", WRITERS)
def test_float64_of_few_digits_keeps_its_dimensions(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"x.{ending}"
    for rows in (X.astype("<f2").astype("<f8"), np.rint(X * 100).astype("<f8"), X.astype("<f8")):
        WRITERS[ending](path, [row.tobytes() for row in rows])
        np.testing.assert_array_equal(read(path, Wanted()).rows_nd[:], rows)
        path.unlink()


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_numbers_of_16_bits_are_refused_with_a_line_that_works(ending: str, kind: str, tmp_path: Path) -> None:
    held = X.astype("<f2") if kind == "float16" else _bfloat16(X)
    meant = X.astype("<f2").astype("<f4") if kind == "float16" else _of_bfloat16(X)
    path = tmp_path / f"x.{ending}"
    WRITERS[ending](path, [row.tobytes() for row in held])
    with pytest.raises(VqbenchError, match=rf"32 numbers as {kind} \(16 as float32\)"):
        read(path, Wanted(key=_key(ending)))
    with pytest.raises(VqbenchError, match=rf"32 numbers as {kind} \(16 as float32\)") as error:
        read(path, Wanted())
    python, *arguments = shlex.split(str(error.value).partition("convert them: ")[2])
    assert python == "python"
    subprocess.run([sys.executable, *arguments], cwd=tmp_path, check=True)
    content = read(tmp_path / f"float32.{ending}", Wanted())
    np.testing.assert_array_equal(content.rows_nd[:], meant)
    assert list(content.ids or ()) == [str(at) for at in range(N)]


@pytest.mark.parametrize("ending", ["feather", "arrows", "folder"])
def test_the_line_works_for_all_tables_of_arrow(ending: str, tmp_path: Path) -> None:
    rows = pa.array([{"emb": row.astype("<f2").tobytes()} for row in X])
    table, path = pa.table({"id": list(range(N)), "meta": rows}), tmp_path / f"x.{ending}"
    if ending == "folder":
        path.mkdir()
        (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    inner = path / "data-00000-of-00001.arrow" if ending == "folder" else path
    write = pa.ipc.new_file if ending == "feather" else pa.ipc.new_stream
    with write(str(inner), table.schema) as file:
        file.write_table(table)
    with pytest.raises(VqbenchError, match="32 numbers as float16") as error:
        read(path, Wanted(key="meta.emb"))
    _, *arguments = shlex.split(str(error.value).partition("convert them: ")[2])
    subprocess.run([sys.executable, *arguments], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(read(tmp_path / "float32.parquet", Wanted()).rows_nd[:], X.astype("<f2"))


def _refused(path: Path, words: str, **wanted: Any) -> None:
    with pytest.raises(VqbenchError, match=words):
        read(path, Wanted(**wanted))


def test_labels_scores_and_masks_are_no_vectors_unless_named(tmp_path: Path) -> None:
    images, classes = RNG.integers(0, 256, (N, D), np.uint8), np.eye(N, 4, dtype=np.float32)
    path = tmp_path / "x.npz"
    np.savez(path, x_train=images, y_train=classes, x_test=images[:5], y_test=classes[:5])
    _refused(path, "x_train .*y_train .*labels, scores and masks.*key=x_train")
    assert read(path, Wanted(key="x_train", queries_key="x_test")).rows_nd.shape == (N, D)
    assert read(path, Wanted(key="y_train")).rows_nd.shape == (N, 4)
    np.savez(path, X=images, y=classes)
    _refused(path, "X .*, y .*key=X")
    np.savez(path, tokens=np.arange(N * D).reshape(N, D), probs=classes)
    _refused(path, "tokens .*, probs .*key=")
    np.savez(path, probs=classes)
    _refused(path, "array probs .*key=probs")
    np.savez(path, X=X, y=classes, scores=classes)
    assert read(path, Wanted()).rows_nd.shape == (N, D)
    np.savez(path, label_embeddings=X)
    assert read(path, Wanted()).rows_nd.shape == (N, D)


@pytest.mark.parametrize("mask", ["attention_mask", "token_type_ids", "special_tokens_mask", "bool_mask"])
def test_masks_beside_tokens_are_no_vectors(mask: str, tmp_path: Path) -> None:
    tokens = [np.arange(9) + row for row in range(N)]
    columns = {"input_ids": tokens, mask: pa.array([[1] * 9] * N, pa.list_(pa.int8()))}
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(columns), path)
    _refused(path, f"input_ids .*, {mask} .*masks.*key=input_ids")
    pq.write_table(pa.table(columns | {"embedding": list(X)}), path)
    assert read(path, Wanted()).rows_nd.shape == (N, D)


@pytest.mark.parametrize("varying", [True, False])
def test_sparse_vectors_are_no_dense_ones(varying: bool, tmp_path: Path) -> None:
    widths = [3 + at % 4 * varying for at in range(N)]
    sparse = [{"indices": [7 * at for at in range(d)], "values": [0.5 + at for at in range(d)]} for d in widths]
    records = [{"id": str(at), "sparse_values": one} for at, one in enumerate(sparse)]
    dense = [one | {"values": row.tolist()} for one, row in zip(records, X, strict=True)]
    table, text = tmp_path / "x.parquet", tmp_path / "x.json"
    pq.write_table(pa.table({"sp": sparse}), table)
    _refused(table, "vectors: none; .*sp.values .part of sparse vectors")
    _refused(table, "this column is part of sparse vectors", key="sp.values")
    text.write_text(json.dumps(records))
    _refused(text, "vectors: none; .*sparse_values.values .part of sparse vectors")
    text.write_text(json.dumps({"vectors": records}))
    _refused(text, "vectors: none; .*part of sparse vectors")
    pq.write_table(pa.table({"sp": sparse, "emb": list(X)}), table)
    np.testing.assert_array_equal(read(table, Wanted()).rows_nd[:], X)
    text.write_text(json.dumps(dense))
    np.testing.assert_array_equal(read(text, Wanted()).rows_nd[:], X)
