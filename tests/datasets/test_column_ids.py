"""Ids, texts and labels in tables of Arrow: of every type, used or refused by name."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from tables import IDS, ROWS, N, read_table, refuse_table
from writers import lists

from vqbench.datasets.file import File
from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError


def _of(values: list, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(values, kind)


DAY, MOMENT = datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 1, 2, 3)
IDS_OF_TYPES = {
    "int": (_of([7, -3]), ["7", "-3"]),
    "uint64": (_of([2**64 - 1, 0], pa.uint64()), [str(2**64 - 1), "0"]),
    "float": (_of([12.0, 0.5]), ["12", "0.5"]),
    "float32": (_of([0.1, 16777216.0], pa.float32()), ["0.1", "16777216"]),
    "large float": (_of([2.0**53, 1e22]), [str(2**53), "1" + "0" * 22]),
    "float16": (_of([np.float16(0.1), np.float16(3)], pa.float16()), ["0.1", "3"]),
    "text": (_of(["a", "\u00e9"]), ["a", "\u00e9"]),
    "large text": (_of(["a", ""], pa.large_string()), ["a", ""]),
    "view": (_of(["a" * 40, "b"], pa.string_view()), ["a" * 40, "b"]),
    "bytes of text": (_of([b"item 1", "\u00e9".encode()]), ["item 1", "\u00e9"]),
    "bytes": (_of([b"item 1", b"\xff\0"]), ["6974656d2031", "ff00"]),
    "bytes of numbers": (_of([b"\0\0\0\1", b"\0\0\0\2"], pa.binary(4)), ["00000001", "00000002"]),
    "large bytes": (_of([b"x", b"y"], pa.large_binary()), ["x", "y"]),
    "view of bytes": (_of([b"x", b"y"], pa.binary_view()), ["x", "y"]),
    "coded": (_of(["b", "a"]).dictionary_encode(), ["b", "a"]),
    "coded numbers": (_of([5, 6]).dictionary_encode(), ["5", "6"]),
    "uuid": (_of([uuid.UUID(int=1).bytes, uuid.UUID(int=2).bytes], pa.uuid()), [str(uuid.UUID(int=x)) for x in (1, 2)]),
    "date": (_of([DAY, DAY.replace(day=1)]), ["2024-02-29", "2024-02-01"]),
    "time": (_of([MOMENT, MOMENT.replace(day=1)]), ["2024-02-29T01:02:03.000000", "2024-02-01T01:02:03.000000"]),
    "seconds": (_of([0, 1], pa.timestamp("s")), ["1970-01-01T00:00:00", "1970-01-01T00:00:01"]),
    "decimal": (_of([Decimal("12.00"), Decimal("0.50")], pa.decimal128(9, 2)), ["12", "0.5"]),
    "zero": (_of([Decimal("0.00"), Decimal("100.00")], pa.decimal128(9, 2)), ["0", "100"]),
}


@pytest.mark.parametrize("kind", IDS_OF_TYPES)
def test_ids_of_every_type(table_path: Path, kind: str) -> None:
    if kind == "seconds" and table_path.suffix == ".parquet":
        pytest.skip("Parquet has no seconds")
    array, ids = IDS_OF_TYPES[kind]
    for name in ("id", "doc_id"):
        content = read_table(table_path, {name: array, "x": lists(ROWS[:2])})
        assert content.ids == ids
        assert content.taken.endswith(f"ids from {name!r}")
    assert read_table(table_path, {"title": array, "x": lists(ROWS[:2])}).ids is None
    assert read_table(table_path, {"title": array, "x": lists(ROWS[:2])}, id_column="title").ids == ids
    assert read_table(table_path, {"id": array, "x": lists(ROWS[:2])}, id_column="none").ids is None


def test_ids_that_are_none(table_path: Path) -> None:
    x = lists(ROWS[:2])
    assert read_table(table_path, {"id": [True, False], "x": x}).taken.endswith("not used: id (bool)")
    refuse_table(
        table_path,
        r"dataset.id_column=id: this column is bool: it could be: n \(int64\)",
        {"id": [True, False], "n": [1, 2], "x": x},
        id_column="id",
    )
    refuse_table(
        table_path, "row 1, column id: null: each row needs an id; .*id_column=none", {"id": ["a", None], "x": x}
    )
    refuse_table(table_path, "row 0, column id: null: each row needs an id", {"id": [float("nan"), 1.0], "x": x})
    refuse_table(
        table_path,
        "no such column: it could be: title .*; did you mean title[?]",
        {"title": ["a", "b"], "n": [1, 2], "x": x},
        id_column="titel",
    )


def test_ids_that_repeat(table_path: Path) -> None:
    """The refusal names a column that works, and only such a one."""
    columns = {
        "id": ["a", "a", "b"],
        "score": [0.1, 0.2, 0.3],
        "text": ["x", "y", "x"],
        "chunk": [4, 5, 6],
        "x": lists(ROWS[:3]),
    }
    refuse_table(
        table_path,
        "occurs in rows 0 and 1: .*; dataset.id_column=chunk names values that all differ, or dataset.id_column=none",
        columns,
    )
    assert read_table(table_path, columns, id_column="chunk").ids == ["4", "5", "6"]
    del columns["chunk"]
    refuse_table(table_path, "must be unique; dataset.id_column=none numbers the rows$", columns)


@pytest.mark.parametrize("index", [None, "movie", "year"])
def test_the_index_of_pandas(tmp_path: Path, index: str | None) -> None:
    frame = pd.DataFrame({"e": list(ROWS), "text": "a"}, index=pd.Index(IDS, name=index))
    frame.to_parquet(tmp_path / "x.parquet")
    content = read(tmp_path / "x.parquet", Wanted())
    assert content.ids == IDS
    assert content.taken.endswith(f"ids from {index or '__index_level_0__'!r}; not used: text")
    frame.reset_index(drop=True).to_parquet(tmp_path / "y.parquet")
    assert read(tmp_path / "y.parquet", Wanted()).ids is None
    left = [row for row in range(N) if row not in (1, 7)]
    numbered = frame.reset_index(drop=True).drop([1, 7])
    numbered.to_parquet(tmp_path / "z.parquet")
    assert read(tmp_path / "z.parquet", Wanted()).ids == [str(row) for row in left]
    numbered.assign(id=[IDS[row] for row in left]).to_parquet(tmp_path / "z.parquet")
    assert read(tmp_path / "z.parquet", Wanted()).ids == [IDS[row] for row in left]
    frame.reset_index().to_feather(tmp_path / "x.feather")
    assert read(tmp_path / "x.feather", Wanted(id_column=index or "index")).ids == IDS


def test_texts_and_labels(table_path: Path) -> None:
    columns = {
        "x": lists(ROWS[:3]),
        "title": ["a", None, "a"],
        "genre": [1, 2, 2],
        "tags": [["x", "\u00e9"], [], None],
        "ok": [True, None, False],
    }
    content = read_table(table_path, columns, texts="title", labels="genre")
    assert (content.texts, content.labels, content.ids) == (["a", "", "a"], ["1", "2", "2"], None)
    assert content.taken.endswith(
        "texts from 'title', labels from 'genre'; not used: tags (lists of string), ok (bool)"
    )
    content = read_table(table_path, columns, texts="tags", labels="ok")
    assert (content.texts, content.labels) == (['["x", "\u00e9"]', "[]", ""], ["true", "", "false"])
    refuse_table(table_path, "dataset.labels=gnre: no such column", columns, labels="gnre")


RANGES = {
    "tail": (lambda frame: frame.iloc[200:], range(200, 300)),
    "every other": (lambda frame: frame.iloc[::2], range(0, 300, 2)),
    "backwards": (lambda frame: frame.iloc[::-1], range(299, -1, -1)),
    "named": (lambda frame: frame.rename_axis("row"), range(300)),
    "like the column": (lambda frame: frame.iloc[5:].rename_axis("emb"), range(5, 300)),
    "plain": (lambda frame: frame, None),
    "plain head": (lambda frame: frame.iloc[:7], None),
}


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".arrows"])
@pytest.mark.parametrize("of", RANGES)
def test_a_range_index_of_pandas_has_the_ids(tmp_path: Path, of: str, ending: str) -> None:
    """It stands in the schema only; one that counts the rows is none."""
    cut, ids = RANGES[of]
    x = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    frame, path = cut(pd.DataFrame({"emb": list(x)})), tmp_path / f"x{ending}"
    table = pa.Table.from_pandas(frame)
    if ending == ".parquet":
        frame.to_parquet(path)
    elif ending == ".feather":
        feather.write_feather(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    content = read(path, Wanted())
    assert (None if content.ids is None else list(content.ids)) == (None if ids is None else list(map(str, ids)))
    np.testing.assert_array_equal(content.rows_nd[:], np.stack(list(frame["emb"])))
    assert read(path, Wanted(id_column="none")).ids is None


def test_a_stale_range_index_is_none_as_for_pandas(tmp_path: Path) -> None:
    """A table that was filtered after pandas made it."""
    frame = pd.DataFrame({"emb": [[0.5, float(row)] for row in range(300)]}).iloc[200:]
    pq.write_table(pa.Table.from_pandas(frame).slice(10, 50), tmp_path / "x.parquet")
    assert pd.read_parquet(tmp_path / "x.parquet").index[0] == 0
    assert read(tmp_path / "x.parquet", Wanted()).ids is None


def test_a_column_of_ids_comes_before_a_range_index(tmp_path: Path) -> None:
    frame = pd.DataFrame({"emb": [[0.5, 1.0], [1.0, 2.0], [3.0, 1.0]], "doc_id": ["a", "b", "c"]}).iloc[1:]
    frame.to_parquet(tmp_path / "x.parquet")
    content = read(tmp_path / "x.parquet", Wanted())
    assert list(content.ids or ()) == ["b", "c"]
    assert "not used: __index_level_0__ (index of pandas, 1 to 2)" in content.taken


@pytest.mark.parametrize(
    ("starts", "message"),
    [((0, 10, 20), ""), ((0, 0, 0), ""), ((0, 10, 25), "ids: there, in .*: none; .*dataset.id_column=none")],
)
def test_range_indexes_of_parts(tmp_path: Path, starts: tuple[int, ...], message: str) -> None:
    """Parts of one frame, or each counted from 0: the rows are numbered."""
    x = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
    frame = pd.DataFrame({"emb": list(x)})
    for part, start in enumerate(starts):
        frame.iloc[start : start + 10].to_parquet(tmp_path / f"p{part}.parquet")
    if message:
        with pytest.raises(VqbenchError, match=message):
            File(path=str(tmp_path)).load()
        assert File(path=str(tmp_path), id_column="none").load().ids is None
        return
    assert File(path=str(tmp_path)).load().ids is None
    (tmp_path / "p0.parquet").unlink()
    if starts[1]:
        assert list(File(path=str(tmp_path)).load().ids or ()) == list(map(str, range(10, 30)))
