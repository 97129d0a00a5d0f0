"""One line a variant: for sweeps with more variants than a scatter can name."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.looks import legend, rescored_mark
from vqbench.report.figures.style import FAINT, canvas, columns_right, intervals, line_per_name, size
from vqbench.text import share

_LINE = 0.17  # inches a variant
_FEW = 10  # so many find room in ``overlap_vs_bytes``


def overlap_by_variant(part: Slice) -> Figure | None:
    """Draw overlap@k of every variant, grouped by bytes per vector, alone and rescored."""
    own, again = part.overlap(), part.rescored()
    if len(own) <= _FEW:
        return None
    figure = canvas(
        _LINE * len(own) + 0.9,
        _title(part, own),
        f"Largest codes first, and the best first among codes of one size. Filled: the code alone.{part.hollow()}",
        part.facts(f"k = {part.k}", part.interval),
    )
    ax = figure.subplots()
    looks = [part.looks[str(name)] for name in own.index]
    for line, (name, look) in enumerate(zip(own.index, looks, strict=True)):
        if name in again.index:
            best = again.loc[name, "value"]
            ax.plot([own.loc[name, "value"], best], [line, line], color=look.color, lw=0.9, ls=":", zorder=2)
            ax.plot([best], [line], **look.mark, mfc="white", ms=4.5, ls="", zorder=3, label=f"{name} rescored")
        intervals(ax, [line], own.loc[[name]], sideways=True, **look.mark, zorder=4, label=str(name))
    line_per_name(ax, own.index)
    for label, look in zip(ax.get_yticklabels(), looks, strict=True):
        label.set_color(look.ink)
    for line in own["bytes"].round().diff().fillna(0).to_numpy().nonzero()[0]:
        ax.axhline(line - 0.5, color=FAINT, lw=0.6)
    columns = [(22, "overlap", [share(x) for x in own["value"]]), (66, "bytes", [size(x) for x in own["bytes"]])]
    columns_right(ax, columns)
    ax.set_xlim(right=min(1.02, ax.get_xlim()[1]))
    ax.set_xlabel(part.axis("overlap", part.k))
    legend(figure, looks, rescored_mark(part.factor, part.today.store))
    return figure


def _title(part: Slice, own: pd.DataFrame) -> str:
    """The best and the worst of the size that most variants share."""
    sizes = own["bytes"].round()
    common = sizes.mode().max()
    values = own.loc[sizes == common, "value"]
    if len(values) < 2:
        return f"overlap@{part.k} of each variant, largest codes first"
    return (
        f"At {size(common)} per vector, overlap@{part.k} ranges from {share(values.min())} ({values.idxmin()}) "
        f"to {share(values.max())} ({values.idxmax()})"
    )
