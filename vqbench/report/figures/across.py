"""One figure over all datasets of a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.looks import legend
from vqbench.report.figures.series import Series, find_series
from vqbench.report.figures.style import canvas, grid, intervals, short
from vqbench.results.columns import headline_k
from vqbench.text import share

_BODY = 4.8
_FEW = 4  # datasets whose names find room under one axis


def overlap_by_dataset(parts: Sequence[Slice], config: Mapping[str, Any] | Sequence[Any]) -> Figure | None:
    """Draw overlap@k of each variant on each dataset.

    Datasets that differ in one setting alone stand on an axis of its values, joined by lines; the
    others stand side by side, not joined, since nothing lies between them.
    """
    shared = set.intersection(*({k for k in part.ks if len(part.at("overlap", k=k))} for part in parts))
    if not shared:
        return None
    k = headline_k(shared)
    looks = {name: look for part in reversed(parts) for name, look in part.looks.items()}
    rows = pd.concat([part.at("overlap", k=k).reset_index() for part in parts])
    names = [
        name for name in dict.fromkeys(name for part in parts for name in part.variants) if name in set(rows["variant"])
    ]
    own = {name: rows[rows["variant"] == name].set_index("dataset") for name in names}
    joined = find_series(config, [part.dataset for part in parts])
    loose = [part for part in parts if not any(part.dataset in series.values for series in joined)]
    panels: list[tuple[Mapping[str, float], Series | None]] = [(series.values, series) for series in joined]
    if loose:
        panels.insert(0, ({part.dataset: float(place) for place, part in enumerate(loose)}, None))
    figure = canvas(_BODY, _title(own, k), _reading(joined), _facts(parts, k))
    widths = [max(3 if series else 2, len(places)) for places, series in panels]
    axes = figure.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0]
    labels: list[Label] = []
    for ax, (places, series) in zip(axes, panels, strict=True):
        labels, step = [], 0.0 if series else min(0.09, 0.7 / len(names))
        for place, (name, values) in enumerate(own.items()):
            seen = values.loc[[dataset for dataset in places if dataset in values.index]]
            if len(seen):
                x = np.array([places[str(dataset)] for dataset in seen.index]) + (place - (len(names) - 1) / 2) * step
                intervals(ax, x, seen, **looks[name].mark, ls=looks[name].line if series else "", label=name)
                last = float(seen["value"].iloc[-1])
                labels.append(Label(x[-1], last, f"{name}  {share(last)}", looks[name].ink))
        if series:
            _series_axis(ax, series)
        else:
            _dataset_axis(ax, loose, narrow=bool(joined))
        grid(ax)
    axes[0].set_ylabel(parts[0].axis("overlap", k))
    beside(axes[-1], labels, _BODY - 1.4)
    legend(figure, [looks[name] for name in names], lines=bool(joined))
    return figure


def _series_axis(ax: Axes, series: Series) -> None:
    x = np.array(list(series.values.values()))
    if x.min() > 0 and x.max() / x.min() > 20:
        ax.set_xscale("log")
        ax.minorticks_off()
    ax.set_xticks(x, [f"{value:g}" for value in x])
    ax.set_xlabel(f"{series.key}\n({series.apart})" if series.apart else series.key)


def _dataset_axis(ax: Axes, parts: Sequence[Slice], narrow: bool) -> None:
    for edge in range(1, len(parts)):
        ax.axvline(edge - 0.5, color="#E6E6E6", lw=0.8)
    ax.set_xlim(-0.5, len(parts) - 0.5)
    many = len(parts) > _FEW
    gap = "\n" if narrow and not many else " "
    ticks = [(short(part.dataset, 24), f"{part.about['n']:,}{gap}x {part.d}") for part in parts]
    ax.set_xticks(range(len(parts)), [(", " if many else "\n").join(texts) for texts in ticks])
    if many:
        ax.tick_params(axis="x", rotation=30)
        for text in ax.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("dataset" if narrow else "dataset (vectors x dimensions)")


def _title(own: Mapping[str, pd.DataFrame], k: int) -> str:
    """The variant that depends most on the data."""
    ranges = {name: (rows["value"].min(), rows["value"].max()) for name, rows in own.items() if len(rows) > 1}
    if not ranges:
        return f"overlap@{k} by dataset"
    name, (low, high) = max(ranges.items(), key=lambda item: item[1][1] - item[1][0])
    return f"overlap@{k} depends on the data: {name} ranges from {share(low)} to {share(high)}"


def _reading(joined: Sequence[Series]) -> str:
    text = "The codes alone, without rescoring. Right of the axes: each variant's value on the last dataset."
    return f"{text} Lines join datasets that differ only in {joined[0].key}." if joined else text


def _facts(parts: Sequence[Slice], k: int) -> str:
    counts = sorted({int(part.about["queries"]) for part in parts})
    queries = " to ".join(f"{count:,}" for count in dict.fromkeys([counts[0], counts[-1]]))
    sizes = {(part.about["n"], part.d) for part in parts}
    each = "".join(f" of {n:,} vectors of {d:,} dimensions" for n, d in sizes) if len(sizes) == 1 else ""
    return f"{len(parts)} datasets{each}; {queries} queries each; k = {k}; {parts[0].interval}."
