"""Real engines beside what vqbench predicts of them: overlap, and bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    MINUS,
    TINY,
    VERMILION,
    below,
    canvas,
    grid,
    share,
)

_LINE = 0.19  # inches an engine's setting
_LOWEST = 2.4  # inches: what the labels of axes need
#: The same in every figure, whichever engines it shows; after Okabe and Ito (2008).
COLORS = {
    "faiss": BLUE,
    "LanceDB": VERMILION,
    "Qdrant": GREEN,
    "sqlite-vec": "#B35C8E",
    "turbovec": "#C08A00",
    "USearch": "#56B4E9",
}
_TICKS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_FINER = tuple(digit * 10**power for power in range(1, 5) for digit in (1, 1.5, 2, 3, 4, 5, 6, 8))
_BYTES = ["bytes_predicted", "bytes_codes", "bytes_disk"]
_REAL = 0.999  # agreement from which two lists count as the same but for rounding


def engine_overlap(part: Slice) -> Figure | None:
    """overlap@k that each engine gave against the one predicted, and their difference, paired by query."""
    rows = _rows(part)
    if rows.empty:
        return None
    k = int(rows["k"].iloc[0])
    same = int((rows["agreement"] >= _REAL).sum())
    figure = canvas(
        max(_LINE * len(rows) + 1.0, _LOWEST),
        f"{same} of {len(rows)} engine settings return what was predicted{_others(rows, k)}",
        "Left: a setting on the diagonal finds as much of float's top as predicted. Right: obtained less predicted for "
        "the same queries, with its 95 % interval; hollow: not the same lists (agreement below .999, at the right).",
        part.facts(f"k = {k}, every code searched, no rescoring", "ties: expectation predicted, one order obtained"),
    )
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    colors = _colors(rows)
    _diagonal(left, rows, colors, k)
    _differences(right, rows, colors)
    below(
        figure, [Line2D([], [], color=color, marker="o", ls="", ms=5, label=name) for name, color in colors.items()], 6
    )
    return figure


def _others(rows: pd.DataFrame, k: int) -> str:
    """How far off those are that return other lists."""
    far = rows[rows["agreement"] < _REAL]["difference"].abs().max()
    if np.isnan(far):
        return ""
    if far < 0.0005:
        return "; the others find as much in other lists"
    return f"; the others differ by at most {share(far)} of the top {k}"


def engine_bytes(part: Slice) -> Figure | None:
    """Bytes a vector: by the ledger, of the engine's codes, and of all that it keeps."""
    rows = _rows(part)
    if rows.empty:
        return None
    rows = rows.iloc[np.lexsort((rows["backend"], -rows["bytes_disk"], -rows["bytes_predicted"]))]
    rounded = rows[["engine", *_BYTES]].round(dict.fromkeys(_BYTES, 0))
    rows = rows[~rounded.duplicated()]
    most = rows.loc[(rows["bytes_disk"] / rows["bytes_predicted"]).idxmax()]
    times = most["bytes_disk"] / most["bytes_predicted"]
    figure = canvas(
        max(_LINE * len(rows) + 0.9, _LOWEST / 2),
        f"What an engine keeps can be {times:.{int(times < 10)}f} times its code: "
        f"{most['backend']} {most['bytes_disk']:,.0f} bytes a vector for {most['bytes_predicted']:,.0f}",
        "Ring: the code by vqbench's ledger. Dot: the codes as the engine stores them. Square: all that it would keep "
        "on disk: codebooks, ids, graphs, and the float vectors that some engines hold on to. Settings of an engine "
        "that come to the same bytes share a line.",
        part.facts(
            "bytes for each vector, what is stored once spread over all", "memory that engines reserve: not shown"
        ),
    )
    ax = figure.subplots()
    colors = _colors(rows)
    for at, row in enumerate(rows.to_dict("records")):
        color = colors[row["engine"]]
        ax.plot([row["bytes_predicted"], row["bytes_disk"]], [at, at], color=FAINT, lw=1, zorder=1)
        ax.plot(row["bytes_disk"], at, marker="s", color=color, ms=5, ls="", zorder=2)
        ax.plot(row["bytes_codes"], at, marker="o", color=color, ms=4, ls="", zorder=3)
        ax.plot(row["bytes_predicted"], at, marker="o", mfc="none", mec=INK, ms=8, ls="", zorder=4)
        _right(ax, at, [f"{row[name]:,.0f}" for name in _BYTES], (16, 44, 74))
    _heads(ax, ("code", "codes", "disk"), (16, 44, 74))
    ax.set_xscale("log")
    low, high = rows["bytes_predicted"].min() / 1.3, rows["bytes_disk"].max() * 1.3
    ticks = [x for x in _TICKS if low <= x <= high]
    ax.set_xticks(ticks if len(ticks) > 2 else [x for x in _FINER if low <= x <= high])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("bytes a vector (log scale)")
    _names(ax, rows)
    marks = (
        ("o", "none", INK, 8, "predicted: the ledger's code"),
        ("o", GREY, GREY, 4, "codes as stored"),
        ("s", GREY, GREY, 5, "all on disk"),
    )
    handles = [
        Line2D([], [], marker=m, mfc=face, mec=edge, ms=ms, ls="", label=text) for m, face, edge, ms, text in marks
    ]
    handles += [Line2D([], [], color=color, lw=5, label=name) for name, color in colors.items()]
    below(figure, handles, 6)
    return figure


