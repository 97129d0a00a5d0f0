"""Every format gives the vectors that were written, whatever is read of them, and says what is wrong with a file."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from writers import WRITERS, write_bin, write_csv, write_hdf5, write_parquet

from vqbench.cli.main import main
from vqbench.datasets import unpacking
from vqbench.datasets.base import Data, Source
from vqbench.datasets.file import File
from vqbench.datasets.formats import read, readers_by_ending
from vqbench.datasets.prepare import prepare
from vqbench.datasets.readers.base import FOLDER, Wanted
from vqbench.errors import VqbenchError
from vqbench.storage import raw_rows, vectors
from vqbench.storage.raw_rows import RawRows

RNG = np.random.default_rng(0)
BYTES = RNG.integers(1, 100, (37, 5)).astype(np.uint8)  # what every format can hold
IDS = [f"é{row}" for row in range(len(BYTES))]


def test_every_ending_is_written_here() -> None:
    assert {Path(name).suffix for name in WRITERS} | {".json", ".vec", ".bin", FOLDER} == set(readers_by_ending())


@pytest.mark.parametrize("kept", [0, unpacking.KEPT])
@pytest.mark.parametrize("name", WRITERS)
def test_slices_and_gathers_are_those_of_the_array(
    name: str, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unsorted, repeated and negative row numbers too; reads that end at a tiny span and leap over gaps."""
    monkeypatch.setattr(unpacking, "KEPT", kept)
    monkeypatch.setattr(raw_rows, "_SPAN", 40)
    path = tmp_path / name
    WRITERS[name](path, BYTES)
    rows_nd = read(path, Wanted()).rows_nd
    assert (rows_nd.shape, rows_nd.ndim, len(rows_nd)) == (BYTES.shape, 2, len(BYTES))
    for gap in (0, 12, 4096):
        monkeypatch.setattr(raw_rows, "_GAP", gap)
        for picked in (slice(None), slice(3, 9), slice(-5, None), slice(9, 3), slice(30, 99), slice(1, 30, 4)):
            np.testing.assert_array_equal(rows_nd[picked], BYTES[picked])
        for rows in ([5, 1, 1, 36, 0, 7, 6, 5], [-1, 3], [0], [], list(range(37)), RNG.integers(0, 37, 200)):
            rows = np.array(rows, dtype=np.int64)
            np.testing.assert_array_equal(rows_nd[rows], BYTES[rows])
    if isinstance(rows_nd, RawRows):
        with pytest.raises(IndexError):
            rows_nd[np.array([37])]


NUMBERS = st.sampled_from(["<f2", ">f2", "<f4", ">f4", "<f8", "i1", "u1", "<i2", ">i4", "<u8"])
FEW = settings(max_examples=40)
TABLES = NUMBERS.flatmap(
    lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))
)


@FEW
@given(x_nd=TABLES, fortran=st.booleans(), rows=st.lists(st.integers(0, 8)))
def test_npy_of_any_dtype_and_shape(tmp_path: Path, x_nd: np.ndarray, fortran: bool, rows: list[int]) -> None:
    np.save(tmp_path / "x.npy", np.asfortranarray(x_nd) if fortran else x_nd)
    rows_nd = read(tmp_path / "x.npy", Wanted()).rows_nd
    picked = np.array([row % len(x_nd) for row in rows], dtype=np.int64)
    assert rows_nd.dtype == x_nd.dtype
    assert rows_nd[:].tobytes() == x_nd.tobytes()
    assert rows_nd[picked].tobytes() == x_nd[picked].tobytes()


@FEW
@given(x_nd=TABLES, chunked=st.booleans())
def test_hdf5_of_any_dtype_and_shape(tmp_path: Path, x_nd: np.ndarray, chunked: bool) -> None:
    write_hdf5(tmp_path / "x.h5", x_nd, chunks=True if chunked else None)
    found_nd = read(tmp_path / "x.h5", Wanted(key="train")).rows_nd[:]
    assert found_nd.astype(x_nd.dtype).tobytes() == x_nd.tobytes()


