"""What is shipped works as shipped: experiments, committed results, the wheel, the README's commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from places import ROOT

from vqbench.cli.main import main
from vqbench.datasets.base import Source
from vqbench.datasets.file import File
from vqbench.datasets.prepare import prepare
from vqbench.datasets.synthetic import Synthetic
from vqbench.experiment.config.folders import config_names
from vqbench.text import share

EXPERIMENTS = config_names("experiment")
PAGES = sorted(
    path for folder in ("conf", "experiments", "results", "tests", "vqbench") for path in (ROOT / folder).rglob("*.md")
)
LARGE = {
    "backends",
    "bits",
    "calibration",
    "matryoshka",
    "notebook",
    "oversampling",
    "presets",
    "rotation",
    "scoring",
    "thresholds",
    "scale",
}  # seconds and more each
TOP = {"conf", "vqbench", "experiments", "results", "tests", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in EXPERIMENTS]
)
def test_each_experiment_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On few rows, queries, k and factors, with every variant, dataset and figure of its own."""
    file, synthetic = File.load, Synthetic.load

    def few(self: File) -> Source:
        source = file(self)
        ids = None if source.ids is None else list(source.ids)[-500:]  # Moana is among the last films
        return replace(source, corpus_nd=source.corpus_nd[-500:], ids=ids, judgements=None)

    monkeypatch.setattr(File, "load", few)
    monkeypatch.setattr(Synthetic, "load", lambda self: synthetic(replace(self, n=500, queries=20)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(  # a hundredth of the rows that a nested subsample has
        "vqbench.experiment.run.prepare",
        lambda *source, rows, **more: prepare(*source, rows=rows and rows // 100, **more),
    )
    told = ["n_queries=10", "k=[5]", "oversample=[0,2]", "cache=off", "doctor=false", "report=false", "out=x"]
    example = ["example=null"] if name == "notebook" else []
    assert main([f"experiment={name}", *told, *example]) == 0
    table = pd.read_csv("x/metrics.csv", keep_default_na=False)
    assert set(table["status"]) == {"ok"}
    assert set(table["variant"]) == variants_of(name)
    if name == "backends" and not (pd.read_csv("x/backends.csv")["status"] == "ok").any():
        pytest.skip("no engine is installed: pip install 'vqbench[backends]'")
    assert list(Path("x/figures").glob("*.png"))


def variants_of(name: str) -> set[str]:
    """Those chosen from the group, and those that the experiment defines itself."""
    written = yaml.safe_load((ROOT / "experiments" / f"{name}.yaml").read_text())
    chosen = next(d["override /quantizer"] for d in written["defaults"] if "override /quantizer" in d)
    return {*chosen, *written.get("quantizer", {})}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_experiment_has_committed_results(name: str) -> None:
    """The reference lies under results/ and was made with the config as it is."""
    folder = ROOT / "results" / name
    assert {"metrics.csv", "comparisons.csv", "ledger.csv", "meta.json", "README.md", "figures"} <= {
        p.name for p in folder.iterdir()
    }
    table = pd.read_csv(folder / "metrics.csv", keep_default_na=False)
    written = yaml.safe_load((ROOT / "experiments" / f"{name}.yaml").read_text())
    assert set(table["variant"]) == variants_of(name)
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["config"]["k"] == written.get("k", [1, 10, 100])
    assert set(table["dataset"]) == set(meta["datasets"])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_write_up_names_its_command(name: str) -> None:
    assert f"vqbench experiment={name}" in (ROOT / "results" / name / "README.md").read_text()
    assert f"[{name}]({name}/README.md)" in (ROOT / "results" / "README.md").read_text()
    assert f"[{name}](../results/{name}/README.md)" in (ROOT / "experiments" / "README.md").read_text()


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md", ROOT / "CHANGELOG.md"], ids=lambda x: str(x.relative_to(ROOT))
)
def test_a_page_links_only_to_files_that_exist(page: Path) -> None:
    for target in re.findall(r"(?:\]\(|src=\")([^)#:\"]+)(?:#[^)]*)?[)\"]", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.slow
def test_committed_results_still_come_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook experiment again, whole: the same table to 9 digits, on whatever machine this is."""
    monkeypatch.chdir(tmp_path)
    assert main(["experiment=notebook", "cache=off", "figures=false", "out=x"]) == 0
    ours, kept = (pd.read_csv(path / "metrics.csv") for path in (Path("x"), ROOT / "results" / "notebook"))
    pd.testing.assert_frame_equal(ours, kept, rtol=1e-9, atol=1e-15)


def test_the_readme_and_ci_run_the_same_two_commands() -> None:
    readme, script = (ROOT / "README.md").read_text(), (ROOT / ".ci" / "run").read_text()
    commands = re.findall(r"^(python3 -m venv .*|\.venv/bin/python -m pytest.*)$", readme, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert command in script


def test_the_layout_holds() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    files = tracked.stdout.splitlines()
    assert {f.split("/")[0] for f in files if not f.startswith(".")} <= TOP
    data = sum((ROOT / f).stat().st_size for f in files if f.startswith("vqbench/data/"))
    assert data <= 12_000_000
    assert not [f for f in files if f.endswith(".parquet")]


@pytest.mark.slow
def test_the_wheel_works_in_a_clean_environment_and_an_empty_folder(tmp_path: Path) -> None:
    """Build, install with its real dependencies, run far from the checkout."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("vqbench-*.whl")
    venv.create(tmp_path / "clean", with_pip=True)
    scripts = tmp_path / "clean" / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([scripts / "python", "-m", "pip", "install", "-q", wheel], check=True, capture_output=True)
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(*arguments: str) -> str:
        given = {**os.environ, "PYTHONPATH": "", "COLUMNS": "100"}
        done = subprocess.run([scripts / "vqbench", *arguments], cwd=empty, capture_output=True, text=True, env=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import vqbench; print(vqbench.__file__)"
    home = subprocess.run([scripts / "python", "-c", where], cwd=empty, capture_output=True, text=True, check=True)
    assert str(tmp_path) in home.stdout
    assert "oversampling" in run("list")
    assert "Moana 2 (2024)" in run("nearest", "Moana", "--top", "2")
    run("quantizer=[float32,binary_mean]", "n_queries=20", "k=[10]", "cache=off")
    assert list((empty / "results" / "wordnet" / "figures").glob("*.png"))
    assert "<style>" in (empty / "results" / "wordnet" / "report.html").read_text("utf-8")
    run("experiment=notebook", "n_queries=20", "cache=off")
    assert (empty / "results" / "notebook" / "metrics.csv").is_file()


def test_the_table_in_the_readme_is_that_of_the_committed_results() -> None:
    text = (ROOT / "README.md").read_text()
    metrics = pd.read_csv(ROOT / "results" / "default" / "metrics.csv")
    rows = metrics[(metrics["metric"] == "overlap") & (metrics["k"] == 10)].set_index(["variant", "oversample"])
    seen = set()
    for line in re.findall(r"^ (\w+) +[\d,]+ +[\d.]+x .*$", text, re.MULTILINE):
        (whole,) = re.findall(rf"^ {line} +[\d,]+ +[\d.]+x .*$", text, re.MULTILINE)
        own, again = rows.loc[(line, 0)], rows.loc[(line, 4)]
        shown = whole.split()
        interval = "reference" if line == "float32" else f"{share(own['ci_low'])}-{share(own['ci_high'])}"
        assert shown[3:5] == [share(own["value"]), interval], line
        assert shown[-1] == share(again["value"]), line
        seen.add(line)
    assert seen == set(metrics["variant"])