def _rows(part: Slice) -> pd.DataFrame:
    """The settings that ran, at the figure's k and the first seed, by engine."""
    rows = part.backends
    if rows.empty:
        return rows
    rows = rows[(rows["status"] == "ok") & (rows["k"] == part.k)]
    rows = rows[rows["seed"] == rows["seed"].min()]
    return rows.sort_values(["engine", "backend"], key=lambda x: x.str.casefold() if x.dtype != float else x)


def _colors(rows: pd.DataFrame) -> dict[str, str]:
    """Engines of a user's own share the colour of text."""
    return {name: COLORS.get(name, INK) for name in sorted(rows["engine"].unique(), key=str.casefold)}


def _names(ax: Axes, rows: pd.DataFrame) -> None:
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(np.arange(len(rows)), [str(name) for name in rows["backend"]], fontsize=TINY + 0.3)
    ax.tick_params(axis="y", length=0)
    grid(ax, "x")


def _diagonal(ax: Axes, rows: pd.DataFrame, colors: dict[str, str], k: int) -> None:
    low = max(0.0, min(rows["predicted_low"].min(), rows["obtained"].min()) - 0.03)
    ax.plot([low, 1], [low, 1], color=GREY, lw=0.8, zorder=1)
    for row in rows.to_dict("records"):
        error = [[row["predicted"] - row["predicted_low"]], [row["predicted_high"] - row["predicted"]]]
        ax.errorbar(
            [row["predicted"]],
            [row["obtained"]],
            xerr=np.maximum(error, 0),
            color=colors[row["engine"]],
            marker="o",
            ms=4,
            mfc=_face(row, colors),
            elinewidth=0.8,
            zorder=2,
        )
    ax.set_xlim(low, 1.01)
    ax.set_ylim(low, 1.01)
    ax.set_xlabel(f"predicted overlap@{k} (bars: what ties leave open)")
    ax.set_ylabel(f"obtained overlap@{k}")
    grid(ax, "both")


def _differences(ax: Axes, rows: pd.DataFrame, colors: dict[str, str]) -> None:
    ax.axvline(0, color=INK, lw=0.8, zorder=1)
    for at, row in enumerate(rows.to_dict("records")):
        error = [[row["difference"] - row["ci_low"]], [row["ci_high"] - row["difference"]]]
        ax.errorbar(
            [row["difference"]],
            [at],
            xerr=np.maximum(error, 0),
            color=colors[row["engine"]],
            marker="o",
            ms=4,
            mfc=_face(row, colors),
            elinewidth=1,
            zorder=2,
        )
        change = "0.000" if abs(row["difference"]) < 0.0005 else f"{row['difference']:+.3f}".replace("-", MINUS)
        _right(ax, at, (change, f"{row['agreement']:.3f}"), (16, 52))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("obtained less predicted (share of the top)")
    _heads(ax, ("differs", "agrees"), (16, 52))
    _names(ax, rows)


def _heads(ax: Axes, texts: Sequence[str], points: Sequence[int]) -> None:
    """Heads of the columns right of the axes, each so many points away."""
    for text, x in zip(texts, points, strict=True):
        ax.annotate(
            text,
            (1, 1),
            (x, 4),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=TINY,
            color=INK,
            weight="bold",
        )


def _right(ax: Axes, at: int, texts: Sequence[str], points: Sequence[int]) -> None:
    for text, x in zip(texts, points, strict=True):
        ax.annotate(
            text,
            (1, at),
            (x, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=TINY,
            color=GREY,
        )


def _face(row: dict, colors: dict[str, str]) -> str:
    return colors[row["engine"]] if row["agreement"] >= _REAL else "white"
