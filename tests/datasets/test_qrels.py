"""Judgements from a file: what its lines may be, whom they leave out, and that they give trec_eval's numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.cli.main import main
from vqbench.datasets.base import Data, Source
from vqbench.datasets.prepare import prepare
from vqbench.datasets.readers.qrels import read
from vqbench.errors import VqbenchError

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


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q1 d1 1", "line 2: 'q1 d1 1': must be 'query 0 document gain'; write a 0 as the second column"),
        ("query-id\tcorpus-id\tscore", "line 2: .*write a 0 as the second column"),
        (
            "q1 0 d1 1 x",
            "line 2: 'q1 0 d1 1 x': must be 'query 0 document gain'; it has 5 columns, not 4: ids must not",
        ),
        ("q1 0 d1 high", "line 2"),
        ("q1 0 d1 1_0", "line 2"),
        ("q1 0 d1 0x1", "line 2"),
        ("q1 0 d1 nan", "line 2"),
        ("q1 0 d1 1e400", "line 2"),
        (f"q1 0 d1 {'9' * 400}", "line 2"),
        ("", "line 2: '': must be 'query 0 document gain'; correct or remove the line"),
        ("x 0 y 2", "line 2: query 'x', document 'y': gain 2, and 1 in line 1: a pair has one judgement; remove one"),
        ("x 1 y 1", "line 2: query 'x', document 'y': gain 1, and 1 in line 1"),
    ],
    ids=lambda text: text[:20],
)
def test_lines_that_are_no_judgements(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(VqbenchError, match=f"q.txt: {message}"):
        _read(tmp_path / "q.txt", f"x 0 y 1\n{line}\nz 0 y 1\n")


def test_whom_judgements_leave_out_is_counted(tmp_path: Path) -> None:
    data = _data(_read(tmp_path / "q.txt", LINES))
    assert data.qrels is not None
    assert data.qrels.about == {
        "judgements": 9, "queries": 4, "judged": 3, "measured": 2, "unknown_queries": 1, "negative": 1,
        "sentence": "2 of 4 queries have a relevant document; the others are left out of judged metrics, "
        "1 of them judged without one (trec_eval counts 0 for these); judged queries that are not among "
        "the dataset's: 1; gains below 0, which count as 0: 1",
    }  # fmt: skip
    everyone = _data([(query, "d1", 1.0) for query in ("q1", "q2", "q3", "q4")])
    assert everyone.qrels is not None
    assert everyone.qrels.about["sentence"] == ""


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


def test_drawn_queries_without_any_judgement() -> None:
    for judged in ("q1", "q2", "q3", "q4"):
        (drawn,) = _data([(i, "d1", 1.0) for i in ("q1", "q2", "q3", "q4")], n_queries=1).query_ids
        if judged != drawn:
            with pytest.raises(VqbenchError, match="none of the 1 drawn queries has a relevant document to find"):
                _data([(judged, "d1", 1.0)], n_queries=1)


def test_a_querys_own_row_is_not_what_it_looks_for() -> None:
    judged = [("d1", "d1", 2.0), ("d1", "d2", 1.0), ("d3", "d3", 1.0)]
    data = _data(judged, queries="self")
    assert data.qrels is not None
    assert (data.qrels.row_f.tolist(), data.qrels.about["measured"]) == ([2], 1)


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
