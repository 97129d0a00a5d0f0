"""Formats that are not read: each refusal holds one line that converts the file, and that line works."""

from __future__ import annotations

import ast
import bz2
import json
import lzma
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import writers

from vqbench.datasets.file import File
from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Wanted
from vqbench.datasets.refused import check_known
from vqbench.errors import VqbenchError

X = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)


def _refusal(path: Path) -> str:
    with pytest.raises(VqbenchError) as error:
        read(path, Wanted())
    return str(error.value)


def _command(message: str) -> str:
    """What follows "convert it:", up to the words behind the command."""
    return message.partition("convert it: ")[2].partition("; only if you trust")[0].partition("; then name")[0]


def _run(command: str, folder: Path) -> None:
    """Run a line as a shell does, with this Python."""
    words = shlex.split(command)
    words[0] = sys.executable if words[0] == "python" else words[0]
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stderr


def _pickled(x: object) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(pickle.dumps(x))


def _zip(path: Path) -> None:
    np.save(path.parent / "inner.npy", X)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.parent / "inner.npy", "inner.npy")


def _tar(path: Path) -> None:
    np.save(path.parent / "inner.npy", X)
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        archive.add(path.parent / "inner.npy", "inner.npy")


def _joblib(path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    joblib.dump(X, path)


def _mat(path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    scipy_io.savemat(path, {"x": X})


def _npy(path: Path) -> bytes:
    np.save(path.parent / "plain.npy", X)
    return (path.parent / "plain.npy").read_bytes()


FRAME = pd.DataFrame({"id": [f"a{row}" for row in range(30)], "emb": list(X)})
#: File, how it is written, what the command makes of it.
CONVERTED: list[tuple[str, Callable[[Path], object], str]] = [
    ("x.pkl", _pickled(X), "x.npy"),
    ("x.pickle", _pickled(X.tolist()), "x.npy"),
    ("frame.pkl", _pickled(FRAME), "frame.parquet"),
    ("x.joblib", _joblib, "x.npy"),
    ("x.mat", _mat, "x.npz"),
    ("x.zip", _zip, "x/inner.npy"),
    ("x.tar", _tar, "x/inner.npy"),
    ("x.tar.gz", _tar, "x/inner.npy"),
    ("x.npy.bz2", lambda path: path.write_bytes(bz2.compress(_npy(path))), "x.npy"),
    ("x.npy.xz", lambda path: path.write_bytes(lzma.compress(_npy(path))), "x.npy"),
]


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["plain", "it's a $folder"])
@pytest.mark.parametrize(("name", "write", "made"), CONVERTED)
def test_the_line_converts(tmp_path: Path, folder: str, name: str, write: Callable[[Path], object], made: str) -> None:
    """What it makes is read, with the same numbers."""
    place = tmp_path / folder
    place.mkdir()
    write(place / name)
    (place / "plain.npy").unlink(missing_ok=True)
    command = _command(_refusal(place / name))
    if shutil.which(shlex.split(command)[0]) is None:
        pytest.skip("the command is not installed")
    _run(command, tmp_path)
    np.testing.assert_array_equal(read(place / made, Wanted()).rows_nd[:], X)


@pytest.mark.parametrize(
    "name",
    [
        *("x.pt", "x.pth", "x.ckpt", "x.pkl", "x.joblib", "x.lance", "x.mat", "x.xlsx", "x.ods", "x.ann", "x.hnsw"),
        *("x.usearch", "x.zip", "x.tar", "x.tgz", "x.tar.bz2", "x.rds", "x.bz2", "x.xz", "x.lz4", "x.tar.zst"),
    ],
)
def test_one_line_of_sound_code(name: str) -> None:
    """Without the libraries at hand: the code of each line is Python, and names the file."""
    with pytest.raises(VqbenchError) as error:
        check_known(Path("some folder") / name)
    message = str(error.value)
    assert message.startswith(f"some folder/{name}: ")
    assert "\n" not in message
    words = shlex.split(_command(message).partition("; replace 768")[0])
    assert any(f"some folder/{name}" in word for word in words)
    if words[0] == "python":
        assert words[1] == "-c"
        assert len(words) == 3
        ast.parse(words[2])


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_the_line_for_tensors(tmp_path: Path) -> None:
    import torch  # pyright: ignore[reportMissingImports]

    torch.save(torch.from_numpy(X), tmp_path / "x.pt")
    _run(_command(_refusal(tmp_path / "x.pt")), tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), X)


