"""Rows that cannot be searched: refused by number, or left out as if they had never been there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.cli.main import main
from vqbench.datasets import row_checks
from vqbench.datasets.base import Data, Source
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.storage import vectors

GOOD = np.random.default_rng(3).standard_normal((60, 8)).astype(np.float32)
BAD = {"nan": np.nan, "infinite": np.inf, "zero": 0.0, "beyond float32": 1e300}


def _prepared(source: Source, **more) -> Data:
    return prepare(source, "x", **{"queries": "self", "n_queries": 7, "normalize": True, "on_bad_rows": "drop", **more})


def _with(bad: list[int], x_nd: np.ndarray, kinds: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """``x_nd`` with bad rows put in at the positions ``bad``; which rows are the good ones."""
    whole_nd = np.zeros((len(x_nd) + len(bad), x_nd.shape[1]))
    kept = np.delete(np.arange(len(whole_nd)), bad)
    whole_nd[kept] = x_nd
    for at, row in enumerate(bad):
        kind = kinds[at % len(kinds)]
        whole_nd[row] = 0 if kind == "zero" else x_nd[0]
        whole_nd[row, at % x_nd.shape[1]] = BAD[kind]
    return whole_nd, kept


@settings(max_examples=25)
@given(
    bad=st.sets(st.integers(0, 60), min_size=1, max_size=20).map(sorted),
    kinds=st.lists(st.sampled_from(sorted(BAD)), min_size=1, max_size=3),
    queries=st.sampled_from(["self", "holdout", None]),
    rows=st.sampled_from([None, 30]),
    block=st.sampled_from([7, 8192]),
)
def test_dropping_is_as_if_the_rows_had_never_been_there(
    bad: list[int], kinds: list[str], queries: str | None, rows: int | None, block: int
) -> None:
    """The same corpus, draws and fingerprint, with ids; rows without ids keep the numbers of their file."""
    whole_nd, kept = _with(bad, GOOD, kinds)
    ids = [f"é{row}" for row in range(len(whole_nd))]
    own = [ids[row] for row in kept.tolist()]
    more = {"queries": queries, "rows": rows}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_checks, "_BLOCK", block)
        found = _prepared(Source("x", whole_nd, ids), **more)
        numbered = _prepared(Source("x", whole_nd), **more)
    wanted = _prepared(Source("x", GOOD, own), on_bad_rows="refuse", **more)
    assert (found.fingerprint, found.ids, found.query_ids) == (wanted.fingerprint, wanted.ids, wanted.query_ids)
    np.testing.assert_array_equal(found.keys_n, wanted.keys_n)
    np.testing.assert_array_equal(found.queries_qd, wanted.queries_qd)
    np.testing.assert_array_equal(found.corpus.block(0, found.corpus.n), wanted.corpus.block(0, wanted.corpus.n))
    np.testing.assert_array_equal(found.sample(9, 1), wanted.sample(9, 1))
    assert found.dropped["corpus"].count == len(bad)
    assert list(found.dropped["corpus"].first_ids) == [ids[row] for row in bad[:5]]
    assert set(numbered.ids) <= {str(row) for row in kept.tolist()}
    plain = _prepared(Source("x", GOOD), on_bad_rows="refuse", **more)
    assert [str(kept[int(i)]) for i in plain.ids] == list(numbered.ids)
    assert [str(kept[int(i)]) for i in plain.query_ids] == list(numbered.query_ids)


def test_bad_queries_groups_and_judgements(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group of a query stays its own, and a judgement of a row that has gone is no mistake."""
    monkeypatch.setattr(vectors, "_KEPT", 0)
    queries_qd, kept = _with([0, 4], GOOD[:9], ["nan", "zero"])
    corpus_nd, _ = _with([2], GOOD, ["infinite"])
    query_ids, ids = [f"q{row}" for row in range(11)], [f"d{row}" for row in range(61)]
    groups = [f"g{row % 3}" for row in range(11)]
    judged = [(query, document, 1.0) for query in query_ids for document in ("d2", "d5")]
    source = Source("x", corpus_nd, ids, queries_qd, query_ids, judged, groups)
    data = _prepared(source, queries=None, n_queries=None)
    assert sorted(data.query_ids) == sorted(query_ids[row] for row in kept.tolist())
    assert data.groups_q == [groups[int(i[1:])] for i in data.query_ids]
    assert data.dropped["queries"].plain() == {"rows": 2, "first_ids": ["q0", "q4"]}
    assert data.qrels is not None
    assert {data.ids[row] for row in data.qrels.row_f} == {"d5"}
    assert len(data.qrels.query_f) == 9


