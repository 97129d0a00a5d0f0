"""Ids, groups, texts and labels from files of their own: which kinds are read, which column is meant, what is said."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqbench.datasets import row_columns
from vqbench.datasets.file import File
from vqbench.datasets.formats import read
from vqbench.datasets.prepare import prepare
from vqbench.datasets.readers.base import Wanted
from vqbench.datasets.row_columns import GROUPS, IDS, LABELS, QUERY_IDS, TEXTS, Role
from vqbench.datasets.row_texts import read_texts
from vqbench.errors import VqbenchError

N = 20
NAMES = [f"k é{row}" for row in range(N)]
CAPTIONS = [f"cap,tion; {row % 3}\n\tmore" for row in range(N)]
X = np.random.default_rng(0).standard_normal((N, 4)).astype(np.float32)


def _csv(path: Path, names: list[str], mark: str = ",", header: str = "id") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=mark)
        writer.writerows([[header, "caption"], *zip(names, CAPTIONS, strict=True)])


def _jsonl(path: Path, names: list[str]) -> None:
    rows = ({"_id": name, "caption": text, "more": [1]} for name, text in zip(names, CAPTIONS, strict=True))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _parquet(path: Path, names: list[str]) -> None:
    pq.write_table(pa.table({"doc_id": names, "caption": CAPTIONS, "emb": [[1.0]] * len(names)}), path)


#: File, how ids are written to it, the column that is taken.
WRITERS: list[tuple[str, Callable[[Path, list[str]], object], str]] = [
    ("ids.txt", lambda path, names: path.write_text("".join(f"{name}\n" for name in names)), ""),
    ("ids.lst", lambda path, names: path.write_text("\r\n".join(names)), ""),
    ("ids.npy", lambda path, names: np.save(path, np.array(names)), ""),
    ("column.npy", lambda path, names: np.save(path, np.array(names)[:, None]), ""),
    ("bytes.npy", lambda path, names: np.save(path, np.array([name.encode() for name in names])), ""),
    ("ids.json", lambda path, names: path.write_text(json.dumps(names)), ""),
    ("named.json", lambda path, names: path.write_text(json.dumps({"model": "m", "ids": names})), ""),
    ("ids.jsonl", _jsonl, "_id"),
    ("ids.csv", _csv, "id"),
    ("semicolon.csv", lambda path, names: _csv(path, names, ";"), "id"),
    ("ids.tsv", lambda path, names: _csv(path, names, "\t", "doc_id"), "doc_id"),
    ("one.csv", lambda path, names: path.write_text("\n".join(names)), ""),
    ("header.csv", lambda path, names: path.write_text("\n".join(["name", *names])), "name"),
    ("ids.parquet", _parquet, "doc_id"),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("name", "write", "column"), WRITERS)
def test_ids_of_every_kind(
    tmp_path: Path, name: str, write: Callable[[Path, list[str]], object], column: str, packed: bool
) -> None:
    """The same ids, and a line that says where they are from; compressed too."""
    write(tmp_path / name, NAMES)
    if packed:
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
        name += ".gz"
    read = read_texts(tmp_path / name, IDS, count=N)
    assert list(read.texts) == NAMES
    assert read.taken == f"{name}: 20 ids" + (f" from '{column}'" if column else "")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_any_texts_come_out_as_they_are(tmp_path: Path, names: list[str]) -> None:
    for name, content in (
        ("ids.json", json.dumps(names)),
        ("ids.jsonl", "".join(json.dumps({"id": each, "x": 0}) + "\n" for each in names)),
    ):
        (tmp_path / name).write_text(content)
        assert list(read_texts(tmp_path / name, IDS).texts) == names
    pq.write_table(pa.table({"id": names, "x": [0] * len(names)}), tmp_path / "ids.parquet")
    assert list(read_texts(tmp_path / "ids.parquet", IDS).texts) == names
    file, kept = io.StringIO(newline=""), [each.replace("\0", "").strip(" ") + "x" for each in names]
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["id", "x"], *([f" {each}", 0] for each in kept)])
    (tmp_path / "ids.csv").write_text(file.getvalue(), newline="")
    assert list(read_texts(tmp_path / "ids.csv", IDS).texts) == [each.strip(" ") for each in kept]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ids.csv", "id\na\nb\n", "ids.csv: 2 ids for 3 rows"),
        ("ids.csv", "key\na\nb\n", "ids.csv: 2 ids for 3 rows"),
        (
            "ids.txt",
            "id\na\nb\n",
            r"line 1: 'id' is the name of a column, and 2 ids for 3 rows .*; write 3 lines, one for each row",
        ),
        ("ids.txt", "a\n\nb\n", r"ids.txt: line 2: is empty; each line needs one of the ids"),
        ("ids.csv", "id,x\na,1\n ,2\nb,3\n", r"ids.csv: row 3: is empty where ids are"),
    ],
)
def test_no_header_and_no_blank_is_an_id(tmp_path: Path, name: str, content: str, message: str) -> None:
    """Else all ids would be shifted by a row."""
    np.save(tmp_path / "x.npy", X[:3])
    (tmp_path / name).write_text(content)
    with pytest.raises(VqbenchError, match=message):
        File(path=str(tmp_path / "x.npy"), ids=str(tmp_path / name)).load()


def test_ids_that_only_look_like_headers(tmp_path: Path) -> None:
    """Two such names are values; blank lines at the end are none."""
    for name in ("ids.csv", "ids.txt"):
        (tmp_path / name).write_text("id\nkey\nb\n" + "\n\r\n" * name.endswith("txt"))
        assert list(read_texts(tmp_path / name, IDS, count=3).texts) == ["id", "key", "b"]


@pytest.mark.parametrize("ids", [["7.0", "8.0", "9.5"], ["0704.0000", "0705.0000", "0706.0000"], ["007", "7", "7.0"]])
def test_ids_of_text_stay_as_they_are_written(tmp_path: Path, ids: list[str]) -> None:
    """Whether they are read with the vectors or for themselves; blanks around them are no part of them."""
    rows = "".join(f"{i} ,{x[0]},{x[1]}\n" for i, x in zip(ids, X[:3].tolist(), strict=True))
    (tmp_path / "x.csv").write_text(f"id,a,b\n{rows}")
    assert list(read(tmp_path / "x.csv", Wanted()).ids or ()) == ids
    assert list(read_texts(tmp_path / "x.csv", IDS).texts) == ids


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, "<U9"])
def test_numbers_are_ids_too(tmp_path: Path, dtype: object) -> None:
    np.save(tmp_path / "ids.npy", np.arange(70_000).astype(dtype))  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert list(read_texts(tmp_path / "ids.npy", IDS).texts) == [str(row) for row in range(70_000)]


@pytest.mark.parametrize(
    ("columns", "role", "column", "taken"),
    [
        (["image_path", "doc_id"], IDS, None, "doc_id"),
        (["id", "doc_id", "text"], IDS, None, "id"),
        (["image_path", "caption"], IDS, "image_path", "image_path"),
        (["image_path"], IDS, None, "image_path"),
        (["id", "text"], TEXTS, None, "text"),
        (["id", "headline"], TEXTS, "headline", "headline"),
        (["label", "text"], LABELS, None, "label"),
        (["qid", "x"], QUERY_IDS, None, "qid"),
        (["group", "x"], GROUPS, None, "group"),
    ],
)
def test_which_column_is_meant(tmp_path: Path, columns: list[str], role: Role, column: str | None, taken: str) -> None:
    pq.write_table(pa.table({name: [f"{name} {row}" for row in range(3)] for name in columns}), tmp_path / "m.parquet")
    read = read_texts(tmp_path / "m.parquet", role, column)
    assert list(read.texts) == [f"{taken} {row}" for row in range(3)]
    assert read.taken == f"m.parquet: 3 {role.plural} from '{taken}'"


@pytest.mark.parametrize(
    ("columns", "role", "column", "message"),
    [
        (["image_path", "caption"], IDS, None, r"columns image_path, caption: none .* dataset.id_column=image_path"),
        (["doc_id", "chunk_id"], IDS, None, r"2 could hold the ids; .* dataset.id_column=doc_id"),
        (["a", "b"], QUERY_IDS, None, r"as in dataset.query_id_column=a"),
        (["a", "b"], TEXTS, None, r"none is called as texts are; .* as in dataset.texts=.*m.parquet:a"),
        (["a", "b"], IDS, "c", r"dataset.id_column=c: m.parquet has no such column; its columns: a, b"),
    ],
)
def test_columns_that_cannot_be_meant(
    tmp_path: Path, columns: list[str], role: Role, column: str | None, message: str
) -> None:
    pq.write_table(pa.table({name: ["x"] for name in columns}), tmp_path / "m.parquet")
    with pytest.raises(VqbenchError, match=message):
        read_texts(tmp_path / "m.parquet", role, column)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ids.npy", b"\x93NUMPY", "cannot be read as .npy"),
        ("ids.json", b'{"a": 1}', "holds no list of texts"),
        ("ids.json", b'["a", null]', "entry 1 is null"),
        ("ids.json", b"[", "cannot be read as .json"),
        ("ids.jsonl", b'{"id": "a"}\n{"x": 1}\n', "line 2: has no 'id'"),
        ("ids.jsonl", b'{"id": "a"}\n[1]\n', "line 2: no JSON object"),
        ("ids.csv", b"id,x\na,b\nc\n", "row 3: 1 fields, the first row has 2"),
        ("ids.csv", b'id,x\n"a,b\n', r"line 2: no row of fields \(unexpected end of data\)"),
        ("ids.jsonl", b'{"id": "a"}\n{"id": "b\\ud800"}\n', r"line 2: 'id': 'b\\ud800' holds half a character"),
        ("ids.json", b'["a", "\\udfff"]', r"entry 1: '\\udfff' holds half a character \(\\udfff\), which UTF-8 cannot"),
        ("ids.npy", b"\x93NUMPY\1\0\6\0{[]:1}", "cannot be read as .npy .*header"),
        ("ids.npy", b"\x93NUMPY\1\0\4\0((((", "cannot be read as .npy .*header"),
        ("ids.csv", b"id,x\n\xff,b\n", "cannot be read as text with columns"),
        ("ids.parquet", b"PAR1", "cannot be read as .parquet"),
        ("ids.npz", b"PK\x03\x04", "ids are not read from .npz; write them one a line"),
        ("ids.pkl", b"\x80\x04.", "convert it: python -c"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VqbenchError, match=message) as error:
        read_texts(tmp_path / name, IDS)
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{}]), "holds Python objects"),
        (np.zeros((3, 2), int), r"shape \(3, 2\) of int64"),
        (np.zeros(3), r"shape \(3,\) of float64"),
    ],
)
def test_arrays_of_no_ids(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "ids.npy", array, allow_pickle=True)
    with pytest.raises(VqbenchError, match=message):
        read_texts(tmp_path / "ids.npy", IDS)


def test_nulls(tmp_path: Path) -> None:
    """A row may have no text, but not no id."""
    pq.write_table(pa.table({"id": ["a", None], "text": [None, "b"]}), tmp_path / "m.parquet")
    (tmp_path / "m.jsonl").write_text('{"id": "a"}\n{"id": "b", "text": "c"}\n')
    with pytest.raises(VqbenchError, match="row 1, column id: null"):
        read_texts(tmp_path / "m.parquet", IDS)
    assert list(read_texts(tmp_path / "m.parquet", TEXTS).texts) == ["", "b"]
    assert list(read_texts(tmp_path / "m.jsonl", TEXTS).texts) == ["", "c"]


def _vectors(folder: Path) -> dict[str, str]:
    np.save(folder / "x.npy", X)
    np.save(folder / "q.npy", X[:5] + 1)
    _parquet(folder / "meta.parquet", NAMES)
    (folder / "q.txt").write_text("".join(f"q{row}\n" for row in range(5)))
    return {"path": str(folder / "x.npy"), "queries": str(folder / "q.npy")}


def test_files_beside_vectors(tmp_path: Path) -> None:
    """What was taken is said, a line for each file."""
    files, meta = _vectors(tmp_path), str(tmp_path / "meta.parquet")
    query_ids = str(tmp_path / "q.txt")
    source = File(**files, ids=meta, query_ids=query_ids, texts=f"{meta}:caption", labels=f"{meta}:doc_id").load()
    assert list(source.ids or ()) == NAMES
    assert list(source.texts or ()) == CAPTIONS
    assert list(source.labels or ()) == NAMES
    assert list(source.query_ids or ()) == [f"q{row}" for row in range(5)]
    assert source.taken == (
        "x.npy: float32, 20 x 4",
        "queries: q.npy: float32, 5 x 4",
        "meta.parquet: 20 ids from 'doc_id'",
        "q.txt: 5 query ids",
        "meta.parquet: 20 texts from 'caption'",
        "meta.parquet: 20 labels from 'doc_id'",
    )


def test_numbers_that_differ(tmp_path: Path) -> None:
    files = _vectors(tmp_path)
    (tmp_path / "few.txt").write_text("a\nb\n")
    for part, of in (("ids", "20 rows of"), ("query_ids", "5 queries of"), ("texts", "20 rows of")):
        with pytest.raises(VqbenchError, match=rf"few.txt: 2 {part.replace('_', ' ')} for {of} .*: give one for each"):
            File(**files, **{part: str(tmp_path / "few.txt")}).load()


def test_settings_without_effect(tmp_path: Path) -> None:
    files = _vectors(tmp_path)
    for more, message in (
        ({"texts": "caption"}, "dataset.texts=caption: no such file, and x.npy has no columns"),
        ({"ids": str(tmp_path / "q.txt"), "id_column": "a"}, "dataset.id_column=a: has no effect, since q.txt has no"),
        ({"texts": f"{tmp_path / 'q.txt'}:a"}, "has no effect, since q.txt has no columns"),
        ({"id_column": "a"}, "dataset.id_column=a: has no effect on .npy files"),
    ):
        with pytest.raises(VqbenchError, match=message):
            File(**files, **more).load()


def test_texts_change_no_draw(tmp_path: Path) -> None:
    """The same fingerprint, rows and queries; rows that are left out take their texts along."""
    files, meta = _vectors(tmp_path), str(tmp_path / "meta.parquet")
    x_nd = X.copy()
    x_nd[3] = np.nan
    np.save(tmp_path / "x.npy", x_nd)
    plain, shown = (
        prepare(
            File(path=files["path"], ids=meta, texts=texts).load(),
            "x",
            queries=None,
            n_queries=4,
            normalize=True,
            on_bad_rows="drop",
            rows=10,
        )
        for texts in (None, f"{meta}:caption")
    )
    assert (plain.fingerprint, list(plain.ids), plain.query_ids) == (
        shown.fingerprint,
        list(shown.ids),
        shown.query_ids,
    )
    text_of = dict(zip(NAMES, CAPTIONS, strict=True))
    assert list(shown.texts or ()) == [text_of[name] for name in shown.ids]
    assert list(shown.query_texts or ()) == [text_of[name] for name in shown.query_ids]
    assert [plain.texts, plain.query_texts] == [None, None]
    assert shown.caption(0) == " ".join(text_of[shown.ids[0]].split())


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (pa.array([0.0, 1.0, 2.5]), ["0", "1", "2.5"]),
        (pa.array([b"a", b"b", b"c"]), ["a", "b", "c"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
        (pa.array([7, 8, 9], pa.uint8()), ["7", "8", "9"]),
    ],
)
def test_values_are_the_ids_that_a_file_of_vectors_would_give(tmp_path: Path, values: pa.Array, ids: list[str]) -> None:
    pq.write_table(pa.table({"id": values, "x": [[1.0]] * 3}), tmp_path / "m.parquet")
    assert list(read_texts(tmp_path / "m.parquet", IDS).texts) == ids


@pytest.mark.parametrize("name", ["ids.csv", "ids.jsonl"])
def test_lines_that_are_too_long_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(row_columns, "_LINE", 100)
    line = {"ids.csv": "id,{}\n", "ids.jsonl": '{{"id": "{}"}}\n'}[name]
    (tmp_path / name).write_text(line.format("a") + line.format("b" * 100))
    with pytest.raises(VqbenchError, match=rf"{name}: line 2: has 100 characters or more; write a row a line"):
        read_texts(tmp_path / name, IDS)


def test_a_field_may_be_as_long_as_a_line(tmp_path: Path) -> None:
    """The limit of Python's csv is smaller, and stays what it was."""
    before, text = csv.field_size_limit(), "x" * 200_000
    (tmp_path / "texts.csv").write_text(f"id,text\n1,{text}\n")
    assert list(read_texts(tmp_path / "texts.csv", TEXTS).texts) == [text]
    assert csv.field_size_limit() == before


def test_memory_that_is_missing_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise MemoryError

    np.save(tmp_path / "ids.npy", np.array(NAMES))
    monkeypatch.setattr(np, "load", none_left)
    with pytest.raises(MemoryError):
        read_texts(tmp_path / "ids.npy", IDS)
