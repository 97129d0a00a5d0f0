"""JSON and lines of JSON: the vectors, ids and queries of files as APIs, databases and notebooks write them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.datasets.file import File
from vqbench.datasets.formats import read
from vqbench.datasets.json_fields import EACH
from vqbench.datasets.json_lists import aligned
from vqbench.datasets.prepare import prepare
from vqbench.datasets.readers import json_text
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.errors import VqbenchError
from vqbench.storage import growing

X = np.random.default_rng(0).standard_normal((30, 8)).astype(np.float32)
ROWS = X.tolist()
IDS = [f"d{row}" for row in range(30)]
BYTES = (X * 20).astype(int).clip(-128, 127).tolist()


def _read(folder: Path, value: Any, name: str = "x.json", **wanted: Any) -> Content:
    """What is read of a value, or of the lines of a list of them."""
    path = folder / name
    lines = value if path.suffix != ".json" else [value]
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), "utf-8")
    return read(path, Wanted(**wanted))


def _answer(rows: list[Any]) -> dict[str, Any]:
    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
    return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 3}}


def _base64(row: np.ndarray) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


#: Values, the field of the vectors and the ids that are right.
SHAPES: dict[str, tuple[Any, str, list[str] | None]] = {
    "openai": (_answer(ROWS), "data.embedding", None),
    "openai base64": (_answer([_base64(row) for row in X]), "data.embedding", None),
    "openai out of order": ({"data": _answer(ROWS)["data"][::-1]}, "data.embedding", None),
    "cohere": ({"id": "a", "texts": ["t"] * 30, "embeddings": ROWS, "meta": {"n": 1}}, "embeddings", None),
    "cohere types": (
        {"embeddings": {"int8": BYTES, "float": ROWS, "ubinary": [[3, 200]] * 30}, "texts": ["t"] * 30},
        "embeddings.float",
        None,
    ),
    "ollama": ({"model": "m", "embeddings": ROWS, "total_duration": 5}, "embeddings", None),
    "vertex": (
        {"predictions": [{"embeddings": {"values": row, "statistics": {"token_count": 3}}} for row in ROWS]},
        "predictions.embeddings.values",
        None,
    ),
    "chroma": (
        {"ids": IDS, "embeddings": ROWS, "documents": None, "metadatas": [{"doc_id": "m"}] * 30, "included": ["a"]},
        "embeddings",
        IDS,
    ),
    "numbered ids": ({"ids": list(range(30)), "embeddings": ROWS}, "embeddings", list(map(str, range(30)))),
    "pinecone": (
        {
            "vectors": [
                {"id": i, "values": row, "sparse_values": {"indices": list(range(at % 7)), "values": [0.5] * (at % 7)}}
                for at, (i, row) in enumerate(zip(IDS, ROWS, strict=True))
            ]
        },
        "vectors.values",
        IDS,
    ),
    "pinecone by id": (
        {"vectors": {i: {"id": i, "values": row, "metadata": {"g": 1}} for i, row in zip(IDS, ROWS, strict=True)}},
        "vectors.values",
        IDS,
    ),
    "qdrant": (
        {"result": {"points": [{"id": i, "payload": {"id": 0}, "vector": r} for i, r in zip(IDS, ROWS, strict=True)]}},
        "result.points.vector",
        IDS,
    ),
    "weaviate": (
        {"data": {"Get": {"A": [{"_additional": {"id": i, "vector": r}} for i, r in zip(IDS, ROWS, strict=True)]}}},
        "data.Get.A._additional.vector",
        IDS,
    ),
    "elasticsearch": (
        {"hits": {"total": 30, "hits": [{"_id": i, "_source": {"v": r}} for i, r in zip(IDS, ROWS, strict=True)]}},
        "hits.hits._source.v",
        IDS,
    ),
    "rows": ([{"id": i, "input_ids": [1, 999], "v": r} for i, r in zip(IDS, ROWS, strict=True)], "v", IDS),
    "records by id": ({i: {"id": i, "vector": r, "text": "t"} for i, r in zip(IDS, ROWS, strict=True)}, "vector", IDS),
    "by id": (dict(zip(IDS, ROWS, strict=True)), "values", IDS),
    "lists": (ROWS, "values", None),
    "lists in text": ([{"id": i, "v": json.dumps(r)} for i, r in zip(IDS, ROWS, strict=True)], "v", IDS),
}
#: The same for lines.
LINES: dict[str, tuple[Any, str, list[str] | None]] = {
    "batch": (
        [
            {"id": f"r{i}", "custom_id": i, "response": {"status_code": 200, "body": _answer([row])}, "error": None}
            for i, row in zip(IDS, ROWS, strict=True)
        ],
        "response.body.data.embedding",
        IDS,
    ),
    "answers of ten": ([_answer(ROWS[at : at + 10]) for at in (0, 10, 20)], "data.embedding", None),
    "collections": (
        [{"ids": IDS[at : at + 10], "embeddings": ROWS[at : at + 10]} for at in (0, 10, 20)],
        "embeddings",
        IDS,
    ),
    "chunks": (
        [
            {"id": f"a{at}", "chunks": [{"chunk_id": IDS[3 * at + k], "v": ROWS[3 * at + k]} for k in range(3)]}
            for at in range(10)
        ],
        "chunks.v",
        IDS,
    ),
    "gemini": ([{"key": i, "response": {"embedding": {"values": r}}} for i, r in zip(IDS, ROWS, strict=True)],
               "response.embedding.values", IDS),
    "lists": (ROWS, "values", None),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_json(shape: str, tmp_path: Path) -> None:
    value, name, ids = SHAPES[shape]
    content = _read(tmp_path, value)
    np.testing.assert_array_equal(content.rows_nd, X)
    assert content.ids == ids
    assert f"field '{name}' (" in content.taken
    assert not content.gaps


@pytest.mark.parametrize("shape", LINES)
@pytest.mark.parametrize("ending", [".jsonl", ".ndjson", ".json"])
def test_shapes_of_lines(shape: str, ending: str, tmp_path: Path) -> None:
    value, name, ids = LINES[shape]
    path = tmp_path / f"x{ending}"
    path.write_text("\ufeff\n" + "\r\n\n".join(map(json.dumps, value)), "utf-8")
    content = read(path, Wanted())
    np.testing.assert_array_equal(content.rows_nd, X)
    assert content.ids == ids
    assert f"field '{name}' (float64, 30 x 8)" in content.taken


@pytest.mark.parametrize("orient", ["columns", "records", "index", "table"])
def test_frames_of_pandas(orient: Any, tmp_path: Path) -> None:
    pd.DataFrame({"id": IDS, "v": ROWS}).to_json(tmp_path / "x.json", orient=orient, double_precision=15)
    content = read(tmp_path / "x.json", Wanted())
    np.testing.assert_allclose(content.rows_nd, X, atol=1e-9)
    assert content.ids == IDS


def test_the_notebooks_dictionary_is_read_bit_for_bit(tmp_path: Path) -> None:
    x_nd = np.random.default_rng(1).standard_normal((9, 5)) * 10.0 ** np.arange(-4, 5)[:, None]
    content = _read(tmp_path, {f"é {row}": values for row, values in enumerate(x_nd.tolist())})
    assert content.rows_nd[:].tobytes() == x_nd.tobytes()
    assert content.ids == [f"é {row}" for row in range(9)]
    whole = _read(tmp_path, {"a": [300, 400], "b": [1, 2]})
    assert (whole.rows_nd.dtype, whole.rows_nd[:].tolist()) == (np.float64, [[300, 400], [1, 2]])


def test_bytes_stay_bytes_and_longer_whole_numbers_must_be_named(tmp_path: Path) -> None:
    content = _read(tmp_path, {"embeddings": {"int8": BYTES}})
    assert (content.rows_nd.dtype, content.rows_nd[:].tolist()) == (np.int8, BYTES)
    unsigned = _read(tmp_path, [{"v": [0, 255]}, {"v": [7, 8]}])
    assert (unsigned.rows_nd.dtype, unsigned.rows_nd[:].tolist()) == (np.uint8, [[0, 255], [7, 8]])
    tokens = [{"id": "a", "input_ids": [101, 2040]}, {"id": "b", "input_ids": [101, 102]}]
    with pytest.raises(VqbenchError, match=r"whole numbers may be token ids; choose with dataset.key=NAME, as in "
                                           r"dataset.key=input_ids"):  # fmt: skip
        _read(tmp_path, tokens)
    assert _read(tmp_path, tokens, key="input_ids").rows_nd[:].tolist() == [[101, 2040], [101, 102]]


def test_two_fields_of_floats_are_refused_and_a_key_chooses(tmp_path: Path) -> None:
    value = {"points": [{"id": i, "vector": {"image": r, "text": r[::-1]}} for i, r in zip(IDS, ROWS, strict=True)]}
    with pytest.raises(VqbenchError, match=r"vector.image \(float64, 30 x 8\), points.vector.text .*: more than"):
        _read(tmp_path, value)
    content = _read(tmp_path, value, key="points.vector.text")
    np.testing.assert_array_equal(content.rows_nd, X[:, ::-1])
    both = _read(tmp_path, value, key="points.vector.text", queries_key="points.vector.image")
    np.testing.assert_array_equal(both.queries_qd, X)
    with pytest.raises(VqbenchError, match=r"dataset.key=points.vector.txt: no such field: .* points.vector.text"):
        _read(tmp_path, value, key="points.vector.txt")


def test_corpus_and_queries_with_their_own_ids(tmp_path: Path) -> None:
    """Ids come from the table of the vectors, also where another one is as long."""
    value = {
        "queries": [{"id": f"q{row}", "v": ROWS[row][::-1]} for row in range(30)],
        "docs": [{"id": IDS[row], "v": ROWS[row]} for row in range(30)],
    }
    for wanted in ({}, {"key": "docs.v", "queries_key": "queries.v"}):
        content = _read(tmp_path, value, **wanted)
        np.testing.assert_array_equal(content.rows_nd, X)
        np.testing.assert_array_equal(content.queries_qd, X[:, ::-1])
        assert (content.ids, content.query_ids) == (IDS, [f"q{row}" for row in range(30)])
    other = {"a": value["docs"], "b": value["queries"]}
    assert _read(tmp_path, other, key="b.v").ids == [f"q{row}" for row in range(30)]
    by_id = {"corpus": dict(zip(IDS, ROWS, strict=True)), "queries": {"q1": ROWS[0], "q2": ROWS[1]}}
    content = _read(tmp_path, by_id)
    assert (content.ids, content.query_ids) == (IDS, ["q1", "q2"])


def test_texts_labels_and_ids_by_name(tmp_path: Path) -> None:
    lines = [{"name": f"n{row}", "meta": {"title": "é", "kind": row % 3}, "v": ROWS[row]} for row in range(30)]
    content = _read(tmp_path, lines, "x.jsonl", id_column="name", texts="meta.title", labels="meta.kind")
    assert content.ids == [f"n{row}" for row in range(30)]
    assert content.texts == ["é"] * 30
    assert content.labels == [str(row % 3) for row in range(30)]
    assert _read(tmp_path, lines, "x.jsonl").ids is None
    with pytest.raises(VqbenchError, match=r"'é' occurs in rows 0 and 1: .*dataset.id_column=name names values"):
        _read(tmp_path, lines, "x.jsonl", id_column="meta.title")


def test_gaps_are_named_and_not_dropped(tmp_path: Path) -> None:
    def line(row: int, response: Any) -> dict[str, Any]:
        return {"custom_id": IDS[row], "response": response, "error": None}

    lines = [line(row, {"status_code": 200, "body": _answer([ROWS[row]])}) for row in range(30)]
    lines[0] = line(0, {"status_code": 400, "body": {"error": {"message": "too many tokens"}}})
    lines[5] = line(5, {"status_code": 200, "body": _answer([])})
    lines[6] = {"custom_id": IDS[6], "response": None, "error": {"message": "expired"}}
    content = _read(tmp_path, lines, "x.jsonl")
    assert content.gaps == {
        0: "null or missing (error: too many tokens)",
        5: "null or missing",
        6: "null or missing (error: expired)",
    }
    assert content.ids == IDS
    assert np.isnan(content.rows_nd[[0, 5, 6]]).all()
    np.testing.assert_array_equal(content.rows_nd[7:], X[7:])
    rows: list[Any] = [{"id": i, "v": r} for i, r in zip(IDS, ROWS, strict=True)]
    rows[1]["v"], rows[2]["v"], rows[3]["v"], rows[4]["v"] = None, [], [1.5], [None, *ROWS[4][1:]]
    del rows[9]["v"]
    assert _read(tmp_path, rows).gaps == {
        1: "null or missing",
        2: "an empty list",
        3: "1 number, others have 8",
        4: "null among its numbers",
        9: "null or missing",
    }
    with pytest.raises(VqbenchError, match=r"row 7: \"a\": the value must be a list of numbers"):
        _read(tmp_path, [*rows[:7], {"id": "x", "v": "a"}, *rows[8:]])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([{"id": "a", "v": [1.5]}, {"id": None, "v": [2.5]}], "line 2, id: null: each row needs an id"),
        ([{"id": "a", "v": [1.5, 2]}, {"id": "a", "v": [2.5, 3]}], "'a' occurs in rows 0 and 1.*id_column=none"),
        ([{"ids": ["a"], "v": [[1.5], [2.5]]}, {"ids": ["b", "c"], "v": [[2.5]]}], "line 1: v, ids: 1 and 2 values"),
    ],
)
def test_what_is_wrong_in_a_line(lines: list[Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(VqbenchError, match=words):
        _read(tmp_path, lines, "x.jsonl")


def test_a_value_over_several_lines_is_no_line(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps(_answer(ROWS), indent=1))
    with pytest.raises(VqbenchError, match=r"line 1: cannot be read as JSON .*name it .json"):
        read(tmp_path / "x.jsonl", Wanted())


def test_what_later_lines_say_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors, a second field of vectors, decimals and widths that the first lines do not show."""
    monkeypatch.setattr(json_text, "_FIRST", 3)
    late = [{"v": ROWS[row]} if row > 5 else {"title": "t"} for row in range(30)]
    assert sorted(_read(tmp_path, late, "x.jsonl").gaps) == [0, 1, 2, 3, 4, 5]
    with pytest.raises(VqbenchError, match=r"fields v .*, w .*: more than one"):
        _read(tmp_path, [{"v": r, "w": r if row > 9 else None} for row, r in enumerate(ROWS)], "x.jsonl")
    whole = [{"v": [1, 2]}] * 4 + [{"v": [-1, 2.5]}]
    assert _read(tmp_path, whole, "x.jsonl").rows_nd[:].tolist() == [[1, 2]] * 4 + [[-1, 2.5]]
    short = _read(tmp_path, [{"v": [1.5]}] * 3 + [{"v": [1.5, 2.5]}] * 4, "x.jsonl")
    assert short.rows_nd.shape == (7, 2)
    assert sorted(short.gaps) == [0, 1, 2]


