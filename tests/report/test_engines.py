"""What figures and report make of backends.csv."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from folders import row, write_engines, write_folder
from matplotlib.container import ErrorbarContainer

import vqbench
from vqbench.report.figures.engines import COLORS, engine_bytes, engine_overlap, engine_rows
from vqbench.report.figures.figure_data import Slice, slices
from vqbench.report.figures.style import INK, drawing
from vqbench.report.page import render
from vqbench.results.folder import read_results

BACKENDS_FOLDER = Path(vqbench.__file__).parent / "evaluation" / "backends"
_ENGINE = re.compile(r'(?m)^class .*\bengine="([^"]+)"')  # as a backend's class header has it


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_engines(write_folder(tmp_path, [row("float32", 0, 1.0, 0.003)], {"float32": (128.0, 0.0)}))


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
    assert "b_pq stores 1,600 bytes per vector for a code of 48" in figure.get_suptitle().replace("\n", " ")


def test_without_engines_there_is_no_figure(folder: Path) -> None:
    (folder / "backends.csv").unlink()
    part = slices(read_results(folder))[0]
    assert engine_overlap(part) is None
    assert engine_bytes(part) is None


def test_the_report_shows_the_engines_where_any_were_asked(folder: Path) -> None:
    rows = engine_rows(read_results(folder).backends, 10)
    assert list(zip(rows["backend"], rows["color"], rows["same"], strict=True)) == [
        ("a_same", INK, True), ("b_pq", INK, False), ("b_pq_again", INK, False)]  # fmt: skip
    page = render([read_results(folder)])
    assert "1 of 3" in page
    assert page.count('id="d0-0-engines-wide-t"') == page.count('id="d0-0-engines-narrow-t"') == 1
    assert page.count("<title>b_pq: predicted 0.700, engine 0.690, difference \N{MINUS SIGN}0.010") == 2
    cells = page[page.index(">a_<wbr>same<") :].split("</tr>")[0]
    assert [f'data-value="{size}"' in cells for size in (48, 50, 60)] == [True] * 3
    assert "\N{MINUS SIGN}0.020 to 0.000" in page
    assert "Cengine is not installed" in page
    (folder / "backends.csv").unlink()
    assert "Real engines" not in render([read_results(folder)])


def test_a_page_of_engines_that_all_are_missing(folder: Path) -> None:
    table = pd.read_csv(folder / "backends.csv")
    table[table["status"] == "skipped"].to_csv(folder / "backends.csv", index=False)
    page = render([read_results(folder)])
    assert "Engines that did not run" in page
    assert "-engines-wide" not in page


def test_an_engine_has_one_colour_everywhere(part: Slice) -> None:
    """Every engine there is has a colour of its own; those of a user share the colour of text."""
    known = {engine for path in BACKENDS_FOLDER.glob("*.py") for engine in _ENGINE.findall(path.read_text("utf-8"))}
    assert set(COLORS) == known
    assert len(set(COLORS.values())) == len(known)
    with drawing():
        for figure in (engine_overlap(part), engine_bytes(part)):
            assert figure is not None
            (legend,) = figure.legends
            shown = {
                text.get_text(): line.get_color()
                for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
            }
            assert {shown["Aengine"], shown["Bengine"]} == {INK}
