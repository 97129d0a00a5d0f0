"""Tables of Arrow: each way to store a vector and an id, read as the values that are there, or refused by name."""

from __future__ import annotations

import datetime
import json
import uuid
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from writers import lists

from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.errors import VqbenchError

N, D = 300, 6
ROWS = np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)
IDS = [f"é{row}" for row in range(N)]


def _read(path: Path, columns: dict | pa.Table, **wanted) -> Content:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=70)
    elif path.suffix == ".feather":
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table, 70)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table, 70)
    return read(path, Wanted(**wanted))


def _refused(path: Path, words: str, columns: dict, **wanted) -> None:
    with pytest.raises(VqbenchError, match=words) as error:
        _read(path, columns, **wanted)
    assert "\n" not in str(error.value)


@pytest.fixture(params=["x.parquet", "x.feather", "x.arrows"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return tmp_path / request.param


def _tensor(x_nd: np.ndarray, shape: list[int] | None = None) -> pa.Array:
    kind = pa.fixed_shape_tensor(pa.from_numpy_dtype(x_nd.dtype), shape or [x_nd.shape[1]])
    return pa.ExtensionArray.from_storage(kind, lists(x_nd, "fixed"))


def _text(x_nd: np.ndarray, form: str) -> list[str]:
    forms = {
        "json": lambda row: json.dumps(row.tolist()),
        "pgvector": lambda row: f"[{','.join(map(str, row))}]",
        "postgres": lambda row: "{" + ",".join(map(str, row)) + "}",
        "numpy": str,
        "python": lambda row: str(list(row)),
    }
    with np.printoptions(floatmode="unique", linewidth=40):
        return [forms[form](row) for row in x_nd]


FORMS = {
    "list": lambda: lists(ROWS),
    "large": lambda: lists(ROWS, "large"),
    "fixed": lambda: lists(ROWS, "fixed"),
    "tensor": lambda: _tensor(ROWS),
    "row tensor": lambda: _tensor(ROWS, [1, D]),
    "nested": lambda: pa.array([[row.tolist()] for row in ROWS], pa.list_(pa.list_(pa.float32()))),
    "blob": lambda: pa.array([row.tobytes() for row in ROWS]),
    "fixed blob": lambda: pa.array([row.tobytes() for row in ROWS], pa.binary(4 * D)),
    "wide blob": lambda: pa.array([row.astype("<f8").tobytes() for row in ROWS], pa.large_binary()),
    **{
        form: (lambda form=form: pa.array(_text(ROWS, form)))
        for form in ("json", "pgvector", "postgres", "numpy", "python")
    },
    "large text": lambda: pa.array(_text(ROWS, "json"), pa.large_string()),
    "coded text": lambda: pa.array(_text(ROWS, "json")).dictionary_encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_way_to_store_a_vector(path: Path, form: str) -> None:
    content = _read(path, {"id": IDS, "text": ["a text"] * N, "embedding": FORMS[form](), "n": range(N)})
    np.testing.assert_array_equal(content.rows_nd[:].astype(np.float32), ROWS)
    assert content.ids == IDS
    assert content.gaps == {}
    assert content.taken.startswith(f"{path.name}: column 'embedding' (float")
    assert f"{N} x {D}), ids from 'id'; not used: text, n (int64)" in content.taken


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "u1", "bool"])
def test_dtypes_stay_as_they_are(path: Path, kind: str) -> None:
    x_nd = (ROWS * 9).astype(kind)
    for array in (lists(x_nd), lists(x_nd, "fixed"), *([] if kind == "bool" else [_tensor(x_nd)])):
        rows_nd = _read(path, {"x": array}).rows_nd[:]
        assert rows_nd.dtype == x_nd.dtype
        assert rows_nd.tobytes() == x_nd.tobytes()
    wide_nd = _read(path, {f"x{at}": x_nd[:, at] for at in range(D)}).rows_nd[:] if kind != "bool" else x_nd
    assert wide_nd.tobytes() == x_nd.tobytes()


@pytest.mark.parametrize("names", ["dim_{}", "{}", "emb.{}", "f{:03}", "Embedding{}"])
@pytest.mark.parametrize("first", [0, 1])
def test_wide_tables(path: Path, names: str, first: int) -> None:
    """In the order of their numbers, wherever they stand."""
    order = np.random.default_rng(1).permutation(12)
    x_nd = np.hstack([ROWS, 2 * ROWS])
    wide = {names.format(at + first): x_nd[:, at] for at in order}
    content = _read(path, {"label": np.arange(N) % 3, **wide, "id": IDS})
    np.testing.assert_array_equal(content.rows_nd[:], x_nd)
    assert content.ids == IDS
    assert "(float32 in columns, 300 x 12), ids from 'id'; not used: label (int64)" in content.taken
    both = {**wide, "x": lists(ROWS)}
    one, last = names.format(first), names.format(first + 11)
    _refused(path, rf"columns x \(lists of float32\), {one} ... {last} \(12 columns, float32\): more than one", both)
    chosen = _read(path, {"v": lists(ROWS), **wide}, key=f"{names.partition('{')[0]}*")
    np.testing.assert_array_equal(chosen.rows_nd[:], x_nd)


def test_fields_of_structs(path: Path) -> None:
    inner = pa.StructArray.from_arrays([lists(ROWS), pa.array(IDS)], ["embedding", "doc_id"])
    outer = pa.StructArray.from_arrays([inner, pa.array(range(N))], ["b", "n"])
    content = _read(path, {"a": outer, "n": range(N)})
    np.testing.assert_array_equal(content.rows_nd[:], ROWS)
    assert content.ids == IDS
    assert "column 'a.b.embedding' (float32, 300 x 6), ids from 'a.b.doc_id'; not used: a.n (int64), n" in content.taken
    assert _read(path, {"a": outer, "e": lists(ROWS + 1)}, key="a.b.embedding").rows_nd[0, 0] == ROWS[0, 0]
    null = pa.array([None, *({"e": row.tolist()} for row in ROWS)], pa.struct({"e": pa.list_(pa.float32())}))
    content = _read(path, {"a": null})
    assert content.gaps == {0: "null"}
    np.testing.assert_array_equal(content.rows_nd[1:], ROWS)


def test_views_of_lists(tmp_path: Path) -> None:
    views = pa.array(ROWS.tolist(), pa.list_view(pa.float32()))
    np.testing.assert_array_equal(_read(tmp_path / "x.feather", {"e": views}).rows_nd[:], ROWS)


def _of(values: list, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(values, kind)


DAY, MOMENT = datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 1, 2, 3)
IDS_OF_TYPES = {
    "int": (_of([7, -3]), ["7", "-3"]),
    "uint64": (_of([2**64 - 1, 0], pa.uint64()), [str(2**64 - 1), "0"]),
    "float": (_of([12.0, 0.5]), ["12", "0.5"]),
    "float32": (_of([0.1, 16777216.0], pa.float32()), ["0.1", "16777216"]),
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
def test_ids_of_every_type(path: Path, kind: str) -> None:
    if kind == "seconds" and path.suffix == ".parquet":
        pytest.skip("Parquet has no seconds")
    array, ids = IDS_OF_TYPES[kind]
    for name in ("id", "doc_id"):
        content = _read(path, {name: array, "x": lists(ROWS[:2])})
        assert content.ids == ids
        assert content.taken.endswith(f"ids from {name!r}")
    assert _read(path, {"title": array, "x": lists(ROWS[:2])}).ids is None
    assert _read(path, {"title": array, "x": lists(ROWS[:2])}, id_column="title").ids == ids
    assert _read(path, {"id": array, "x": lists(ROWS[:2])}, id_column="none").ids is None


def test_ids_that_are_none(path: Path) -> None:
    x = lists(ROWS[:2])
    assert _read(path, {"id": [True, False], "x": x}).taken.endswith("not used: id (bool)")
    _refused(
        path,
        r"dataset.id_column=id: this column is bool: it could be: n \(int64\)",
        {"id": [True, False], "n": [1, 2], "x": x},
        id_column="id",
    )
    _refused(path, "row 1, column id: null: each row needs an id; .*id_column=none", {"id": ["a", None], "x": x})
    _refused(path, "row 0, column id: null: each row needs an id", {"id": [float("nan"), 1.0], "x": x})
    _refused(
        path,
        "no such column: it could be: title .*; did you mean title[?]",
        {"title": ["a", "b"], "n": [1, 2], "x": x},
        id_column="titel",
    )


def test_ids_that_repeat(path: Path) -> None:
    """The refusal names a column that works, and only such a one."""
    columns = {
        "id": ["a", "a", "b"],
        "score": [0.1, 0.2, 0.3],
        "text": ["x", "y", "x"],
        "chunk": [4, 5, 6],
        "x": lists(ROWS[:3]),
    }
    _refused(
        path,
        "ids from 'id': 'a' stands in rows 0 and 1: .*; dataset.id_column=chunk names values that all differ, or .*=none",
        columns,
    )
    assert _read(path, columns, id_column="chunk").ids == ["4", "5", "6"]
    del columns["chunk"]
    _refused(path, "must all differ; dataset.id_column=none numbers the rows$", columns)


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


@pytest.mark.parametrize("form", ["list", "large", "fixed", "json", "blob", "wide", "nested"])
def test_rows_without_a_vector(path: Path, form: str) -> None:
    """NaN or 0, and why; the others as they are."""
    x_nd = ROWS.astype(np.float64)
    rows: list = [row.tolist() for row in x_nd]
    bad = {5: (None, "null"), 77: ([], "an empty list"), 80: (rows[0][:2], "2 numbers where most rows have 6")}
    bad[299] = ([*rows[0][:5], None], "null among its numbers")
    kinds = {"large": pa.large_list(pa.float64()), "fixed": pa.list_(pa.float64(), D)}
    if form == "fixed":
        bad = {5: bad[5], 299: bad[299]}
    elif form in ("json", "blob"):
        del bad[299]
    elif form == "wide":
        bad = {5: ([None] * D, "null in column x0"), 299: ([*rows[0][:5], None], "null in column x5")}
    for row, (value, _) in bad.items():
        rows[row] = value
    if form == "json":
        bad[6] = ("no", "no list of numbers: 'no'")
        rows = [value if value is None else json.dumps(value) for value in rows]
        rows[6] = "no"
    elif form == "blob":
        bad[6] = (b"abc", "3 bytes, which are no vector")
        rows = [value if value is None else np.array(value).tobytes() for value in rows]
        rows[6] = b"abc"
    elif form == "nested":
        rows = [value if value is None else [value] for value in rows]
        kinds["nested"] = pa.list_(pa.list_(pa.float64()))
    if form == "wide":
        columns = {f"x{at}": pa.array([row[at] for row in rows], pa.float64()) for at in range(D)}
    else:
        columns = {"x": pa.array(rows, kinds.get(form))}
    content = _read(path, {"id": IDS, **columns})
    assert content.gaps == {row: reason for row, (_, reason) in bad.items()}
    assert list(content.gaps) == sorted(content.gaps)
    kept = np.delete(np.arange(N), list(bad))
    np.testing.assert_array_equal(content.rows_nd[:][kept], x_nd[kept])
    assert np.isnan(content.rows_nd[:][list(bad)]).all()
    assert content.ids == IDS


def test_gaps_of_whole_numbers_and_of_first_rows(path: Path) -> None:
    """The first 200 rows are null: the width is that of the first rows that have one."""
    rows = [None] * 200 + [[1, 2, 3]] * 60 + [[1, 2]] * 40
    content = _read(path, {"id": [None] * 200 + IDS[200:], "x": pa.array(rows, pa.list_(pa.int8()))})
    assert content.rows_nd[:].dtype == np.int8
    np.testing.assert_array_equal(content.rows_nd[:], [[0] * 3] * 200 + [[1, 2, 3]] * 60 + [[0] * 3] * 40)
    assert len(content.gaps) == 240
    assert content.gaps[260] == "2 numbers where most rows have 3"
    assert content.ids[199:201] == ["row 199", IDS[200]]
    _refused(
        path,
        "column x: all rows are null or empty: needs rows of numbers",
        {"x": pa.array([None, []], pa.list_(pa.float32()))},
    )


def test_corpus_and_queries_of_a_pair(path: Path) -> None:
    pairs = {
        "qid": [f"q{row}" for row in range(N)],
        "query_embedding": lists(ROWS),
        "pid": IDS,
        "passage_embedding": lists(ROWS + 1),
    }
    content = _read(path, pairs)
    np.testing.assert_array_equal(content.rows_nd[:], ROWS + 1)
    np.testing.assert_array_equal(content.queries_qd[:], ROWS)
    assert (content.ids, content.query_ids) == (IDS, pairs["qid"])
    assert (
        "column 'passage_embedding' (float32, 300 x 6), ids from 'pid', queries from 'query_embedding', query ids "
        "from 'qid'" in content.taken
    )
    np.testing.assert_array_equal(_read(path, pairs, queries=True).rows_nd[:], ROWS)
    assert _read(path, pairs, queries=True).ids == pairs["qid"]
    swapped = _read(path, pairs, key="query_embedding", queries_key="passage_embedding")
    np.testing.assert_array_equal(swapped.rows_nd[:], ROWS)
    np.testing.assert_array_equal(swapped.queries_qd[:], ROWS + 1)
    pairs["qid"][1] = "q0"
    _refused(
        path,
        "ids from 'qid': 'q0' stands in rows 0 and 1: .*; dataset.query_id_column=none numbers",
        pairs,
    )
    assert _read(path, pairs, query_id_column="none").query_ids is None
    pairs["query_embedding"] = pa.array([None, *ROWS[1:].tolist()], pa.list_(pa.float32()))
    content = _read(path, pairs, query_id_column="pid")
    assert (content.gaps, content.query_gaps) == ({}, {0: "null"})


def test_texts_and_labels(path: Path) -> None:
    columns = {
        "x": lists(ROWS[:3]),
        "title": ["a", None, "a"],
        "genre": [1, 2, 2],
        "tags": [["x", "\u00e9"], [], None],
        "ok": [True, None, False],
    }
    content = _read(path, columns, texts="title", labels="genre")
    assert (content.texts, content.labels, content.ids) == (["a", "", "a"], ["1", "2", "2"], None)
    assert content.taken.endswith(
        "texts from 'title', labels from 'genre'; not used: tags (lists of string), ok (bool)"
    )
    content = _read(path, columns, texts="tags", labels="ok")
    assert (content.texts, content.labels) == (['["x", "\u00e9"]', "[]", ""], ["true", "", "false"])
    _refused(path, "dataset.labels=gnre: no such column", columns, labels="gnre")


def test_what_is_no_vector_is_not_taken(path: Path) -> None:
    tokens = np.random.default_rng(2).integers(0, 30000, (N, 64))
    ragged = pa.array([[1.5] * (row % 50) for row in range(N)])
    times = pa.array([[1, 2] * (row % 50) for row in range(N)], pa.list_(pa.uint8()))
    images = pa.array([bytes(range(200, 200 + row % 50)) for row in range(N)])
    image = _tensor(np.ones((N, 12), np.float32), [2, 2, 3])
    hashes = pa.array([np.random.default_rng(row).bytes(32) for row in range(N)])
    codes = pa.array([f"{row:08}".encode() for row in range(N)])
    boxes = {"score_0": ROWS[:, 0], "score_1": ROWS[:, 1]}
    beside = {
        "input_ids": lists(tokens),
        "mask": lists(tokens, "fixed"),
        "ragged": ragged,
        "times": times,
        "images": images,
        "image": image,
        "hash": hashes,
        "code": codes,
        **boxes,
    }
    for array in (lists(ROWS), _tensor(ROWS)):
        content = _read(path, {**beside, "embedding": array})
        np.testing.assert_array_equal(content.rows_nd[:], ROWS)
        assert (
            "not used: input_ids (lists of int64), mask (lists of int64), ragged (lists of float32 of varying"
            in content.taken.replace("double", "float32").replace("float64", "float32")
        )
    _refused(
        path,
        r"columns with vectors: none; it has images \(bytes\), hash \(bytes\), code \(bytes\)",
        {name: beside[name] for name in ("images", "hash", "code")},
    )
    _refused(
        path,
        r"column input_ids \(lists of int64\): whole numbers may be token ids; .*dataset.key=input_ids",
        {"input_ids": lists(tokens)},
    )
    assert _read(path, {"input_ids": lists(tokens)}, key="input_ids").rows_nd[:].tobytes() == tokens.tobytes()
    _refused(
        path,
        r"column t \(numbers written as text\): whole numbers may be token ids",
        {"t": [json.dumps(row.tolist()) for row in tokens]},
    )
    _refused(
        path, "dataset.key=hash: this column is bytes: it could be: x", {"hash": hashes, "x": lists(ROWS)}, key="hash"
    )
    for two in ({"a": lists(ROWS), "b": lists(ROWS)}, {"a": _text(ROWS, "json"), "b": [row.tobytes() for row in ROWS]}):
        _refused(
            path,
            "columns a .*, b .*: more than one column could hold the vectors; .*key=a and dataset.queries_key=b",
            two,
        )
    twice = pa.Table.from_arrays([lists(ROWS), lists(ROWS)], names=["e", "e"])
    _refused(path, r"none; it has e \(2 columns of this name\)", twice)


def test_damage_beside_the_vectors_is_no_reason_to_refuse_them(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    ragged = pa.array([[1.0] * (row % 5) for row in range(N)])
    _read(path, {"x": lists(ROWS), "other": ragged})
    chunk = pq.read_metadata(path).row_group(0).column(1)
    content = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(content)
    np.testing.assert_array_equal(read(path, Wanted(key="x")).rows_nd[:], ROWS)
    with pytest.raises(VqbenchError, match="cannot be read as .parquet|more than one"):
        read(path, Wanted(key="other"))