def test_many_lines_lie_in_a_scratch_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [{"id": i, "v": r} for i, r in zip(IDS, ROWS, strict=True)]
    near = _read(tmp_path, lines, "x.jsonl")
    monkeypatch.setattr(growing, "_KEPT", 100)
    monkeypatch.setattr("vqbench.storage.ids._HELD", 10)
    monkeypatch.setattr("vqbench.datasets.json_rows._BLOCK", 300)
    far = _read(tmp_path, lines, "x.jsonl")
    assert type(far.rows_nd) is not type(near.rows_nd)
    np.testing.assert_array_equal(far.rows_nd[:], near.rows_nd[:])
    assert far.ids == near.ids == IDS


def test_a_run_reads_them(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("\n".join(json.dumps({"id": i, "v": r}) for i, r in zip(IDS, ROWS, strict=True)))
    source = File(path=str(tmp_path / "x.jsonl")).load()
    data = prepare(source, "x", queries="self", n_queries=5, normalize=False)
    np.testing.assert_array_equal(data.corpus.block(0, 30), X)
    assert list(data.ids) == IDS
    assert data.taken == ("x.jsonl: field 'v' (float64, 30 x 8), ids from 'id'",)


FLOAT = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(FLOAT, min_size=4, max_size=4), min_size=2, max_size=6),
    outer=st.lists(st.sampled_from(["result", "data", "körper", "a b"]), max_size=3),
    inner=st.lists(st.sampled_from(["vector", "values", "x"]), min_size=1, max_size=3),
    lines=st.booleans(),
    extra=st.dictionaries(st.sampled_from(["text", "n", "tags"]), st.sampled_from(["t", 3, ["a"], None, {"k": [{}]}])),
)
def test_records_wherever_they_stand(
    tmp_path_factory: pytest.TempPathFactory, rows: list, outer: list, inner: list, lines: bool, extra: dict
) -> None:
    """Vectors at one place of each record, the records under any names, other fields beside: all are found in order."""
    records = []
    for at, row in enumerate(rows):
        value: Any = [x + 0.5 if x == int(x) else x for x in row]  # decimals, so that they are no whole numbers
        for name in reversed(inner):
            value = {name: value}
        records.append({**extra, "id": f"r{at}", **value})
    value = records
    for name in reversed(outer):
        value = {name: value}
    content = _read(tmp_path_factory.mktemp("x"), records if lines else value, "x.jsonl" if lines else "x.json")
    right = [[x + 0.5 if x == int(x) else x for x in row] for row in rows]
    np.testing.assert_array_equal(content.rows_nd, np.array(right))
    assert content.ids == [f"r{at}" for at in range(len(rows))]


