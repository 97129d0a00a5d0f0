"""Quality against size: what each byte buys."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.label_placement import Label, within
from vqbench.report.figures.style import GREY, INK, canvas, grid, legend, share, size

_MANY = 24  # more cannot be named beside their markers: see ``overlap_by_variant``
_STEP, _WIDEST = 0.085, 0.9  # octaves: between markers of one size, and all of them together


def overlap_vs_bytes(part: Slice) -> Figure | None:
    """overlap@k against bytes per vector, with the Pareto front and what rescoring adds."""
    own = part.at("overlap", k=part.k)
    if own.empty or len(own) > _MANY:
        return None
    own = own.loc[[name for name in part.variants if name in own.index]].assign(
        bytes=lambda table: [part.bytes[str(name)] for name in table.index]
    )
    own["x"] = _dodged(own)
    own["front"] = _on_front(own)
    factor = _factor(part)
    again = part.at("overlap", k=part.k, oversample=factor) if factor else own.iloc[:0]
    figure = canvas(4.9, _title(part, own), _reading(part, factor), part.facts(f"k = {part.k}", part.interval))
    ax = figure.subplots()
    _draw(ax, part, own, again)
    _axes(ax, part, own)
    extra = [Line2D([], [], color=INK, lw=1, ls=(0, (4, 2)), label="Pareto front, of codes alone (bold)")]
    extra = extra if own["front"].sum() > 1 else []
    if factor:
        text = f"rescored \N{MULTIPLICATION SIGN}{factor}: not the code alone"
        extra.append(Line2D([], [], color=GREY, marker="o", mfc="white", ls=":", ms=6, label=text))
    legend(figure, [part.looks[str(name)] for name in own.index], extra)
    figure.draw_without_rendering()
    groups = [
        [
            Label(row.x, row.value, f"{name}  {share(row.value)}", part.looks[str(name)].ink, row.front)
            for name, row in same.iterrows()
        ]
        for _, same in own.sort_values("value", ascending=False, kind="stable").groupby("bytes")
    ]
    within(ax, groups, _taken(ax, own, again))
    return figure


def _title(part: Slice, own: pd.DataFrame) -> str:
    """The best code of each size below the floats', largest first."""
    smaller = own[[part.looks[str(name)].family != "float" for name in own.index]]
    best = smaller[smaller["front"]].sort_values("bytes", ascending=False).drop_duplicates("bytes")
    shown = [f"{share(row.value)} in {size(row.bytes)} ({name})" for name, row in best.iloc[:3].iterrows()]
    what = f"Best share of float's top {part.k}"
    return f"{what}: {', '.join(shown)}" if shown else f"{what} against bytes per vector"


def _reading(part: Slice, factor: int) -> str:
    text = "A filled marker is what the code finds alone; codes of equal size stand side by side, best first."
    if not factor:
        return text
    store = size(4 * part.d)
    return (
        f"{text} A hollow marker is the same code after floats re-rank its {factor} \N{MULTIPLICATION SIGN} "
        f"{part.k} best candidates, which needs the float vectors as well: {store} more per vector, not counted here."
    )


def _factor(part: Slice) -> int:
    """The oversample factor that is shown: the largest up to 4, a common choice, or else the smallest."""
    usual = [x for x in part.factors if 1 < x <= 4]
    return max(usual) if usual else min(part.factors, default=0)


def _dodged(own: pd.DataFrame) -> pd.Series:
    """Bytes, with variants of one size moved apart on the log axis, best first."""
    x = own["bytes"].astype(float)
    for _, same in own.sort_values("value", ascending=False, kind="stable").groupby("bytes"):
        step = min(_STEP, _WIDEST / len(same))
        shift = (np.arange(len(same)) - (len(same) - 1) / 2) * step
        x.loc[same.index] = same["bytes"].to_numpy() * 2**shift
    return x


