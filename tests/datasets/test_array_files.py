"""Arrays side by side in one file: which are vectors, queries, ids, texts and labels, in .npz, HDF5 and safetensors."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writers import write_safetensors

from vqbench.datasets.file import File
from vqbench.datasets.formats import read
from vqbench.datasets.prepare import prepare
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.errors import VqbenchError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)).astype(np.float32)
Q = RNG.normal(size=(9, 6)).astype(np.float32)
IDS = [f"dök-{row}" for row in range(40)]


def _hdf5(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array.tolist() if array.dtype.kind == "U" else array


WRITE: dict[str, Callable[[Path, dict[str, np.ndarray]], None]] = {
    "x.npz": lambda path, arrays: np.savez(path, **arrays),
    "packed.npz": lambda path, arrays: np.savez_compressed(path, **arrays),
    "x.h5": _hdf5,
    "x.safetensors": write_safetensors,
}
WITH_TEXT = [name for name in WRITE if not name.endswith(".safetensors")]


def _read(folder: Path, name: str, arrays: dict[str, np.ndarray], **wanted: str) -> Content:
    WRITE[name](folder / name, arrays)
    return read(folder / name, Wanted(**wanted))


def _refused(folder: Path, name: str, arrays: dict[str, np.ndarray], **wanted: str) -> str:
    with pytest.raises(VqbenchError) as error:
        _read(folder, name, arrays, **wanted)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", WITH_TEXT)
@pytest.mark.parametrize("kind", ["U", "S"])
def test_texts_beside_vectors_are_ids(tmp_path: Path, name: str, kind: str) -> None:
    ids = np.array(IDS) if kind == "U" else np.array([i.encode() for i in IDS])
    content = _read(tmp_path, name, {"ids": ids, "embeddings": X, "label": np.arange(40) % 3})
    np.testing.assert_array_equal(content.rows_nd[:], X)
    assert content.ids is not None
    assert list(content.ids) == IDS
    assert content.taken.endswith("'embeddings' (float32, 40 x 6), ids from 'ids'; not used: label (int64, 40)")
    content = _read(tmp_path, name, {"ids": ids, "embeddings": X}, id_column="none")
    assert content.ids is None


@pytest.mark.parametrize("name", WRITE)
@pytest.mark.parametrize("kind", [np.int32, np.uint64, np.float64, np.float16])
def test_numbers_that_are_whole_are_ids(tmp_path: Path, name: str, kind: type) -> None:
    content = _read(tmp_path, name, {"x": X, "doc_id": np.arange(40).astype(kind) + 7})
    assert content.ids is not None
    assert list(content.ids) == [str(row + 7) for row in range(40)]
    if kind == np.float64:
        message = _refused(tmp_path, name, {"x": X, "doc_id": np.arange(40) + 0.5})
        assert "doc_id, row 0: 0.5: ids must be texts or whole numbers" in message
        assert "id, row 3: nan" in _refused(tmp_path, name, {"x": X, "id": np.where(np.arange(40) == 3, np.nan, 1.0)})


@pytest.mark.parametrize("name", WRITE)
@pytest.mark.parametrize(
    ("rows", "queries"),
    [("docs", "queries"), ("train", "test"), ("corpus", "queries"), ("xb", "xq"), ("base", "query")],
)
def test_a_usual_pair_is_recognised(tmp_path: Path, name: str, rows: str, queries: str) -> None:
    """In either order, and with ids for each."""
    arrays = {queries: Q, rows: X, f"{queries}_ids": np.arange(9) + 50, "ids": np.arange(40) + 100}
    content = _read(tmp_path, name, arrays)
    assert content.queries_qd is not None
    np.testing.assert_array_equal(content.rows_nd[:], X)
    np.testing.assert_array_equal(content.queries_qd[:], Q)
    assert list(content.ids or ()) == [str(row + 100) for row in range(40)]
    assert list(content.query_ids or ()) == [str(row + 50) for row in range(9)]
    assert f"queries from '{queries}'" in content.taken
    content = read(tmp_path / name, Wanted(queries=True))
    np.testing.assert_array_equal(content.rows_nd[:], Q)


@pytest.mark.parametrize("name", WRITE)
def test_a_key_for_each_side(tmp_path: Path, name: str) -> None:
    arrays = {"title": X, "body": X[::-1] * 2, "asked": Q}
    message = _refused(tmp_path, name, arrays)
    assert all(f"{array} (float32" in message for array in arrays)
    assert "dataset.key=" in message
    data = File(path=str(tmp_path / name), key="body", queries_key="asked").load()
    assert data.queries_qd is not None
    np.testing.assert_array_equal(data.corpus_nd[:], X[::-1] * 2)
    np.testing.assert_array_equal(data.queries_qd[:], Q)
    message = _refused(tmp_path, name, arrays, key="titel")
    assert all(array in message for array in ("titel", *arrays))


@pytest.mark.parametrize("name", WRITE)
def test_floats_come_before_whole_numbers(tmp_path: Path, name: str) -> None:
    tokens, mask = RNG.integers(0, 30000, (40, 128)), np.ones((40, 128), np.int64)
    content = _read(tmp_path, name, {"input_ids": tokens, "emb": X, "attention_mask": mask})
    np.testing.assert_array_equal(content.rows_nd[:], X)
    content = _read(tmp_path, name, {"emb": X, "scores": X[:, :1]})  # a column of numbers is no vector beside others
    np.testing.assert_array_equal(content.rows_nd[:], X)
    message = _refused(tmp_path, name, {"input_ids": tokens})
    assert "whole numbers may be token ids" in message
    content = _read(tmp_path, name, {"input_ids": tokens}, key="input_ids")
    np.testing.assert_array_equal(content.rows_nd[:], tokens)
    content = _read(tmp_path, name, {"emb": X, "onehot": np.eye(40, dtype=np.float32)})
    np.testing.assert_array_equal(content.rows_nd[:], X)
    assert "emb" in _refused(tmp_path, name, {"emb": X.astype(np.int8), "onehot": np.eye(40, dtype=np.float32)})
    np.testing.assert_array_equal(_read(tmp_path, name, {"emb": X, "seen": X > 0}).rows_nd[:], X)


@pytest.mark.parametrize("name", WRITE)
def test_distances_of_neighbours_are_no_vectors(tmp_path: Path, name: str) -> None:
    lists = {"knns": RNG.integers(0, 40, (9, 12)), "dists": RNG.random((9, 12)).astype(np.float32)}
    assert "dists (float32, 9 x 12)" not in (message := _refused(tmp_path, name, lists))
    assert "knns" in message
    np.testing.assert_array_equal(_read(tmp_path, name, {"emb": X, **lists}).rows_nd[:], X)


@pytest.mark.parametrize("name", WRITE)
@pytest.mark.parametrize("kind", [ml_dtypes.bfloat16, np.bool_, np.uint8, np.float16])
def test_every_kind_of_number_that_is_read(tmp_path: Path, name: str, kind: type) -> None:
    x_nd = (np.abs(X) * 9 + 1).astype(kind) if kind is not np.bool_ else X > 0.1
    content = _read(tmp_path, name, {"x": x_nd[:, None, :], "more": np.arange(3)})
    assert content.rows_nd.dtype == x_nd.dtype
    np.testing.assert_array_equal(content.rows_nd[:].astype(np.float32), x_nd.astype(np.float32))
    data = prepare(File(path=str(tmp_path / name)).load(), "x", queries="self", n_queries=None, normalize=False,
                   on_bad_rows="drop")  # fmt: skip
    some_n = (x_nd != 0).any(axis=1)
    np.testing.assert_array_equal(data.corpus.raw(0, data.corpus.n), x_nd[some_n].astype(np.float32))


@pytest.mark.parametrize("name", WITH_TEXT)
def test_texts_and_labels_are_values_of_other_arrays(tmp_path: Path, name: str) -> None:
    arrays = {"x": X, "title": np.array(["a", "b"] * 20), "group": np.arange(40) % 4, "short": np.arange(3)}
    content = _read(tmp_path, name, arrays, texts="title", labels="group")
    assert list(content.texts or ()) == ["a", "b"] * 20
    assert list(content.labels or ()) == [str(row % 4) for row in range(40)]
    assert "short" in _refused(tmp_path, name, arrays, labels="short")
    assert "dataset.texts=x" in _refused(tmp_path, name, arrays, texts="x")


def test_texts_that_are_no_unicode_are_refused(tmp_path: Path) -> None:
    ids = np.array(["ab", "cd"] * 20)
    ids.view(np.uint32)[5] = 0x8000E9
    assert "cannot be read as .npz (a text that is no Unicode)" in _refused(tmp_path, "x.npz", {"x": X, "ids": ids})
    latin = np.array([f"dök{row}".encode("latin-1") for row in range(40)])
    for name in ("x.npz", "x.h5"):
        assert "cannot be read as" in _refused(tmp_path, name, {"x": X, "ids": latin})


@pytest.mark.parametrize("name", WRITE)
def test_ids_that_repeat_name_what_would_do(tmp_path: Path, name: str) -> None:
    arrays = {"x": X, "doc_id": np.arange(40) // 4, "chunk": np.arange(40) + 9}
    message = _refused(tmp_path, name, arrays)
    assert "'0' occurs in rows 0 and 1" in message
    assert "dataset.id_column=chunk" in message
    content = _read(tmp_path, name, arrays, id_column="chunk")
    assert list(content.ids or ()) == [str(row + 9) for row in range(40)]


@pytest.mark.parametrize("name", ["x.npz", "x.h5"])
def test_a_vector_for_each_name_is_refused_with_a_command_that_puts_them_together(tmp_path: Path, name: str) -> None:
    message = _refused(tmp_path, name, {f"doc{row}": x for row, x in enumerate(X)})
    assert "40 " in message
    assert "s of 6 numbers each: needs all vectors in one" in message
    command = re.search(r'python -c ".*?"', message)
    assert command is not None
    done = subprocess.run([sys.executable, *shlex.split(command[0])[1:]], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    content = read(tmp_path / "rows.npz", Wanted())
    order = [int(i.removeprefix("doc")) for i in content.ids or ()]
    assert sorted(order) == list(range(40))
    np.testing.assert_array_equal(content.rows_nd[:], X[order])


SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
KINDS = st.sampled_from(["<f4", "<f8", "<f2", "u1", "i1", "<i4", "<i8", "?"])
ARRAYS = st.dictionaries(st.text("abcxyz_0", min_size=1, max_size=4), st.tuples(SHAPES, KINDS), min_size=1, max_size=4)


@settings(max_examples=40)
@given(arrays=ARRAYS, name=st.sampled_from(["x.npz", "x.h5", "x.safetensors"]))
def test_any_arrays_are_read_as_they_were_written_or_refused(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict, name: str
) -> None:
    made = {
        key: (np.arange(np.prod(shape)).reshape(shape) % 100 + 1).astype(kind) for key, (shape, kind) in arrays.items()
    }
    tables = {key: x for key, x in made.items() if x.ndim == 2 or (x.ndim == 3 and x.shape[1] == 1)}
    path = tmp_path_factory.mktemp("x")
    for key, x in tables.items():
        content = _read(path, name, made, key=key, id_column="none") if _is_vector(x, tables) else None
        if content is not None:
            assert content.rows_nd[:].tobytes() == x.tobytes()
            assert content.rows_nd.dtype == x.dtype
    try:
        content = _read(path, name, made, id_column="none")
    except VqbenchError:
        return
    assert any(content.rows_nd[:].tobytes() == x.tobytes() for x in tables.values())


def _is_vector(x: np.ndarray, tables: dict[str, np.ndarray]) -> bool:
    return x.shape[-1] > 1 or all(other.shape[-1] == 1 for other in tables.values())


def test_groups_of_hdf5_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["a/b/embeddings"] = X
        file["a/b/ids"] = IDS
        file["a/again"] = file["a"]  # a group within itself
        file["same"] = file["a/b/embeddings"]  # two names of one table
        file["far"] = h5py.SoftLink("/a/b/embeddings")
        file.create_dataset("lists", (2,), h5py.vlen_dtype("f4"))
        file["records"] = np.array([(1, 2.0)] * 40, "i4,f4")
    content = read(path, Wanted())
    np.testing.assert_array_equal(content.rows_nd[:], X)
    assert "dataset 'a/b/embeddings' (float32, 40 x 6)" in content.taken
    assert "records (records of f0, f1, 40)" in content.taken
    assert "far (a link, which is not followed)" in content.taken
    assert "lists (lists of varying length)" in content.taken
    np.testing.assert_array_equal(read(path, Wanted(key="a/b/embeddings")).rows_nd[:], X)
    with pytest.raises(VqbenchError, match="'far' is a link"):
        read(path, Wanted(key="far"))


@pytest.mark.parametrize("more", [{}, {"chunks": (7,)}, {"chunks": (7,), "compression": "gzip", "shuffle": True}])
def test_texts_of_hdf5_in_chunks(tmp_path: Path, more: dict) -> None:
    for kind, ids in ((h5py.string_dtype(), IDS), ("S8", [i.encode() for i in IDS])):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["x"] = X
            file.create_dataset("id", data=ids, dtype=kind, **more)
        assert list(read(tmp_path / "x.h5", Wanted()).ids or ()) == IDS


def test_train_and_test_of_hdf5_are_taken_whatever_else_there_is(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["train"], file["test"], file["learn"], file["neighbors"] = X, Q, X[:5], np.zeros((9, 3), np.int32)
        file["distances"] = np.zeros((9, 3), np.float32)
    content = read(tmp_path / "x.h5", Wanted())
    assert (content.rows_nd.shape, len(content.queries_qd or ())) == ((40, 6), 9)
    assert content.stated_neighbours is not None
    np.testing.assert_array_equal(read(tmp_path / "x.h5", Wanted(queries=True)).rows_nd[:], Q)
    np.testing.assert_array_equal(read(tmp_path / "x.h5", Wanted(key="learn")).rows_nd[:], X[:5])
    with h5py.File(tmp_path / "y.h5", "w") as file:  # sets of any length, as one list of numbers
        file["train"], file["test"], file["neighbors"] = np.arange(9), np.arange(4), np.zeros((2, 3), np.int32)
        file["distances"] = np.zeros((2, 3), np.float32)
    with pytest.raises(VqbenchError, match="datasets with vectors: none"):
        read(tmp_path / "y.h5", Wanted())


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"x": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 28]}}, "bytes 0 to 28 of 24"),
        ({"x": {"dtype": "F32", "shape": [2, 3], "data_offsets": [-4, 20]}}, "bytes -4 to 20 of 24"),
        ({"x": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 24]}}, r"F32 \[2, 2\] in 24 bytes"),
        ({"x": {"dtype": "F32", "shape": [2.0, 3], "data_offsets": [0, 24]}}, "bytes 0 to 24 of 24"),
        ({"x": {"dtype": "F8_E4M3", "shape": [8, 3], "data_offsets": [0, 24]}}, "it has x .F8_E4M3, which is not read"),
        ([1], "cannot be read as .safetensors"),
        ({"x": 3}, "cannot be read as .safetensors"),
    ],
)
def test_safetensors_that_are_damaged(tmp_path: Path, header: object, words: str) -> None:
    head, path = json.dumps(header).encode(), tmp_path / "x.safetensors"
    path.write_bytes(len(head).to_bytes(8, "little") + head + bytes(24))
    with pytest.raises(VqbenchError, match=words):
        read(path, Wanted())
    path.write_bytes((2**60).to_bytes(8, "little") + head)
    with pytest.raises(VqbenchError, match="a header of 1152921504606846976 bytes in a file of"):
        read(path, Wanted())


def test_safetensors_as_its_library_writes_it(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    library.save_file({"embeddings": X, "ids": np.arange(40)}, tmp_path / "x.safetensors")
    content = read(tmp_path / "x.safetensors", Wanted())
    np.testing.assert_array_equal(content.rows_nd[:], X)
    assert list(content.ids or ()) == [str(row) for row in range(40)]
