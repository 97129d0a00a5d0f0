"""The command line as a user meets it: runs, tables, multirun, and one clear line for every mistake."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vqbench.cli.main import main
from vqbench.results.columns import METRICS

SMALL = [
    "dataset=synthetic",
    "dataset.n=300",
    "dataset.d=16",
    "dataset.queries=20",
    "k=[1,5]",
    "oversample=[0,2]",
    "figures=false",
    "report=false",
    "cache=off",
    "doctor=false",
]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def metrics(folder: str) -> pd.DataFrame:
    return pd.read_csv(Path(folder) / "metrics.csv", keep_default_na=False)


def test_a_run_writes_the_tables_and_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "out=x"]) == 0
    written = {path.name for path in Path("x").iterdir()}
    assert written >= {
        "metrics.csv",
        "ledger.csv",
        "timings.csv",
        "per_query.parquet",
        "samples.parquet",
        "meta.json",
    }
    table = metrics("x")
    assert list(table.columns) == METRICS
    exact = table[(table["variant"] == "float32") & (table["metric"] == "overlap")]
    assert set(exact["value"].astype(float)) == {1.0}
    shown = capsys.readouterr().out
    assert "overlap@5" in shown
    assert "offset_int8_raw" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_the_summary_can_be_computed_from_the_values_of_the_queries() -> None:
    assert main([*SMALL, "out=x"]) == 0
    each = pd.read_parquet("x/per_query.parquet")
    mean = each.groupby(["variant", "metric", "k", "oversample"], observed=True)["value"].mean()
    table = metrics("x")
    table = table[table["k"].astype(str) != ""]
    table = table[~table["metric"].str.endswith("_kept")]
    for row in table.itertuples():
        assert float(row.value) == pytest.approx(mean[row.variant, row.metric, int(row.k), row.oversample], abs=1e-9)


@pytest.mark.slow
def test_a_rerun_gives_the_same_bytes_and_evaluates_nothing_again(capsys: pytest.CaptureFixture[str]) -> None:
    main([*SMALL, "out=x"])
    first = Path("x/metrics.csv").read_bytes()
    capsys.readouterr()
    assert main([*SMALL, "out=x"]) == 0
    assert "9 cells were finished before" in capsys.readouterr().out
    assert Path("x/metrics.csv").read_bytes() == first
    assert main([*SMALL, "out=x", "force=true"]) == 0
    assert Path("x/metrics.csv").read_bytes() == first
    assert main([*SMALL, "out=y", "block_mb=0.1"]) == 0
    assert Path("y/metrics.csv").read_bytes() == first


@pytest.mark.slow
def test_changed_settings_reuse_no_cell(capsys: pytest.CaptureFixture[str]) -> None:
    main([*SMALL, "out=x"])
    for changed in ("dataset.seed=1", "k=[1,6]", "oversample=[0,3]", "normalize=false", "metric=[overlap]"):
        capsys.readouterr()
        assert main([*SMALL, "out=x", changed]) == 0
        assert "finished before" not in capsys.readouterr().out


def test_a_setting_on_the_command_line_names_the_variant() -> None:
    assert main([*SMALL, "out=x", "quantizer=[binary_mean]", "quantizer.binary_mean.quantizer.threshold=median"]) == 0
    assert main([*SMALL, "out=y", "quantizer=[binary_median]"]) == 0
    assert set(metrics("x")["variant"]) == {"binary_mean(threshold=median)"}
    origin = json.loads(Path("x/meta.json").read_text())["variants"]["binary_mean(threshold=median)"]
    assert origin["config"] == "binary_mean"
    assert origin["overrides"] == ["threshold=median"]
    assert origin["node"]["quantizer"]["threshold"] == "median"
    assert metrics("x")["value"].tolist() == metrics("y")["value"].tolist()


def test_a_field_that_the_yaml_leaves_out_can_be_set() -> None:
    changed = ["quantizer=[binary_mean_decoded]", "quantizer.binary_mean_decoded.quantizer.levels=means"]
    assert main([*SMALL, "out=x", *changed]) == 0
    assert set(metrics("x")["variant"]) == {"binary_mean_decoded(levels=means)"}


def test_multirun_puts_every_combination_into_one_table() -> None:
    status = main(["-m", *SMALL, "dataset.n=200,300", "seed=1,2", "quantizer=[float32,binary_mean]", "out=x"])
    assert status == 0
    table = metrics("x")
    cells = set(zip(table["dataset"].str.extract(r"(n=\d+)")[0], table["variant"], table["seed"], strict=True))
    assert cells == {
        (n, v, s) for n in ("n=200", "n=300") for v in ("float32", "binary_mean") for s in ("1", "2", "all")
    }
    meta = json.loads(Path("x/meta.json").read_text())
    assert len(meta["datasets"]) == 2
    assert meta["seeds"] == [1, 2]
    assert not Path("results/.sweeps").exists()


def test_a_multirun_goes_on_after_a_job_with_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-m", *SMALL, "k=[1],[400],[2]", "quantizer=[float32]", "out=x"]) == 2
    assert "k = 400" in capsys.readouterr().err
    assert set(metrics("x")["k"].astype(str)) >= {"1", "2"}


def test_a_setting_that_is_wrong_stops_a_multirun_before_its_first_job(capsys: pytest.CaptureFixture[str]) -> None:
    """And in which order datasets stand on the screen."""
    assert main(["-m", *SMALL, "dataset.rows=30,100", "quantizer=[float32]", "out=x"]) == 0
    out = capsys.readouterr().out
    assert out.index("rows=30)") < out.index("rows=100)")
    before = {path: path.read_bytes() for path in Path("x").rglob("*") if path.is_file()}
    assert main(["-m", *SMALL, "quantizer=[float32]", "out=x", "seed=x,1"]) == 2
    assert "seed = 'x': must be a whole number" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path("x").rglob("*") if path.is_file()} == before


def test_what_cannot_run_is_a_row_with_a_reason() -> None:
    status = main([*SMALL, "out=x", "quantizer=[float32,offset_int8]", "quantizer.offset_int8.similarity=hamming"])
    assert status == 0
    lost = metrics("x").query("status == 'skipped'")
    assert lost["variant"].tolist() == ["offset_int8(similarity=hamming)"]
    assert "Hamming" in lost["reason"].iloc[0]


def test_a_variant_that_fails_does_not_take_the_others_along(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vqbench.quantizers.binary import BinaryCodec

    def broken(self: BinaryCodec, codes_nb: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(BinaryCodec, "decode", broken)
    assert main([*SMALL, "out=x", "quantizer=[float32,binary_mean]"]) == 1
    table = metrics("x")
    assert table.query("variant == 'binary_mean'")[["status", "reason"]].to_numpy().tolist() == [
        ["failed", "RuntimeError: out of luck"]
    ]
    assert set(table.query("variant == 'float32'")["status"]) == {"ok"}
    assert "out of luck" in capsys.readouterr().out


def test_only_what_this_run_wrote_is_said_and_the_answer_comes_last(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures and report of an earlier run lie there still."""
    few = [*SMALL, "out=x", "quantizer=[float32]"]
    assert main([*few, "figures=[vector_bars]", "report=true"]) == 0
    *_, written, answer = capsys.readouterr().out.split("\n\n")
    assert written == "Written to x: report.html, figures, tables."
    assert answer.startswith("To keep 95 % of float's top 5: ")
    assert main([*few, "figures=false", "report=false"]) == 0
    wanted = "\nWritten to x (1 cell was finished before): tables. figures/ is of an earlier run.\n"
    assert wanted in capsys.readouterr().out
    assert Path("x/report.html").exists()


