"""Searches of ours and of others: million pairs a second, with the ratios."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator

from experiments.peers.table import TABLE, read
from vqbench.report.figures.style import BLUE, GREY, INK, SMALL, TINY, VERMILION, below, canvas, grid

_FAMILIES = {
    "float32": "float32, exact",
    "int8": "codes of 4 and 8 bits",
    "hamming": "1 bit, differing bits counted",
    "one_bit": "1 bit, query float or of 4 bits",
    "product": "product codes, 8 numbers a byte",
}
_OURS = "vqbench "
_ALONE = "matrix product alone"
_ROW = 0.235  # inches for a contestant
_HEAD = 0.42  # inches for a panel's title and room
_MARKS = ("o", "D", "s", "^")


def searches(folder: Path, meta: dict) -> Figure | None:
    """A panel for every family and size, a line for every contestant, a mark for every k. None without searches."""
    table = read(folder / TABLE)
    table = table[table["family"].isin(_FAMILIES) & table["mpairs_s"].notna()]
    if table.empty:
        return None
    families = [name for name in _FAMILIES if name in set(table["family"])]
    sizes = list(
        dict.fromkeys(zip(table["n"].astype(int), table["d"].astype(int), table["queries"].astype(int), strict=True))
    )
    names = {family: list(dict.fromkeys(table[table["family"] == family]["contestant"])) for family in families}
    ks = sorted(table["k"].astype(int).unique())
    rows = [len(names[family]) for family in families]
    height = sum(rows) * _ROW + len(families) * _HEAD + 0.6
    figure = canvas(height, _title(table), _reading(ks), _about(meta))
    ratios = [_HEAD / _ROW + count for count in rows]
    axes = figure.subplots(len(families), len(sizes), sharex=True, squeeze=False, height_ratios=ratios)
    for index, family in enumerate(families):
        for ax, size in zip(axes[index], sizes, strict=True):
            own = table[(table["family"] == family) & (table["n"] == size[0]) & (table["d"] == size[1])]
            _panel(ax, own, names[family], ks)
            if ax is not axes[index, 0]:
                ax.set_yticklabels([])
            where = f"   {size[0]:,} x {size[1]:,}, {size[2]:,} queries" if index == 0 else ""
            ax.set_title((_FAMILIES[family] if ax is axes[index, 0] else "") + where, fontsize=SMALL + 0.5, color=GREY)
    low, high = table["mpairs_s"].min(), table["mpairs_s"].max()
    axes[0, 0].set_xlim(low / 2, high * 2)
    for ax in axes[-1]:
        ax.set_xlabel("million (query, vector) pairs a second")
    below(figure, _handles(ks), columns=6)
    return figure


def _panel(ax: Axes, own: pd.DataFrame, names: Sequence[str], ks: Sequence[int]) -> None:
    ax.set_xscale("log")
    for index, name in enumerate(names):
        lines = own[own["contestant"] == name]
        for shift, k in enumerate(ks):
            rows = lines[lines["k"] == k]
            if len(rows):
                y = index + 0.36 * (shift / max(1, len(ks) - 1) - 0.5) if len(ks) > 1 else index
                _mark(ax, rows.iloc[0], y, _MARKS[shift % len(_MARKS)])
        text = _ratios(lines, ks)
        if text:
            ax.annotate(
                text,
                (1, index),
                xycoords=("axes fraction", "data"),
                xytext=(5, 0),
                textcoords="offset points",
                ha="left",
                va="center",
                fontsize=TINY + 0.5,
                color=INK,
            )
    ax.set_ylim(len(names) - 0.45, -0.55)
    ax.set_yticks(range(len(names)), names)
    for label, name in zip(ax.get_yticklabels(), names, strict=True):
        label.set_color(_color(name))
        label.set_fontweight("bold" if name.startswith(_OURS) else "normal")
    ax.xaxis.set_major_locator(LogLocator(10))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.minorticks_off()
    ax.tick_params(axis="y", length=0)
    grid(ax, "x")


def _mark(ax: Axes, row: pd.Series, y: float, marker: str) -> None:
    """The median, and a line from the slowest to the fastest round."""
    middle = float(row["mpairs_s"])
    slow, fast = middle * row["median_s"] / row["max_s"], middle * row["median_s"] / row["min_s"]
    color = _color(str(row["contestant"]))
    ax.plot([slow, fast], [y, y], color=color, lw=1.2, solid_capstyle="butt", zorder=2)
    ax.plot(
        [middle], [y], color=color, marker=marker, ms=4.2, ls="", zorder=3, label=f"{row['contestant']} {row['k']:g}"
    )


def _ratios(lines: pd.DataFrame, ks: Sequence[int]) -> str:
    """For each k the least of the ratios to ours."""
    texts = []
    for k in ks:
        own = lines[(lines["k"] == k) & lines["ratio"].notna()]
        if len(own):
            ratio = own["ratio"].min()
            texts.append(f"{ratio:.2f}x" if ratio < 10 else f"{ratio:,.0f}x")
    return "  ".join(texts)


def _color(name: str) -> str:
    return BLUE if name.startswith(_OURS) else GREY if name == _ALONE else VERMILION


def _handles(ks: Sequence[int]) -> list[Line2D]:
    colors = {"vqbench": BLUE, "others": VERMILION, f"{_ALONE}: no search": GREY}
    handles = [Line2D([], [], color=color, lw=6, solid_capstyle="butt", label=text) for text, color in colors.items()]
    return handles + [
        Line2D([], [], color=GREY, marker=_MARKS[index % len(_MARKS)], ls="", ms=5, label=f"k = {k}")
        for index, k in enumerate(ks)
    ]


def _title(table: pd.DataFrame) -> str:
    goals = table[table["status"].isin(["reached", "missed"])]
    rivals = table[(table["against"] != "") & (table["contestant"] != _ALONE) & table["ratio"].notna()]
    if rivals.empty:
        return "vqbench's searches, alone: no other is installed"
    low, high = rivals["ratio"].min(), rivals["ratio"].max()
    return (
        f"vqbench searches {low:.2g} to {_round(high)} times as fast as others; "
        f"{(goals['status'] == 'reached').sum()} of {len(goals)} goals reached"
    )


def _round(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _reading(ks: Sequence[int]) -> str:
    several = " and ".join(f"k = {k}" for k in ks)
    return (
        "Marks: median of the rounds; lines: slowest to fastest round. Right: how many times as long as ours it takes, "
        f"at {several}; where several of ours do the job, against the slowest."
    )


def _about(meta: dict) -> str:
    timed, machine = meta["timed"], meta["machine"]
    versions = ", ".join(
        f"{name} {meta['versions'][name]}"
        for name in ("vqbench", "numpy", "faiss-cpu", "usearch")
        if meta["versions"].get(name)
    )
    return (
        f"{machine['cpu']}, {meta['threads']} threads each; {timed['repeats']} rounds, in each of which everyone "
        f"searched once in a drawn order; unit rows of a Gaussian mixture; {versions}."
    )


def thousands(count: float) -> str:
    """A count as an axis has room for: 10k, 1M."""
    for unit, times in (("M", 1e6), ("k", 1e3)):
        if count >= times:
            return f"{count / times:g}{unit}"
    return f"{count:g}"
