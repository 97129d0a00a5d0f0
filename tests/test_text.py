"""Names from configs and data, as file names and on a screen; YAML that would grow."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.cli.console import console, progress_bar
from vqbench.cli.main import main
from vqbench.errors import VqbenchError
from vqbench.experiment.config.yaml_bounds import MOST_EXPANDED, yaml_text
from vqbench.report.figures.folder import draw_all
from vqbench.results.folder import read_results
from vqbench.text import MOST_SLUG, check_no_links, checked_name, distinct, shown, slug

AWKWARD = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["..", "../../x", "/etc/passwd", "C:\\x", "a\0b", "CON", "nul.txt", "com1.csv.gz", "x.", ".x", "~", ""]
    ),
    st.text("./\\-con0", max_size=12),
)


@settings(max_examples=50)
@given(AWKWARD)
def test_a_slug_is_a_file_name_everywhere(name: str) -> None:
    found = slug(name)
    assert found
    assert all(char in "._-" or unicodedata.category(char)[0] in "LMN" for char in found)
    assert unicodedata.category(found[-1]) != "No"
    assert not set(found) & set('/\\:*?"<>|\0 ')
    assert found[0] not in ".-"
    assert found[-1] not in ".-"
    assert len(found.encode()) <= MOST_SLUG + 1
    assert shown(found) == found
    assert found.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}
    assert Path("out", found).resolve().parent == Path("out").resolve()


@settings(max_examples=50)
@given(AWKWARD)
def test_a_plain_slug_stays_as_it_is(name: str) -> None:
    if slug(name).isascii():
        assert slug(slug(name)) == slug(name)


@pytest.mark.parametrize(
    ("name", "begins"),
    {
        "日本": "日本-", "Größe März": "Größe-März-", "Gro\u0308ße": "Größe-", "हिन्दी": "हिन्दी-", "עברית": "עברית-",
        "a\u202eb": "a-b-", "\u3164": "unnamed-", "a\ufe0f": "a-", "COM\u00b9": "COM-",
        "日" * 90: "日" * 37 + "-", "a--b c": "a--b-c", "con.é": "_con.é-", "☃": "unnamed-",
    }.items(),
)  # fmt: skip
def test_letters_of_any_script_stay_in_a_slug(name: str, begins: str) -> None:
    """And nothing that cannot be seen, or that Windows takes for a device."""
    assert slug(name).startswith(begins)
    assert slug(name) == begins if name.isascii() else len(slug(name)) == len(begins) + 8


@given(st.text(st.characters(min_codepoint=0x3B1, max_codepoint=0x3C9), min_size=1), st.text("αβγ", min_size=1))
def test_names_without_a_latin_letter_stay_apart(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) == (one == other)


@given(st.lists(st.text("aAb-/2", max_size=4), max_size=12))
def test_distinct_slugs_differ_even_where_capitals_do_not_count(names: list[str]) -> None:
    found = distinct(names)
    assert len(found) == len(names)
    assert len({one.casefold() for one in found}) == len(names)


@given(st.text(max_size=60))
def test_what_is_shown_moves_no_cursor_and_keeps_what_can_be_seen(text: str) -> None:
    found = shown(text)
    assert not {unicodedata.category(char) for char in found} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    if not {unicodedata.category(char)[0] for char in text} & {"C", "Z"}:
        assert found == text


@pytest.mark.parametrize("name", ["=1", "+1", "-1", "@x", "\t=1", "a\x1b[2J", "a\nb", "a\u202eb", "", " ", 3, None])
def test_a_name_that_tables_and_screens_cannot_show_is_refused(name: object) -> None:
    with pytest.raises(VqbenchError, match="quantizer: the name"):
        checked_name(name, "quantizer")


@pytest.mark.parametrize("name", ["a", "binary_mean(threshold=median)", "Größe", "量化", "a/b", "[red]", "<b>"])
def test_any_other_name_is_fine(name: str) -> None:
    assert checked_name(name, "quantizer") == name


def test_a_screen_shows_escapes_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("a\x1b]0;title\x07b\x9b2Jc \u202ed", markup=False)
    printed = capsys.readouterr().out
    assert "b\\x9b2Jc \\u202ed" in printed
    assert not set(printed) & set("\x1b\x07\x9b\u202e")
    with progress_bar() as progress:
        progress.add_task("[/nothing]", total=1)
        console().print(progress.make_tasks_table(progress.tasks))
    assert "[/nothing]" in capsys.readouterr().out


def bomb(depth: int, width: int) -> str:
    lines = ["a0: &a0 x"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth)]
    return "\n".join(lines)


@given(st.integers(1, 5), st.integers(1, 5))
def test_the_size_of_a_config_counts_what_aliases_stand_for(
    tmp_path_factory: pytest.TempPathFactory, depth, width
) -> None:
    """A small one passes, and loads to what YAML makes of it."""
    path = tmp_path_factory.mktemp("yaml") / "x.yaml"
    path.write_text(bomb(depth, width))
    assert yaml.safe_load(yaml_text(path)) == yaml.safe_load(bomb(depth, width))


def test_a_config_that_would_grow_is_refused_before_it_does(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(bomb(30, 9))
    with pytest.raises(VqbenchError, match=f"line .*has more than {MOST_EXPANDED:,} characters"):
        yaml_text(path)
    path.write_text("x: &x [1, *x]")
    with pytest.raises(VqbenchError, match=r"\*x has no complete anchor before it"):
        yaml_text(path)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small results folder, ``out``."""
    monkeypatch.chdir(tmp_path)
    told = ["dataset=synthetic", "dataset.n=120", "dataset.d=16", "quantizer=[float32,binary_mean]", "n_queries=10",
            "metric=[overlap]", "k=[5]", "figures=false", "report=false", "cache=off", "doctor=false",
            "out=out"]  # fmt: skip
    assert main(told) == 0
    return tmp_path / "out"


