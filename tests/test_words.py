"""What a user types by mistake, and the one line that says what stands there, the rule and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from vqbench.checks import checked_rows
from vqbench.cli import main
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
            "quantizer=[a,b": "quantizer=[a,b: has 1 [ and 0 ]: each needs its other half",
            "k={a": "has 1 { and 0 }",
            'dataset.name="x': "a quote without its other half",
            "k==5": "text with other signs",
            "dataset.n o=1": "'dataset.n o' is no key",
            "=5": "a setting needs a key",
            "quantizer=a,b": "or the brackets of a list, as in 'quantizer=[a,b]'",
            "dataset=movies,wordnet": "dataset=movies,wordnet: takes one",
            "dataset=[movies,wordnet]": "dataset takes one",
            "k=range(1,3)": "several values need -m",
            "+k=3": "leave out the +",
            "k@x=1": "k is no group of configs",
            "dataset=dir/x.npy": "dataset=file dataset.path=dir/x.npy",
            "hydra/launcher=nosuch": "valid: basic, joblib",
            "quantizer=": "quantizer=: needs a name",
            "quantizer=nosuch": "--config-dir DIR finds DIR/quantizer/nosuch.yaml",
            "experiment=thresold": "did you mean thresholds? --config-dir DIR finds",
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
        (["--config-dir", "nosuch"], "--config-dir nosuch: no such folder"),
        (["--config-dir"], "expected one argument; see vqbench --help"),
        (["-x"], "-x: no such option"),
        (["-k", "10"], "as in k=10"),
        (["list", "--config-dir", "nosuch"], "no such folder"),
        (["list", "metric", "nosuch"], "no metric has that in its name; valid: "),
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
            GLOBAL
            + "defaults: [/dataset@hydra.job: wordnet]": "dataset/wordnet under hydra.job: a config file must not set",
            GLOBAL + "defaults: [/dataset@hydra.verbose: wordnet]": "dataset/wordnet under hydra.verbose",
            GLOBAL + "hydra: {searchpath: [x]}": "hydra.searchpath: a config file must not set",
            GLOBAL + "defaults: 3": "defaults = 3: must be a list",
            GLOBAL + "defaults: [/dataset: 3]": "defaults[0] = {'/dataset': 3}: must be a name",
            GLOBAL + "defaults: [override /dataset: [movies, wordnet]]": "takes one name, not a list",
            GLOBAL + "defaults: [dataset: wordnet]": "say 'override /dataset: wordnet'",
            GLOBAL + "defaults: [/dataset: wordnet]": "another is chosen with 'override /dataset: NAME'",
            GLOBAL + "quantizer: [float32]": "stands in defaults, as in '- override /quantizer: NAME'",
            GLOBAL + "k: {a: 1}": "keys with values stand where a run has a list",
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
    assert "composing" not in line
    assert "full_key" not in line


def test_list_shows_configs_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that cannot be used is told, and hides no other; ours are there as well."""
    (tmp_path / "quantizer").mkdir()
    (tmp_path / "quantizer" / "mine.yaml").write_text("# My own.\n# family: binary\n# bits: 1 + 32/d\nmine: {}\n")
    (tmp_path / "quantizer" / "mine2.yaml").write_text("# bits: many\n")
    (tmp_path / "quantizer" / "mine3.yaml").write_text("mine3: [\n")
    assert main(["list", "binary", "--config-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "mine " in out
    assert "1.08" in out
    assert "binary_mean" in out
    assert main(["list", "mine", "--config-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.count("cannot be used") == 2
    assert "My own." in out
    assert main(["list", "experiment", "--config-dir", str(tmp_path)]) == 0
