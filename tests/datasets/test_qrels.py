"""Judgements from a file: what its lines may be, whom they leave out, and that they give trec_eval's numbers."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.cli.main import main
from vqbench.datasets.base import Data, Source
from vqbench.datasets.prepare import prepare
from vqbench.datasets.readers.qrels import read
from vqbench.errors import VqbenchError
from vqbench.numerics.draws import drawn as all_drawn
from vqbench.numerics.draws import id_keys

ANGLES = np.arange(10) / 10
ROWS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
DOCUMENTS = [f"d{row}" for row in range(10)]
ASKED = np.array([0.0, 0.93, 0.5, 0.2])
QUERIES = np.stack([np.cos(ASKED), np.sin(ASKED)], axis=1).astype(np.float32)
LINES = """\
q1 0 d0 2
q1 0 d3 1
q1 0 d9 3
q1 0 d1 0
q1 0 d5 -1
q2 0 d8 1
q2 0 d7 2
q3 0 d1 0
other 0 nowhere 1
"""


def _read(path: Path, text: str) -> list[tuple[str, str, float]]:
    path.write_text(text, "utf-8", newline="")
    return read(path)


def _data(judgements: list, **options) -> Data:
    source = Source("here", ROWS, DOCUMENTS, QUERIES, ["q1", "q2", "q3", "q4"], judgements)
    return prepare(source, "x", **({"queries": None, "n_queries": None, "normalize": True} | options))


def _said(data: Data) -> tuple[str, ...]:
    """The notes, less those on the numbers, and the one that three of the queries above are rows."""
    assert data.numbers is not None
    others = data.numbers.sentences
    return tuple(note for note in data.notes if note not in others and "queries are corpus rows" not in note)


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters=" \t\r\n\f\v\ufeff", exclude_categories=["Cc"]), min_size=1
)


@settings(max_examples=25)
@given(
    pairs=st.lists(st.tuples(NAMES, NAMES), unique=True, min_size=1, max_size=5),
    gains=st.lists(st.sampled_from(["0", "1", "2.5", "-2", "+3", ".5", "10."]), min_size=1),
    space=st.sampled_from([" ", "\t", "  ", " \t"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_ids_of_any_kind(
    tmp_path_factory: pytest.TempPathFactory, pairs: list, gains: list, space: str, end: str
) -> None:
    wanted = [(query, document, gains[at % len(gains)]) for at, (query, document) in enumerate(pairs)]
    text = end.join(space.join((query, "0", document, gain)) for query, document, gain in wanted) + end
    found = _read(tmp_path_factory.mktemp("x") / "q.txt", text)
    assert found == [(query, document, float(gain)) for query, document, gain in wanted]


def test_a_byte_order_mark_is_no_part_of_an_id(tmp_path: Path) -> None:
    assert _read(tmp_path / "q.txt", "\ufeffq1 0 d1 1\nq2 0 \ufeffd 1") == [("q1", "d1", 1), ("q2", "\ufeffd", 1)]


FORM = "must be 'query 0 document gain' or 'query document gain'"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q1 d1 1", f"line 2: 'q1 d1 1': {FORM}; the first line has 4 columns, this one 3: write all lines alike"),
        ("query-id\tcorpus-id\tscore", "line 2: .*the first line has 4 columns, this one 3"),
        ("q1 0 d1 1 x", f"line 2: 'q1 0 d1 1 x': {FORM}; it has 5 columns: separate the columns by tabs where ids"),
        ("q1 Q0 d1 1 .5 mine", "line 2: .* six columns are a ranking that a search wrote: name the file of judgements"),
        ("q1 0 d1 high", "line 2"),
        ("q1 0 d1 score", "line 2"),
        ("q1 0 d1 1_0", "line 2"),
        ("q1 0 d1 0x1", "line 2"),
        ("q1 0 d1 nan", "line 2"),
        ("q1 0 d1 1e400", "line 2"),
        (f"q1 0 d1 {'9' * 400}", "line 2"),
        ("", f"line 2: '': {FORM}; correct or remove the line"),
        ("x 0 y 2", "line 2: query 'x', document 'y': gain 2, and 1 in line 1: a pair has one gain; remove one"),
        ("x 1 y 3", "line 2: query 'x', document 'y': gain 3, and 1 in line 1"),
    ],
    ids=lambda text: text[:20],
)
def test_lines_that_are_no_judgements(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(VqbenchError, match=f"q.txt: {message}"):
        _read(tmp_path / "q.txt", f"x 0 y 1\n{line}\nz 0 y 1\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q1\td1\t\n", "line 1: .*; a line that names the columns ends in one of score, gain"),
        ("query doc likes\nq1 d1 1\n", "line 1: 'query doc likes': .*; a line that names the columns ends in one of"),
        ("q1 d1\n", f"line 1: 'q1 d1': {FORM}; correct or remove the line"),
        ("q1\t\td1\t1\nq2\t\t\t1\n", "line 1"),
        ("query-id\tcorpus-id\tscore\n", "q.txt: no judgement: must be"),
        ("q1 0 3\nq2 0 5\n", "the second of three columns is 0 on every line: the gain is missing"),
        ("q1\t0\td1\t1\nq1 0 d2 1\n", "line 2: .*; correct or remove the line"),
    ],
)
def test_files_that_hold_no_judgements(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(VqbenchError, match=message):
        _read(tmp_path / "q.txt", text)


WRITTEN = [("q 1", "d0", 2.0), ("q 1", "d 3", 1.0), ("q2", "d8", -1.0)]


@settings(max_examples=40)
@given(
    head=st.sampled_from(
        [None, ("query-id", "corpus-id", "score"), ("Query", "Doc", "Relevance"), ("qid", "x", "rel")]
    ),
    iteration=st.sampled_from([None, "0", "Q0", "7"]),
    swapped=st.booleans(),
    packed=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_headers_three_or_four_columns_tabs_and_gzip(
    tmp_path_factory: pytest.TempPathFactory,
    head: tuple | None,
    iteration: str | None,
    swapped: bool,
    packed: bool,
    end: str,
) -> None:
    swapped = swapped and head is not None and head[1] != "x"  # only a header can say that documents come first
    rows = [*([head] if head else []), *((query, document, f"{gain:g}") for query, document, gain in WRITTEN)]
    made = []
    for first, second, last in rows:
        a, b = (second, first) if swapped else (first, second)
        made.append("\t".join([a, *([iteration] if iteration else []), b, last]))
    text = end.join(made) + end
    path = tmp_path_factory.mktemp("x") / ("q.tsv.gz" if packed else "q.tsv")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert read(path) == WRITTEN


def test_zstandard(tmp_path: Path) -> None:
    with pa.output_stream(str(tmp_path / "q.tsv.zst"), compression="zstd") as stream:
        stream.write(LINES.encode())
    assert read(tmp_path / "q.tsv.zst") == _read(tmp_path / "q.tsv", LINES)


def test_gzip_that_is_cut_or_is_none(tmp_path: Path) -> None:
    path = tmp_path / "q.tsv.gz"
    whole = gzip.compress(b"q1\td1\t1\n" * 99)
    for content, message in (
        (whole[:-9], "cannot be read as .gz .*compress it again"),
        (b"q1 d1 1", "cannot be read as .gz .*compress it again"),
        (gzip.compress(b"\xff\xfe"), "is not UTF-8 text"),
        (gzip.compress(b"q1 d1 1\nq1\n"), "line 2: 'q1': must be"),
    ):
        path.write_bytes(content)
        with pytest.raises(VqbenchError, match=f"{path}: {message}"):
            read(path)


def test_a_pair_that_is_judged_twice_alike_is_counted(tmp_path: Path) -> None:
    data = _data(_read(tmp_path / "q.txt", "q1 0 d1 1\nq2 0 d2 2\nq1 0 d1 1.0\nq1 1 d1 1\nq3 0 d0 1\nq4 0 d0 1\n"))
    assert data.qrels is not None
    assert data.qrels.gain_f.tolist() == [1 + (data.query_ids[query] == "q2") for query in range(4)]
    assert (data.qrels.about["judgements"], data.qrels.about["repeated"]) == (6, 2)
    assert _said(data) == ("judgements that repeat another one, with the same gain: 2",)


def test_whom_judgements_leave_out_is_counted(tmp_path: Path) -> None:
    data = _data(_read(tmp_path / "q.txt", LINES))
    assert data.qrels is not None
    assert data.qrels.about == {
        "judgements": 9,
        "repeated": 0,
        "queries": 4,
        "judged": 3,
        "measured": 2,
        "unknown_queries": 1,
        "negative": 1,
        "dropped": 0,
        "own": 0,
    }
    assert _said(data) == (
        "2 of 4 queries have a relevant document; the others are left out of judged metrics, 1 of them judged without "
        "one (trec_eval counts 0 for these)",
        "judged queries that are not among the dataset's: 1",
        "gains below 0, which count as 0: 1",
    )
    assert _said(_data([(query, "d1", 1.0) for query in ("q1", "q2", "q3", "q4")])) == ()


@pytest.mark.parametrize(
    ("judgements", "message"),
    [
        (
            [("q1", "x", 1.0), ("q2", "d1", 1.0)],
            r"1 of 2 relevant documents \('x'\) are not in the corpus \('d0', .*=FILE \(rows\).* remove those",
        ),
        (
            [("0", "d1", 1.0)],
            r"none of the 1 judged queries \('0'\) is a query of this dataset \('q1', 'q2', 'q3', ...\): name them "
            r"with dataset.query_ids=FILE \(queries\), one id a line",
        ),
        (
            [("0", "x", 1.0), ("00", "d1", 0.0)],
            r"none of the 2 judged queries .*; 1 of 1 relevant documents \('x'\) are not in the corpus .*: name them "
            r"with dataset.query_ids=FILE \(queries\) and dataset.ids=FILE \(rows\)",
        ),
        ([("q1", "d1", 0.0), ("q2", "x", 0.0)], "all gains of this dataset's queries are 0 or less"),
    ],
)
def test_judgements_of_something_else(judgements: list, message: str) -> None:
    with pytest.raises(VqbenchError, match=message):
        _data(judgements)


def test_judgements_that_do_not_fit_name_their_file_and_no_setting_that_was_given() -> None:
    files = {"ids": "ids.txt", "query_ids": "qids.txt", "qrels": "qrels.txt"}
    source = Source("x.npy", ROWS, DOCUMENTS, QUERIES, ["q1", "q2", "q3", "q4"], [("q1", "x", 1.0), ("q1", "d1", 1.0)])
    said = []
    for judged in (source.judgements, [("0", "x", 1.0)]):
        with pytest.raises(VqbenchError) as error:
            prepare(replace(source, judgements=judged, files=files), "x", queries=None, n_queries=None, normalize=True)
        said.append(str(error.value))
    assert said[0].startswith("qrels.txt: 1 of 2 relevant documents ('x') are not in the corpus")
    assert said[0].endswith(
        ": give the whole corpus (dataset.rows=N draws a part of it, with its judgements), or remove those lines"
    )
    assert said[1].startswith("qrels.txt: none of the 1 judged queries ('0')")
    assert said[1].endswith(
        ": write the ids as in qids.txt and ids.txt, or leave the judgements out with dataset.qrels=null"
    )


def test_documents_that_are_not_relevant_need_not_be_there() -> None:
    data = _data([("q1", "d1", 1.0), ("q1", "x", 0.0), ("q1", "y", -1.0), ("other", "z", 1.0)])
    assert data.qrels is not None
    assert data.qrels.row_f.tolist() == [1]


def test_dropped_documents_are_no_missing_ones() -> None:
    """Not even judged without one: they were judged, and the row is not there any more."""
    rows_nd = ROWS.copy()
    rows_nd[3], rows_nd[7] = np.nan, 0
    judged = [("q1", "d3", 1.0), ("q2", "d7", 2.0), ("q2", "d8", 1.0), ("q3", "d3", 1.0), ("q4", "d1", 0.0)]
    source = Source("here", rows_nd, DOCUMENTS, QUERIES, ["q1", "q2", "q3", "q4"], judged)
    options = {"queries": None, "n_queries": None, "normalize": True, "on_bad_rows": "drop"}
    data = prepare(source, "x", **options)
    assert data.qrels is not None
    assert [data.query_ids[query] for query in data.qrels.query_f] == ["q2"]
    assert (data.qrels.about["measured"], data.qrels.about["dropped"]) == (1, 3)
    assert _said(data) == (
        "1 of 4 queries have a relevant document; the others are left out of judged metrics, 1 of them judged without "
        "one (trec_eval counts 0 for these)",
        "2 relevant documents ('d3', 'd7') were dropped with on_bad_rows=drop: 3 queries ('q1', 'q2', 'q3') lose one; "
        "2 of them have no other",
    )
    alone = prepare(replace(source, judgements=judged[:1]), "x", **options)
    assert alone.qrels is None
    assert _said(alone)[1] == (
        "1 relevant document ('d3') was dropped with on_bad_rows=drop: 1 query ('q1') loses one; 1 of them has no other"
    )
    with pytest.raises(VqbenchError, match=r"1 of 2 relevant documents \('gone'\) are not in the corpus"):
        prepare(replace(source, judgements=[*judged[:1], ("q2", "gone", 1.0)]), "x", **options)


def test_documents_that_rows_leave_out_are_said() -> None:
    data = _data([(query, f"d{row}", 1.0) for query in ("q1", "q2", "q3", "q4") for row in range(10)], rows=6)
    (note,) = _said(data)
    assert note.startswith(
        "4 relevant documents not among the rows that are searched: 4 queries ('q1', 'q2', 'q3', ..."
    )
    assert note.endswith("lose one")


MANY = np.random.default_rng(0).standard_normal((200, 2)).astype(np.float32)


@settings(max_examples=30)
@given(
    judged=st.sets(st.integers(0, 199), min_size=1, max_size=199),
    count=st.integers(2, 199),
    order=st.permutations(range(200)),
    seed=st.integers(0, 3),
)
def test_judged_queries_are_drawn_first(judged: set[int], count: int, order: list[int], seed: int) -> None:
    """Whatever the order of the rows; within each kind the draw is that of the keys."""
    judgements = [(f"q{at}", "d1", 1.0 if at in judged else 0.0) for at in range(200)]
    drawn = []
    for rows in (list(range(200)), order):
        source = Source("x", ROWS, DOCUMENTS, MANY[rows], [f"q{at}" for at in rows], judgements)
        data = prepare(source, "x", queries=None, n_queries=count, normalize=True, query_seed=seed)
        assert data.qrels is not None
        drawn.append(data.query_ids)
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == count
    first = [i for i in drawn[0] if int(i[1:]) in judged]
    assert len(first) == min(count, len(judged))
    keys = {f"q{at}" for at in judged}
    ids = [f"q{at}" for at in range(200)]
    wanted = [ids[at] for at in all_drawn(id_keys(ids), 200, seed, "queries")]
    assert first == [i for i in wanted if i in keys][:count]
    assert [i for i in drawn[0] if i not in keys] == [i for i in wanted if i not in keys][: count - len(first)]


def test_a_draw_of_judged_queries_is_said() -> None:
    everyone = [(i, "d1", 1.0) for i in ("q1", "q2", "q3", "q4")]
    assert _said(_data(everyone, n_queries=2)) == ()
    assert _said(_data(everyone[:1], n_queries=3))[0] == (
        "1 of 3 drawn queries have judgements: judged ones are drawn first (1 of 4 are judged)"
    )
    two = _data(everyone[:3], n_queries=2)
    assert _said(two) == ("all 2 drawn queries have judgements: judged ones are drawn first (3 of 4 are judged)",)
    own = _data([("d4", "d1", 1.0), ("d9", "d2", 1.0)], queries="self", n_queries=5)
    assert own.query_ids[:2] in (["d4", "d9"], ["d9", "d4"])
    assert _said(own)[0].startswith("2 of 5 drawn queries have judgements")


def test_a_querys_own_row_is_not_what_it_looks_for() -> None:
    judged = [("d1", "d1", 2.0), ("d1", "d2", 1.0), ("d3", "d3", 1.0)]
    data = _data(judged, queries="self")
    assert data.qrels is not None
    assert (data.qrels.row_f.tolist(), data.qrels.about["measured"], data.qrels.about["own"]) == ([2], 1, 2)
    assert _said(data)[1] == (
        "2 judgements of a query's own row, which is left out of its result: 2 queries ('d1', 'd3') lose one; 1 of "
        "them has no other"
    )
    with pytest.raises(VqbenchError, match="none of the 10 queries .*: every one is the query's own row"):
        _data(judged[:1], queries="self")


def test_judgements_stay_where_equal_ids_are_other_rows() -> None:
    """The document of the same number is another row, so it can be found."""
    source = Source("here", ROWS, DOCUMENTS, QUERIES, ["d2", "d8", "x", "y"], [("d2", "d2", 1.0), ("x", "d5", 1.0)])
    options = {"queries": None, "n_queries": None, "normalize": True}
    data = prepare(source, "x", **options)
    assert data.exclude_q is None
    assert data.qrels is not None
    assert (data.qrels.about["measured"], data.qrels.about["own"], sorted(data.qrels.row_f.tolist())) == (2, 0, [2, 5])
    assert prepare(replace(source, identity="ids"), "x", **options).qrels.row_f.tolist() == [5]


def test_a_run_gives_the_numbers_of_trec_eval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """recall_k and ndcg_cut_k of pytrec_eval-terrier 0.5.11 for the same ranking, means of q1 and q2."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", ROWS)
    np.save("q.npy", QUERIES)
    for name, text in {"ids": DOCUMENTS, "qids": ["q1", "q2", "q3", "q4"]}.items():
        Path(f"{name}.txt").write_text("\n".join(text), "utf-8")
    Path("qrels.txt").write_text(LINES, "utf-8")
    files = [
        f"dataset.{key}={name}"
        for key, name in (
            ("path", "x.npy"),
            ("ids", "ids.txt"),
            ("queries", "q.npy"),
            ("query_ids", "qids.txt"),
            ("qrels", "qrels.txt"),
        )
    ]
    assert main(["dataset=file", *files, "quantizer=[float32,binary_zero]", "metric=[overlap,ndcg,judged_recall]",
                 "k=[1,3,10]", "oversample=[0]", "figures=false", "report=false", "doctor=false", "out=out",
                 "cache=off"]) == 0  # fmt: skip
    assert "note: x: 2 of 4 queries have a relevant document" in " ".join(capsys.readouterr().out.split())
    metrics = pd.read_csv("out/metrics.csv").set_index(["variant", "metric", "k"])
    by_query = pd.read_parquet("out/per_query.parquet").set_index(["variant", "metric", "k", "query"])["value"]
    facts = {
        "judged_recall": {1: (0.3333333333333333, 0.0), 3: (0.3333333333333333, 1.0), 10: (1.0, 1.0)},
        "ndcg": {
            1: (0.6666666666666666, 0.0),
            3: (0.42000399150792816, 0.6199062332840657),
            10: (0.6925594995148769, 0.6199062332840657),
        },
    }
    for metric, values in facts.items():
        for k, wanted in values.items():
            found = [by_query["float32", metric, k, query] for query in ("q1", "q2")]
            assert found == pytest.approx(wanted, abs=1e-12)
            row = metrics.loc[("float32", metric, k)]
            assert row["value"] == pytest.approx(np.mean(wanted), abs=1e-9)
            assert row["n_queries"] == 2
            assert row["ci_low"] <= row["value"] <= row["ci_high"]
            assert {("binary_zero", metric, k), ("binary_zero", f"{metric}_kept", k)} <= set(metrics.index)
    about = json.loads(Path("out/meta.json").read_text("utf-8"))["datasets"]["x"]["judgements"]
    assert (about["measured"], about["queries"]) == (2, 4)
