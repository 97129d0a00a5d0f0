"""The timed comparison: who takes part, that all do the same job, its settings. No time is judged."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.peers import contest
from experiments.peers.__main__ import help_text, main, parsed
from experiments.peers.contest import Contestant, Family, Goal, orders
from experiments.peers.problem import Problem, mixture
from experiments.peers.searches import FAMILIES, compete
from experiments.peers.settings import PARTS, Timed
from experiments.peers.table import Row, frame, markdown


def _problem(n: int, q: int) -> Problem:
    return Problem(mixture(n, 16, 0, stream=0), mixture(q, 16, 0, stream=1), 0, 1, n, 5)


def test_whoever_finds_other_rows_is_named() -> None:
    problem = _problem(200, 8)
    ours, *_ = FAMILIES["float32"].contestants

    def changed(change: Callable[[np.ndarray], object]) -> Contestant:
        def ask(queries_qd: np.ndarray, k: int) -> np.ndarray:
            ids_qk = ours.build(problem)(queries_qd, k).copy()
            change(ids_qk)
            return ids_qk

        return Contestant("rival", "numpy", lambda _: ask, {ours.name: Goal("at least", 0)})

    def other(ids_qk: np.ndarray) -> None:
        (absent, *_) = set(range(200)) - set(ids_qk[3].tolist())
        ids_qk[3, -1] = absent

    for change, status, reason in (
        (lambda ids_qk: ids_qk[:, ::-1].sort(axis=1), "reached", ""),  # another order is no other result
        (other, "differs", "other rows for 1 of 8 queries"),
        (lambda ids_qk: np.copyto(ids_qk[:, 1], ids_qk[:, 0]), "differs", "found a row twice"),
        (lambda ids_qk: np.copyto(ids_qk[:, 1], -1), "differs", "did not find 5 rows"),
    ):
        family = Family("float32", [ours, changed(change)], FAMILIES["float32"].scores, lambda d: 1e-6)
        *_, row = compete(family, problem, Timed(k=[5], repeats=1))
        plain = row.plain()
        assert (plain["status"], str(plain["reason"])[: len(reason)]) == (status, reason)


def test_a_contestant_that_breaks_costs_only_itself() -> None:
    def broken(problem: Problem) -> Any:
        raise RuntimeError("out of paper")

    ours, *_ = FAMILIES["float32"].contestants
    rival = Contestant("rival", "numpy", broken, {ours.name: None})
    table = frame(compete(Family("float32", [ours, rival]), _problem(60, 4), Timed(k=[5], repeats=1)))
    assert table["status"].tolist() == ["ok", "failed"]
    assert table["reason"].iloc[1] == "RuntimeError: out of paper"
    assert "| failed |" in markdown(table)


def test_faiss_gets_the_name_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody else: what is started later finds the environment as it was."""
    pools = [{"internal_api": "mkl"}, {"internal_api": "openblas", "architecture": "Haswell"}]
    monkeypatch.setattr(contest, "threadpool_info", lambda: pools)
    seen: list[str | None] = []
    faiss = SimpleNamespace(omp_set_num_threads=lambda count: seen.append(str(count)))

    def load(module: str, product: str) -> Any:
        seen.append(os.environ.get("OPENBLAS_CORETYPE"))
        return faiss

    monkeypatch.setattr(contest, "load", load)
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    contest.load_faiss(3)
    assert "OPENBLAS_CORETYPE" not in os.environ
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Zen")
    contest.load_faiss(3)
    assert seen == ["Haswell", "3", "Zen", "3"]


@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 2**31))
def test_everyone_runs_once_a_round_in_an_order_that_the_key_fixes(count: int, rounds: int, seed: int) -> None:
    names = [f"c{number}" for number in range(count)]
    drawn = orders(names, rounds, [seed, 3])
    assert drawn == orders(names, rounds, [seed, 3])
    assert [sorted(turn) for turn in drawn] == [names] * rounds


def test_rounds_differ_in_order() -> None:
    assert len({tuple(turn) for turn in orders(list("abcdef"), 10, [0])}) > 5


def test_rows_are_of_unit_length_and_the_same_in_a_larger_corpus() -> None:
    large = mixture(16_384 + 50, 8, 3, stream=0)
    np.testing.assert_allclose(np.linalg.norm(large.astype(np.float64), axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(mixture(16_384 + 7, 8, 3, stream=0), large[: 16_384 + 7])
    assert not np.array_equal(mixture(5, 8, 3, stream=1), large[:5])
    assert not np.array_equal(mixture(5, 8, 4, stream=0), large[:5])


def test_goals() -> None:
    about = {"family": "f", "contestant": "c", "version": "", "threads": 1}
    rival = {"against": "ours", "ratios": [1.9, 2.0, 9.0], "seconds": [1.0, 2.0, 3.0]}
    for goal, status in (
        (Goal("at least", 2), "reached"),
        (Goal("at least", 2.1), "missed"),
        (None, "ok"),
        (Goal("at most", 2, "s"), "reached"),
        (Goal("at most", 1.9, "s"), "missed"),
    ):
        assert Row(**about, **rival, goal=goal).plain()["status"] == status
    assert Row(**about, megabytes=351, goal=Goal("at most", 350, "MB")).plain()["status"] == "missed"
    assert str(Goal("at most", 350, "MB")) == "at most 350 MB"
    assert str(Goal("at least", 1.3)) == "at least 1.3x"


def test_settings_are_read_as_yaml() -> None:
    timed, out = parsed(["parts=[memory]", "threads=null", "k=[5, 7]", "out=x"])
    assert (timed.parts, timed.threads, timed.k, str(out)) == (["memory"], None, [5, 7], "x")
    assert parsed([])[0] == Timed()


@pytest.mark.parametrize(
    ("argument", "rule"),
    [
        ("sizes=[[10,8]]", "needs three whole numbers above 0"),
        ("sizes=[[2000,30,5]]", "multiple of 8"),
        ("k=[50000]", "must not exceed the 10000 rows of the smallest corpus"),
        ("parts=[flaot32]", f"must be among {', '.join(PARTS)}"),
        ("repeats=0", "repeats = [0]"),
        ("seed=-1", "must not be negative"),
        ("threads=0", "at least 1, or null"),
        ("rounds=3", "rounds: Timed has no such key"),
        ("repeats=x", "repeats = 'x': must be a whole number"),
        ("k=[3", "is not valid YAML"),
        ("memory", "memory: is no setting: write KEY=VALUE"),
        ("out=3", "out = 3: must be a folder"),
        ("parts=[]", "holds no timed comparison"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    argument: str, rule: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([argument]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("peers: ")
    assert rule in line
    assert not list(tmp_path.rglob("*.csv"))


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert text == help_text()
    assert "  repeats=5\n" in text
    assert "  threads=null\n" in text
    assert all(f"\n  {name}=" in text for name in vars(Timed()))
