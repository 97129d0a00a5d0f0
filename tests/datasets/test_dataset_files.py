"""Files: what is bad is refused in one sentence, what is good is read as the same vectors."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from vqbench.datasets.base import Data, Source
from vqbench.datasets.file import File
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.experiment.plan import Options
from vqbench.text import expanded

GOOD = np.arange(1, 13, dtype=np.float32).reshape(4, 3)


def _load(path: Path, content: str | bytes | None = None, **fields) -> Data:
    if isinstance(content, str):
        path.write_text(content, "utf-8")
    elif content is not None:
        path.write_bytes(content)
    source = File(path=str(path), **fields).load()
    return prepare(source, "test", queries=None, n_queries=None, normalize=False)


def _plain() -> Data:
    return prepare(Source("here", GOOD), "test", queries=None, n_queries=None, normalize=False)


@pytest.mark.parametrize("dtype", ["<f8", ">f8", ">f4", "<f2", ">i2", "u1", "i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_numeric_npy_is_read_as_the_same_rows(tmp_path: Path, dtype: str, order: str) -> None:
    np.save(tmp_path / "x.npy", np.array(GOOD, dtype=dtype, order=order))
    data = _load(tmp_path / "x.npy")
    np.testing.assert_array_equal(data.corpus.block(0, 4), GOOD)
    np.testing.assert_array_equal(data.keys_n, _plain().keys_n)
    assert data.fingerprint == _plain().fingerprint


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "no.npy", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(VqbenchError, match=words):
            _load(path)
    for name in ("x.npy", "x.npz", "x.json"):
        with pytest.raises(VqbenchError, match="the file is empty"):
            _load(tmp_path / name, b"")
    with pytest.raises(VqbenchError, match=r"ending '.doc' is not one of .arrow, .arrows, .bin"):
        _load(tmp_path / "x.doc", "1 2 3")
    np.save(tmp_path / "x.npy", GOOD)
    for field in ("ids", "queries", "query_ids", "qrels"):
        with pytest.raises(VqbenchError, match=r"missing\.npy: no such file"):
            _load(tmp_path / "x.npy", **{field: str(tmp_path / "missing.npy")})


class _Bomb:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
@pytest.mark.parametrize("form", ["object array", "bare pickle"])
def test_pickles_are_never_executed(tmp_path: Path, name: str, form: str) -> None:
    target = tmp_path / "executed"
    path, bomb = tmp_path / name, np.array([_Bomb(target)], dtype=object)
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(_Bomb(target)))
    elif name == "x.npy":
        np.save(path, bomb, allow_pickle=True)
    else:
        np.savez(path, x=bomb)
    words = "holds Python objects" if form == "object array" else f"cannot be read as .{name[-3:]}"
    with pytest.raises(VqbenchError, match=words):
        _load(path)
    assert not target.exists()
    pickle.loads(pickle.dumps(_Bomb(target)))
    assert target.exists(), "the bomb is a dud"


def test_archives(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, only=GOOD)
    np.testing.assert_array_equal(_load(path).corpus.block(0, 4), GOOD)
    np.savez_compressed(path, a=GOOD[:2], b=GOOD)
    with pytest.raises(
        VqbenchError, match="arrays a .*, b .*: more than one array could hold the vectors; choose with"
    ):
        _load(path)
    with pytest.raises(VqbenchError, match=r"dataset.key=c: no such array.*: it could be: a \(.*, b \("):
        _load(path, key="c")
    np.testing.assert_array_equal(_load(path, key="b").corpus.block(0, 4), GOOD)


@pytest.mark.parametrize("form", ["cut short", "header only", "nonsense", "damaged", "another format"])
@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_broken_binary_files(tmp_path: Path, name: str, form: str) -> None:
    np.save(tmp_path / "x.npy", GOOD)
    np.savez_compressed(tmp_path / "x.npz", x=GOOD)
    good = (tmp_path / name).read_bytes()
    other = (tmp_path / ("x.npz" if name == "x.npy" else "x.npy")).read_bytes()
    content = {
        "cut short": good[:-30],
        "header only": good[:20],
        "nonsense": b"nonsense",
        # In the archive: the first bytes of the compressed rows. In the array: the shape in its header.
        "damaged": good[:60] + bytes(10) + good[70:],
        "another format": other,
    }[form]
    with pytest.raises(VqbenchError, match=f"cannot be read as .{name[-3:]}"):
        _load(tmp_path / name, content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": [1, 2], "b": [3, 4], "c": [3]}', r"row 2 \(id 'c'\): 1 number, others have 2"),
        ('{"a": [1, 2], "b": [3, 4], "a": [5, 6]}', "'a' occurs twice in an object"),
        ('{"a": [1, NaN]}', "the literal NaN: every component must be a finite number"),
        ('{"a": [1, -Infinity]}', "the literal -Infinity"),
        ('{"z": [0, 1], "a": [1, 1e999]}', "row 1: a number that no float can represent"),
        ('{"a": [1, "2"]}', "id 'a': \"2\": the value must be a list of numbers"),
        ('{"a": [1, null], "b": [1, 2]}', r"row 0 \(id 'a'\): null among its numbers"),
        ('{"a": [1, true]}', "id 'a': true: the value must be a list of numbers"),
        ('{"a": [[1, 2], "b"]}', "row 0|the value must be a list of numbers"),
        ('{"a": {"x": 1}}', r"fields with vectors: none; it has a\.x \(whole numbers\)"),
        ('{"a": 1}', r"fields with vectors: none; it has a \(whole numbers\)"),
        ('{"a": []}', "fields with vectors: none; it has nothing"),
        ('{"a": [1, 2], "b": [3, 4], "c": 1}', "id 'c': 1: the value must be a list of numbers"),
        ("{}", "fields with vectors: none; it has nothing: needs rows of numbers"),
        ("[]", "fields with vectors: none; it has nothing"),
        ('{"a": [1, 2]', "cannot be read as .json"),
        ("[" * 100_000, "cannot be read as .json .* hundreds deep"),
        (f'{{"a": [1{"0" * 400}]}}', "id 'a': a number that no float can represent"),
        (f'{{"a": [1{"0" * 5000}]}}', "cannot be read as .json"),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", "cannot be read as .json .* hundreds deep|with vectors: none"),
        (r'{"\ud800": [1, 2]}', r"id '\\ud800': half of a surrogate pair"),
        (b'{"\xff": [1, 2]}', "cannot be read as .json"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_bad_json(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(VqbenchError, match=message):
        _load(tmp_path / "x.json", content)


def test_good_json(tmp_path: Path) -> None:
    content = json.dumps({"Amélie": [1, -2.5], "b": [3, 4e-3]})
    data = _load(tmp_path / "x.JSON", content)
    assert data.ids == ["Amélie", "b"]
    np.testing.assert_array_equal(data.corpus.block(0, 2), np.float32([[1, -2.5], [3, 4e-3]]))


def test_ids_queries_and_judgements_from_files(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", GOOD)
    np.save(tmp_path / "q.npy", GOOD[:2] * 2)
    (tmp_path / "ids.txt").write_text("a\r\nb b\nc\u2028c\nd\n", "utf-8", newline="")
    (tmp_path / "qids.txt").write_text("q1\nq2", "utf-8")
    (tmp_path / "qrels.txt").write_text("q2 0 a 2\nq1 0 d 0.5\n", "utf-8")
    files = {"ids": "ids.txt", "queries": "q.npy", "query_ids": "qids.txt", "qrels": "qrels.txt"}
    paths = {field: str(tmp_path / name) for field, name in files.items()}
    data = _load(tmp_path / "x.npy", **paths)
    assert data.ids == ["a", "b b", "c\u2028c", "d"]
    assert sorted(data.query_ids) == ["q1", "q2"]
    assert data.qrels is not None
    found = zip(data.qrels.query_f, data.qrels.row_f, data.qrels.gain_f, strict=True)
    named = {(data.query_ids[q], data.ids[row], gain) for q, row, gain in found}
    assert named == {("q2", "a", 2), ("q1", "d", 0.5)}
    (tmp_path / "ids.txt").write_bytes(b"a\nb\n\xff\nd\n")
    with pytest.raises(VqbenchError, match="is not UTF-8 text"):
        _load(tmp_path / "x.npy", ids=paths["ids"])


@pytest.mark.parametrize("line", ["q1 0 a", "q1 0 a x", "q1 0 a 1 2", "", "0 0 1 nan", "0 0 1 inf"])
def test_bad_judgements(tmp_path: Path, line: str) -> None:
    np.save(tmp_path / "x.npy", GOOD)
    (tmp_path / "qrels.txt").write_text(f"0 0 1 1\n{line}\n0 0 2 1\n", "utf-8")
    with pytest.raises(VqbenchError, match="line 2"):
        _load(tmp_path / "x.npy", qrels=str(tmp_path / "qrels.txt"))


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in ("x.npy", "q.npy"):
        np.save(tmp_path / name, GOOD)
    assert File(path="~/x.npy", queries="~/q.npy").load().corpus_nd.shape == GOOD.shape
    options = Options(out="~/out", cache="~/kept", plugins=["~/mine"])
    assert (expanded("~/out"), options.cache_folder) == (tmp_path / "out", tmp_path / "kept")
    assert options.plugin_folders == ((tmp_path / "mine").resolve(),)
    with pytest.raises(VqbenchError, match="^~no such user/x.npy: no such file"):
        File(path="~no such user/x.npy").load()
