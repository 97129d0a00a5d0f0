"""Quality against size: what each byte buys."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from vqbench.report.figures.figure_data import Slice, on_front
from vqbench.report.figures.label_placement import Label, within
from vqbench.report.figures.looks import legend, rescored_mark
from vqbench.report.figures.style import INK, canvas, grid, intervals, log_axis, size
from vqbench.text import share

_MANY = 24  # more cannot be named beside their markers: see ``overlap_by_variant``
_STEP, _WIDEST = 0.085, 0.9  # octaves: between markers of one size, and all of them together


def overlap_vs_bytes(part: Slice) -> Figure | None:
    """Draw overlap@k against bytes per vector, with the Pareto front and what rescoring adds."""
    own = part.overlap()
    if own.empty or len(own) > _MANY:
        return None
    own = own.assign(front=on_front(own["bytes"], own["value"]), bytes=own["bytes"].round())
    own = own.sort_values("value", ascending=False, kind="stable")
    own["x"] = _side_by_side(own)
    own["again"] = part.rescored()["value"].reindex(own.index)
    reading = "Filled: the code alone. Codes of equal size are drawn side by side, the best first."
    figure = canvas(4.9, _title(part, own), reading + part.hollow(), part.facts(f"k = {part.k}", part.interval))
    ax = figure.subplots()
    front = own[own["front"]].sort_values("x")
    _draw(ax, part, own, front)
    _axes(ax, part, own)
    line = Line2D([], [], color=INK, lw=1, ls=(0, (4, 2)), label="Pareto front of codes alone (bold)")
    extra = [line] if len(front) > 1 else []
    legend(
        figure, [part.looks[str(name)] for name in own.index], [*extra, *rescored_mark(part.factor, part.today.store)]
    )
    figure.draw_without_rendering()
    groups = [
        [
            Label(row.x, row.value, f"{name}  {share(row.value)}", part.looks[str(name)].ink, row.front)
            for name, row in same.iterrows()
        ]
        for _, same in own.groupby("bytes")
    ]
    within(ax, groups, _taken(ax, own, front))
    return figure


def _title(part: Slice, own: pd.DataFrame) -> str:
    """The best code of each size below the floats', largest first."""
    smaller = own[[part.looks[str(name)].family != "float" for name in own.index]]
    best = smaller[smaller["front"]].sort_values("bytes", ascending=False).drop_duplicates("bytes")
    texts = [f"{share(row.value)} in {size(row.bytes)} ({name})" for name, row in best.iloc[:3].iterrows()]
    return f"Best overlap@{part.k}: {', '.join(texts)}" if texts else f"overlap@{part.k} against bytes per vector"


def _side_by_side(own: pd.DataFrame) -> pd.Series:
    """Bytes, with variants of one size moved apart on the log axis, in the order of the rows."""
    same = own.groupby("bytes")["value"]
    count = same.transform("size")
    shift = (same.cumcount() - (count - 1) / 2) * np.minimum(_STEP, _WIDEST / count)
    return own["bytes"] * 2**shift


def _draw(ax: Axes, part: Slice, own: pd.DataFrame, front: pd.DataFrame) -> None:
    ax.plot(
        front["x"], front["value"], color=INK, lw=1, ls=(0, (4, 2)), drawstyle="steps-post", zorder=1, label="front"
    )
    for name, row in own.iterrows():
        look = part.looks[str(name)]
        if not np.isnan(row.again):
            ax.plot([row.x, row.x], [row.value, row.again], color=look.color, ls=":", lw=0.9, zorder=2)
            hollow = {"mfc": "white", "ms": 5.5, "mew": 1.1, "ls": "", "zorder": 3}
            ax.plot([row.x], [row.again], **look.mark, **hollow, label=f"{name} rescored")
        intervals(ax, [row.x], own.loc[[name]], **look.mark, ms=6.5, elinewidth=1.4, zorder=4, label=str(name))


def _axes(ax: Axes, part: Slice, own: pd.DataFrame) -> None:
    ticks = sorted(set(own["bytes"]))
    few = ticks[-1] <= 8 * ticks[0]  # a short axis puts labels left of the smallest codes
    limits = ticks[0] * 2 ** (-1.4 if few else -0.9), ticks[-1] * 2**1.0
    reach = np.log2(ticks[-1] / ticks[0]) + 1.9
    for tick in ticks[1:]:  # a label is at most a fourteenth of the axis wide
        if np.log2(tick / max(x for x in ticks if x < tick)) < reach / 14:
            ticks.remove(tick)
    log_axis(ax, ticks, [size(x) for x in ticks])
    ax.set_xlim(*limits)
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.05 * (high - low), max(high, 1.0) + 0.03 * (high - low))
    ax.set_yticks([y for y in ax.get_yticks() if max(low, -1e-9) <= y <= 1.0001])
    ax.set_xlabel("bytes per vector, all that is stored for it (log scale)")
    ax.set_ylabel(part.axis("overlap", part.k))
    grid(ax)


def _taken(ax: Axes, own: pd.DataFrame, front: pd.DataFrame) -> list[Bbox]:
    """Pixels of markers, bars and lines."""

    def box(x0: float, y0: float, x1: float, y1: float, room: tuple[float, float]) -> Bbox:
        (left, bottom), (right, top) = ax.transData.transform([(x0, y0), (x1, y1)])
        return Bbox.from_extents(left - room[0], bottom - room[1], right + room[0], top + room[1])

    steps = pairwise(front[["x", "value"]].to_numpy())
    boxes = [box(a[0], a[1], b[0], a[1], (0, 1)) for a, b in steps]
    for row in own.itertuples():
        low, high = np.nanmin([row.ci_low, row.value]), np.nanmax([row.ci_high, row.value])
        boxes.append(box(row.x, low, row.x, high, (5, 5)))
        if not np.isnan(row.again):
            boxes += [box(row.x, row.again, row.x, row.again, (5, 5)), box(row.x, row.value, row.x, row.again, (1, 0))]
    return boxes
