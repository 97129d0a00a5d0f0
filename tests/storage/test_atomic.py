"""Files written whole or not at all; locks that end with their process; tables that belong together."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from cells import CELL, NAME, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.cli.console import progress_bar
from vqbench.cli.main import main
from vqbench.cli.screens.summary import closing
from vqbench.errors import VqbenchError
from vqbench.evaluation.bench import Bench
from vqbench.experiment.cell_cache import ProgressLine, Task, obtain
from vqbench.results.cell_files import load_cell, save_cell
from vqbench.results.columns import LEDGER, METRICS, SCHEMA
from vqbench.results.folder import read_results, write_tables
from vqbench.results.records import MEANWHILE, CellName, CellRecord
from vqbench.storage import locks
from vqbench.storage.atomic import write_atomically, write_text, write_together

TABLES = {
    "metrics.csv": pd.DataFrame(columns=METRICS),
    "ledger.csv": pd.DataFrame(columns=LEDGER),
    "timings.csv": pd.DataFrame({"dataset": ["x"], "variant": ["x"], "seed": [0], "fit": [1.0]}),
    "samples.parquet": pd.DataFrame(
        {
            "dataset": ["x"],
            "variant": ["x"],
            "seed": [0],
            "kind": ["x"],
            "id": ["x"],
            "index": [0.0],
            "other": ["x"],
            "value": [1.0],
            "code": [1.0],
        }
    ),
}


META = {"schema": SCHEMA, "datasets": {}, "metrics": {}}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


TEXTS = st.dictionaries(st.sampled_from("abcd"), st.text("xy", max_size=3))


@settings(max_examples=30)
@given(
    before=TEXTS,
    new=TEXTS.filter(bool),
    broken=st.integers(0, 5),
)
def test_all_files_are_written_or_none(
    tmp_path: Path, before: dict[str, str], new: dict[str, str], broken: int
) -> None:
    shutil.rmtree(tmp_path / "f", ignore_errors=True)
    for name, text in before.items():
        write_atomically(tmp_path / "f" / name, lambda path, text=text: write_text(path, text))

    def write(at: int, text: str, path: Path) -> None:
        write_text(path, text)
        if at == broken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files = {
        tmp_path / "f" / name: lambda path, at=at, text=text: write(at, text, path)
        for at, (name, text) in enumerate(new.items())
    }
    wanted = before | new
    if broken < len(new):
        wanted = before
        with pytest.raises(VqbenchError, match="No space left on device.*make room"):
            write_together(files)
    else:
        write_together(files)
    assert {name: (tmp_path / "f" / name).read_text("utf-8") for name in wanted} == wanted
    assert names(tmp_path) == set(wanted)


def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    for path in (tmp_path / "file" / "x", tmp_path / "folder"):
        with pytest.raises(VqbenchError, match=f"{path}: cannot be written .*out=DIR"):
            write_atomically(path, lambda path: write_text(path, ""))
    assert names(tmp_path) == {"file"}


def test_a_file_gets_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "x", lambda path: write_text(path, ""))
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_files_of_the_dead_are_removed_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    dead, own = tmp_path / f"{locks.TEMPORARY}dead.csv", tmp_path / "metrics.csv"
    dead.write_text("half")
    own.write_text("whole")

    def write(path: Path) -> None:
        locks.sweep(tmp_path)
        assert names(tmp_path) == {path.name, f"{locks.TEMPORARY}1.claim", own.name}
        write_text(path, "new")

    with locks.claimed(tmp_path / f"{locks.TEMPORARY}1.claim") as ours:
        assert ours
        write_atomically(own, write)
    assert names(tmp_path) == {own.name}
    assert own.read_text() == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_a_claim_keeps_all_others_out_whenever_they_come(tmp_path: Path) -> None:
    """The file is removed with each claim, so those who wait hold one that no longer bears its name."""
    claim, inside, seen = tmp_path / "x.claim", [], []

    def work() -> None:
        for _ in range(50):
            with locks.claimed(claim, wait=True) as ours:
                inside.append(ours)
                seen.append(len(inside))
                with locks.claimed(claim) as another:
                    assert not another
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 200
    assert not claim.exists()


def test_where_there_are_no_locks_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything else works, and nothing that might be a living process's is removed."""
    assert locks.available(tmp_path)
    monkeypatch.setattr(locks, "fcntl", None)
    assert not locks.available(tmp_path)
    monkeypatch.chdir(tmp_path)
    given = [*SMALL, "out=x"]
    assert main(given) == 0
    assert "x: files cannot be locked here; let one run at a time write into it" in capsys.readouterr().err
    (tmp_path / "x" / f"{locks.TEMPORARY}1.csv").write_text("")
    assert main(given) == 0
    assert (tmp_path / "x" / f"{locks.TEMPORARY}1.csv").exists()
    assert "1 cell was finished before" in capsys.readouterr().out