def test_aligned_repeats_what_stands_above_and_goes_through_what_stands_beside() -> None:
    value = {"id": 7, "v": [[1], [2]], "t": ["a", "b"]}
    paths = [("v", EACH), ("id",), ("t", EACH), ("none",)]
    assert list(aligned([value] * 4, paths)) == [[[1], 7, "a", None], [[2], 7, "b", None]]
    assert list(aligned([{"id": 7}] * 3, paths[:3])) == [[None, 7, None]]
    with pytest.raises(LookupError):
        list(aligned([value] * 2, [("id",), ("t", EACH)]))


def _requests(count: int, inputs: int, *, failed: int = -1, empty: Any = None) -> list[dict[str, Any]]:
    """Lines of a batch of requests, one of which failed."""
    some = [ROWS[at * inputs : (at + 1) * inputs] for at in range(count)]
    return [
        {"custom_id": f"r{at}", "response": empty if at == failed else {"body": _answer(rows)}}
        for at, rows in enumerate(some)
    ]


def test_a_failed_request_of_unknown_size(tmp_path: Path) -> None:
    """All later rows would have other numbers, however many it held; its remedy leaves the line out."""
    with pytest.raises(VqbenchError) as refused:
        _read(tmp_path, _requests(6, 5, failed=3), "x.jsonl", id_column="none")
    said, _, command = str(refused.value).partition("or leave it out: ")
    assert "line 4: a failed request where others hold 5 vectors: how many rows it stands for is unknown" in said
    subprocess.run(command, shell=True, check=True)
    content = read(tmp_path / "x_new.jsonl", Wanted(id_column="none"))
    np.testing.assert_array_equal(content.rows_nd[:].astype(np.float32), np.concatenate([X[:15], X[20:]]))
    lines = _requests(6, 5, failed=0, empty={"body": {"data": []}})
    with pytest.raises(VqbenchError, match="line 1: an empty list where others hold 5"):
        _read(tmp_path, lines, "x.jsonl", id_column="none")
    with pytest.raises(VqbenchError, match="a failed request where others hold 5"):
        _read(tmp_path, {"all": _requests(6, 5, failed=3)}, id_column="none")
    assert _read(tmp_path, _requests(6, 1, failed=3), "x.jsonl").gaps == {3: "null or missing"}


