"""Whole timed comparisons, tiny ones: their tables, what stays of an earlier run, stops. No time is judged."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.progress import Progress

from experiments.peers import contest
from experiments.peers.__main__ import main
from experiments.peers.contest import Family
from experiments.peers.figures.folder import draw_all
from experiments.peers.run import measure
from experiments.peers.searches import FAMILIES
from experiments.peers.settings import Timed
from experiments.peers.table import COLUMNS, Row
from vqbench.cli.main import main as vqbench
from vqbench.errors import VqbenchError
from vqbench.results.columns import SCHEMA
from vqbench.results.folder import check_tables, write_tables
from vqbench.storage.locks import claimed

SMALL: dict[str, Any] = {
    "sizes": [[800, 32, 20]],
    "repeats": 2,
    "whole": [600, 32, 20],
    "threads": 1,
    "training": 600,
    "linear_size": [600, 16, 10],
    "linear_rows": [300, 600],
    "linear_queries": [5, 10],
    "linear_variants": [1, 2],
}
SEARCHES = [*FAMILIES, "fit"]


def arguments(**settings: Any) -> list[str]:
    """The same for the command line."""
    return [f"{key}={json.dumps(value)}" for key, value in {**SMALL, **settings}.items()]


def measured(out: Path, **settings: Any) -> pd.DataFrame:
    return measure(Timed(**{**SMALL, **settings}), out, Progress(disable=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny comparison of everything but whole sweeps and commands."""
    out = tmp_path_factory.mktemp("peers")
    assert main([*arguments(parts=[*SEARCHES, "linear"]), f"out={out}"]) == 0
    return out


@pytest.fixture
def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "peers.csv", keep_default_na=False, na_values={"ratio": [""], "k": [""]})


def stub(monkeypatch: pytest.MonkeyPatch, stop_after: int | None = None) -> None:
    """Put a row that was not measured in place of each search; interrupt after so many."""
    done: list[str] = []

    def compete(family: Family, *_: object) -> Any:
        done.append(family.name)
        if stop_after is not None and len(done) > stop_after:
            raise KeyboardInterrupt
        return iter([Row(family=family.name, contestant="x", version="", threads=1, status="ok", seconds=[1.0])])

    monkeypatch.setattr("experiments.peers.run.compete", compete)


@pytest.mark.slow
def test_everyone_takes_part_against_each_of_ours_at_every_k(table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    skipped = set(table[table["status"] == "skipped"]["contestant"])
    for family in FAMILIES.values():
        own = table[table["family"] == family.name]
        for entry in family.contestants:
            rows = own[own["contestant"] == entry.name]
            if entry.name in skipped:
                continue
            expected = {(name, k) for name in entry.against or [""] for k in (10, 100)}
            assert {(row.against, int(row.k)) for row in rows.itertuples()} == expected, entry.name
    assert "fit" in set(table["family"])


@pytest.mark.slow
def test_exact_searches_agree_and_all_find_neighbours(table: pd.DataFrame) -> None:
    ran = table[(table["status"] != "skipped") & table["k"].notna() & (table["contestant"] != "matrix product alone")]
    exact = ran[ran["family"].isin(["float32", "hamming"])]
    assert set(exact["agreement"].astype(float)) == {1.0}
    assert not set(ran["status"]) & {"failed", "differs"}
    assert (ran["overlap"].astype(float) > 0.2).all()  # chance: 10 of 800
    assert set(ran[ran["family"] == "float32"]["overlap"].astype(float)) == {1.0}


@pytest.mark.slow
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


@pytest.mark.slow
def test_meta_says_what_it_was_measured_on(folder: Path) -> None:
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
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert figures == {f"{name}.{ending}" for name in ("peers", "linear") for ending in ("png", "svg")}


@pytest.mark.slow
def test_a_part_is_measured_again_and_the_others_stay(folder: Path, tmp_path: Path) -> None:
    """Where all else is the same; else nothing stays."""
    out = shutil.copytree(folder, tmp_path / "again")
    measured(out, parts=["hamming"])
    before, after = (pd.read_csv(path / "peers.csv") for path in (folder, out))
    others = before["family"] != "hamming"
    pd.testing.assert_frame_equal(before[others], after[others])
    assert before["contestant"].tolist() == after["contestant"].tolist()
    assert (before["median_s"] != after["median_s"])[~others].any()
    assert json.loads((out / "meta.json").read_text())["measured"].keys() == {*SEARCHES, "linear"}
    assert (out / "linear.csv").read_bytes() == (folder / "linear.csv").read_bytes()
    measured(out, parts=["hamming"], seed=1)
    assert set(pd.read_csv(out / "peers.csv")["family"]) == {"hamming"}
    assert not (out / "linear.csv").exists()


@pytest.mark.slow
def test_linear_has_a_point_for_every_size(folder: Path) -> None:
    points = pd.read_csv(folder / "linear.csv")
    sizes = points.groupby("against")[["n", "queries", "variants"]].agg(lambda x: sorted(x.dropna().unique()))
    assert sizes.loc["rows", "n"] == [300, 600]
    assert sizes.loc["queries", "queries"] == [5, 10]
    assert sizes.loc["variants", "variants"] == [1, 2]


@pytest.mark.slow
def test_a_missing_rival_is_a_row_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> Any:
        if name.startswith(("faiss", "usearch")):
            raise ImportError(name)
        return importlib.import_module(name)

    monkeypatch.setattr(contest, "import_module", missing)
    assert main([*arguments(parts=["float32", "hamming", "fit"], k=[5]), f"out={tmp_path}"]) == 0
    table = pd.read_csv(tmp_path / "peers.csv", keep_default_na=False)
    skipped = table[table["status"] == "skipped"]
    assert set(skipped["contestant"]) == {
        "faiss IndexFlatIP",
        "faiss IndexBinaryFlat",
        "USearch exact b1",
        "faiss ProductQuantizer.train",
    }
    assert skipped["reason"].str.contains("is not installed: pip install 'vqbench[backends]'", regex=False).all()
    assert set(table[table["contestant"].str.startswith("vqbench")]["status"]) == {"ok"}
    assert "skipped: float32, faiss IndexFlatIP: faiss is not installed" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["peers.csv", "peers_runs.csv"])
