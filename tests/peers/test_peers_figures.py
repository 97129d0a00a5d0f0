"""Figures of a timed comparison: what they say against the tables they were drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text
from timed import TIMED_META, timed_linear, timed_rows, write_timed

from experiments.peers.__main__ import main
from experiments.peers.figures.linear import exponents, linear
from experiments.peers.figures.memory import memory
from experiments.peers.figures.searches import searches
from experiments.peers.table import Row, frame
from vqbench.errors import VqbenchError
from vqbench.report.figures.style import BLUE, GREY, VERMILION, drawing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_timed(tmp_path)


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with drawing():
        yield


def _drawn(figure: Figure | None) -> Figure:
    assert figure is not None
    figure.draw_without_rendering()
    return figure


def _texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]


def test_marks_stand_at_the_median_and_ratios_beside_rivals(folder: Path) -> None:
    figure = _drawn(searches(folder, TIMED_META))
    (ax,) = figure.axes
    marks = {str(line.get_label()): np.asarray(line.get_xdata())[0] for line in ax.lines if line.get_marker() != "None"}
    assert marks == pytest.approx(
        {"vqbench a 10": 10, "vqbench a 100": 10, "vqbench b 10": 5, "vqbench b 100": 5, "rival 10": 2, "rival 100": 2}
    )  # 10 million pairs
    texts = _texts(figure)
    assert "2.50x  2.50x" in texts  # against the slower of ours
    assert "vqbench searches 2.5 to 5 times as fast as others; 2 of 4 goals reached" in texts
    assert [label.get_text() for label in ax.get_yticklabels()] == ["vqbench a", "vqbench b", "rival"]


def test_lines_reach_from_the_slowest_to_the_fastest_round(folder: Path) -> None:
    (ax,) = _drawn(searches(folder, TIMED_META)).axes
    spans = [tuple(np.asarray(line.get_xdata())) for line in ax.lines if line.get_marker() == "None"]
    assert pytest.approx((10 / 1.1, 10 / 0.9)) in spans


def test_no_searches_no_figure(folder: Path) -> None:
    frame([Row(family="startup", contestant="x", version="", threads=1, seconds=[1.0])]).to_csv(folder / "peers.csv")
    assert searches(folder, TIMED_META) is None


def test_slopes_are_found_again(folder: Path) -> None:
    slopes = exponents(timed_linear())
    assert slopes["rows", "x"] == pytest.approx(0.5)
    assert slopes["queries", "x"] == pytest.approx(1)
    figure = _drawn(linear(folder, TIMED_META))
    assert "Time grows with the number of rows to the power 0.50 to 0.50: 1 is linear" in _texts(figure)
    bars = [box for box in figure.axes[0].containers if isinstance(box, ErrorbarContainer)]
    x, y = bars[0][0].get_data()
    assert (list(np.asarray(x)), list(np.asarray(y))) == ([100, 1000, 10_000], pytest.approx([10, 1000**0.5, 100]))


def test_peaks_stand_over_their_rows_with_the_bound(folder: Path) -> None:
    assert memory(folder, TIMED_META) is None
    about = {"family": "memory", "version": "1", "threads": 2, "d": 8, "queries": 5}
    rows = [Row(**about, contestant=f"{n}", n=n, megabytes=peak) for n, peak in ((10_000, 300.4), (1_000_000, 900.0))]
    failed = Row(**about, contestant="x", n=10**7, status="failed", reason="killed")
    frame([*timed_rows(), *rows, failed]).to_csv(folder / "peers.csv", index=False)
    figure = _drawn(memory(folder, TIMED_META))
    texts, ax = _texts(figure), figure.axes[0]
    assert {"300", "900", "10k", "1M", "MB", "rows of the corpus"} <= set(texts)
    assert any("1,000,000 vectors of 8 dimensions peaks at 900 MB" in text for text in texts)
    lines = {line.get_color(): line for line in ax.lines}
    vectors, bound, peaks = (lines[color] for color in (GREY, VERMILION, BLUE))
    assert peaks.get_xydata().tolist() == [[10_000, 300.4], [1_000_000, 900]]  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(vectors.get_ydata()[-1], 1_000_000 * 8 * 4 / 1e6)  # pyright: ignore[reportIndexIssue]
    np.testing.assert_allclose(bound.get_ydata(), 2**31 / 1e6)


def test_without_parts_the_command_draws_the_figures_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["parts=[]", f"out={folder}"]) == 0
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{name}.{ending}" for name in ("peers", "linear") for ending in ("png", "svg")
    }
    assert "2 of 4 goals reached" in capsys.readouterr().out
    (folder / "linear.csv").unlink()
    assert main(["parts=[]", f"out={folder}"]) == 0
    assert {path.name for path in (folder / "figures").iterdir()} == {"peers.png", "peers.svg"}


def test_a_broken_table_is_an_error(folder: Path) -> None:
    (folder / "peers.csv").write_text("")
    with pytest.raises(VqbenchError, match="peers.csv: is not a table of a comparison"):
        searches(folder, TIMED_META)