@FEW
@given(x_nd=TABLES, fixed=st.booleans(), group=st.integers(1, 9))
def test_parquet_of_any_dtype_and_shape(tmp_path: Path, x_nd: np.ndarray, fixed: bool, group: int) -> None:
    x_nd = x_nd.astype(x_nd.dtype.newbyteorder("="))
    write_parquet(tmp_path / "x.parquet", x_nd, fixed=fixed, row_group_size=group)
    assert read(tmp_path / "x.parquet", Wanted(key="vector")).rows_nd[:].tobytes() == x_nd.tobytes()


@FEW
@given(x_nd=hnp.arrays(np.float32, (3, 2), elements=st.floats(0.015625, 0.9375, width=32)))
def test_csv_gives_the_floats_that_were_written(tmp_path: Path, x_nd: np.ndarray) -> None:
    write_csv(tmp_path / "x.csv", x_nd.astype(np.float64))
    np.testing.assert_array_equal(read(tmp_path / "x.csv", Wanted()).rows_nd[:], x_nd.astype(np.float64))


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ({"index": False}, None),
        ({}, [*map(str, range(20))]),
        ({"header": False}, [*map(str, range(20))]),
        ({"header": [f"e{at}" for at in range(5)]}, [*map(str, range(20))]),
        ({"index_label": "doc"}, [*map(str, range(20))]),
        ({"index_label": "doc", "header": [f"e{at}" for at in range(5)]}, [*map(str, range(20))]),
    ],
)
def test_csv_as_pandas_writes_it(tmp_path: Path, options: dict, ids: list[str] | None) -> None:
    """Numbers above the columns are no vector, and numbers of the rows no dimension."""
    x_nd = np.random.default_rng(0).standard_normal((20, 5))
    pd.DataFrame(x_nd).to_csv(tmp_path / "x.csv", **options)
    content = read(tmp_path / "x.csv", Wanted())
    np.testing.assert_array_equal(content.rows_nd[:], x_nd)
    assert (None if content.ids is None else list(content.ids)) == ids


def test_csv_of_one_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("7\n8\n")
    with pytest.raises(VqbenchError, match="row 1: '7': needs rows of two numbers or more"):
        read(tmp_path / "x.csv", Wanted())
    (tmp_path / "y.csv").write_text("a,b,c\nx,1,2\n")
    with pytest.raises(VqbenchError, match="dataset.id_column=doc: no such column"):
        read(tmp_path / "y.csv", Wanted(id_column="doc"))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("1,2\n3,4\n", None),
        ("a,b\n1,2\n3,4", None),
        ("id,a,b\n7,1,2\n8,3,4\n", ["7", "8"]),
        ("name,a,b\nNA,1,2\n,3,4\n", ["NA", ""]),
        ("x,1,2\ny,3,4\n", ["x", "y"]),
        ('\ufeffid,a,b\r\n"x, y",1,2\r\n007,3,4\r\n', ["x, y", "007"]),
    ],
)
def test_csv_with_and_without_header_and_ids(tmp_path: Path, text: str, ids: list[str] | None) -> None:
    (tmp_path / "x.csv").write_text(text, "utf-8", newline="")
    content = read(tmp_path / "x.csv", Wanted())
    np.testing.assert_array_equal(content.rows_nd[:], [[1, 2], [3, 4]])
    assert (None if content.ids is None else list(content.ids)) == ids


