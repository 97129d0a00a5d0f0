"""Vectors that a command line names by their file: the same words in every command, and what is no file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vqbench.cli.commands.measured import _sweep
from vqbench.cli.commands.words import is_setting, settings_of
from vqbench.cli.main import main
from vqbench.errors import VqbenchError
from vqbench.experiment.config.compose import compose_jobs
from vqbench.experiment.config.vectors import path_settings, written_out

RNG = np.random.default_rng(14)
X = RNG.standard_normal((60, 8)).astype(np.float32)
QUICK = ["k=[5]", "oversample=[0]", "figures=false", "report=false", "cache=off", "doctor=false"]
FEW = [*QUICK, "quantizer=[float32,binary_zero]"]


@pytest.fixture(autouse=True)
def _in_a_folder_with_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("mine.npy", X)
    np.save("queries.npy", X[:9] + 0.1)


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that is refused."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


def overlaps(folder: str) -> list[float]:
    table = pd.read_csv(Path(folder) / "metrics.csv")
    return table[table["metric"] == "overlap"]["value"].tolist()


@pytest.mark.parametrize(
    "words",
    [["mine.npy", *FEW], [*FEW, "./mine.npy"], [FEW[0], "mine.npy", *FEW[1:]], ["dataset=mine.npy", *FEW]],
    ids=["first", "last", "between", "dataset="],
)
def test_every_way_to_name_a_file_gives_the_numbers_of_the_long_form(words: list[str]) -> None:
    assert main(["dataset=file", "dataset.path=mine.npy", *FEW, "out=long"]) == 0
    assert main(words) == 0
    assert overlaps("results/mine") == overlaps("long")
    node = json.loads(Path("results/mine/meta.json").read_text())["datasets"]["mine"]["node"]
    assert Path(node["path"]) == Path("mine.npy")


def test_a_multirun_takes_files() -> None:
    np.save("other one.npy", X[:50])
    assert main(["-m", "dataset=mine.npy,other one.npy", *FEW]) == 0
    assert main(["mine.npy,other one.npy", "-m", *FEW, "out=both"]) == 0
    assert {path.name for path in Path("results").iterdir()} == {"mine", "other-one"}
    assert set(pd.read_csv("both/metrics.csv")["dataset"]) == {"mine", "other one"}


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    monkeypatch.setenv("USERPROFILE", str(Path.cwd()))
    for number, words in enumerate(
        (["~/mine.npy"], ["dataset=~/mine.npy"], ["dataset=file", "dataset.path=~/mine.npy"])
    ):
        assert main([*words, *FEW, f"out=x{number}"]) == 0
        assert overlaps(f"x{number}") == overlaps("x0")


def test_the_same_words_in_doctor_nearest_recommend_and_scale(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "mine.npy"]) == 0
    long = ["doctor", "dataset=file", "dataset.path=mine.npy", "--json"]
    short = json.loads(capsys.readouterr().out)
    assert main(long) == 0
    assert json.loads(capsys.readouterr().out) == short
    assert set(short) == {"mine"}
    assert main(["nearest", "7", "mine.npy", "--top", "1", "--quantizer", "float32"]) == 0
    cosine_n = X @ X[7] / np.linalg.norm(X, axis=1) / np.linalg.norm(X[7])
    best = int(np.argsort(-cosine_n)[1])
    assert f"= {cosine_n[best]:.4f} {best}" in capsys.readouterr().out
    assert "needs at least 500 rows" in said(["scale", "mine.npy", "--n", "1e6"], capsys)


def test_nearest_takes_the_settings_of_the_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    Path("titles.txt").write_text("".join(f"title {row}\n" for row in range(60)))
    words = ["nearest", "title 5", "dataset=mine.npy", "dataset.ids=titles.txt", "--top", "2"]
    assert main(words) == 0
    assert "Most similar to title 5 in mine" in capsys.readouterr().out
    assert main(["nearest", "--top", "2", "dataset.ids=titles.txt", "title 5", "mine.npy"]) == 0
    assert "Most similar to title 5 in mine" in capsys.readouterr().out
    assert "k=10: has no effect here" in said(["nearest", "5", "mine.npy", "k=10"], capsys)
    assert "name a row first" in said(["nearest", "dataset=mine.npy"], capsys)
    assert "The title comes first, then the vectors" in said(["nearest", "mine.npy", "5"], capsys)


def test_recommend_measures_vectors_and_reuses_what_a_run_has_measured(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["quantizer=[float32,scalar8]", *QUICK]
    assert main(["recommend", "mine.npy", *words, "--keep", "0.9", "--k", "5", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert (answer["dataset"], answer["k"], answer["chosen"]["variant"]) == ("mine", 5, "scalar8")
    before = {path: path.stat().st_mtime_ns for path in Path("results/mine/cells").rglob("*.cell")}
    assert main(["recommend", "--keep=0.9", "--k", "5", *words, "mine.npy"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("mine.npy: float32, 60 x 8\n")
    assert shown.endswith("Written to results/mine.\n")
    assert {path: path.stat().st_mtime_ns for path in Path("results/mine/cells").rglob("*.cell")} == before
    assert main(["recommend", "results/mine", "--keep", "0.9", "--k", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["chosen"] == answer["chosen"]


def test_recommend_measures_the_rank_that_it_is_asked_for() -> None:
    assert _sweep(["dataset=mine.npy"], 5).settings.k == [1, 5, 10, 100]
    assert _sweep(["dataset=mine.npy", "k=[3]"], 5).settings.k == [3]
    assert _sweep(["dataset=mine.npy"], None).settings.k == [1, 10, 100]


def test_parts_of_one_corpus_differ_in_digits_alone() -> None:
    parts = ["p/train-00000-of-00002.parquet", "p/train-00001-of-00002.parquet"]
    assert path_settings(*parts) == ["dataset=file", f"dataset.path=['{parts[0]}','{parts[1]}']"]
    (job,) = compose_jobs(path_settings(*parts)).jobs
    assert job.plain()["dataset"]["path"] == parts


def test_files_that_the_shell_listed_are_in_natural_order(tmp_path: Path) -> None:
    """The shell sorts part-10 before part-2."""
    paths = [str(tmp_path / f"part-{x}.npy") for x in (1, 10, 2)]
    for path in paths:
        np.save(path, np.ones((2, 3)))
    listed = ",".join(f"'{paths[x]}'" for x in (0, 2, 1))
    assert settings_of(paths) == ["dataset=file", f"dataset.path=[{listed}]"]


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (("docs.npy", "queries.npy"), "two files (docs.npy, queries.npy): one is the corpus; for queries write "
         "dataset.queries=queries.npy"),
        (("questions.npy", "docs.npy"), "for queries write dataset.queries=questions.npy"),
        (("a.npy", "b.npy"), "for queries write dataset.queries=b.npy"),
        (("a1.npy", "a2.npy", "b1.npy"), "3 files (a1.npy, a2.npy, b1.npy): one is the corpus"),
        (("x/part-1.npy", "y/part-2.npy"), "lie in one folder"),
        (("part-1.npy", "part-1.npy"), "a file is named twice"),
    ],
)  # fmt: skip
def test_files_that_are_not_one_corpus(paths: tuple[str, ...], words: str) -> None:
    with pytest.raises(VqbenchError) as refused:
        path_settings(*paths)
    assert words in str(refused.value)


def test_the_remedy_for_two_files_works(capsys: pytest.CaptureFixture[str]) -> None:
    line = said(["mine.npy", "queries.npy"], capsys)
    assert "dataset.queries=queries.npy" in line
    assert main(["mine.npy", "dataset.queries=queries.npy", *FEW]) == 0
    assert "60 x 8, 9 queries" in capsys.readouterr().out


MISTAKES = {
    "docter": "docter: no such command or file; did you mean doctor?",
    "mime.npy": "mime.npy: no such file or folder; did you mean mine.npy?",
    "nowhere/x.npy": "there is no folder nowhere either",
    "k=3 list": "list: a command comes first, as in vqbench list; a file of that name is ./list",
    "mine.npy dataset=movies": "mine.npy and dataset=movies: both name the vectors",
    "mine.npy dataset.path=queries.npy": "mine.npy and dataset.path=queries.npy: both name the vectors",
    "movies": "for the dataset write dataset=movies",
    "int8_minmax": "for the quantizer write quantizer=int8_minmax",
    "dataset=mine.npy,queries.npy": "several values need -m",
    "-m dataset=mine.npy,movies": "files and names of configs (movies) cannot share a setting",
    "held": "held: holds results, not vectors; read them with vqbench recommend held",
    "doctor held": "held: holds results, not vectors",
    "dataset=folder": "for the vectors of that name: dataset=./folder",
    "recommend": "recommend: name a results folder or vectors",
    "recommend nowhere": "nowhere: no such file or folder",
    "recommend held k=3": "k=3: has no effect beside the results folder held",
    "scale --n 10": "scale: name a results folder or vectors",
    "scale k=5 --n 10": "scale: name vectors, as in vqbench scale mine.npy",
    "scale mine.npy --n 10 dataset.rows=9": "dataset.rows=9: has no effect, since scale draws the sizes itself",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_word_that_names_no_vectors(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("held/cells").mkdir(parents=True)
    Path("folder").mkdir()
    assert MISTAKES[mistake] in said(mistake.split(), capsys)
    assert not Path("results").exists()


def test_names_that_look_like_something_else() -> None:
    """A file called like a command, a folder like a dataset, a partition like a setting."""
    Path("list").write_bytes(Path("mine.npy").read_bytes())
    Path("year=2024").mkdir()
    np.save("year=2024/a.npy", X)
    assert settings_of(["./list", "k=3"]) == ["dataset=file", "dataset.path='./list'", "k=3"]
    assert [is_setting(x) for x in ("year=2024/a.npy", "year=2023/a.npy", "k=3", "~metric.rbo", "~/mine.npy")] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert written_out(["dataset=wordnet", "dataset=./wordnet"], ["wordnet"]) == [
        "dataset=wordnet", "dataset=file", "dataset.path='./wordnet'",
    ]  # fmt: skip
    assert main(["year=2024/a.npy", *FEW, "out=x"]) == 0


def test_an_explicit_dataset_wins_over_the_experiments_own(capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["quantizer=[float32,binary_zero]", *QUICK]
    assert main(["experiment=presets", "mine.npy", *quick]) == 0
    assert set(pd.read_csv("results/presets-mine/metrics.csv")["dataset"]) == {"mine"}
    assert json.loads(Path("results/presets-mine/meta.json").read_text())["title"] == "presets-mine"
    assert main(["mine.npy", "experiment=notebook", *quick]) == 0  # whose example row is a film
    assert {path.name for path in Path("results").iterdir()} == {"presets-mine", "notebook-mine"}
    capsys.readouterr()
    line = said(["experiment=scale", "mine.npy"], capsys)
    assert "experiment=scale: compares several sizes of its datasets" in line
    assert "vqbench scale mine.npy --n 10_000_000" in line


def test_a_run_says_what_was_taken_before_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine.npy", "dataset.queries=queries.npy", *FEW]) == 0
    first, second, third, *_ = capsys.readouterr().out.splitlines()
    assert (first, second) == ("mine.npy: float32, 60 x 8", "queries: queries.npy: float32, 9 x 8")
    assert third.startswith("mine: 60 x 8, 9 queries")


def test_the_report_says_what_was_taken_and_what_is_worth_saying() -> None:
    np.save("other.npy", X[:, :6])
    quick = [word for word in FEW if word != "report=false"]
    for name in ("mine.npy", "other.npy"):
        assert main([name, "dataset.name=b", *quick]) == 0
    first, second = (Path(f"results/b{more}/report.html").read_text("utf-8") for more in ("", "-2"))
    assert "mine.npy: float32, 60 x 8" in first
    assert "results/b holds results of other vectors of this name" not in first
    assert "other.npy: float32, 60 x 6" in second
    assert "results/b holds results of other vectors of this name, so these are in results/b-2" in second


def test_options_and_folders_mix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine.npy", *FEW, "out=x"]) == 0
    assert main(["compare", "x", "--max-drop", "0.1", "x"]) == 0
    assert main(["report", "x", "--out", "all.html", "x"]) == 0
    assert "Written to all.html" in capsys.readouterr().out


def test_a_run_says_what_the_doctor_warns_of(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("mine.npy", X + 3)  # a common mean
    assert main(["mine.npy", *FEW[:-2], "quantizer=[binary_zero]"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (warning,) = [line for line in lines if line.startswith("warning: ")]
    assert warning.startswith("warning: mine: the doctor warns of ")
    assert "'Common mean'" in warning
    assert lines.index(warning) < next(at for at, line in enumerate(lines) if line.startswith("Written to"))
    assert main(["doctor", "mine.npy"]) == 0
    assert capsys.readouterr().out.startswith("mine.npy: float32, 60 x 8\n")


@pytest.mark.slow
def test_scale_measures_nested_sizes_of_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("mine.npy", RNG.standard_normal((600, 16)).astype(np.float32))
    quick = ["quantizer=[scalar2]", "oversample=[0]", "n_queries=50", "figures=false", "report=false", "cache=off"]
    assert main(["scale", "mine.npy", "--n", "1_200", *quick]) == 0
    shown = capsys.readouterr().out
    assert "mine: overlap@10 at 1,200 rows, from 3 nested sizes, 50 queries" in shown
    about = json.loads(Path("results/scale-mine/meta.json").read_text())["datasets"]
    assert {name: x["n"] for name, x in about.items()} == {"mine_100": 100, "mine_200": 200, "mine": 600}
    assert len({x["sha256_whole"] for x in about.values()}) == 1
    assert main(["scale", "results/scale-mine", "--n", "1_200"]) == 0
    assert capsys.readouterr().out in shown


def test_nothing_is_recommended_for_what_are_hardly_vectors(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    np.save("bits.npy", np.packbits(rng.normal(size=(400, 128)) > 0, axis=1))
    settings = [
        "quantizer=[float32,binary_zero]",
        "k=[5]",
        "cache=off",
        "doctor=false",
        "figures=false",
        "n_queries=50",
    ]
    assert main(["bits.npy", *settings]) == 0
    assert "No recommendation for bits. These bytes look like packed bits" in " ".join(capsys.readouterr().out.split())
    assert "No recommendation. These bytes look like packed bits" in Path("results/bits/report.html").read_text("utf-8")
    assert main(["recommend", "results/bits", "--keep", "0.5"]) == 2
    assert "No recommendation for bits" in capsys.readouterr().err
    assert main(["bits.npy", *settings, "dataset.codes=packed", "out=declared"]) == 0
    assert "No recommendation" not in capsys.readouterr().out


def test_what_can_be_checked_is_checked_before_anything_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("mine.npy", np.random.default_rng(0).normal(size=(50, 8)))
    assert main(["recommend", "mine.npy", "--keep", "95"]) == 2
    assert "did you mean 0.95?" in capsys.readouterr().err
    assert main(["nearest", "mine.npy"]) == 2
    assert "name a row first, by its id, as in vqbench nearest TITLE mine.npy" in capsys.readouterr().err
    assert not Path("results").exists()