def test_a_habit_of_other_tools_is_put_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--dataset", "movies"]) == 2
    wanted = "vqbench: --dataset: no such option; settings are written key=value, as in dataset=movies\n"
    assert capsys.readouterr().err == wanted


def test_the_columns_of_help_stand_straight(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    columns = {
        max(found.start(1), found.start(2))
        for line in lines
        for found in re.finditer(r"(?<=\S)  +(\S)|^ {40,}(\S)", line)
    }
    assert len(lines) > 20
    assert columns == {47}


MISTAKES = {
    "quantizer=[ofset_int8]": "did you mean offset_int8",
    "metric=[overlapp]": "did you mean overlap",
    "dataset=wordnets": "did you mean wordnet",
    "experiment=notebok": "did you mean notebook",
    "kk=3": "did you mean k?",
    "+foo=1": "foo: unknown key",
    "path=mine.npy": "path: unknown key; it belongs to the dataset: dataset.path=",
    "queries=q128.npy": "for queries in a file: dataset.queries=q128.npy",
    "k=abc": "k = 'abc'",
    "k=[]": "k = []",
    "k=[0]": "k = [0]",
    "k=[1,1]": "k = [1, 1]",
    "k=[1,5000]": "can find only 300 rows",
    "oversample=[-1]": "oversample = [-1]",
    "seed=[1,1]": "seeds must be distinct",
    "seed=-1": "not negative",
    "n_queries=x": "n_queries = 'x'",
    "n_queries=1": "at least 2",
    "normalize=maybe": "normalize = 'maybe'",
    "queries=other": "'self', 'holdout'",
    "queries=holdout": "",
    "example=nobody": "no such id",
    "dataset.n=0": "n = 0",
    "dataset.n=many": "dataset.n = 'many': must be a whole number",
    "threads=many": "threads = 'many': must be a whole number, or null",
    "block_mb=big": "block_mb = 'big': must be a number",
    "block_mb=nan": "block_mb = nan: needs a number of MiB above 0",
    "report=maybe": "report = 'maybe': must be true or false",
    "example=7": "example = 7: must be text, in quotes",
    "--dataset=movies": "settings are written key=value, as in dataset=movies",
    "--n-queries=7": "as in n_queries=7",
    "--datast=x": "did you mean dataset",
    "dataset.m=1": "no such key",
    "metric.rbo.p=2": "p = 2.0",
    "quantizer.binary_mean.quantizer.threshold=medan": "'zero', 'mean', 'median'",
    "quantizer.binary_mean.quantizer.thresold=mean": "did you mean threshold?",
    "quantizer.binary_men.quantizer.threshold=mean": "did you mean binary_mean",
    "quantizer.binary_mean.similarity=cosine": "'decoded', 'symmetric'",
    "quantizer.binary_mean.quantizer._target_=os.system": "not a class of vqbench.quantizers",
    "quantizer.binary_mean.quantizer._target_=vqbench.results.folder.slug": "not a class of vqbench.quantizers",
    "dataset._target_=subprocess.run": "not a class of vqbench.datasets",
    "metric.rbo._target_=vqbench.quantizers.binary.Binary": "not a class of vqbench.metrics",
    "dataset": "no such command",
    "k=[1": "",
    "out=file": "cannot be written",
}


@pytest.mark.parametrize("mistake", [name for name in MISTAKES if name != "queries=holdout"])
def test_a_mistake_gets_one_line_and_writes_nothing(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("in the way")
    arguments = [mistake] if mistake == "dataset" else [*SMALL, "out=x", mistake]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.strip().splitlines()
    assert len(lines) == 1, printed.err
    assert lines[0].startswith("vqbench: ")
    assert MISTAKES[mistake] in lines[0]
    assert {path.name for path in Path().iterdir()} == {"file"}


def test_a_corpus_file_with_a_bad_row_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    x_nd = np.ones((9, 4), dtype=np.float32)
    x_nd[7, 2] = np.nan
    np.save("bad.npy", x_nd)
    assert main(["dataset=file", "dataset.path=bad.npy", "k=[1]", "out=x"]) == 2
    assert "bad.npy: row 7 is" in capsys.readouterr().err
    assert not Path("x").exists()


def test_a_missing_path_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset=file"]) == 2
    assert "dataset.path" in capsys.readouterr().err


def test_nearest_prints_the_lists_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nearest", "Moana", "--top", "3"]) == 0
    shown = capsys.readouterr().out
    assert "Moana 2 (2024)" in shown
    assert "binary_mean" in shown
    assert main(["nearest", "Moanna"]) == 2
    assert "did you mean Moana (2016)" in capsys.readouterr().err
    for mistake in (
        ["Moana", "--quantizer", "int7"],
        ["Moana", "dataset=moves"],
        ["Moana", "k=10"],
        ["dataset=movies"],
        ["Moana", "--top", "0"],
    ):
        assert main(["nearest", *mistake]) == 2


def test_list_shows_every_config(capsys: pytest.CaptureFixture[str]) -> None:
    from vqbench.experiment.config.folders import config_names

    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    for group in ("quantizer", "metric", "dataset", "experiment"):
        assert all(name in shown for name in config_names(group))


@pytest.mark.slow
def test_the_cache_is_reused_and_cleared(capsys: pytest.CaptureFixture[str]) -> None:
    given = [argument for argument in SMALL if argument != "cache=off"]
    assert main([*given, "out=x", "cache=here"]) == 0
    (cached,) = Path("here").glob("truth-*.npz")
    assert main([*given, "out=y", "cache=here"]) == 0
    assert [cached] == list(Path("here").iterdir())
    assert Path("x/metrics.csv").read_bytes() == Path("y/metrics.csv").read_bytes()
    cached.write_bytes(b"broken")  # computed again, not believed
    assert main([*given, "out=z", "cache=here"]) == 0
    assert Path("x/metrics.csv").read_bytes() == Path("z/metrics.csv").read_bytes()
    assert main(["cache", "clear", "--cache", "here"]) == 0
    assert not list(Path("here").iterdir())


def test_help_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = "import sys; from vqbench.cli.main import main; main(['--help']); print(sorted(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "vqbench experiment=thresholds" in shown
    assert not {"numpy", "hydra", "pandas", "matplotlib"} & set(shown.replace("'", "").split(", "))


def test_a_path_without_its_dataset_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Else one's own vectors would meet the queries and judgements of the bundled ones."""
    np.save("mine.npy", np.eye(3))
    assert main(["dataset.path=mine.npy", "out=x"]) == 2
    assert "your own vectors need dataset=file as well, or only dataset=mine.npy" in capsys.readouterr().err
    assert not Path("x").exists()