def _on_front(own: pd.DataFrame) -> pd.Series:
    """Is no other variant at least as small and better, or smaller and as good?"""
    values, sizes = own["value"].to_numpy(), own["bytes"].to_numpy()
    beaten = [
        (((values > v) & (sizes <= b)) | ((values >= v) & (sizes < b))).any()
        for v, b in zip(values, sizes, strict=True)
    ]
    return pd.Series(~np.array(beaten), index=own.index)


def _draw(ax: Axes, part: Slice, own: pd.DataFrame, again: pd.DataFrame) -> None:
    front = own[own["front"]].sort_values(["bytes", "x"])
    ax.plot(
        front["x"], front["value"], color=INK, lw=1, ls=(0, (4, 2)), drawstyle="steps-post", zorder=1, label="front"
    )
    for name, row in own.iterrows():
        look = part.looks[str(name)]
        if name in again.index:
            high = again.loc[name]
            ax.plot([row.x, row.x], [row.value, high.value], color=look.color, ls=":", lw=0.9, zorder=2)
            ax.plot(
                [row.x],
                [high.value],
                color=look.color,
                marker=look.marker,
                mfc="white",
                ms=5.5,
                mew=1.1,
                ls="",
                zorder=3,
                label=f"{name} rescored",
            )
        ax.errorbar(
            row.x,
            row.value,
            yerr=[[row.value - row.ci_low], [row.ci_high - row.value]],
            zorder=4,
            color=look.color,
            marker=look.marker,
            ms=6.5,
            elinewidth=1.4,
            label=str(name),
        )


def _axes(ax: Axes, part: Slice, own: pd.DataFrame) -> None:
    ticks = sorted(set(own["bytes"]))
    ax.set_xscale("log", base=2)
    few = ticks[-1] <= 8 * ticks[0]  # a short axis puts labels left of the smallest codes
    ax.set_xlim(ticks[0] * 2 ** (-1.4 if few else -0.9), ticks[-1] * 2**1.0)
    reach = np.log2(ticks[-1] / ticks[0]) + 1.9
    for tick in ticks[1:]:  # a label is at most a fourteenth of the axis wide
        if np.log2(tick / max(x for x in ticks if x < tick)) < reach / 14:
            ticks.remove(tick)
    ax.set_xticks(ticks, [size(x) for x in ticks])
    ax.minorticks_off()
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.05 * (high - low), max(high, 1.0) + 0.03 * (high - low))
    ax.set_yticks([y for y in ax.get_yticks() if max(low, -1e-9) <= y <= 1.0001])
    ax.set_xlabel("bytes per vector, all that is stored for it (log scale)")
    ax.set_ylabel(part.axis("overlap", part.k))
    grid(ax)


def _taken(ax: Axes, own: pd.DataFrame, again: pd.DataFrame) -> list[Bbox]:
    """Pixels of markers, bars and lines."""
    boxes = _steps(ax, own)
    for name, row in own.iterrows():
        spots = [(row.ci_low, row.ci_high)] + ([(again.loc[name, "value"],) * 2] if name in again.index else [])
        for low, high in spots:
            (x, y0), (_, y1) = ax.transData.transform([(row.x, low), (row.x, high)])
            boxes.append(Bbox.from_extents(x - 5, y0 - 5, x + 5, y1 + 5))
        if name in again.index:
            ends = ax.transData.transform([(row.x, row.value), (row.x, again.loc[name, "value"])])
            boxes.append(Bbox.from_extents(ends[0, 0] - 1, ends[0, 1], ends[1, 0] + 1, ends[1, 1]))
    return boxes


def _steps(ax: Axes, own: pd.DataFrame) -> list[Bbox]:
    """Pixels of the Pareto front's horizontal parts."""
    front = own[own["front"]].sort_values(["bytes", "x"])
    at = ax.transData.transform(front[["x", "value"]].to_numpy())
    return [Bbox.from_extents(a[0], a[1] - 1, b[0], a[1] + 1) for a, b in pairwise(at)]
