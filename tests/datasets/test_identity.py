"""When a query is a corpus row: by id and vector in any precision and at any length, never by a number alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.cli.main import main
from vqbench.datasets import identity
from vqbench.datasets.base import Data, Source
from vqbench.datasets.prepare import prepare
from vqbench.datasets.same_rows import FLOAT32, Precision, with_twin
from vqbench.errors import VqbenchError
from vqbench.storage.vectors import Vectors


def _clustered(n: int, d: int, seed: int, spread: float = 0.6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(12, d))[rng.integers(0, 12, n)] + spread * rng.normal(size=(n, d))).astype(np.float32)


def _unit(x_nd: np.ndarray) -> np.ndarray:
    return (x_nd / np.linalg.norm(x_nd.astype(np.float64), axis=1, keepdims=True)).astype(np.float32)


def _noisy(x_nd: np.ndarray, relative: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=x_nd.shape)
    return (x_nd * (1 + relative * noise)).astype(np.float32)


#: Ways in which the same rows are stored again.
STORED = {
    "float64": lambda x: x.astype(np.float64),
    "float16": lambda x: x.astype(np.float16),
    "float16 in float32": lambda x: x.astype(np.float16).astype(np.float32),
    "bfloat16": lambda x: x.astype(ml_dtypes.bfloat16),
    "unit": _unit,
    "unit float16": lambda x: _unit(x).astype(np.float16),
    "three times": lambda x: x * np.float32(3),
    "a thousandth": lambda x: x * np.float32(1e-3),
    "each row at a length of its own": lambda x: x * np.linspace(0.1, 7, len(x), dtype=np.float32)[:, None],
    "int8": lambda x: np.round(x * (127 / np.abs(x).max())).astype(np.int8),
    "int8 by row": lambda x: np.round(x * (127 / np.abs(x).max(axis=1, keepdims=True))).astype(np.int8),
    "five decimals": lambda x: np.round(_unit(x).astype(np.float64), 5),
    "six digits": lambda x: np.array([[float(f"{v:.6g}") for v in row] for row in x]),
}
X = _clustered(400, 32, 1)
IDS = [f"d{row}" for row in range(400)]


def _data(corpus_nd: np.ndarray, queries_qd: np.ndarray, query_ids: list[str] | None, **more: Any) -> Data:
    source = Source("x", corpus_nd, more.pop("ids", IDS), queries_qd, query_ids, **more)
    return prepare(source, "x", queries=None, n_queries=None, normalize=True)


def _said(data: Data) -> tuple[str, ...]:
    """The notes, less those on what the numbers are."""
    assert data.numbers is not None
    return tuple(note for note in data.notes if note not in data.numbers.sentences)


def _own(data: Data) -> dict[str, int]:
    assert data.exclude_q is not None
    return dict(zip(data.query_ids, data.exclude_q.tolist(), strict=True))


@pytest.mark.parametrize("queries", STORED)
@pytest.mark.parametrize("corpus", ["as it is", "float16", "unit"])
def test_the_same_rows_in_another_precision_or_length(corpus: str, queries: str) -> None:
    corpus_nd = X if corpus == "as it is" else STORED[corpus](X)
    again_qd = np.asarray(STORED[queries](X[::4]))
    data = _data(corpus_nd.astype(np.float32), again_qd.astype(np.float32), IDS[::4])
    assert _own(data) == {f"d{row}": row for row in range(0, 400, 4)}
    assert _said(data) == (
        "100 of 100 queries are corpus rows (equal id, equal vector): each is left out of its own result",
    )
    unnamed = _data(corpus_nd.astype(np.float32), again_qd.astype(np.float32), None)
    assert unnamed.exclude_q is None
    assert [note[:34] for note in _said(unnamed)] == ["100 of 100 queries are corpus rows"]


@pytest.mark.parametrize("queries", STORED)
def test_other_rows_with_equal_ids_are_other_rows(queries: str) -> None:
    """In no precision is the next row, or a row near it, taken for the same."""
    others_qd = np.asarray(STORED[queries](_clustered(400, 32, 1)[1::4])).astype(np.float32)
    near_qd = np.asarray(STORED[queries](X[::4] + np.float32(0.25) * _clustered(100, 32, 9, 1.0))).astype(np.float32)
    for queries_qd in (others_qd, near_qd):
        data = _data(X, queries_qd, IDS[::4])
        assert data.exclude_q is None
        assert _said(data)[0] == (
            "100 query ids equal corpus ids, but the vectors differ: not the same rows, nothing is left out"
        )
    assert len(_said(_data(X, near_qd, IDS[::4]))) == 1
    assert _said(_data(X, others_qd, IDS[::4]))[1].startswith(
        "100 of 100 queries are corpus rows (equal vector, not by"
    )


def test_each_query_is_judged_by_itself() -> None:
    queries_qd = np.concatenate([X[:3] * 2, X[10:15], _noisy(X[20:22], 1e-3), X[30:31]])
    data = _data(X, queries_qd, [*IDS[:3], *IDS[100:105], *IDS[20:22], "stranger"])
    assert {i: row for i, row in _own(data).items() if row >= 0} == {"d0": 0, "d1": 1, "d2": 2}
    assert _said(data) == (
        "3 of 11 queries are corpus rows (equal id, equal vector): each is left out of its own result",
        "5 other query ids equal corpus ids, but the vectors differ: not the same rows, these are not left out",
        "2 query ids equal corpus ids, and the vectors are alike (cosine above 0.999) but not equal, as if embedded "
        "twice: these are not left out; dataset.identity=ids leaves them out",
        "6 of 11 queries are corpus rows (equal vector, not by id) and find themselves first: give both sides the same "
        "ids to leave each out of its own result, or take corpus rows as queries with queries=self",
    )


def test_identity_by_ids_and_never() -> None:
    queries_qd, query_ids = np.concatenate([X[:2], X[5:8]]), [*IDS[:2], "d100", "d101", "q"]
    by_id = _data(X, queries_qd, query_ids, identity="ids")
    assert _own(by_id) == {"d0": 0, "d1": 1, "d100": 100, "d101": 101, "q": -1}
    assert _said(by_id)[0] == (
        "4 of 5 queries have the id of a corpus row: each is left out of its own result, though 2 of them have another "
        "vector (dataset.identity=ids)"
    )
    never = _data(X, queries_qd, query_ids, identity="never")
    assert never.exclude_q is None
    assert _said(never) == ("4 of 5 query ids equal corpus ids: nothing is left out (dataset.identity=never)",)
    assert _said(_data(X, queries_qd, None, identity="never")) == ()
    auto = _data(X, queries_qd, query_ids)
    assert len({data.fingerprint for data in (by_id, never, auto)}) == 3
    plain = _data(X, X[:2], IDS[:2])
    assert plain.fingerprint == _data(X, X[:2], IDS[:2], identity="ids").fingerprint


@pytest.mark.parametrize(
    ("changes", "queries", "message"),
    [
        ({"identity": "id"}, None, "dataset.identity = 'id': must be one of 'auto', 'ids', 'never'"),
        ({"identity": "ids", "ids": None}, None, "x has no ids of the rows .* with dataset.ids=FILE, or leave"),
        ({"identity": "ids", "query_ids": None}, None, "x has no ids of the queries .* with dataset.query_ids=FILE"),
        ({"identity": "never"}, "self", "dataset.identity=never has no effect where corpus rows are the queries"),
        ({"identity": "ids", "queries_qd": None, "query_ids": None}, None, "dataset.identity=ids has no effect where"),
        ({"queries_qd": None}, None, "query_ids of x: there are no queries to name; .*dataset.queries=FILE, or leave"),
        (
            {"queries_qd": None, "files": {"query_ids": "q.txt"}},
            "self",
            "^q.txt: there are no queries to name",
        ),
        (
            {"files": {"queries": "q.npy", "query_ids": "q.txt"}},
            "holdout",
            "queries=holdout takes corpus rows as queries, so dataset.queries=q.npy and dataset.query_ids=q.txt would "
            "have no effect: leave out queries=holdout, or set dataset.queries=null dataset.query_ids=null",
        ),
    ],
)
def test_settings_without_effect(changes: dict[str, Any], queries: Any, message: str) -> None:
    source = Source("x", X, IDS, X[:2], ["d0", "d1"])
    with pytest.raises(VqbenchError, match=message):
        prepare(replace(source, **changes), "x", queries=queries, n_queries=9, normalize=True)


def test_rows_alone() -> None:
    """Queries that come with a file, or with the package, may be left; what concerns them goes with them."""
    source = Source("x", X, IDS, X[:2], ["d0", "d1"], [("d0", "d1", 1.0)], ["a", "b"], identity="ids")
    plain = prepare(source.corpus_alone(), "x", queries="self", n_queries=3, normalize=True)
    assert (len(plain.query_ids), plain.qrels, plain.groups_q) == (3, None, None)
    files = {"queries": "bundled:q.npy", "query_ids": "bundled:q.txt"}
    bundled = prepare(
        Source("x", X, IDS, X[:2], ["d0", "d1"], files=files), "x", queries="self", n_queries=3, normalize=True
    )
    assert bundled.query_ids == plain.query_ids


def test_what_to_do_about_rows_that_are_queries() -> None:
    both = "dataset.ids=FILE dataset.query_ids=FILE"
    for ids, query_ids, files, remedy in (
        (
            None,
            None,
            {"queries": "q.npy"},
            f"name both sides ({both}) to leave each out of its own result, or take "
            "corpus rows as queries with dataset.queries=null queries=self",
        ),
        (IDS, None, {}, "name both sides (dataset.query_ids=FILE) to"),
        (
            IDS,
            ["q0", "q1", "q2"],
            {"queries": "q.npy", "query_ids": "q.txt"},
            "with dataset.queries=null dataset.query_ids=null queries=self",
        ),
        (IDS, ["q0", "q1", "q2"], {}, "give both sides the same ids to"),
    ):
        (note,) = _said(_data(X, X[[3, 1, 3]] * 2, query_ids, ids=ids, files=files))
        assert note.startswith("3 of 3 queries are corpus rows (equal vector, not by id) and find themselves first: ")
        assert remedy in note

    few = _said(_data(X, np.concatenate([X[:2], -X[:3]]), None))[0]
    assert few.startswith("2 of 5 queries are corpus rows")
    assert few.endswith("to leave each out of its own result")


def test_a_large_corpus_is_not_read_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_QUICK", 4 * X.size)
    assert len(_said(_data(X, X[:2], None))) == 1
    monkeypatch.setattr(identity, "_QUICK", 4 * X.size - 1)
    assert _said(_data(X, X[:2], None)) == ()
    assert _own(_data(X, X[:2], IDS[:2])) == {"d0": 0, "d1": 1}


def test_no_more_queries_are_looked_up_than_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_LOOKED_UP", 10)
    assert _said(_data(X, X[:30], None))[0].startswith("10 of the 10 queries looked up are corpus rows")


@pytest.mark.parametrize("factor", [1e-36, 1e-25, 1e25, 1e37])
def test_rows_of_any_length_are_looked_up(factor: float) -> None:
    far_nd = (_unit(X) * factor).astype(np.float32)
    for corpus_nd, queries_qd in ((X, far_nd[:9]), (far_nd, X[:9]), (far_nd, far_nd[:9])):
        assert _said(_data(corpus_nd, queries_qd, None))[0].startswith("9 of 9 queries are corpus rows")
        assert max(_own(_data(corpus_nd, queries_qd, IDS[:9])).values()) == 8


@settings(max_examples=40, deadline=None)
@given(
    d=st.sampled_from([1, 2, 8, 9, 40, 300]),
    seed=st.integers(0, 99),
    spread=st.sampled_from([1.0, 0.05]),
    stored=st.sampled_from(sorted(STORED)),
    own=st.lists(st.booleans(), min_size=1, max_size=30),
)
def test_twins_are_those_of_a_comparison_of_all_pairs(
    d: int, seed: int, spread: float, stored: str, own: list[bool]
) -> None:
    """Where rows are far apart: the only ones that are the same are those that were stored again."""
    corpus_nd = _clustered(120, d, seed, spread)
    rows = np.random.default_rng(seed).permutation(120)[: len(own)]
    queries_qd = np.where(np.array(own)[:, None], corpus_nd[rows], -_clustered(len(own), d, seed + 1000, spread))
    queries_qd = np.asarray(STORED[stored](queries_qd)).astype(np.float32)
    found_q = with_twin(queries_qd, Vectors(corpus_nd, normalize=False))
    if d >= 40:
        assert found_q.tolist() == own
    else:
        assert not (np.array(own) & ~found_q).sum() or stored.startswith("int8")


def test_the_precision_is_that_of_the_numbers() -> None:
    unit_nd = _unit(X)
    float16 = Precision.of(unit_nd.astype(np.float16).astype(np.float32))
    assert float16.relative == 2**-10
    assert 2**-24 <= float16.absolute < 2**-17
    assert Precision.of(X.astype(ml_dtypes.bfloat16).astype(np.float32)).relative == 2**-7
    assert Precision.of(X).relative == FLOAT32.relative
    whole = Precision.of(np.round(X * 40))
    assert whole.absolute == 1
    assert Precision.of(np.round(unit_nd, 4)).absolute == pytest.approx(1e-4)
    six = np.float32([[float(f"{v:.6g}") for v in row] for row in X])
    assert Precision.of(six).relative == pytest.approx(1e-5)
    assert Precision.of(np.float32([[0.5, 0.25]])) == FLOAT32  # two round numbers show nothing


@pytest.mark.parametrize("d", [32, 200])
@pytest.mark.parametrize("stored", ["float16", "bfloat16", "five decimals", "int8 by row"])
def test_each_row_has_its_own_precision(stored: str, d: int) -> None:
    """One row in full precision says nothing of the others, nor does one coarse row, on either side."""
    corpus_nd = _clustered(100, d, 3)
    coarse_qd = np.asarray(STORED[stored](corpus_nd[:50])).astype(np.float32)
    for fine in ([49], list(range(49))):
        queries_qd = coarse_qd.copy()
        queries_qd[fine] = corpus_nd[fine]
        for one, other in ((corpus_nd, queries_qd), (queries_qd, corpus_nd)):
            data = _data(one, other[:50], IDS[:50], ids=IDS[: len(one)])
            assert _own(data) == {i: row for row, i in enumerate(IDS[:50])}
            assert with_twin(other[:50], Vectors(one, normalize=False)).all()
    strangers_qd = _noisy(corpus_nd[:50], 1e-5)  # as fine as float32: no roundings of the corpus
    strangers_qd[0] = coarse_qd[0]
    own = _own(_data(corpus_nd, strangers_qd, IDS[:50], ids=IDS[:100]))
    assert own == dict.fromkeys(IDS[:50], -1) | {"d0": 0}


def test_whole_numbers_on_both_sides_are_exact() -> None:
    """Neither is a rounding of the other, so one more in one place is another row; the note says how near it is."""
    bytes_nd = np.clip(np.round(X * 40 + 128), 0, 255).astype(np.uint8)
    more_qd = bytes_nd[:5].copy()
    more_qd[:, 3] += 1
    assert _own(_data(bytes_nd, bytes_nd[:5], IDS[:5])) == {i: row for row, i in enumerate(IDS[:5])}
    data = _data(bytes_nd, more_qd, IDS[:5])
    assert data.exclude_q is None
    assert "5 query ids equal corpus ids, and the vectors are alike (cosine above 0.999)" in _said(data)[0]
    bits_nd = (X > 0).astype(np.uint8)
    other_qd = np.roll(bits_nd, 1, axis=0)[:5]
    assert _data(bits_nd, other_qd, IDS[:5]).exclude_q is None


def test_a_run_over_files_that_each_count_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All queries and judgements count, and overlap is what plain numpy finds with nothing left out."""
    monkeypatch.chdir(tmp_path)
    queries_qd = X[:60] + np.float32(0.25) * _clustered(60, 32, 9, 1.0)
    np.save("docs.npy", X)
    np.save("queries.npy", queries_qd)
    for name, count in {"ids": 400, "query_ids": 60}.items():
        Path(f"{name}.txt").write_text("".join(f"{row}\n" for row in range(count)))
    Path("qrels.txt").write_text("".join(f"{row} 0 {row} 1\n" for row in range(60)))
    files = [f"dataset.{kind}={kind}.txt" for kind in ("ids", "query_ids", "qrels")]
    settings_of_run = ["quantizer=[binary_zero]", "metric=[overlap,ndcg]", "k=[1]", "oversample=[0]", "cache=off"]
    assert (
        main(
            [
                "dataset=file",
                "dataset.path=docs.npy",
                "dataset.queries=queries.npy",
                *files,
                *settings_of_run,
                "figures=false",
                "report=false",
                "doctor=false",
                "out=out",
            ]
        )
        == 0
    )
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "note: docs: 60 query ids equal corpus ids, but the vectors differ: not the same rows, nothing is left out"
        in shown
    )
    nearest_q = (_unit(queries_qd) @ _unit(X).T).argmax(axis=1)
    distance_qn = ((queries_qd > 0)[:, None] != (X > 0)).sum(axis=2)
    best_qn = distance_qn == distance_qn.min(axis=1, keepdims=True)
    wanted = best_qn[np.arange(60), nearest_q] / best_qn.sum(axis=1)
    metrics = pd.read_csv("out/metrics.csv").set_index("metric")
    assert metrics.loc["overlap", "value"] == pytest.approx(wanted.mean(), abs=1e-9)
    assert metrics.loc["ndcg", "n_queries"] == 60
    assert json.loads(Path("out/meta.json").read_text())["datasets"]["docs"]["notes"] == [
        "Rows have lengths from 4.45 to 8.17. Cosine ignores them; dot product would rank differently.",
        "60 query ids equal corpus ids, but the vectors differ: not the same rows, nothing is left out",
    ]


@pytest.mark.slow
def test_meta_says_how_many_queries_are_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("docs.npy", X)
    np.save("queries.npy", np.concatenate([X[:3], X[3:9] + 1]))
    for name, count in {"ids": 400, "query_ids": 9}.items():
        Path(f"{name}.txt").write_text("".join(f"{row}\n" for row in range(count)))
    run = [
        "dataset=file",
        "dataset.path=docs.npy",
        "dataset.queries=queries.npy",
        "quantizer=[binary_zero]",
        "k=[5]",
        "metric=[overlap]",
        "oversample=[0]",
        "figures=false",
        "report=false",
        "doctor=false",
        "cache=off",
    ]
    files = [f"dataset.{kind}={kind}.txt" for kind in ("ids", "query_ids")]
    for more, words in (
        (files, "3 of them corpus rows, left out of their own results"),
        ([*files, "dataset.identity=ids"], "corpus rows, each left out of its own result"),
        ([*files, "dataset.identity=never"], "apart from the corpus"),
    ):
        assert main([*run, *more, "out=out", "force=true"]) == 0
        (about,) = json.loads(Path("out/meta.json").read_text())["datasets"].values()
        assert about["queries_are"] == words
    assert main([*run, "dataset.identity=ids", "out=out"]) == 2
