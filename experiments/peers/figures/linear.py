"""How the time of our searches grows with rows, queries and variants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from experiments.peers.figures.searches import thousands
from experiments.peers.table import LINEAR, read
from vqbench.report.figures.style import BLUE, FAINT, GREEN, INK, SMALL, VERMILION, below, canvas, grid

_BODY = 3.5
_PANELS = {"rows": ("n", "rows of the corpus"), "queries": ("queries", "queries"), "variants": ("variants", "variants")}
_COLORS = (INK, BLUE, VERMILION, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
_MARKS = ("o", "s", "^", "D", "v", "P", "X")


def linear(folder: Path, meta: dict) -> Figure | None:
    """Three panels, both axes logarithmic, each with a line of slope 1. None without linear.csv."""
    if not (folder / LINEAR).is_file():
        return None
    table = read(folder / LINEAR)
    figure = canvas(_BODY, _title(table), _reading(), _about(table, meta))
    names = list(dict.fromkeys(table["what"]))
    axes = figure.subplots(1, len(_PANELS), squeeze=False)[0]
    for ax, (against, (column, label)) in zip(axes, _PANELS.items(), strict=True):
        _panel(ax, table[table["against"] == against], column, names)
        ax.set_xlabel(label)
    axes[0].set_ylabel("seconds")
    handles = [_line(index, name) for index, name in enumerate(names)]
    below(figure, [*handles, Line2D([], [], color=FAINT, ls="--", lw=1.5, label="proportional")], columns=4)
    return figure


def _line(index: int, name: str) -> Line2D:
    return Line2D(
        [], [], color=_COLORS[index % len(_COLORS)], marker=_MARKS[index % len(_MARKS)], ms=5, lw=1.3, label=name
    )


def _panel(ax: Axes, own: pd.DataFrame, column: str, names: list[str]) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    for name, rows in own.groupby("what", sort=False):
        index, rows = names.index(str(name)), rows.sort_values(column)
        x, y = rows[column].to_numpy(dtype=float), rows["median_s"].to_numpy(dtype=float)
        bounds = np.array([y - rows["min_s"], rows["max_s"] - y], dtype=float)
        color, marker = _COLORS[index % len(_COLORS)], _MARKS[index % len(_MARKS)]
        ax.errorbar(
            x, y, yerr=bounds, color=color, marker=marker, ms=4.5, lw=1.3, elinewidth=1, label=str(name), zorder=3
        )
    if len(own):
        _slope(ax, own, column)
        values = sorted(own[column].unique())
        ax.set_xticks(values, [thousands(x) for x in values])
        ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    ax.tick_params(labelsize=SMALL)
    grid(ax)


def _slope(ax: Axes, own: pd.DataFrame, column: str) -> None:
    """Proportional time, through the slowest at the largest value: what lies above it at the left is a fixed cost."""
    for _, rows in own.groupby("what"):
        last = rows.loc[rows[column].idxmax()]
        x = np.array([own[column].min(), own[column].max()], dtype=float)
        ax.plot(x, last["median_s"] * x / last[column], color=FAINT, ls="--", lw=1, zorder=1, label="proportional")


def exponents(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    """The slope of log seconds against the log of what varies, by least squares: 1 is linear."""
    slopes = {}
    for (against, what), rows in table.groupby(["against", "what"], sort=False):
        x = rows[_PANELS[str(against)][0]].to_numpy(dtype=float)
        if len(np.unique(x)) > 1:
            slope = np.polyfit(np.log(x), np.log(rows["median_s"].to_numpy(dtype=float)), 1)[0]
            slopes[str(against), str(what)] = float(slope)
    return slopes


def _title(table: pd.DataFrame) -> str:
    slopes = [slope for (against, _), slope in exponents(table).items() if against == "rows"]
    if not slopes:
        return "Time against rows, queries and variants"
    return f"Time grows with the number of rows to the power {min(slopes):.2f} to {max(slopes):.2f}: 1 is linear"


def _reading() -> str:
    return (
        "Points: median of the rounds; bars: fastest to slowest. Dashed: proportional, through the last point; what "
        "lies above it at the left is a fixed cost. Variants: vqbench.evaluate with the truth, which all share."
    )


def _about(table: pd.DataFrame, meta: dict) -> str:
    first = table.iloc[0]
    n, d, q = meta["timed"]["linear_size"]
    return (
        f"{meta['machine']['cpu']}, {meta['threads']} threads; {n:,} rows, {d:,} dimensions, {q:,} queries, "
        f"k = {first['k']}, unless they vary; {meta['timed']['repeats']} rounds in a drawn order."
    )
