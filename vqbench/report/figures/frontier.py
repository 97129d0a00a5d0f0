"""All families of codes in one picture: quality against bits per dimension."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vqbench.report.figures.figure_data import Slice, on_front
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.style import (
    FAINT,
    GREY,
    HUES,
    INK,
    MARKS,
    TINY,
    below,
    canvas,
    grid,
    intervals,
    log_axis,
    within_unit,
)
from vqbench.text import share

_BODY = 5.4
_FEW = 3  # a line needs so many sizes


def frontier(part: Slice) -> Figure | None:
    """Draw overlap@k over bits per dimension; a line for each family of codes that comes in several sizes."""
    own = part.overlap()
    own = own.assign(bits=8 * own["bytes"] / part.d, front=on_front(own["bytes"], own["value"])).sort_values("bits")
    families = families_of(own["bits"].to_dict())
    if not families:
        return None
    reading = (
        "The codes alone, without rescoring. A line joins the sizes of one family. Bits per dimension count all that "
        "is stored: norms, ranges and corrections of each vector, and its share of codebooks and rotations."
    )
    figure = canvas(_BODY, _title(own, part), reading, part.facts(f"k = {part.k}", part.interval))
    ax = figure.subplots()
    _single(ax, own, families)
    labels = []
    for (family, members), color, marker in zip(families.items(), cycle(HUES), cycle(MARKS), strict=False):
        rows = own.loc[members]
        intervals(ax, rows["bits"], rows, color=color, marker=marker, zorder=3, label=family)
        labels.append(Label(rows["bits"].iloc[-1], rows["value"].iloc[-1], family, color))
    front = own[own["front"]]
    style = {"color": INK, "lw": 6, "alpha": 0.12}
    ax.plot(front["bits"], front["value"], zorder=1, drawstyle="steps-post", label="front", **style)
    ticks = [
        x
        for x in (0.125, 0.25, 0.5, 1, 2, 3, 4, 6, 8, 16, 32, 64)
        if own["bits"].min() / 1.3 <= x <= own["bits"].max() * 1.3
    ]
    log_axis(ax, ticks, [f"{x:g}" for x in ticks])
    within_unit(ax)
    ax.set_xlabel("bits per dimension, all that is stored for a vector (log scale)")
    ax.set_ylabel(part.axis("overlap", part.k))
    grid(ax, "both")
    beside(ax, labels, _BODY - 1.2)
    handles = [Line2D([], [], label="Pareto front: no code is smaller and better", **style)]  # pyright: ignore
    if len(own) > sum(map(len, families.values())):
        text = "codes of one size (names: metrics.csv)"
        handles.append(Line2D([], [], color=GREY, mfc=FAINT, marker="o", ls="", ms=4, label=text))
    below(figure, handles)
    return figure


def families_of(bits: Mapping[str, float]) -> dict[str, list[str]]:
    """Group names that differ in their last number alone, as in rabitq1 to rabitq8, of three sizes or more."""
    groups: dict[str, list[str]] = {}
    for name in bits:
        last = next(reversed(list(re.finditer(r"_?\d+(_\d+)?(?=_|$)", name))), None)
        family = name if last is None else name[: last.start()] + name[last.end() :]
        groups.setdefault(family, []).append(name)
    return {
        family: sorted(members, key=lambda name: bits[name])
        for family, members in sorted(groups.items())
        if len({round(bits[name], 6) for name in members}) >= _FEW
    }


def _single(ax: Axes, own: pd.DataFrame, families: Mapping[str, list[str]]) -> None:
    """The variants that belong to no line, by name if on the front."""
    rows = own.drop(index=[name for members in families.values() for name in members])
    ax.plot(rows["bits"], rows["value"], ls="", marker="o", ms=4, color=GREY, mfc=FAINT, zorder=2, label="single")
    style = {"textcoords": "offset points", "ha": "right", "va": "bottom", "fontsize": TINY, "color": GREY}
    for name, row in rows[rows["front"]].iterrows():
        ax.annotate(str(name), (row["bits"], row["value"]), (-4, 4), **style)


def _title(own: pd.DataFrame, part: Slice) -> str:
    """The best code near one, two and four bits."""
    best = []
    for bits in (1, 2, 4):
        near = own[own["front"] & (own["bits"] > bits * 0.9) & (own["bits"] <= bits * 1.1)]["value"]
        if len(near):
            best.append(f"{share(near.iloc[-1])} at {bits} bit{'s' * (bits > 1)} ({near.index[-1]})")
    what = f"Best overlap@{part.k} by bits per dimension"
    return f"{what}: {', '.join(best)}" if best else what