def test_without_bad_rows_nothing_is_dropped() -> None:
    found, wanted = (_prepared(Source("x", GOOD), on_bad_rows=how) for how in ("drop", "refuse"))
    assert not found.dropped
    assert found.fingerprint == wanted.fingerprint
    with pytest.raises(VqbenchError, match="all 3 rows are null, NaN, infinite, beyond float32 or zero: none is left"):
        _prepared(Source("x", np.zeros((3, 2))))
    with pytest.raises(VqbenchError, match="rows 1, 2 are all zero: .* on_bad_rows=drop"):
        _prepared(Source("x", np.array([[1, 2], [0, 0], [0, 0]])), on_bad_rows="refuse")


GAPS = {4: "null", 9: "an empty list", 31: "a list of 3 numbers"}


@pytest.mark.parametrize("placeholder", [np.nan, 0.0, 1.0])
def test_rows_that_hold_no_vector_are_dropped_and_counted(placeholder: float) -> None:
    """Whatever stands in their place, beside rows that are bad in themselves."""
    whole_nd, kept = _with([4, 9, 20, 31], GOOD, ["nan"])
    whole_nd[[4, 9, 31]] = placeholder
    ids = [f"é{row}" for row in range(64)]
    found = _prepared(Source("x", whole_nd, ids, gaps=GAPS))
    wanted = _prepared(Source("x", GOOD, [ids[row] for row in kept.tolist()]))
    assert (found.fingerprint, found.ids, found.query_ids) == (wanted.fingerprint, wanted.ids, wanted.query_ids)
    assert found.dropped["corpus"].plain() == {"rows": 4, "first_ids": ["é4", "é9", "é20", "é31"]}
    own = _prepared(Source("x", GOOD, None, whole_nd, ids, query_gaps=GAPS), queries=None, n_queries=None)
    assert own.dropped["queries"].count == 4
    assert sorted(own.query_ids) == sorted(ids[row] for row in kept.tolist())


def test_rows_that_hold_no_vector_are_refused_by_name() -> None:
    whole_nd, _ = _with([4, 9, 20, 31], GOOD, ["nan"])
    with pytest.raises(VqbenchError) as error:
        _prepared(Source("x", whole_nd, gaps=GAPS), on_bad_rows="refuse")
    assert str(error.value) == (
        "x: row 4: null (and 2 more without a vector), row 20 is NaN, infinite or beyond float32: each row must hold a "
        "vector, and every component must be a finite float32; repair or remove those rows; a run leaves them out with "
        "on_bad_rows=drop"
    )
    with pytest.raises(VqbenchError, match="^x: row 9: an empty list: each row must hold a vector; repair or remove "):
        _prepared(Source("x", GOOD, gaps={9: "an empty list"}), on_bad_rows="refuse")


def test_bits_are_read_as_numbers() -> None:
    """A row without any bit has no cosine."""
    bits_nd = GOOD > 0
    bits_nd[5] = False
    data = _prepared(Source("x", bits_nd), normalize=False)
    np.testing.assert_array_equal(data.corpus.block(0, 59), np.delete(bits_nd, 5, axis=0).astype(np.float32))
    assert data.stored.plain() == {"as": "bits", "bytes_per_vector": 1}


def test_a_run_says_what_it_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    whole_nd, _ = _with([3, 5, 6, 10, 11, 40, 41], GOOD, ["nan", "zero"])
    np.save("x.npy", whole_nd)
    told = ["dataset=file", "dataset.path=x.npy", "quantizer=[binary_zero]", "metric=[overlap]", "k=[5]", "n_queries=9"]
    told += ["oversample=[0]", "figures=false", "report=false", "doctor=false", "cache=off", "out=x"]
    assert main(told) == 2
    assert "rows 3, 6, 11, 41 are NaN" in capsys.readouterr().err
    assert main([*told, "on_bad_rows=drop"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "note: x: 7 rows of the corpus are null, NaN, infinite or zero and were left out: 3, 5, 6, 10, 11 and 2 more"
        in shown
    )
    about = json.loads(Path("x/meta.json").read_text())["datasets"]["x"]
    assert about["dropped"] == {"corpus": {"rows": 7, "first_ids": ["3", "5", "6", "10", "11"]}}
    assert about["n"] == 60
    assert main([*told, "on_bad_rows=keep"]) == 2
    assert "on_bad_rows = 'keep': must be one of 'refuse', 'drop'" in capsys.readouterr().err


def test_ids_are_shown_without_control_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They could move the cursor or rename the window of whoever looks."""
    (tmp_path / "x.json").write_text(json.dumps({"a": [1, 2], "\x1b]0;b\x07": [2, 1], "c\nd": [1, 1]}))
    assert main(["nearest", "a", str(tmp_path / "x.json"), "--top", "2", "--quantizer", "float32"]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert r"\x1b]0;b\x07" in shown
    assert r"c\nd" in shown
