"""What a user types by mistake, and the one line that says what stands there, the rule and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from folders import row, write_folder
from rich.table import Table

from vqbench.cli.commands.neighbours import Neighbours, show
from vqbench.cli.console import console
from vqbench.cli.main import main
from vqbench.datasets.file import File
from vqbench.datasets.row_checks import checked_rows
from vqbench.errors import VqbenchError

X = np.random.default_rng(5).standard_normal((12, 4)).astype(np.float32)
GLOBAL = "# @package _global_\n"


def some(cases: Mapping[str, str], every: int) -> list:
    """The cases, of which only every so manieth is quick enough together to run each time."""
    return [
        pytest.param(case, words, marks=pytest.mark.slow if at % every else ())
        for at, (case, words) in enumerate(cases.items())
    ]


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that is refused."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("vqbench: ")
    assert len(err.splitlines()) == 1
    return err


def test_rows_of_both_kinds_are_told_at_once() -> None:
    x_nd = X.copy()
    x_nd[3, 1], x_nd[9] = np.nan, 0
    with pytest.raises(VqbenchError, match=r"row 3 is NaN, .* row 9 is all zero: .*on_bad_rows=drop") as told:
        checked_rows(x_nd, None, "x.npy", True)
    assert "hydra" not in str(told.value)


@pytest.mark.parametrize(
    ("mistake", "words"),
    some(
        {
            "quantizer=[a,b": "quantizer=[a,b: cannot be read as key=value; lists are written 'quantizer=[a,b]'",
            "k={a": "k={a: cannot be read",
            'dataset.name="x': "cannot be read as key=value",
            "k==5": "text with other characters",
            "dataset.n o=1": "dataset.n o=1: cannot be read",
            "=5": "settings are written key=value",
            "quantizer=a,b": "several values need -m, which runs each of them; a list is written in brackets",
            "dataset=movies,wordnet": "dataset=movies,wordnet: several values need -m",
            "dataset=[movies,wordnet]": "dataset takes one value; write dataset=A,B and add -m",
            "k=range(1,3)": "several values need -m",
            "+k=3": "An item is already at 'k'. Either remove + prefix",
            "k@x=1": "leave out the @",
            "dataset=dir/x.npy": "dir/x.npy: no such file",
            "hydra/launcher=nosuch": "valid: basic, joblib",
            "quantizer=": "quantizer=: needs a name",
            "quantizer=nosuch": "--config-dir DIR finds DIR/quantizer/NAME.yaml",
            "experiment=thresold": "did you mean thresholds? your own: --config-dir DIR finds",
        },
        8,
    ),
)
def test_a_setting_that_cannot_be_read(mistake: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = said(["seed=0", mistake] if mistake[0] not in "=" else [mistake], capsys)
    assert words in line
    assert not {"hydra.cc", "<EOF>", "viable"} & set(line.split())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--config-dir", ".", "list"], "a command comes first"),
        (["--config-dir", "nosuch"], "--config-dir: nosuch: no such folder"),
        (["--config-dir"], "expected one argument; see vqbench --help"),
        (["-x"], "-x: no such option"),
        (["-k", "10"], "as in k=10"),
        (["--resolve"], "--resolve: no such option"),
        (["k=3", "--config-dir", "nosuch", "seed=1"], "--config-dir: nosuch: no such folder"),
        (["--hydra-help"], "--hydra-help: no such option"),
        (["list", "--config-dir", "nosuch"], "no such folder"),
        (["list", "metric", "nosuch"], "nosuch: is one argument too many"),
        (["list", "nosuch"], "no variant or family has that in its name"),
    ],
)
def test_an_option_that_is_none(given: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in said(given, capsys)


@pytest.mark.parametrize(
    ("text", "words"),
    some(
        {
            "seed: 1": "must begin with the line '# @package _global_'",
            GLOBAL + "defaults: [/dataset@hydra.job: wordnet]": "does not choose a config",
            GLOBAL + "defaults: [/dataset@hydra.verbose: wordnet]": "does not choose a config",
            GLOBAL + "hydra: {searchpath: [x]}": "hydra.searchpath: a config file must not set",
            GLOBAL + "defaults: 3": "defaults = 3: must be a list",
            GLOBAL + "defaults: [/dataset: 3]": "defaults[0] = {'/dataset': 3}: does not choose a config",
            GLOBAL + "defaults: [override /dataset: [movies, wordnet]]": "takes one name, not a list",
            GLOBAL + "defaults: [dataset: wordnet]": "write '- override /GROUP: NAME'",
            GLOBAL + "defaults: [/dataset: wordnet]": "write '- override /GROUP: NAME'",
            GLOBAL + "quantizer: [float32]": "in defaults, as in '- override /quantizer: NAME'",
            GLOBAL + "k: {a: 1}": "Cannot merge DictConfig with ListConfig; vqbench --cfg job prints",
            GLOBAL + "k: [1": "line 3: is not YAML",
        },
        7,
    ),
)
def test_an_experiment_of_ones_own(text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "own.yaml").write_text(text + "\n")
    line = said(["--config-dir", str(tmp_path), "experiment=own"], capsys)
    assert words in line
    assert "full_key" not in line


def test_list_shows_configs_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that cannot be used is told, and hides no other; ours are there as well."""
    (tmp_path / "quantizer").mkdir()
    (tmp_path / "quantizer" / "mine.yaml").write_text("mine: {about: {what: My own, family: binary, bits: 1 + 32/d}}\n")
    (tmp_path / "quantizer" / "mine2.yaml").write_text("mine2: {about: {bits: many}}\n")
    (tmp_path / "quantizer" / "mine3.yaml").write_text("mine3: [\n")
    assert main(["list", "binary", "--config-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "mine " in out
    assert "1.08" in out
    assert "binary_mean" in out
    assert main(["list", "min", "--config-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.count("cannot be used") == 2
    assert "My own" in out
    assert main(["list", "experiment", "--config-dir", str(tmp_path)]) == 0


def test_a_files_name_that_is_no_name_is_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("=cmd.npy", X)
    line = said(["dataset=file", "dataset.path==cmd.npy"], capsys)
    assert "dataset.path = =cmd.npy: the name '=cmd' begins with =" in line
    assert "dataset.name=NAME" in line


def test_a_file_of_ids_that_does_not_fit_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    (tmp_path / "ids.txt").write_text("a\nb\n")
    ids = str(tmp_path / "ids.txt")
    np.save(tmp_path / "asked_x.npy", X)
    for more in ({"ids": ids}, {"query_ids": ids, "queries": str(tmp_path / "asked_x.npy")}):
        with pytest.raises(VqbenchError, match=r"ids.txt: 2 (query )?ids for 12 (rows|queries) of .*x\.npy: give one"):
            File(path=str(tmp_path / "x.npy"), **more).load()


@pytest.mark.parametrize(("columns", "wanted"), [("80", 80), ("", 100), ("x", 100), ("0", 100), ("140", 140)])
def test_what_is_piped_is_as_wide_as_columns_says(
    columns: str, wanted: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert console().width == wanted
    console().print("word " * 100)
    assert wanted - 5 <= max(map(len, capsys.readouterr().out.splitlines())) <= wanted


def test_the_legend_of_nearest_is_as_wide_as_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """Not as narrow as the table of short ids."""
    show(Neighbours("a", "x", {"float32": [(1, "b", "0.5"), (2, "c", "0.4")]}), console())
    legend = [line for line in capsys.readouterr().out.splitlines() if "rank" in line or "ids" in line]
    assert len(legend) == 2
    assert len(legend[0].rstrip()) > 80


def test_a_target_in_percent_is_put_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row("float32", 0, 1.0, 0.0), row("bits", 0, 0.7, 0.1)]
    folder = write_folder(tmp_path / "run", rows, {"float32": (128, 0), "bits": (4, 0)})
    assert "overlap needs one between 0 and 1: did you mean 0.95?" in said(
        ["recommend", str(folder), "--keep", "95"], capsys
    )
    assert "nothing is ever lost: as in 0.99" in said(["recommend", str(folder), "--keep", "1"], capsys)
    assert "more than 0" in said(["recommend", str(folder), "--max-bytes", "-1"], capsys)
    assert "did you mean 0.95?" in said(["compare", str(folder), str(folder), "--confidence", "95"], capsys)
    assert "--keep: must be a number, not 'many'" in said(["recommend", str(folder), "--keep", "many"], capsys)
    assert "--metrc: is no option; did you mean --metric?" in said(["recommend", str(folder), "--metrc", "x"], capsys)


def test_output_that_is_no_terminal_carries_no_trailing_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None)
    for name, width in (("a", 3), ("b", 9)):
        table.add_column(name, min_width=width)
    table.add_row("1", "2")
    console().print(table)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["a", "b"], ["1", "2"]]
    assert [line.rstrip() for line in lines] == lines


@pytest.mark.parametrize("command", ["recommend", "report", "scale", "figures"])
def test_a_folder_of_a_run_that_was_not_finished(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cells" / "x").mkdir(parents=True)
    for name in ("a.cell", "b.cell", "c.lock"):
        (tmp_path / "cells" / "x" / name).touch()
    line = said([command, str(tmp_path), *(["--n", "10"] if command == "scale" else [])], capsys)
    assert "its run was not finished (2 finished cells, no tables): give the same command again" in line
    (tmp_path / "metrics.csv").touch()
    line = said([command, str(tmp_path), *(["--n", "10"] if command == "scale" else [])], capsys)
    assert "holds metrics.csv and no meta.json, which says what it is of: give the same command again" in line


@pytest.mark.parametrize(("given", "words"), [(["k=3", "--help"], "vqbench: can I"), (["k=3", "--version"], "0.")])
def test_help_and_version_are_ours_wherever_they_stand(
    given: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(given) == 0
    assert capsys.readouterr().out.startswith(words)


def test_list_says_how_a_config_of_ones_own_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "quantizer").mkdir()
    for name in ("own1", "own2"):
        (tmp_path / "quantizer" / f"{name}.yaml").write_text("x: {}\n")
    assert main(["list", "own", "--config-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "own1, own2: to describe a variant, write 'about: {what: ..., family: ..., bits: 4 + 64/d, " in out
    assert main(["list", "binary"]) == 0
    assert "to describe a variant" not in capsys.readouterr().out


@pytest.mark.parametrize(("given", "meant"), [("experimnt", "experiment"), ("metrcs", "metric"), ("binray_mean", "")])
def test_list_guesses_what_was_meant(given: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", given]) == 2
    assert f"did you mean {meant or 'binary_mean'}" in capsys.readouterr().err
