"""``vqbench doctor`` as a user meets it, and the findings that a run leaves in meta.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from doctored import clusters
from rich.console import Console

from vqbench.cli.main import main
from vqbench.cli.screens.doctor import show, what_next
from vqbench.evaluation.doctor.base import LEVELS, Finding
from vqbench.evaluation.doctor.checkup import CHECKS, checkup

SMALL = ["dataset=synthetic", "dataset.n=300", "dataset.d=16", "dataset.queries=20"]
RUN = [*SMALL, "k=[5]", "oversample=[0]", "quantizer=[float32,binary_zero]", "figures=false", "cache=off"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_shows_the_worst_first_and_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *SMALL, "dataset.offset=2", "dataset.even=true"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("warning  ") < shown.index("note  ") < shown.index("Fine")
    assert "try binary_mean_dimension" in shown
    *table, command = shown.strip().splitlines()
    assert command.strip().startswith("vqbench dataset=synthetic dataset.n=300")
    assert command.strip().endswith("]'")
    assert max(map(len, table)) <= 100
    assert list(Path().iterdir()) == []


@pytest.mark.slow
def test_the_command_that_it_prints_runs(capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    main(["doctor", *SMALL, "dataset.offset=2", "dataset.even=true"])
    command = shlex.split(capsys.readouterr().out.strip().splitlines()[-1])
    assert main([*command[1:], "k=[5]", "figures=false", "cache=off", "out=x"]) == 0


def test_json_holds_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *SMALL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    ((name, findings),) = found.items()
    assert name == "synthetic(d=16,n=300)"
    assert {finding["check"] for finding in findings} == set(CHECKS)
    for finding in findings:
        assert list(finding) == ["check", "title", "value", "shown", "sentence", "level", "variants"]
        assert finding["level"] in LEVELS


def test_it_takes_files_and_queries_as_a_run_does(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("mine.npy", clusters(n=200))
    np.save("asked.npy", clusters(n=30, seed=5) + 1)
    assert main(["doctor", "dataset=file", "dataset.path=mine.npy", "dataset.queries=asked.npy", "--json"]) == 0
    (findings,) = json.loads(capsys.readouterr().out).values()
    assert {f["check"]: f["level"] for f in findings}["shift"] == "warning"
    for mode in ("self", "holdout"):
        given = ["dataset=file", "dataset.path=mine.npy", f"queries={mode}", "n_queries=20", "normalize=false"]
        assert main(["doctor", *given, "--json"]) == 0
        (findings,) = json.loads(capsys.readouterr().out).values()
        assert ("shift" in {f["check"] for f in findings}) == (mode == "holdout")


@pytest.mark.slow
def test_it_takes_the_datasets_of_an_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["experiment=rotation", "datasets.wordnet.path=mine.npy", "datasets.wordnet.ids=null"]
    given += [f"datasets.wordnet.{key}=null" for key in ("queries", "query_ids", "qrels")]
    given += [f"datasets.{name}.n=100" for name in ("decay_0", "decay_0_5", "decay_1")]
    np.save("mine.npy", clusters(n=60))
    assert main(["doctor", *given, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"decay_0", "decay_0_5", "decay_1", "wordnet"}


MISTAKES = {
    "dataset=wordnets": "did you mean wordnet",
    "dataset=file": "dataset.path",
    "dataset.path=mine.npy": "no such key",
    "mine.npy": "mine.npy: no such file or folder",
    "kk=3": "did you mean k?",
    "normalize=maybe": "normalize = 'maybe'",
    "plugins=[nowhere]": "no such folder",
    "dataset.n=0": "n = 0",
    "k=[1": "",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_line(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    start = [] if mistake.startswith("dataset=") else ["dataset=synthetic"]
    assert main(["doctor", *start, mistake]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.strip().splitlines()
    assert line.startswith("vqbench: ")
    assert MISTAKES[mistake] in line


def test_an_unknown_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--jason", "-m"):
        assert main(["doctor", *SMALL, flag]) == 2
        assert flag in capsys.readouterr().err


def test_a_run_notes_the_findings_and_can_leave_them_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A rerun writes the same bytes, and without them reuses the cells."""
    assert main([*RUN, "out=x"]) == 0
    (about,) = json.loads(Path("x/meta.json").read_text())["datasets"].values()
    assert {finding["check"] for finding in about["doctor"]} == set(CHECKS)
    first = Path("x/meta.json").read_bytes()
    assert main([*RUN, "out=x"]) == 0
    assert Path("x/meta.json").read_bytes() == first
    assert main([*RUN, "out=x", "doctor=false"]) == 0
    assert "2 cells were finished before" in capsys.readouterr().out
    (about,) = json.loads(Path("x/meta.json").read_text())["datasets"].values()
    assert "doctor" not in about


def finding(check: str, level: str, *variants: str) -> Finding:
    return Finding(
        check=check, title=f"Title of {check}", value=1.0, shown=f"[{check}] shown", level=level,
        sentence=f"[/A] sentence about {check}.", variants=variants,
    )  # fmt: skip


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits_and_takes_no_markup_from_names(width: int) -> None:
    screen = Console(width=width, record=True, highlight=False)
    long = finding("rows", "fine"), finding("a" * 30, "warning", *[f"binary_mean_dimension_{i}" for i in range(9)])
    show("mine [bold]", long, screen)
    what_next(long, ["dataset.path=my file.npy"], screen)
    shown = screen.export_text()
    assert "mine [bold], [rows] shown rows: 1 warning" in shown
    assert "[/A] sentence about" in shown
    assert "vqbench 'dataset.path=my file.npy' 'quantizer=[float32,binary_mean_dimension_0," in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()[:-1]) <= width


def test_nothing_to_warn_of_is_said() -> None:
    screen = Console(width=80, record=True)
    show("good", [finding("rows", "fine")], screen)
    what_next([finding("rows", "fine")], [], screen)
    shown = screen.export_text()
    assert "nothing to warn of" in shown
    assert "vqbench" not in shown


def test_steps_are_named_on_the_way() -> None:
    from doctored import data_of, variant_of

    steps: list[str] = []
    checkup(data_of(clusters(n=100)), variant_of, steps.append)
    assert steps[0] == "reading all rows"
    assert set(CHECKS) <= set(steps)