def test_a_cell_comes_back_bit_for_bit(tmp_path: Path) -> None:
    with pytest.raises(VqbenchError, match="missing or damaged"):
        load_cell(tmp_path, NAME)
    save_cell(tmp_path, NAME, CELL)
    found = load_cell(tmp_path, NAME)
    assert found.metrics["value"].tolist() == [0.1 + 0.2]
    assert found.per_query.to_dict("list") == CELL.per_query.to_dict("list")
    assert found.seconds == CELL.seconds
    assert len(NAME.path.name) < 200


@settings(max_examples=50)
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7), cut=st.booleans())
def test_no_damage_to_a_cell_goes_unseen(tmp_path: Path, at: int, bit: int, cut: bool) -> None:
    save_cell(tmp_path, NAME, CELL)
    path = tmp_path / NAME.path
    content = path.read_bytes()
    at %= len(content)
    flipped = content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]
    path.write_bytes(content[:at] if cut else flipped)
    with pytest.raises(VqbenchError, match=r"\.cell: this finished cell is missing or damaged"):
        load_cell(tmp_path, NAME)


def test_a_cell_under_another_name_is_not_that_cell(tmp_path: Path) -> None:
    other = CellName("d", "other", 0, "something else")
    save_cell(tmp_path, NAME, CELL)
    shutil.copy(tmp_path / NAME.path, tmp_path / other.path)
    with pytest.raises(VqbenchError, match="its first line is not that of this cell"):
        load_cell(tmp_path, other)


def test_tables_of_two_runs_are_refused(tmp_path: Path) -> None:
    write_tables(tmp_path, TABLES, META)
    assert read_results(tmp_path).samples["value"].tolist() == [1]
    (tmp_path / "samples.parquet").unlink()  # committed results lack it
    assert read_results(tmp_path).samples.empty
    for name in ("metrics.csv", "ledger.csv"):
        before = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(before + b"x,1\n")
        with pytest.raises(VqbenchError, match=f"{name}: is not the table that meta.json was written with"):
            read_results(tmp_path)
        (tmp_path / name).write_bytes(before)
    pd.DataFrame({"x": [2]}).to_csv(tmp_path / "backends.csv")  # an earlier run's, not yet removed
    assert read_results(tmp_path).backends.empty
    write_tables(tmp_path, {**TABLES, "timings.csv": TABLES["timings.csv"].assign(fit=2.0)}, META)
    assert json.loads((tmp_path / "meta.json").read_text())["tables"].keys() == {*TABLES} - {"timings.csv"}


def test_a_folder_of_a_run_that_was_stopped_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(VqbenchError, match=r"holds no meta\.json: run vqbench first"):
        read_results(tmp_path)
    (tmp_path / "cells").mkdir()
    with pytest.raises(VqbenchError, match="give the same command again; finished cells are kept"):
        read_results(tmp_path)


@pytest.mark.parametrize("meta", ["[]", "{}", '{"schema": 2, "tables": 3}', "{", '{"schema": "x"}'])
def test_a_folder_without_a_whole_description_is_refused(tmp_path: Path, meta: str) -> None:
    write_tables(tmp_path, TABLES, META)
    (tmp_path / "meta.json").write_text(meta)
    with pytest.raises(VqbenchError):
        read_results(tmp_path)


def test_results_of_a_later_version_are_neither_read_nor_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tables(tmp_path, TABLES, {"schema": SCHEMA + 1})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(VqbenchError, match=rf"later vqbench \(schema {SCHEMA + 1}; this one has {SCHEMA}\)"):
        read_results(tmp_path)
    given = [*SMALL, f"out={tmp_path}"]
    assert main(given) == 2
    assert "results of a later vqbench" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_jobs_that_call_different_vectors_by_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("rows.npz", a=rng.normal(size=(40, 4)), b=rng.normal(size=(40, 4)))
    given = [each for each in SMALL if not each.startswith("dataset")]
    given += ["-m", "dataset=file", "dataset.path=rows.npz", "dataset.key=a,b", "out=x"]
    assert main(given) == 2
    assert "dataset rows: two jobs of this multirun use the name for different vectors" in capsys.readouterr().err
    assert not Path("x/metrics.csv").exists()
    assert not Path("results").exists()


def test_a_job_that_fails_without_a_word_of_ours_loses_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vqbench.experiment import run

    monkeypatch.chdir(tmp_path)
    describe = run.provenance.describe

    def failing(plan: object, prepared: dict) -> dict:
        if any("n=50" in name for name in prepared):
            raise MemoryError("no more")
        return describe(plan, prepared)

    monkeypatch.setattr(run.provenance, "describe", failing)
    left = Path("results/.sweeps/2020-01-01T00-00-00-1")  # of a multirun that was killed
    left.mkdir(parents=True)
    given = ["-m", *SMALL, "dataset.n=50,60", "out=x"]
    assert main(given) == 2
    assert "MemoryError: no more" in capsys.readouterr().err
    assert set(pd.read_csv("x/metrics.csv")["dataset"]) == {"synthetic(d=4,n=60)"}
    with contextlib.suppress(FileNotFoundError):
        assert not list(Path("results").rglob("*"))


