"""A results folder that somebody sent: what is wrong in it is said in a line, by every command that reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from folders import row, write_folder
from places import RESULTS, ROOT

from vqbench.cli.main import main
from vqbench.results.folder import read_results


def _meta(**changed) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
        (folder / "meta.json").write_text(json.dumps({**meta, **changed}), "utf-8")

    return write


def _text(name: str, old: str, new: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        text = (folder / name).read_text("utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new), "utf-8")

    return write


def _flat(folder: Path) -> None:
    pd.DataFrame({"dataset": ["d"]}).to_parquet(folder / "per_query.parquet")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "meta.json").write_text("[" * 100_000), "meta.json: .* hundreds deep"),
        (lambda folder: (folder / "meta.json").write_text("[]"), "meta.json: .*no object"),
        (_meta(schema=True), "no object with a schema"),
        (_meta(datasets=[]), "datasets: needs an object"),
        (_meta(datasets={"d": {"sha256": "", "normalized": True, "n": -1}}), r"datasets\.d\.n = -1"),
        (_meta(config=3), "config = 3"),
        (_text("metrics.csv", "ci_low", "ci_l"), r"metrics\.csv: .*no column ci_low"),
        (_text("metrics.csv", "0.98", "x"), "column value holds more than numbers"),
        (_text("metrics.csv", "0,overlap,10,", "0,overlap,1.5,"), "column k holds more than whole numbers"),
        (_text("metrics.csv", "\nd,", "\ne,"), r"dataset e is not in meta\.json"),
        (_text("metrics.csv", "int8", "float32"), r"metrics\.csv: .*row 1 repeats another"),
        (_text("ledger.csv", "bytes_per_vector", "bytes"), r"ledger\.csv: .*no bytes_per_vector of"),
        (_text("ledger.csv", "total,32", "total,-32"), "column bytes holds more than sizes"),
        (_text("ledger.csv", "total,32", "total,32,1,1,1"), r"ledger\.csv: is not what a run writes"),
        (lambda folder: (folder / "per_query.parquet").write_bytes(b"PAR1"), r"per_query\.parquet: is not what"),
        (_flat, r"per_query\.parquet: .*no column variant"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    tmp_path: Path, damage: Callable[[Path], None], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [row("float32", 0, 1.0, 0.0), row("int8", 0, 0.98, 0.01)]
    good, bad = (write_folder(tmp_path / name, rows, {"float32": (128, 0), "int8": (32, 8)}) for name in ("a", "b"))
    assert main(["compare", str(good), str(bad)]) == 0
    damage(bad)
    capfd.readouterr()
    for command in (["recommend", str(bad)], ["compare", str(good), str(bad)], ["report", str(bad)]):
        assert main(command) == 2
        line = capfd.readouterr().err
        assert line.startswith(f"vqbench: {bad}")
        assert line.endswith("\n")
        assert line[:-1].isprintable()
        assert pd.Series([line]).str.contains(words, regex=True).all(), line
        assert "run vqbench again" in line


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in RESULTS.glob("*/metrics.csv")))
def test_the_committed_results_are_right(folder: str) -> None:
    assert len(read_results(RESULTS / folder).metrics)


@pytest.mark.slow
def test_damaged_folders() -> None:
    tests = ROOT / "tests"
    command = [sys.executable, str(tests / "robustness" / "fuzz_results.py"), "--mutations", "60", "--seed", "3"]
    found = {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), str(tests / "helpers")])}
    done = subprocess.run(command, env={**os.environ, **found}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused" in done.stdout