def test_models_hold_no_vectors() -> None:
    for name in ("model.onnx", "model.gguf", "model.safetensors.index.json"):
        with pytest.raises(VqbenchError, match="holds? (a model, )?no(t| )"):
            check_known(Path(name))


def test_nothing_of_a_pickle_is_read(tmp_path: Path) -> None:
    """A file that may not be opened is refused by its name alone."""
    (tmp_path / "x.pkl").write_bytes(b"\x80\x04.")
    os.chmod(tmp_path / "x.pkl", 0)
    assert "holds Python objects, which run code when they are loaded" in _refusal(tmp_path / "x.pkl")


def test_bin_files(tmp_path: Path) -> None:
    """What the first bytes say; the line makes the file readable."""
    (tmp_path / "torch.bin").write_bytes(b"PK\x03\x04 archive/data.pkl")
    assert "torch.load(" in _refusal(tmp_path / "torch.bin")
    writers.write_bin(tmp_path / "a.fbin", X)
    (tmp_path / "a.fbin").rename(tmp_path / "a.bin")
    message = _refusal(tmp_path / "a.bin")
    assert "those of .fbin (30 x 4)" in message
    _run(message.partition("name it so: ")[2], tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "a.fbin", Wanted()).rows_nd[:], X)
    (tmp_path / "raw.bin").write_bytes(X.tobytes())
    command = _refusal(tmp_path / "raw.bin").partition("convert it: ")[2].partition("; replace 768")[0]
    _run(command.replace("768", "4"), tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "raw.npy"), X)


def test_a_cache_of_mteb(tmp_path: Path) -> None:
    """A memory map with room for more rows, an index by hash and the width beside: the line keeps rows and hashes."""
    folder = tmp_path / "SciFact"
    folder.mkdir()
    np.concatenate([X, np.zeros_like(X)]).tofile(folder / "vectors.npy")
    (folder / "index.json").write_text(json.dumps({f"hash{row}": row for row in range(30)}))
    (folder / "dimension").write_text("4")
    with pytest.raises(VqbenchError, match="a cache of MTEB") as error:
        File(path=str(folder)).load()
    _run(_command(str(error.value)), tmp_path)
    with np.load(tmp_path / "SciFact.npz") as made:
        np.testing.assert_array_equal(made["vectors"], X)
        assert made["ids"].tolist() == [f"hash{row}" for row in range(30)]


@pytest.mark.parametrize("kind", ["x.npy", "x.parquet", "x.hdf5", "x.npz"])
@pytest.mark.parametrize("name", ["x", "x.dat", "0a1b2c3d"])
def test_files_are_known_by_their_first_bytes(tmp_path: Path, kind: str, name: str) -> None:
    """Where the ending says nothing; the line says that it was so."""
    writers.WRITERS[kind](tmp_path / kind, X)
    if tmp_path / kind != tmp_path / name:
        shutil.copy(tmp_path / kind, tmp_path / name)
    content = read(tmp_path / name, Wanted())
    np.testing.assert_array_equal(content.rows_nd[:], X)
    assert content.taken.startswith(f"{name}: read as {Path(kind).suffix}, by its first bytes: ")


def test_what_nothing_says(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"0.1 0.2")
    (tmp_path / "x.docx").write_bytes(b"PK\x03\x04\x14\0\x06\0\x08\0" + bytes(40) + b"[Content_Types].xml")
    assert re.search(r"/x: has no ending such as .*\.bvecs, \.csv, ", _refusal(tmp_path / "x"))
    assert re.search(r"the ending '\.docx' is not one of .*\.bvecs", _refusal(tmp_path / "x.docx"))