def test_rows_in_a_file_are_sent_as_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those in a scratch file, which the copy does not keep alive."""
    monkeypatch.setattr(unpacking, "KEPT", 0)
    for name in ("x.fvecs", "x.parquet"):
        WRITERS[name](tmp_path / name, np.repeat(BYTES, 100, axis=0))
        rows_nd = read(tmp_path / name, Wanted()).rows_nd
        assert isinstance(rows_nd, RawRows)
        sent = pickle.dumps(rows_nd)
        assert len(sent) < 1000
        np.testing.assert_array_equal(pickle.loads(sent)[100:200], np.repeat(BYTES[1:2], 100, axis=0))
        del rows_nd
        if name == "x.parquet":
            with pytest.raises(FileNotFoundError):
                pickle.loads(sent)[:1]


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.fbin"
    write_bin(path, BYTES)
    rows_nd = read(path, Wanted()).rows_nd
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(VqbenchError, match=r"x\.fbin: has changed since it was opened"):
        rows_nd[:1]


def _data(path: Path, **fields) -> Data:
    source = File(path=str(path), **fields).load()
    return prepare(source, "test", queries="self", n_queries=5, normalize=True)


def test_ids_of_a_column(tmp_path: Path) -> None:
    for ids in (IDS, list(range(100, 137))):
        write_parquet(tmp_path / "x.parquet", BYTES, ids=ids)
        assert _data(tmp_path / "x.parquet").ids == [str(i) for i in ids]
    table = pq.read_table(tmp_path / "x.parquet").append_column("name", pa.array(IDS)).append_column(
        "other", pq.read_table(tmp_path / "x.parquet")["vector"])  # fmt: skip
    pq.write_table(table, tmp_path / "x.parquet")
    assert _data(tmp_path / "x.parquet", key="vector", id_column="name").ids == IDS
    for fields, words in (
        ({}, r"columns vector .*, other .*: more than one column could hold the vectors; .* dataset.key=vector$"),
        ({"key": "name"}, r"dataset.key=name: this column is text: it could be: vector \(lists of uint8\), other"),
        ({"key": "no"}, "dataset.key=no: no such column"),
        ({"key": "vector", "id_column": "no"}, "dataset.id_column=no: no such column: it could be: "),
    ):
        with pytest.raises(VqbenchError, match=words):
            _data(tmp_path / "x.parquet", **fields)


def test_an_hdf5_file_brings_its_queries(tmp_path: Path) -> None:
    path = tmp_path / "x.hdf5"
    with h5py.File(path, "w") as file:
        file["train"], file["test"], file["more/deep"] = BYTES, BYTES[:3] + 1, BYTES[::2]
    source = File(path=str(path)).load()
    assert source.queries_qd is not None
    np.testing.assert_array_equal(source.queries_qd[:], BYTES[:3] + 1)
    np.testing.assert_array_equal(File(path=str(path), key="more/deep").load().corpus_nd[:], BYTES[::2])
    np.save(tmp_path / "x.npy", BYTES)
    apart = File(path=str(tmp_path / "x.npy"), queries=str(path)).load()
    assert apart.queries_qd is not None
    np.testing.assert_array_equal(apart.queries_qd[:], BYTES[:3] + 1)


def test_the_same_vectors_have_the_same_fingerprint_and_keys_in_every_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = prepare(Source("here", BYTES), "test", queries="self", n_queries=5, normalize=True)
    for kept in (0, 64 * 2**20):
        monkeypatch.setattr(unpacking, "KEPT", kept)
        monkeypatch.setattr(vectors, "_KEPT", kept)
        for name, writer in WRITERS.items():
            writer(tmp_path / name, BYTES)
            data = _data(tmp_path / name)
            assert data.fingerprint == wanted.fingerprint, name
            np.testing.assert_array_equal(data.keys_n, wanted.keys_n)
            np.testing.assert_array_equal(data.queries_qd, wanted.queries_qd)
            np.testing.assert_array_equal(data.corpus.block(3, 30), wanted.corpus.block(3, 30))


@pytest.mark.slow
def test_the_same_vectors_give_the_same_table_in_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """metrics.csv byte for byte, whether rows are kept in memory or read again."""
    monkeypatch.chdir(tmp_path)
    Path("ids.txt").write_text("\n".join(IDS), "utf-8")
    tables = {}
    for name, writer in WRITERS.items():
        path = Path(name)
        writer(path, BYTES)
        if name in ("x.fvecs", "chunks.hdf5"):
            monkeypatch.setattr("vqbench.storage.vectors._KEPT", 0)
            monkeypatch.setattr(unpacking, "KEPT", 0)
        told = ["dataset=file", f"dataset.path={name}", "dataset.name=same", "dataset.ids=ids.txt", "n_queries=9"]
        told += ["quantizer=[offset_int8,binary_mean]", "metric=[overlap,mse]", "k=[5]", "oversample=[0]"]
        few = ["figures=false", "report=false", "doctor=false", "cache=off", f"out=of-{name}"]
        assert main([*told, *few]) == 0
        tables[name] = Path(f"of-{name}", "metrics.csv").read_bytes()
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
    assert len(set(tables.values())) == 1
    assert b"offset_int8" in tables["x.npy"]
