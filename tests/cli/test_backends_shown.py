"""What figures and screen make of backends.csv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from folders import row, write_folder
from matplotlib.container import ErrorbarContainer

import vqbench
from vqbench.cli.screens.engines import print_engines
from vqbench.extras import runnable
from vqbench.report.engines import STYLES, engines
from vqbench.report.figures.engines import COLORS, engine_bytes, engine_overlap
from vqbench.report.figures.figure_data import Slice, slices
from vqbench.report.figures.style import INK, drawing
from vqbench.report.page import render
from vqbench.results.columns import BACKENDS
from vqbench.results.folder import read_results

BACKENDS_FOLDER = Path(vqbench.__file__).parent / "backends"


def engine_row(backend: str, engine: str, **more: Any) -> dict[str, Any]:
    return {
        "dataset": "d", "backend": backend, "variant": "v", "similarity": "decoded", "engine": engine, "version": "1.0",
        "repeats": True, "seed": 0, "k": 10, "predicted": 0.7, "predicted_low": 0.68, "predicted_high": 0.72,
        "obtained": 0.69, "difference": -0.01, "ci_low": -0.02, "ci_high": 0.0, "agreement": 0.8, "shortfall": 0.1,
        "absent": 0.0, "n_queries": 1000, "bytes_predicted": 48.0, "bytes_codes": 50.0,
        "bytes_disk": 1600.0, "status": "ok", "reason": "", **more,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two settings that ran, one of them twice the same in bytes, and one that is missing."""
    write_folder(tmp_path, [row("float32", 0, 1.0, 0.003)], {"float32": (128.0, 0.0)})
    rows = [
        engine_row("b_pq", "Bengine"),
        engine_row("a_same", "Aengine", obtained=0.7, difference=0.0, agreement=1.0, bytes_disk=60.0),
        engine_row("b_pq_again", "Bengine", k=10, obtained=0.71, difference=0.01),
        {"dataset": "d", "backend": "c_none", "engine": "Cengine", "seed": 0, "status": "skipped",
         "reason": "Cengine is not installed: pip install 'vqbench[backends]'"},
    ]  # fmt: skip
    pd.DataFrame(rows).reindex(columns=BACKENDS).to_csv(tmp_path / "backends.csv", index=False)
    return tmp_path


@pytest.fixture
def part(folder: Path) -> Slice:
    return slices(read_results(folder))[0]


def test_overlap_stands_where_the_table_has_it(part: Slice) -> None:
    with drawing():
        figure = engine_overlap(part)
    left, right = figure.axes
    points = [box[0].get_data() for box in left.containers if isinstance(box, ErrorbarContainer)]
    assert np.concatenate(points, axis=1).T.tolist() == [[0.7, 0.7], [0.7, 0.69], [0.7, 0.71]]
    assert [label.get_text() for label in right.get_yticklabels()] == ["a_same", "b_pq", "b_pq_again"]
    differences = [box[0].get_xdata()[0] for box in right.containers if isinstance(box, ErrorbarContainer)]
    assert differences == [0.0, -0.01, 0.01]
    assert "1 of 3 engine settings return what was predicted" in figure.get_suptitle().replace("\n", " ")


def test_settings_of_the_same_bytes_share_a_line(part: Slice) -> None:
    with drawing():
        figure = engine_bytes(part)
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b_pq", "a_same"]
    assert "b_pq 1,600 bytes a vector for 48" in figure.get_suptitle().replace("\n", " ")


def test_without_engines_there_is_no_figure(folder: Path) -> None:
    (folder / "backends.csv").unlink()
    part = slices(read_results(folder))[0]
    assert engine_overlap(part) is None
    assert engine_bytes(part) is None


def test_the_screen_shows_what_ran_and_what_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_engines(folder)
    shown = capsys.readouterr().out
    assert "b_pq_again" in shown
    assert "\N{MINUS SIGN}0.010" in shown
    assert "\N{MINUS SIGN}0.020 to 0.000" in shown
    wanted = runnable("skipped: d, c_none: Cengine is not installed: pip install 'vqbench[backends]'")
    assert wanted in " ".join(shown.split())


def test_the_report_shows_the_engines_where_any_were_asked(folder: Path) -> None:
    found = engines(read_results(folder), "d", 10)
    assert found is not None
    assert [(row.setting, row.style, row.same.value) for row in found.rows] == [
        ("a_same", "s6", 1.0), ("b_pq", "s6", 0.8), ("b_pq_again", "s6", 0.8)]  # fmt: skip
    assert found.as_predicted == 1
    assert [cell.text for cell in found.rows[0].bytes] == ["48", "50", "60"]
    page = render([read_results(folder)])
    assert "1 of 3" in page
    assert page.count("<svg") >= 2 * page.count('id="d0-0-engines-760-t"') > 0
    assert "\N{MINUS SIGN}0.020 to 0.000" in page
    assert "Cengine is not installed" in page
    (folder / "backends.csv").unlink()
    assert "Real engines" not in render([read_results(folder)])


def test_a_page_of_engines_that_all_are_missing(folder: Path) -> None:
    table = pd.read_csv(folder / "backends.csv")
    table[table["status"] == "skipped"].to_csv(folder / "backends.csv", index=False)
    page = render([read_results(folder)])
    assert "Engines that did not run" in page
    assert "-engines-760" not in page


def test_an_engine_has_one_colour_everywhere(part: Slice) -> None:
    """The style sheet's series are the figures' hues, in the same order; every engine there is has one of its own."""
    known = {each.partition('"')[2].partition('"')[0] for path in BACKENDS_FOLDER.glob("*.py")
             for each in path.read_text("utf-8").splitlines() if "engine: ClassVar[str] =" in each}  # fmt: skip
    assert set(COLORS) == set(STYLES) == known
    assert len(set(COLORS.values())) == len(set(STYLES.values())) == len(known)
    assert list(COLORS) == list(STYLES)
    with drawing():
        for figure in (engine_overlap(part), engine_bytes(part)):
            (legend,) = figure.legends
            shown = {
                text.get_text(): line.get_color()
                for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
            }
            assert {shown["Aengine"], shown["Bengine"]} == {INK}
