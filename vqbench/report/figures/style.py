"""What all figures share: page layout, fonts, legends, intervals, columns of text, and how numbers are written."""

from __future__ import annotations

import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from vqbench.text import share

WIDTH = 9.0  # inches; at 200 dpi twice the width of a README's column
DPI = 200
INK, GREY, FAINT, SHADE = "#222222", "#5A5A5A", "#C8C8C8", "#F3F3F3"
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
#: Okabe and Ito's hues without the yellow that vanishes on white, and three more that keep apart from them.
HUES = (BLUE, VERMILION, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#5D3A9B", "#8C510A", "#1B1B1B")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<")  # one fewer than hues: no two lines are alike
SMALL, TINY = 8.5, 7.8
MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"


@contextmanager
def drawing(font: float = 9) -> Iterator[None]:
    """Let matplotlib draw in this style; afterwards its settings are as before.

    Names come from users: ``$`` is no formula. Ids in scripts that the font lacks stay text in the SVG.

    Args:
        font: Points of ordinary text.
    """
    settings: dict[Any, Any] = {
        **sns.axes_style("ticks"),
        **sns.plotting_context("paper"),
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": font,
        "axes.titlesize": font + 0.5,
        "axes.labelsize": font,
        "xtick.labelsize": font - 0.5,
        "ytick.labelsize": font - 0.5,
        "legend.fontsize": font - 0.5,
        "legend.title_fontsize": font - 0.5,
        "legend.frameon": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "axes.edgecolor": GREY,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "axes.titlelocation": "left",
        "grid.color": "#E6E6E6",
        "grid.linewidth": 0.7,
        "axes.axisbelow": True,
        "text.parse_math": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "vqbench",
        "figure.dpi": 100,
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="constrained_layout not applied")  # names of a hundred letters
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Attempting to set identical low and high")  # one point: it widens
        yield


def canvas(height: float, title: str, reading: str, about: str) -> Figure:
    """Make a figure whose body is ``height`` inches high, between its title and its notes.

    Args:
        height: Inches of the body.
        title: What is seen.
        reading: How to read it.
        about: What was measured, on what.
    """
    head, read, foot = _wrapped(title, 88), _wrapped(reading, 138), _wrapped(about, 156)
    top = 0.26 + 0.215 * len(head) + 0.165 * len(read)
    bottom = 0.08 + 0.15 * len(foot)
    total = height + top + bottom
    layout = ConstrainedLayoutEngine(
        rect=(0.008, bottom / total, 0.984, height / total), w_pad=0.05, h_pad=0.05, hspace=0.04, wspace=0.03
    )
    figure = Figure(figsize=(WIDTH, total), layout=layout)
    FigureCanvasAgg(figure)
    left = {"x": 0.012, "ha": "left", "va": "top"}
    figure.suptitle("\n".join(head), y=1 - 0.10 / total, fontsize=12, weight="bold", **left).set_in_layout(False)
    y = 1 - (0.16 + 0.215 * len(head)) / total
    for text, place, size in (("\n".join(read), y, 9), ("\n".join(foot), bottom / total, 8)):
        figure.text(s=text, y=place, fontsize=size, color=GREY, **left).set_in_layout(False)
    return figure


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` letters; a number stays with its unit."""
    tied = re.sub(r"(?<=[=\d]) (?=[%B\d])|(?<=\bk) (?==)", "\N{NO-BREAK SPACE}", text)
    return textwrap.wrap(tied, width, break_on_hyphens=False)


def below(figure: Figure, handles: Sequence[Artist], columns: int = 4, title: str | None = None) -> None:
    """Put a legend under the axes and above the notes; the axes make room for it.

    Args:
        columns: At most so many; fewer where the entries are too wide.
    """
    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        raise TypeError("the figure has been drawn already")
    left, bottom, width, height = engine.get()["rect"]
    while True:
        box = figure.legend(
            handles=list(handles),
            loc="lower left",
            bbox_to_anchor=(left, bottom),
            ncols=columns,
            title=title,
            alignment="left",
            columnspacing=1.3,
            handletextpad=0.6,
            borderaxespad=0.2,
        )
        box.set_in_layout(False)
        if columns == 1 or box.get_window_extent().x1 <= figure.bbox.x1:
            break
        box.remove()
        columns -= 1
    taken = box.get_window_extent().height / figure.bbox.height + 0.05 / figure.get_figheight()
    engine.set(rect=(left, bottom + taken, width, height - taken))


def grid(ax: Axes, axis: str = "y") -> None:
    """Draw pale lines at the ticks of ``axis``: x, y or both."""
    ax.grid(True, axis=axis)  # pyright: ignore[reportArgumentType]


def intervals(ax: Axes, places: Any, rows: pd.DataFrame, *, sideways: bool = False, **style: Any) -> None:
    """Draw means with their 95 % intervals.

    Args:
        places: Where the means stand on the other axis, one a row.
        rows: Columns ``value``, ``ci_low`` and ``ci_high``.
        sideways: Values run along x.
    """
    values = rows["value"].to_numpy(dtype=float)
    bars = np.maximum(0, np.array([values - rows["ci_low"], rows["ci_high"] - values], dtype=float))
    x, y = (values, places) if sideways else (places, values)
    ax.errorbar(x, y, **{"xerr" if sideways else "yerr": bars}, **{"ms": 5, "lw": 1.3, "elinewidth": 1.1, **style})


def line_per_name(ax: Axes, names: Sequence[object]) -> None:
    """Make y an axis of names, the first on top."""
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_yticks(np.arange(len(names)), [str(name) for name in names], fontsize=TINY)
    ax.tick_params(axis="y", length=0)
    grid(ax, "x")


def columns_right(ax: Axes, columns: Sequence[tuple[float, str, Sequence[str]]]) -> None:
    """Write columns of text right of the axes, a text for each line of ``line_per_name``.

    Args:
        columns: Points from the axes to the column's middle, its heading, its texts.
    """
    style = {"textcoords": "offset points", "ha": "center", "fontsize": TINY}
    for x, heading, texts in columns:
        ax.annotate(heading, (1, 1), (x, 4), "axes fraction", va="bottom", color=INK, weight="bold", **style)
        for line, text in enumerate(texts):
            ax.annotate(text, (1, line), (x, 0), ("axes fraction", "data"), va="center", color=GREY, **style)


def log_axis(ax: Axes, ticks: Sequence[float], texts: Sequence[str], base: float = 2) -> None:
    """Make x logarithmic, with these ticks alone."""
    ax.set_xscale("log", base=base)
    ax.set_xticks(ticks, list(texts))
    ax.minorticks_off()


def within_unit(ax: Axes) -> None:
    """Keep the y axis of a share to 0 to 1 and the room of a marker."""
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, -0.02), min(high, 1.02))


def number(value: float) -> str:
    """Write three decimals where they say something, else one significant digit: 0.978, 5e-06, 0."""
    if value == 0:
        return "0"
    if abs(value) < 0.0095:
        return f"{value:.0e}".replace("e-0", "e-").replace("-", MINUS)
    if value <= 1:
        return share(value).replace("-", MINUS)
    return (f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}").replace("-", MINUS)


def p_value(value: float) -> str:
    """Write a p value: 0.012, < 0.001."""
    return "< 0.001" if value < 0.001 else share(value)


def size(count: float) -> str:
    """Write bytes: 48 B, 1,536 B, 49.2 B."""
    return f"{count:,.0f} B" if abs(count - round(count)) < 0.05 else f"{count:,.1f} B"


def quoted(name: object) -> str:
    """Put an id in quotation marks, cut to 40 letters."""
    return f"\N{LEFT DOUBLE QUOTATION MARK}{short(str(name), 40)}\N{RIGHT DOUBLE QUOTATION MARK}"


def short(text: str, width: int) -> str:
    """Cut text to a width, with an ellipsis."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
