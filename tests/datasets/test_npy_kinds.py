"""What numpy saves that is no table of plain numbers: read where it means one thing, else refused with a command."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from vqbench.datasets.file import File
from vqbench.datasets.formats import read
from vqbench.datasets.prepare import prepare
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError

X = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("kind", [ml_dtypes.bfloat16, np.bool_, np.float16, np.int8])
@pytest.mark.parametrize("shape", [(12, 4), (12, 1, 4), (12, 1, 1)])
def test_kinds_and_shapes(tmp_path: Path, kind: type, shape: tuple[int, ...], fortran: bool) -> None:
    x = (X * 9)[:, : shape[-1]].astype(kind).reshape(shape)
    np.save(tmp_path / "x.npy", np.asfortranarray(x) if fortran else x)
    content = read(tmp_path / "x.npy", Wanted())
    assert content.rows_nd.dtype == x.dtype
    np.testing.assert_array_equal(content.rows_nd[:].astype("f4"), x.reshape(12, -1).astype("f4"))
    np.testing.assert_array_equal(
        content.rows_nd[np.array([3, 1])].astype("f4"), x.reshape(12, -1)[[3, 1]].astype("f4")
    )
    data = prepare(File(path=str(tmp_path / "x.npy")).load(), "x", queries="self", n_queries=2, normalize=True,
                   on_bad_rows="drop")  # fmt: skip
    assert data.corpus.block(0, data.corpus.n).dtype == np.float32


def _records(vector: bool) -> np.ndarray:
    kinds = [("id", "i8"), ("vec", "f4", (4,))] if vector else [(f"d{at}", "f4") for at in range(4)]
    records = np.zeros(12, kinds)
    for at in range(4):
        if vector:
            records["vec"][:, at] = X[:, at]
        else:
            records[f"d{at}"] = X[:, at]
    return records


def _objects() -> np.ndarray:
    rows = np.empty(12, object)
    for at, row in enumerate(X):
        rows[at] = row.tolist()
    return rows


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (_objects(), r"holds Python objects, shape \(12,\): they are not loaded"),
        (_records(vector=True), "dtype records of id, vec: vectors must be"),
        (_records(vector=False), "records of d0, d1, d2, d3"),
        (X.astype("U20"), "dtype text: vectors must be real numbers"),
        (X.reshape(3, 4, 4), r"float32, shape \(3, 4, 4\): needs \(n, d\)"),
        (X[None], r"float32, shape \(1, 12, 4\)"),
    ],
    ids=["objects", "a field of rows", "fields of numbers", "text", "batches", "one batch"],
)
@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_the_command_in_a_refusal_converts(tmp_path: Path, name: str, array: np.ndarray, words: str) -> None:
    """As it stands in the message."""
    path = tmp_path / name
    if name == "x.npy":
        np.save(path, array, allow_pickle=True)
    else:
        np.savez(path, emb=array)
    with pytest.raises(VqbenchError, match=words) as error:
        read(path, Wanted())
    command = re.search(r'python -c ".*?"', str(error.value))
    assert command is not None
    done = subprocess.run([sys.executable, *shlex.split(command[0])[1:]], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(read(tmp_path / "rows.npy", Wanted()).rows_nd[:], X, rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (X[0], r"float32, shape \(4,\): needs \(n, d\).*reshape\(-1, 4\)"),
        (np.arange(12), "if these are ids, name the file of the vectors and add dataset.ids="),
        (X.astype(ml_dtypes.float8_e4m3fn), "1-byte values such as float8 or int4"),
        (X.astype(ml_dtypes.int4), "1-byte values such as float8 or int4"),
        (X.astype(complex), r"dtype complex128: vectors must be real numbers.*; convert them first"),
        (X.astype("V6"), r"raw bytes \(\|V6\)"),
        (X[:0], "save at least one row and dimension"),
    ],
)
def test_what_is_refused_without_a_command(tmp_path: Path, array: np.ndarray, words: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(VqbenchError, match=words):
        read(tmp_path / "x.npy", Wanted())
