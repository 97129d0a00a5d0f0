"""Vectors in tables of Arrow: each way to store them is read as the values that are there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tables import IDS, ROWS, D, N, read_table, refuse_table, tensor, texts
from writers import lists

FORMS = {
    "list": lambda: lists(ROWS),
    "large": lambda: lists(ROWS, "large"),
    "fixed": lambda: lists(ROWS, "fixed"),
    "tensor": lambda: tensor(ROWS),
    "row tensor": lambda: tensor(ROWS, [1, D]),
    "nested": lambda: pa.array([[row.tolist()] for row in ROWS], pa.list_(pa.list_(pa.float32()))),
    "structs": lambda: pa.ListArray.from_arrays(
        pa.array(np.arange(N + 1, dtype=np.int32) * D), pa.StructArray.from_arrays([pa.array(ROWS.ravel())], ["item"])
    ),
    "blob": lambda: pa.array([row.tobytes() for row in ROWS]),
    "fixed blob": lambda: pa.array([row.tobytes() for row in ROWS], pa.binary(4 * D)),
    "wide blob": lambda: pa.array([row.astype("<f8").tobytes() for row in ROWS], pa.large_binary()),
    **{
        form: (lambda form=form: pa.array(texts(ROWS, form)))
        for form in ("json", "pgvector", "postgres", "numpy", "python")
    },
    "large text": lambda: pa.array(texts(ROWS, "json"), pa.large_string()),
    "coded lists": lambda: pa.DictionaryArray.from_arrays(pa.array(np.arange(N, dtype=np.int16)), lists(ROWS)),
    "lists of coded": lambda: pa.ListArray.from_arrays(
        pa.array(np.arange(N + 1, dtype=np.int32) * D), pa.array(ROWS.ravel()).dictionary_encode()
    ),
    "coded text": lambda: pa.array(texts(ROWS, "json")).dictionary_encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_way_to_store_a_vector(table_path: Path, form: str) -> None:
    if "coded" in form and form != "coded text" and table_path.suffix == ".parquet":
        pytest.skip("Parquet has no such type")
    content = read_table(table_path, {"id": IDS, "text": ["a text"] * N, "embedding": FORMS[form](), "n": range(N)})
    np.testing.assert_array_equal(content.rows_nd[:].astype(np.float32), ROWS)
    assert content.ids == IDS
    assert content.gaps == {}
    assert content.taken.startswith(f"{table_path.name}: column 'embedding' (float")
    assert f"{N} x {D}), ids from 'id'; not used: text, n (int64)" in content.taken


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "u1", "bool"])
def test_dtypes_stay_as_they_are(table_path: Path, kind: str) -> None:
    x_nd = (ROWS * 9).astype(kind)
    for array in (lists(x_nd), lists(x_nd, "fixed"), *([] if kind == "bool" else [tensor(x_nd)])):
        rows_nd = read_table(table_path, {"x": array}).rows_nd[:]
        assert rows_nd.dtype == x_nd.dtype
        assert rows_nd.tobytes() == x_nd.tobytes()
    wide_nd = read_table(table_path, {f"x{at}": x_nd[:, at] for at in range(D)}).rows_nd[:] if kind != "bool" else x_nd
    assert wide_nd.tobytes() == x_nd.tobytes()


@pytest.mark.parametrize("names", ["dim_{}", "{}", "emb.{}", "f{:03}", "Embedding{}"])
@pytest.mark.parametrize("first", [0, 1])
def test_wide_tables(table_path: Path, names: str, first: int) -> None:
    """In the order of their numbers, wherever they stand."""
    order = np.random.default_rng(1).permutation(12)
    x_nd = np.hstack([ROWS, 2 * ROWS])
    wide = {names.format(at + first): x_nd[:, at] for at in order}
    content = read_table(table_path, {"label": np.arange(N) % 3, **wide, "id": IDS})
    np.testing.assert_array_equal(content.rows_nd[:], x_nd)
    assert content.ids == IDS
    assert "(float32 in columns, 300 x 12), ids from 'id'; not used: label (int64)" in content.taken
    both = {**wide, "x": lists(ROWS)}
    one, last = names.format(first), names.format(first + 11)
    refuse_table(
        table_path, rf"columns x \(lists of float32\), {one} ... {last} \(12 columns, float32\): more than one", both
    )
    chosen = read_table(table_path, {"v": lists(ROWS), **wide}, key=f"{names.partition('{')[0]}*")
    np.testing.assert_array_equal(chosen.rows_nd[:], x_nd)


def test_fields_of_structs(table_path: Path) -> None:
    inner = pa.StructArray.from_arrays([lists(ROWS), pa.array(IDS)], ["embedding", "doc_id"])
    outer = pa.StructArray.from_arrays([inner, pa.array(range(N))], ["b", "n"])
    content = read_table(table_path, {"a": outer, "n": range(N)})
    np.testing.assert_array_equal(content.rows_nd[:], ROWS)
    assert content.ids == IDS
    assert "column 'a.b.embedding' (float32, 300 x 6), ids from 'a.b.doc_id'; not used: a.n (int64), n" in content.taken
    assert read_table(table_path, {"a": outer, "e": lists(ROWS + 1)}, key="a.b.embedding").rows_nd[0, 0] == ROWS[0, 0]
    null = pa.array([None, *({"e": row.tolist()} for row in ROWS)], pa.struct({"e": pa.list_(pa.float32())}))
    content = read_table(table_path, {"a": null})
    assert content.gaps == {0: "null"}
    np.testing.assert_array_equal(content.rows_nd[1:], ROWS)


def test_views_of_lists(tmp_path: Path) -> None:
    views = pa.array(ROWS.tolist(), pa.list_view(pa.float32()))
    np.testing.assert_array_equal(read_table(tmp_path / "x.feather", {"e": views}).rows_nd[:], ROWS)


@pytest.mark.parametrize("form", ["list", "large", "fixed", "json", "blob", "wide", "nested"])
def test_rows_without_a_vector(table_path: Path, form: str) -> None:
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
    content = read_table(table_path, {"id": IDS, **columns})
    assert content.gaps == {row: reason for row, (_, reason) in bad.items()}
    assert list(content.gaps) == sorted(content.gaps)
    kept = np.delete(np.arange(N), list(bad))
    np.testing.assert_array_equal(content.rows_nd[:][kept], x_nd[kept])
    assert np.isnan(content.rows_nd[:][list(bad)]).all()
    assert content.ids == IDS


def test_gaps_of_whole_numbers_and_of_first_rows(table_path: Path) -> None:
    """The first 200 rows are null: the width is that of the first rows that have one."""
    rows = [None] * 200 + [[1, 2, 3]] * 60 + [[1, 2]] * 40
    content = read_table(table_path, {"id": [None] * 200 + IDS[200:], "x": pa.array(rows, pa.list_(pa.int8()))})
    assert content.rows_nd[:].dtype == np.int8
    np.testing.assert_array_equal(content.rows_nd[:], [[0] * 3] * 200 + [[1, 2, 3]] * 60 + [[0] * 3] * 40)
    assert len(content.gaps) == 240
    assert content.gaps[260] == "2 numbers where most rows have 3"
    assert content.ids[199:201] == ["row 199", IDS[200]]
    refuse_table(
        table_path,
        "column x: all rows are null or empty: needs rows of numbers",
        {"x": pa.array([None, []], pa.list_(pa.float32()))},
    )


def test_corpus_and_queries_of_a_pair(table_path: Path) -> None:
    pairs = {
        "qid": [f"q{row}" for row in range(N)],
        "query_embedding": lists(ROWS),
        "pid": IDS,
        "passage_embedding": lists(ROWS + 1),
    }
    content = read_table(table_path, pairs)
    np.testing.assert_array_equal(content.rows_nd[:], ROWS + 1)
    np.testing.assert_array_equal(content.queries_qd[:], ROWS)
    assert (content.ids, content.query_ids) == (IDS, pairs["qid"])
    assert (
        "column 'passage_embedding' (float32, 300 x 6), ids from 'pid', queries from 'query_embedding', query ids "
        "from 'qid'" in content.taken
    )
    np.testing.assert_array_equal(read_table(table_path, pairs, queries=True).rows_nd[:], ROWS)
    assert read_table(table_path, pairs, queries=True).ids == pairs["qid"]
    swapped = read_table(table_path, pairs, key="query_embedding", queries_key="passage_embedding")
    np.testing.assert_array_equal(swapped.rows_nd[:], ROWS)
    np.testing.assert_array_equal(swapped.queries_qd[:], ROWS + 1)
    pairs["qid"][1] = "q0"
    refuse_table(
        table_path,
        "ids from 'qid': 'q0' occurs in rows 0 and 1: .*; dataset.query_id_column=none numbers",
        pairs,
    )
    assert read_table(table_path, pairs, query_id_column="none").query_ids is None
    pairs["query_embedding"] = pa.array([None, *ROWS[1:].tolist()], pa.list_(pa.float32()))
    content = read_table(table_path, pairs, query_id_column="pid")
    assert (content.gaps, content.query_gaps) == ({}, {0: "null"})


def test_what_only_marks_a_type(tmp_path: Path) -> None:
    """Extensions are read as what they store; runs are unrolled."""
    bits = ROWS > 0
    marked = pa.ExtensionArray.from_storage(pa.bool8(), pa.array(bits.ravel().astype(np.int8)))
    content = read_table(tmp_path / "x.feather", {"x": pa.FixedSizeListArray.from_arrays(marked, D)})
    np.testing.assert_array_equal(content.rows_nd[:], bits)
    runs = pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["a", "b"]))
    content = read_table(tmp_path / "y.feather", {"id": runs, "x": lists(ROWS[:3])}, id_column="none", labels="id")
    assert content.labels == ["a", "a", "b"]


def test_a_shape_that_an_unknown_type_states(table_path: Path) -> None:
    """As Ray writes tensors: lists, with the shape beside them. Pictures are no vectors."""
    fields = {}
    for name, shape in (("picture", "[2, 3]"), ("vector", "[6]")):
        marks = {"ARROW:extension:name": "some.tensor", "ARROW:extension:metadata": shape}
        fields[name] = pa.field(name, pa.list_(pa.float32()), metadata=marks)
    table = pa.table([lists(ROWS + 1), lists(ROWS)], schema=pa.schema(list(fields.values())))
    content = read_table(table_path, table)
    np.testing.assert_array_equal(content.rows_nd[:], ROWS)
    assert content.taken.endswith("not used: picture (tensors of float32, 2 x 3)")