def test_a_failed_request_beside_rows_with_ids(tmp_path: Path) -> None:
    """It shifts no other row."""
    lines = [{"data": [{"id": f"d{at}-{x}", "v": ROWS[at]} for x in range(3)]} for at in range(4)]
    content = _read(tmp_path, [*lines[:2], {"error": {"message": "late"}}, *lines[2:]], "x.jsonl")
    assert content.gaps == {6: "null or missing (error: late)"}
    assert list(content.ids or ())[5:8] == ["d1-2", "nothing at line 3", "d2-0"]


def test_a_missing_index_is_a_row_without_a_vector(tmp_path: Path) -> None:
    answer = _answer(ROWS)
    del answer["data"][20], answer["data"][7]
    content = _read(tmp_path, answer)
    assert content.gaps == {7: "no answer has index 7", 20: "no answer has index 20"}
    assert "data.embedding' (float64, 30 x 8)" in content.taken
    rows = [row for row in range(30) if row not in content.gaps]
    np.testing.assert_array_equal(content.rows_nd[:][rows].astype(np.float32), X[rows])
    source = File(path=str(tmp_path / "x.json")).load()
    with pytest.raises(VqbenchError, match="no answer has index 7"):
        prepare(source, "x", queries=None, n_queries=5, normalize=True)
    data = prepare(source, "x", queries=None, n_queries=5, normalize=True, on_bad_rows="drop")
    assert list(data.ids)[6:8] == ["6", "8"]