def test_tables_of_two_comparisons_are_rejected(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the figures, and by a run that would keep some of their rows; a run of all parts replaces them."""
    stub(monkeypatch)
    measured(tmp_path, parts=["float32", "hamming"])
    assert json.loads((tmp_path / "meta.json").read_text())["tables"].keys() == {"peers.csv", "peers_runs.csv"}
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole.replace(b"1", b"2", 1))
    with pytest.raises(VqbenchError, match=f"{name}: is not the table .*: measure every part again"):
        draw_all(tmp_path)
    with pytest.raises(VqbenchError, match=f"{name}: is not the table"):
        measured(tmp_path, parts=["hamming"])
    measured(tmp_path, parts=["float32", "hamming"])
    assert (tmp_path / name).read_bytes() == whole


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_comparison_that_is_stopped_keeps_what_it_finished(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables and meta.json belong together after every part; a part counts once all of its sizes are measured."""
    stub(monkeypatch, stop_after=count)
    (tmp_path / ".vqbench-1.csv").write_text("of a run that was killed")
    with pytest.raises(KeyboardInterrupt):
        measured(tmp_path, sizes=[[80, 8, 2], [90, 8, 2]], k=[5], parts=["float32", "hamming"])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == ({"peers.csv", "peers_runs.csv", "peers.md", "meta.json"} if count else set())
    if count:
        meta = json.loads((tmp_path / "meta.json").read_text())
        check_tables(tmp_path, meta)
        assert len(pd.read_csv(tmp_path / "peers.csv")) == count
        assert list(meta["measured"]) == []


def test_two_comparisons_do_not_time_each_other(tmp_path: Path) -> None:
    with claimed(tmp_path / ".vqbench-peers.claim"), pytest.raises(VqbenchError, match="another comparison is at work"):
        measured(tmp_path)


def test_a_sweep_and_a_comparison_do_not_replace_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub(monkeypatch)
    measured(tmp_path, parts=["hamming"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert vqbench(["dataset=synthetic", "dataset.n=50", "dataset.d=4", "k=[1]", f"out={tmp_path}"]) == 2
    assert "holds results of another program, which this run would replace" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    write_tables(tmp_path, {}, {"schema": SCHEMA})
    assert main([*arguments(), f"out={tmp_path}"]) == 2
    assert "holds other results, which this run would replace" in capsys.readouterr().err
