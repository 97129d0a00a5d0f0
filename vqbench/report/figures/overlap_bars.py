"""One line a variant: for sweeps with more variants than a scatter can name."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.style import FAINT, GREY, TINY, canvas, grid, legend, share, size

_LINE = 0.17  # inches a variant
_FEW = 10  # so many find room in ``overlap_vs_bytes``


def overlap_by_variant(part: Slice) -> Figure | None:
    """overlap@k of every variant, grouped by bytes per vector, alone and rescored."""
    own = part.at("overlap", k=part.k)
    if len(own) <= _FEW:
        return None
    own = own.loc[[name for name in part.variants if name in own.index]]
    factor = next((x for x in part.factors if x > 1), 0)
    again = part.at("overlap", k=part.k, oversample=factor) if factor else own.iloc[:0]
    figure = canvas(
        _LINE * len(own) + 0.9, _title(part, own), _reading(part, factor), part.facts(f"k = {part.k}", part.interval)
    )
    ax = figure.subplots()
    y = np.arange(len(own), dtype=float)
    for at, (name, row) in zip(y, own.iterrows(), strict=True):
        look = part.looks[str(name)]
        if name in again.index:
            best = float(again.loc[name, "value"])
            ax.plot([row["value"], best], [at, at], color=look.color, lw=0.9, ls=":", zorder=2)
            ax.plot(
                [best],
                [at],
                color=look.color,
                marker=look.marker,
                mfc="white",
                ms=4.5,
                ls="",
                zorder=3,
                label=f"{name} rescored",
            )
        error = [[row["value"] - row["ci_low"]], [row["ci_high"] - row["value"]]]
        ax.errorbar(
            [row["value"]],
            [at],
            xerr=error,
            color=look.color,
            marker=look.marker,
            ms=5,
            elinewidth=1.1,
            zorder=4,
            label=str(name),
        )
    _axes(ax, part, own, y)
    extra = []
    if factor:
        text = f"rescored \N{MULTIPLICATION SIGN}{factor}: not the code alone"
        extra.append(Line2D([], [], color=GREY, marker="o", mfc="white", ls=":", ms=5, label=text))
    legend(figure, [part.looks[str(name)] for name in own.index], extra)
    return figure


def _axes(ax: Axes, part: Slice, own: pd.DataFrame, y: np.ndarray) -> None:
    ax.set_ylim(len(own) - 0.4, -0.6)
    ax.set_yticks(y, [str(name) for name in own.index], fontsize=TINY + 0.3)
    ax.tick_params(axis="y", length=0)
    for label, name in zip(ax.get_yticklabels(), own.index, strict=True):
        label.set_color(part.looks[str(name)].ink)
    sizes = [part.bytes[str(name)] for name in own.index]
    for at, (name, count) in enumerate(zip(own.index, sizes, strict=True)):
        text = f"{share(float(own.loc[name, 'value']))}   {size(count)}"
        ax.annotate(text, (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=TINY, color=GREY)
        if at and sizes[at - 1] != count:
            ax.axhline(at - 0.5, color=FAINT, lw=0.6)
    ax.set_xlim(right=min(1.02, ax.get_xlim()[1]))
    ax.set_xlabel(part.axis("overlap", part.k))
    grid(ax, "x")


def _title(part: Slice, own: pd.DataFrame) -> str:
    """The best and the worst of the size that most variants share."""
    sizes = pd.Series({name: part.bytes[str(name)] for name in own.index})
    common = sizes.mode().max()
    values = own.loc[sizes.index[sizes == common], "value"]
    if len(values) < 2:
        return f"overlap@{part.k} of each variant, largest codes first"
    return (
        f"At {size(common)} a vector the share of float's top {part.k} runs from {share(values.min())} "
        f"({values.idxmin()}) to {share(values.max())} ({values.idxmax()})"
    )


def _reading(part: Slice, factor: int) -> str:
    text = "Largest codes first, the best first within a size; at the right the value and the bytes per vector."
    if not factor:
        return text
    return (
        f"{text} Hollow: after floats re-rank the {factor} \N{MULTIPLICATION SIGN} {part.k} best candidates, which "
        f"needs the float vectors as well: {size(4 * part.d)} more per vector, not counted here."
    )