def test_truth_that_fails_fails_its_cells_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for all cells: what failed is not tried again. Where nothing else has a result, older tables stay."""
    from vqbench.evaluation import bench

    tried, find_truth = [], bench.find_truth

    def failing(data: Any, *rest: Any, **more: Any) -> Any:
        if data.name == "b":
            return find_truth(data, *rest, **more)
        tried.append(data.name)
        raise MemoryError("no more")

    monkeypatch.setattr(bench, "find_truth", failing)
    node = "{_target_: vqbench.datasets.synthetic.Synthetic, d: 4, queries: 3, n: 5"
    given = [each for each in SMALL if not each.startswith("dataset")]
    given += ["quantizer=[float32,binary_mean]", f"out={tmp_path / 'x'}"]
    assert main([*given, f"+datasets.a={node}0}}", f"+datasets.b={node}1}}"]) == 1
    table = pd.read_csv(tmp_path / "x/metrics.csv")
    assert table["status"].tolist() == ["failed"] * 2 + ["ok"] * 2
    assert table["reason"][:2].str.contains("MemoryError: no more: it needs more memory").all()
    assert tried == ["a"]
    before = (tmp_path / "x/metrics.csv").read_bytes()
    assert main([*given, f"+datasets.a={node}0}}"]) == 1
    assert (tmp_path / "x/metrics.csv").read_bytes() == before


def test_a_run_without_any_result_is_a_table_of_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vqbench.quantizers.cast import CastCodec

    def broken(self: CastCodec, x_nd: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(CastCodec, "encode", broken)
    told = [each for each in SMALL if each not in ("figures=false", "report=false")]
    assert main([*told, f"out={tmp_path / 'x'}"]) == 1
    assert "RuntimeError: out of luck" in capsys.readouterr().out
    assert (tmp_path / "x/report.html").exists()


@pytest.mark.parametrize("many", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_results_are_not_replaced_by_a_list_of_failures(
    many: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where every cell of a command failed, older results stay; where one has a result, the tables are of all."""
    from vqbench.quantizers.cast import CastCodec

    monkeypatch.chdir(tmp_path)
    encode, working = CastCodec.encode, {3}

    def broken(self: CastCodec, x_nd: Any) -> Any:
        if self.d not in working:
            raise RuntimeError(f"no luck\n  with {self.d}")
        return encode(self, x_nd)

    monkeypatch.setattr(CastCodec, "encode", broken)
    given = [*SMALL, "out=x", f"dataset.d={'4,5' if many else '4'}", *["-m"] * many]
    assert main([*SMALL, "out=x", "dataset.d=4"]) == 1
    assert pd.read_csv("x/metrics.csv")["status"].tolist() == ["failed"]  # there was nothing to keep
    assert main([*SMALL, "out=x", "dataset.d=3"]) == 0
    before = {path: path.read_bytes() for path in Path("x").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(given) == 1
    assert {path: path.read_bytes() for path in Path("x").rglob("*") if path.is_file()} == before
    told = " ".join(capsys.readouterr().out.split())
    assert "float32: RuntimeError: no luck with 4" in told
    assert "Nothing was written to x: no cell has a result, and the tables of an earlier run stay." in told
    working.add(5)
    if many:
        assert main(given) == 1
        assert pd.read_csv("x/metrics.csv")["status"].tolist() == ["failed", "ok"]


def test_a_cell_that_another_run_finished_meanwhile_is_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = CellRecord(NAME, "decoded")
    task = Task(record, lambda *_, **__: CELL)
    with progress_bar() as progress:
        line = ProgressLine(progress, progress.add_task("x"), "x")
        get = partial(obtain, tmp_path, task, lambda: cast(Bench, None), line)
        first, before, waited = (get(force=False, wait=wait) for wait in (False, False, True))
    assert [first, before, waited] == [
        replace(record, status="ok"),
        replace(record, status="reused"),
        replace(record, status="reused", reason=MEANWHILE),
    ]
    closing(tmp_path, before=1, meanwhile=2, written=["tables"])
    told = " ".join(capsys.readouterr().out.split())
    assert "(1 cell was finished before, 2 cells were finished meanwhile by another run): tables." in told


@pytest.mark.parametrize("error", [MemoryError("no more"), OSError(errno.EIO, os.strerror(errno.EIO), "rows.npy")])
def test_a_fault_outside_any_cell_is_one_line(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vqbench.experiment import run

    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(run, "prepared", failing)
    assert main(["dataset=synthetic", f"out={tmp_path / 'x'}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "give the same command again: vqbench dataset=synthetic" in line
    assert ("no more" if isinstance(error, MemoryError) else "'rows.npy'") in line
