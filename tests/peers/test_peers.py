"""The timed comparison: who takes part, that all do the same job, its tables. No time is judged."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress

from experiments.peers import contest
from experiments.peers.contest import Contestant, Family, Goal, orders
from experiments.peers.problem import Problem, mixture
from experiments.peers.run import measure
from experiments.peers.searches import FAMILIES, compete
from experiments.peers.settings import PARTS, Timed
from experiments.peers.table import COLUMNS, Row, frame, markdown
from vqbench.cli.main import main
from vqbench.errors import VqbenchError
from vqbench.experiment.config.folders import conf_folder
from vqbench.experiment.plan import make_plan
from vqbench.report.figures.folder import draw_all
from vqbench.results.columns import SCHEMA
from vqbench.results.folder import check_tables, write_tables
from vqbench.storage.locks import claimed

pytestmark = pytest.mark.slow

SMALL = [
    "experiment=peers", "timed.sizes=[[800,32,20]]", "timed.repeats=1", "timed.whole=[600,32,20]", "timed.threads=1",
    "timed.training=600", "timed.linear_size=[600,16,10]", "timed.linear_rows=[300,600]", "timed.linear_queries=[5,10]",
    "timed.linear_variants=[1,2]", "figures=false",
]  # fmt: skip
#: The same, for Python.
TIMED: dict[str, Any] = {
    "sizes": [[800, 32, 20]], "repeats": 2, "whole": [600, 32, 20], "threads": 1, "training": 600,
    "linear_size": [600, 16, 10], "linear_rows": [300, 600], "linear_queries": [5, 10], "linear_variants": [1, 2],
}  # fmt: skip
SEARCHES = [*FAMILIES, "fit"]
PLAIN = {
    "quantizer": {"bits": {"quantizer": {"_target_": "vqbench.quantizers.binary.Binary"}}}, "k": 1, "oversample": 0,
    "metric": {"overlap": {"_target_": "vqbench.metrics.overlap.Overlap"}}, "seed": 0,
    "parallel": {"_target_": "vqbench.search.parallel.threads.Threads"},
}  # fmt: skip


def parts(*names: str) -> str:
    return f"timed.parts=[{','.join(names)}]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny comparison of everything but whole sweeps and commands."""
    found = tmp_path_factory.mktemp("peers")
    assert main([*SMALL, parts(*SEARCHES, "linear"), "timed.repeats=2", f"out={found}"]) == 0
    return found


@pytest.fixture
def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "peers.csv", keep_default_na=False, na_values={"ratio": [""], "k": [""]})