def test_an_index_that_gives_no_order(tmp_path: Path) -> None:
    answer = _answer(ROWS)
    twice = {"data": answer["data"] + answer["data"]}
    with pytest.raises(VqbenchError, match='index 0 occurs twice in one list: .*del\\(.\\["data"\\]\\[\\].index\\)'):
        _read(tmp_path, twice)
    offsets = {"data": [{**each, "index": 1000 + each["index"]} for each in answer["data"]]}
    with pytest.raises(VqbenchError, match=r"index 1029 in a list of 30: .*dataset.id_column=data.index"):
        _read(tmp_path, offsets)
    content = _read(tmp_path, {"data": offsets["data"][::-1]}, id_column="data.index")
    assert list(content.ids or ()) == [str(1029 - row) for row in range(30)]
    np.testing.assert_array_equal(content.rows_nd[:].astype(np.float32), X[::-1])


@pytest.mark.parametrize(
    ("frame", "ids"),
    [
        (pd.DataFrame({"v": ROWS}), None),
        (pd.DataFrame({"v": ROWS}).iloc[20:], range(20, 30)),
        (pd.DataFrame({"v": ROWS}).iloc[::-1], range(29, -1, -1)),
        (pd.DataFrame({"v": ROWS}).rename_axis("row"), range(30)),
        (pd.DataFrame({"v": ROWS}, index=IDS), IDS),
        (pd.DataFrame({"v": ROWS, "id": IDS}).iloc[5:], IDS[5:]),
    ],
)
def test_the_index_of_a_frame_as_a_table(frame: pd.DataFrame, ids: Any, tmp_path: Path) -> None:
    frame.to_json(tmp_path / "x.json", orient="table", double_precision=15)
    content = read(tmp_path / "x.json", Wanted())
    assert (None if content.ids is None else list(content.ids)) == (None if ids is None else list(map(str, ids)))
    np.testing.assert_allclose(content.rows_nd[:], np.array(frame["v"].tolist()), rtol=1e-12)
    assert not content.gaps


