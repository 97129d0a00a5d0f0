"""Commands in messages, run by a shell as they stand: names from the file and of it do nothing but name."""

from __future__ import annotations

import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Wanted, refusal
from vqbench.datasets.refused import check_known
from vqbench.datasets.row_columns import IDS, TEXTS
from vqbench.errors import VqbenchError
from vqbench.text import python_command

X = np.random.default_rng(0).standard_normal((12, 4)).astype(np.float32)
NAMES = ["a$(touch x)", "b`touch x`", "it's", 'say "x"; touch x; "', "back\\slash", "wow!1", "PROFILE TABLE", "plain"]


def _run(command: str, folder: Path) -> str:
    """What a shell prints that runs the command with this Python; nothing may be touched."""
    code = f'python() {{ {shlex.quote(sys.executable)} "$@"; }}\n{command}'
    done = subprocess.run(["bash", "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not (folder / "x").exists()
    return done.stdout


def _refused(path: Path) -> str:
    with pytest.raises(VqbenchError) as error:
        read(path, Wanted())
    return str(error.value)


def _command(message: str) -> str:
    return "python -c " + message.partition("python -c ")[2].partition(" if every")[0]


@pytest.mark.parametrize("name", NAMES)
def test_python_code(tmp_path: Path, name: str) -> None:
    assert _run(python_command(f"print({name!r})"), tmp_path) == f"{name}\n"


def _member(path: Path, name: str) -> None:
    np.savez(path, **{name: X.reshape(3, 4, 4)})


def _field(path: Path, name: str) -> None:
    np.save(path, np.array([(row, x) for row, x in enumerate(X)], np.dtype([("i", "i4"), (name, "f4", 4)])))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("file", "write"), [("m.npz", _member), ("f.npy", _field)])
def test_names_in_arrays(tmp_path: Path, file: str, write: Callable[[Path, str], None], name: str) -> None:
    write(tmp_path / file, name)
    _run(_command(_refused(tmp_path / file)), tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), X)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_folders_and_columns(tmp_path: Path, name: str) -> None:
    """A column that is called as the marks in the code were."""
    (folder := tmp_path / name).mkdir()
    half = [(x.view("<u4") >> 16).astype("<u2").tobytes() for x in X]
    pq.write_table(pa.table({name: pa.array(half, pa.binary())}), folder / "t.parquet")
    _run(_command(_refused(folder / "t.parquet")), tmp_path)
    made = np.array(pq.read_table(tmp_path / "float32.parquet")["float32"].to_pylist())
    np.testing.assert_allclose(np.array([np.frombuffer(b, "<f4") for b in made] if made.ndim == 1 else made), X, 0.01)


@pytest.mark.parametrize("name", [*NAMES, "long" * 30])
def test_collections_of_chroma(tmp_path: Path, name: str) -> None:
    """With a stand-in for chromadb, which says what it was asked for."""
    (tmp_path / "chromadb.py").write_text(
        "class PersistentClient:\n"
        "    def __init__(self, path): print(path)\n"
        "    def get_collection(self, name): print(name); return self\n"
        "    def get(self, include): return {'ids': [], 'embeddings': []}\n"
    )
    with sqlite3.connect(tmp_path / "chroma.sqlite3") as db:
        db.executescript(
            "CREATE TABLE collections (id TEXT, name TEXT); CREATE TABLE segments (id TEXT, collection TEXT);"
            "CREATE TABLE embeddings (id INTEGER, segment_id TEXT); INSERT INTO segments VALUES ('s', 'u');"
            "CREATE TABLE embeddings_queue (seq_id INTEGER, operation INTEGER, topic TEXT, id TEXT, vector BLOB);"
            "INSERT INTO embeddings VALUES (1, 's');"
        )
        db.execute("INSERT INTO collections VALUES ('u', ?)", (name,))
    db.close()
    assert _run(_command(_refused(tmp_path / "chroma.sqlite3")), tmp_path) == f"{tmp_path}\n{name}\n"


@pytest.mark.parametrize("name", NAMES)
def test_code_of_r_and_settings(name: str) -> None:
    with pytest.raises(VqbenchError) as error:
        check_known(Path(name) / "t.rds")
    words = shlex.split(str(error.value).partition("convert it: ")[2])
    code = f"write.csv(readRDS({f'{name}/t.rds'!r}), {f'{name}/t.csv'!r}, row.names=FALSE)"
    assert words == ["Rscript", "-e", code]
    assert shlex.split(IDS.way(Path("m.csv"), name)) == [f"dataset.id_column={name}"]
    assert shlex.split(TEXTS.way(Path("m.csv"), name)) == [f"dataset.texts=m.csv:{name}"]


def test_a_command_is_whole_or_left_out() -> None:
    for size in (700, 5000):
        command = python_command(f"print({'$' * size!r})")
        message = str(refusal(Path("a.npy"), problem="p", rule="r", remedy=command))
        assert message == "a.npy: p: r; " + (command if size == 700 else "what to do is too long to be shown: give "
                                             "shorter names")  # fmt: skip