def test_everyone_takes_part_against_each_of_ours_at_every_k(table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    lost = set(table[table["status"] == "skipped"]["contestant"])
    for family in FAMILIES.values():
        own = table[table["family"] == family.name]
        for entry in family.contestants:
            met = own[own["contestant"] == entry.name]
            if entry.name in lost:
                continue
            asked = {(name, k) for name in entry.against or [""] for k in (10, 100)}
            assert {(row.against, int(row.k)) for row in met.itertuples()} == asked, entry.name
    assert "fit" in set(table["family"])


def test_exact_searches_agree_and_all_find_neighbours(table: pd.DataFrame) -> None:
    ran = table[(table["status"] != "skipped") & table["k"].notna() & (table["contestant"] != "matrix product alone")]
    exact = ran[ran["family"].isin(["float32", "hamming"])]
    assert set(exact["agreement"].astype(float)) == {1.0}
    assert not set(ran["status"]) & {"failed", "differs"}
    assert (ran["overlap"].astype(float) > 0.2).all()  # chance: 10 of 800
    assert set(ran[ran["family"] == "float32"]["overlap"].astype(float)) == {1.0}


def test_ratios_and_speeds_are_those_of_the_rounds(folder: Path, table: pd.DataFrame) -> None:
    """Again from the raw rounds: rival's seconds by ours, in the same round, then the median."""
    each = pd.read_csv(folder / "peers_runs.csv").set_index(["family", "contestant", "k"]).sort_index()
    for row in table[table["k"].notna() & (table["status"] != "skipped")].itertuples():
        own = each.loc[(row.family, row.contestant, row.k)].sort_values("round")["seconds"].to_numpy()
        assert len(own) == 2
        assert float(row.mpairs_s) == pytest.approx(800 * 20 / np.median(own) / 1e6)
        if row.against:
            ours = each.loc[(row.family, row.against, row.k)].sort_values("round")["seconds"].to_numpy()
            assert row.ratio == pytest.approx(np.median(own / ours))
            assert (float(row.ratio_min), float(row.ratio_max)) == pytest.approx((min(own / ours), max(own / ours)))


def test_what_it_was_measured_on_is_told(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["threads"] == 1
    assert meta["timed"]["sizes"] == [[800, 32, 20]]
    assert meta["versions"]["numpy"] == np.__version__
    assert {"machine", "measured", "pools", "kernels"} <= set(meta)
    assert list(meta["measured"]) == [*SEARCHES, "linear"]
    assert {"load", "git_commit"} == set(meta["measured"]["fit"])
    assert "date" not in json.dumps(meta)
    text = (folder / "peers.md").read_text()
    assert text.count("\n| float32 |") == 2 * sum(bool(c.against) for c in FAMILIES["float32"].contestants)


def test_a_part_is_measured_again_and_the_others_stay(folder: Path, tmp_path: Path) -> None:
    """Where all else is the same; else nothing stays."""
    shutil.copytree(folder, tmp_path / "again")
    again = [*SMALL, parts("hamming"), "timed.repeats=2", f"out={tmp_path / 'again'}"]
    assert main(again) == 0
    before, after = (pd.read_csv(at / "peers.csv") for at in (folder, tmp_path / "again"))
    others = before["family"] != "hamming"
    pd.testing.assert_frame_equal(before[others], after[others])
    assert before["contestant"].tolist() == after["contestant"].tolist()
    assert (before["median_s"] != after["median_s"])[~others].any()
    assert json.loads((tmp_path / "again" / "meta.json").read_text())["measured"].keys() == {*SEARCHES, "linear"}
    assert (tmp_path / "again" / "linear.csv").exists()
    assert main([*again, "timed.seed=1"]) == 0
    assert set(pd.read_csv(tmp_path / "again" / "peers.csv")["family"]) == {"hamming"}
    assert not (tmp_path / "again" / "linear.csv").exists()


def test_tables_of_two_comparisons_are_refused(folder: Path, tmp_path: Path) -> None:
    """By the figures, and by a run that would keep some of their rows."""
    out = shutil.copytree(folder, tmp_path / "x")
    assert json.loads((out / "meta.json").read_text())["tables"].keys() == {"peers.csv", "peers_runs.csv", "linear.csv"}
    for name in ("peers.csv", "peers_runs.csv", "linear.csv"):
        before = (out / name).read_bytes()
        (out / name).write_bytes(before.replace(b"1", b"2", 1))
        with pytest.raises(VqbenchError, match=f"{name}: is not the table .*: measure every part again"):
            draw_all(out, Progress(disable=True))
        with pytest.raises(VqbenchError, match=f"{name}: is not the table"):
            measure(Timed(**{**TIMED, "parts": ["hamming"]}), out, Progress(disable=True))
        (out / name).write_bytes(before)


def test_a_run_that_measures_all_goes_on_over_tables_of_two(tmp_path: Path) -> None:
    timed = Timed(**{**TIMED, "parts": ["hamming"]})
    for _ in range(2):
        measure(timed, tmp_path, Progress(disable=True))
        check_tables(tmp_path, json.loads((tmp_path / "meta.json").read_text()))
        (tmp_path / "peers_runs.csv").write_text("")


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_comparison_that_is_stopped_keeps_what_it_finished(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables and meta.json belong together after every part; a part counts once all of its sizes are measured."""

    def stopped(family: Family, *_: object) -> Any:
        done.append(family.name)
        if len(done) > at:
            raise KeyboardInterrupt
        return iter([Row(family=family.name, contestant="x", version="", threads=1, status="ok", seconds=[1.0])])

    done: list[str] = []
    monkeypatch.setattr("experiments.peers.run.compete", stopped)
    (tmp_path / ".vqbench-1.csv").write_text("of a run that was killed")
    timed = Timed(**{**TIMED, "sizes": [[80, 8, 2], [90, 8, 2]], "k": [5], "parts": ["float32", "hamming"]})
    with pytest.raises(KeyboardInterrupt):
        measure(timed, tmp_path, Progress(disable=True))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == ({"peers.csv", "peers_runs.csv", "peers.md", "meta.json"} if at else set())
    if at:
        meta = json.loads((tmp_path / "meta.json").read_text())
        check_tables(tmp_path, meta)
        assert len(pd.read_csv(tmp_path / "peers.csv")) == at
        assert list(meta["measured"]) == []


def test_two_comparisons_do_not_time_each_other(folder: Path, tmp_path: Path) -> None:
    out = shutil.copytree(folder, tmp_path / "x")
    with claimed(out / ".vqbench-peers.claim"), pytest.raises(VqbenchError, match="another comparison is at work"):
        measure(Timed(**TIMED), out, Progress(disable=True))


def test_a_sweep_and_a_comparison_do_not_replace_each_other(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(folder, tmp_path / "x")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert main(["dataset=synthetic", "dataset.n=50", "dataset.d=4", "k=[1]", f"out={out}"]) == 2
    assert "holds a timed comparison, which this run would replace: choose another folder" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    write_tables(out, {}, {"schema": SCHEMA})
    assert main([*SMALL, f"out={out}"]) == 2
    assert "holds a sweep, which this run would replace" in capsys.readouterr().err


def test_linear_has_a_point_for_every_size(folder: Path) -> None:
    points = pd.read_csv(folder / "linear.csv")
    sizes = points.groupby("against")[["n", "queries", "variants"]].agg(lambda x: sorted(x.dropna().unique()))
    assert sizes.loc["rows", "n"] == [300, 600]
    assert sizes.loc["queries", "queries"] == [5, 10]
    assert sizes.loc["variants", "variants"] == [1, 2]


def test_a_missing_rival_is_a_row_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> Any:
        if name.startswith(("faiss", "usearch")):
            raise ImportError(name)
        return importlib.import_module(name)

    monkeypatch.setattr(contest, "import_module", missing)
    assert main([*SMALL, parts("float32", "hamming", "fit"), "timed.k=[5]", f"out={tmp_path}"]) == 0
    found = pd.read_csv(tmp_path / "peers.csv", keep_default_na=False)
    skipped = found[found["status"] == "skipped"]
    assert set(skipped["contestant"]) == {
        "faiss IndexFlatIP", "faiss IndexBinaryFlat", "USearch exact b1", "faiss ProductQuantizer.train",
    }  # fmt: skip
    assert skipped["reason"].str.contains("is not installed: pip install 'vqbench[backends]'", regex=False).all()
    assert set(found[found["contestant"].str.startswith("vqbench")]["status"]) == {"ok"}
    assert "skipped: float32, faiss IndexFlatIP: faiss is not installed" in capsys.readouterr().out


def test_whoever_finds_other_rows_is_named() -> None:
    corpus_nd = mixture(200, 16, 0, stream=0)
    problem = Problem(corpus_nd, mixture(8, 16, 0, stream=1), 0, 1, 100, 5)
    ours, *_ = FAMILIES["float32"].contestants

    def changed(change: Callable[[np.ndarray], object]) -> Contestant:
        def ask(queries_qd: np.ndarray, k: int) -> np.ndarray:
            found_qk = ours.build(problem)(queries_qd, k).copy()
            change(found_qk)
            return found_qk

        return Contestant("rival", "numpy", lambda _: ask, {ours.name: Goal("at least", 0)})

    def other(found_qk: np.ndarray) -> None:
        (absent, *_) = set(range(200)) - set(found_qk[3].tolist())
        found_qk[3, -1] = absent

    for change, status, reason in (
        (lambda found_qk: found_qk[:, ::-1].sort(axis=1), "reached", ""),  # another order is no other result
        (other, "differs", "other rows for 1 of 8 queries"),
        (lambda found_qk: np.copyto(found_qk[:, 1], found_qk[:, 0]), "differs", "found a row twice"),
        (lambda found_qk: np.copyto(found_qk[:, 1], -1), "differs", "found something else than 5 rows"),
    ):
        family = Family("float32", [ours, changed(change)], FAMILIES["float32"].scores, lambda d: 1e-6)
        *_, row = compete(family, problem, Timed(k=[5], repeats=1))
        plain = row.plain()
        assert (plain["status"], str(plain["reason"])[: len(reason)]) == (status, reason)


def test_a_contestant_that_breaks_costs_only_itself() -> None:
    def broken(problem: Problem) -> Any:
        raise RuntimeError("out of paper")

    problem = Problem(mixture(60, 16, 0, stream=0), mixture(4, 16, 0, stream=1), 0, 1, 50, 5)
    ours, *_ = FAMILIES["float32"].contestants
    rival = Contestant("rival", "numpy", broken, {ours.name: None})
    table = frame(compete(Family("float32", [ours, rival]), problem, Timed(k=[5], repeats=1)))
    assert table["status"].tolist() == ["ok", "failed"]
    assert table["reason"].iloc[1] == "RuntimeError: out of paper"
    assert "| failed |" in markdown(table)


def test_faiss_is_told_which_processor_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody else: what is started later finds the environment as it was."""
    pools = [{"internal_api": "mkl"}, {"internal_api": "openblas", "architecture": "Haswell"}]
    monkeypatch.setattr(contest, "threadpool_info", lambda: pools)
    found: list[str | None] = []
    faiss = SimpleNamespace(omp_set_num_threads=lambda count: found.append(str(count)))

    def load(module: str, product: str) -> Any:
        found.append(os.environ.get("OPENBLAS_CORETYPE"))
        return faiss

    monkeypatch.setattr(contest, "load", load)
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    contest.load_faiss(3)
    assert "OPENBLAS_CORETYPE" not in os.environ
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Zen")
    contest.load_faiss(3)
    assert found == ["Haswell", "3", "Zen", "3"]


@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 2**31))
def test_everyone_runs_once_a_round_in_an_order_that_the_key_fixes(count: int, rounds: int, seed: int) -> None:
    names = [f"c{at}" for at in range(count)]
    found = orders(names, rounds, [seed, 3])
    assert found == orders(names, rounds, [seed, 3])
    assert [sorted(turn) for turn in found] == [names] * rounds


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
    for goal, status in ((Goal("at least", 2), "reached"), (Goal("at least", 2.1), "missed"), (None, "ok"),
                         (Goal("at most", 2, "s"), "reached"), (Goal("at most", 1.9, "s"), "missed")):  # fmt: skip
        assert Row(**about, **rival, goal=goal).plain()["status"] == status
    assert Row(**about, megabytes=351, goal=Goal("at most", 350, "MB")).plain()["status"] == "missed"
    assert str(Goal("at most", 350, "MB")) == "at most 350 MB"
    assert str(Goal("at least", 1.3)) == "at least 1.3x"


MISTAKES = (
    ({"sizes": [[10, 8]]}, "needs three whole numbers above 0"),
    ({"sizes": [[2000, 30, 5]]}, "multiple of 8"),
    ({"k": [50_000]}, "no more than the 10000 rows of the smallest corpus"),
    ({"parts": ["flaot32"]}, f"must be among {', '.join(PARTS)}"),
    ({"repeats": 0}, "timed.repeats = [0]"),
    ({"seed": -1}, "must not be negative"),
    ({"threads": 0}, "at least 1, or null"),
    ({"rounds": 3}, "timed.rounds: Timed has no such key"),
    ({"repeats": "x"}, "timed.repeats = 'x': must be a whole number"),
    (3, "timed = 3: must be null or keys with values"),
)


@pytest.mark.parametrize(("told", "rule"), MISTAKES)
def test_mistakes(told: Any, rule: str) -> None:
    config = yaml.safe_load((conf_folder() / "dataset" / "synthetic.yaml").read_text("utf-8"))
    with pytest.raises(VqbenchError, match=re.escape(rule)):
        make_plan({**PLAIN, "dataset": config, "timed": told})


def test_a_mistake_on_the_command_line_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "timed.k=[5000]", f"out={tmp_path / 'x'}"]) == 2
    assert "vqbench: timed.k = [5000]: no more than the 300 rows" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_it_is_no_part_of_a_multirun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["-m", *SMALL, "timed.seed=0,1"]) == 2
    assert "no part of a multirun" in capsys.readouterr().err
