"""The figure of differences says what comparisons.csv says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from vqbench.report.figures.differences import differences
from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.style import drawing
from vqbench.results.significance import COMPARISONS

ROWS = {  # difference, ends, p, detectable, verdict, letters
    "base": (0.0, np.nan, np.nan, np.nan, np.nan, "baseline", "b"),
    "up": (0.2, 0.15, 0.25, 0.0004, 0.02, "better", "a"),
    "down": (-0.1, -0.12, -0.07, 0.02, 0.03, "worse", "c"),
    "alike": (-0.0002, -0.004, 0.003, 1.0, 0.005, "equivalent", "b"),
    "open": (-0.012, -0.03, 0.006, 0.4, 0.025, "unclear", "bc"),
}


@pytest.fixture
def part() -> Slice:
    values = {name: 0.6 + row[0] for name, row in ROWS.items()}
    metrics = pd.DataFrame([
        {"variant": name, "metric": "overlap", "k": 10, "oversample": 0, "value": value}
        for name, value in values.items()
    ])  # fmt: skip
    columns = ("difference", "ci_low", "ci_high", "p_holm", "detectable", "verdict", "letters")
    rows = [
        {"variant": name, "baseline": "base", "metric": "overlap", "k": 10, "oversample": 0, "margin": 0.01}
        | dict(zip(columns, row, strict=True))
        for name, row in ROWS.items()
    ]
    about = {"n": 500, "d": 8, "queries": 90, "queries_are": "apart from the corpus"}
    none = pd.DataFrame()
    return Slice("tiny", about, {}, metrics, none, dict.fromkeys(ROWS, 8.0), none, none, {}, 1, {},
                 pd.DataFrame(rows).reindex(columns=COMPARISONS))  # fmt: skip


def _drawn(part: Slice) -> tuple[Figure, Axes, str]:
    with drawing():
        figure = differences(part)
        assert figure is not None
        figure.draw_without_rendering()
    said = [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]
    return figure, figure.axes[0], " ".join(said).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")


def test_it_plots_each_difference_with_its_interval_and_verdict(part: Slice) -> None:
    _, ax, said = _drawn(part)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["up", "alike", "open", "down"]
    bars = {str(box.get_label()): box for box in ax.containers}
    colors = {}
    for name, box in bars.items():
        line, _, (segments,) = box.lines  # pyright: ignore[reportAttributeAccessIssue]
        difference, low, high, *_ = ROWS[name]
        assert line.get_xdata()[0] == difference
        assert segments.get_segments()[0][:, 0] == pytest.approx([low, high])
        colors[name] = to_hex(line.get_color())
    assert set(bars) == set(ROWS) - {"base"}
    assert len(set(colors.values())) == 4, "a colour for each verdict"
    assert "compared with base, query by query: 1 better, 1 worse, 1 equivalent, 1 unclear" in said
    for text in ("+0.200", "< 0.001", "\N{MINUS SIGN}0.100", "0.020", "0.025", "bc", "0.000", "tiny: 500 vectors",
                 "margin of equivalence: \N{PLUS-MINUS SIGN}0.01"):  # fmt: skip
        assert text in said, text


def test_only_verdicts_that_occur_are_explained(part: Slice) -> None:
    c = part.comparisons
    _, _, said = _drawn(replace(part, comparisons=c[c["variant"].isin(["base", "up"])]))
    assert "more queries are needed" not in said
    assert "better" in said


def test_nothing_to_compare_is_no_figure(part: Slice) -> None:
    c = part.comparisons
    with drawing():
        for rows in (c[c["variant"] == "base"], c.iloc[:0], pd.DataFrame(), c[c["metric"] == "top1"]):
            assert differences(replace(part, comparisons=rows)) is None