@pytest.mark.slow
def test_nothing_is_written_through_a_link(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link in place of a table is replaced; one in place of a folder is refused."""
    elsewhere = results.with_name("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "overlap_by_k.png").write_text("theirs")
    again = ["dataset=synthetic", "dataset.n=120", "dataset.d=16", "quantizer=[float32]", "n_queries=10", "out=out",
             "metric=[overlap]", "k=[5]", "figures=false", "report=false", "cache=off", "doctor=false"]  # fmt: skip
    (elsewhere / "metrics.csv").write_text("theirs")
    (results / "metrics.csv").unlink()
    (results / "metrics.csv").symlink_to(elsewhere / "metrics.csv")
    assert main(again) == 0
    assert (elsewhere / "metrics.csv").read_text() == "theirs"
    assert not (results / "metrics.csv").is_symlink()
    (results / "figures").symlink_to(elsewhere)
    for command in (again, ["figures", "out"]):
        assert main(command) == 2
        assert "figures: is a link to" in capsys.readouterr().err
    with progress_bar() as progress, pytest.raises(VqbenchError, match="is a link"):
        draw_all(read_results(results), progress)
    (results / "figures").unlink()
    inside = next(path for path in (results / "cells").iterdir())
    for link in (results / "cells" / "other", inside):
        if link.exists():
            link.rename(elsewhere / "moved")
        link.symlink_to(elsewhere)
        with pytest.raises(VqbenchError, match="is a link"):
            check_no_links(results)
        link.unlink()
    assert {path.name for path in elsewhere.iterdir()} == {"overlap_by_k.png", "metrics.csv", "moved"}
    assert (elsewhere / "overlap_by_k.png").read_text() == "theirs"


@pytest.mark.slow
def test_names_in_the_results_of_others_are_shown_as_text(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They may have been written by hand: markup, terminal codes and HTML stay what they are."""
    described = results / "meta.json"
    meta = json.loads(described.read_text("utf-8"))
    del meta["tables"]
    described.write_text(json.dumps(meta), "utf-8")
    hostile = "[/b][link=x]\x1b]0;owned\x07<script>alert(1)</script>"
    for path in results.glob("*.csv"):
        table = pd.read_csv(path, keep_default_na=False, dtype=str)
        table.replace("binary_mean", hostile).to_csv(path, index=False)
    for name in ("per_query", "samples"):
        (results / f"{name}.parquet").unlink()
    capsys.readouterr()
    for command in (["recommend", "out", "--keep", "0.1"], ["compare", "out", "out"], ["report", "out"]):
        main(command)
        printed = capsys.readouterr()
        assert not set(printed.out + printed.err) & set("\x1b\x07"), command
        assert command[0] != "recommend" or "[/b][link=x]\\x1b]0;owned" in printed.out
    page = (results / "report.html").read_text("utf-8")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