@pytest.mark.parametrize("orient", ["split", "tight"])
def test_the_remedy_for_a_frame_without_names_works(orient: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"v": ROWS, "t": IDS}).iloc[10:]
    if orient == "split":
        frame.to_json(tmp_path / "x.json", orient="split", double_precision=15)
    else:
        (tmp_path / "x.json").write_text(json.dumps(frame.to_dict(orient="tight")))
    with pytest.raises(VqbenchError, match=f"orient='{orient}'") as refused:
        read(tmp_path / "x.json", Wanted())
    command = str(refused.value).partition("convert it: python ")[2]
    subprocess.run(f"{sys.executable} {command}", shell=True, check=True)
    content = read(tmp_path / "x.parquet", Wanted())
    assert list(content.ids or ()) == [str(row) for row in range(10, 30)]
    np.testing.assert_array_equal(content.rows_nd[:].astype(np.float32), X[10:])


def test_vectors_of_tokens_are_no_rows(tmp_path: Path) -> None:
    tokens = X.reshape(15, 2, 8).tolist()
    with pytest.raises(VqbenchError, match=r"several vectors for each row \(30 vectors in 15 lists\): .*add / length"):
        _read(tmp_path, tokens)
    with pytest.raises(VqbenchError, match="several vectors for each row"):
        _read(tmp_path, {"outputs": tokens})
    with pytest.raises(VqbenchError, match="several vectors for each row"):
        _read(tmp_path, [tokens[:5], tokens[5:]], "x.jsonl")
    content = _read(tmp_path, [[row] for row in ROWS])  # one vector for each
    np.testing.assert_array_equal(content.rows_nd[:].astype(np.float32), X)
    assert len(_read(tmp_path, [ROWS]).rows_nd) == 30  # one list of rows
    answers = [{"embeddings": ROWS[:10]}, {"embeddings": ROWS[10:]}]  # an answer on each line
    assert len(_read(tmp_path, answers, "x.jsonl").rows_nd) == 30
