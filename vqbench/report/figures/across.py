"""One figure over all datasets of a folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.series import Series, find_series
from vqbench.report.figures.style import Look, canvas, grid, legend, share, short

_BODY = 4.8
_FEW = 4  # datasets whose names find room under one axis


def overlap_by_dataset(parts: Sequence[Slice], config: Mapping[str, Any] | Sequence[Any]) -> Figure | None:
    """overlap@k of each variant on each dataset.

    Datasets that differ in one setting alone stand on an axis of its values, joined by lines; the
    others stand side by side, not joined, since nothing lies between them.
    """
    shared = set.intersection(*({k for k in part.ks if len(part.at("overlap", k=k))} for part in parts))
    if not shared:
        return None
    k = 10 if 10 in shared else max(shared)
    by_name = {part.dataset: part for part in parts}
    found = find_series(config, list(by_name))
    loose = [part for part in parts if not any(part.dataset in series.values for series in found)]
    names = list(dict.fromkeys(name for part in parts for name in part.variants))
    figure = canvas(_BODY, _title(parts, names, k), _reading(found), _facts(parts, k))
    widths = [max(2, len(loose))] * bool(loose) + [max(3, len(series.values)) for series in found]
    axes = list(figure.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0])
    if loose:
        _side_by_side(axes[0], loose, names, k, narrow=bool(found))
    for ax, series in zip(axes[bool(loose) :], found, strict=True):
        _joined(ax, [by_name[name] for name in series.values], names, k, series)
    for ax in axes:
        grid(ax)
    axes[0].set_ylabel(parts[0].axis("overlap", k))
    _label(axes[-1], parts)
    legend(figure, [_look(parts, name) for name in names], lines=bool(found))
    return figure


def _look(parts: Sequence[Slice], name: str) -> Look:
    return next(part.looks[name] for part in parts if name in part.looks)


def _values(parts: Sequence[Slice], name: str, k: int) -> tuple[list[int], np.ndarray]:
    """Which parts have the variant, and (value, low, high) there."""
    tables = [part.at("overlap", k=k) for part in parts]
    seen = [at for at, table in enumerate(tables) if name in table.index]
    rows = [tables[at].loc[name, ["value", "ci_low", "ci_high"]].to_numpy(dtype=float) for at in seen]
    return seen, np.array(rows).reshape(-1, 3)


def _draw(ax: Axes, parts: Sequence[Slice], name: str, k: int, x: np.ndarray, joined: bool) -> None:
    look = _look(parts, name)
    seen, rows = _values(parts, name, k)
    error = np.maximum(0, np.abs(rows[:, 1:].T - rows[:, 0]))
    if seen:
        ax.errorbar(
            x[seen],
            rows[:, 0],
            yerr=error,
            color=look.color,
            marker=look.marker,
            ms=5.5,
            lw=1.3,
            ls=look.line if joined else "",
            elinewidth=1.1,
            label=name,
        )


def _joined(ax: Axes, parts: Sequence[Slice], names: Sequence[str], k: int, series: Series) -> None:
    x = np.array(list(series.values.values()))
    for name in names:
        if any(name in part.looks for part in parts):
            _draw(ax, parts, name, k, x, joined=True)
    if x.min() > 0 and x.max() / x.min() > 20:
        ax.set_xscale("log")
        ax.minorticks_off()
    ax.set_xticks(x, [f"{value:g}" for value in x])
    ax.set_xlabel(f"{series.key}\n({series.apart})" if series.apart else series.key)


def _side_by_side(ax: Axes, parts: Sequence[Slice], names: Sequence[str], k: int, narrow: bool) -> None:
    x = np.arange(len(parts), dtype=float)
    shifts = (np.arange(len(names)) - (len(names) - 1) / 2) * min(0.09, 0.7 / max(1, len(names)))
    for name, shift in zip(names, shifts, strict=True):
        if any(name in part.looks for part in parts):
            _draw(ax, parts, name, k, x + shift, joined=False)
    for edge in x[1:] - 0.5:
        ax.axvline(edge, color="#E6E6E6", lw=0.8)
    ax.set_xlim(-0.5, len(parts) - 0.5)
    many = len(parts) > _FEW
    gap = "\n" if narrow and not many else " "
    ticks = [(short(part.dataset, 24), f"{part.about.get('n', 0):,}{gap}x {part.d}") for part in parts]
    ax.set_xticks(x, [(", " if many else "\n").join(texts) for texts in ticks])
    if many:
        ax.tick_params(axis="x", rotation=30)
        for text in ax.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("dataset" if narrow else "dataset (vectors x numbers)")


def _label(ax: Axes, parts: Sequence[Slice]) -> None:
    """Names right of the axes, at each variant's last marker."""
    labels = []
    for box in ax.containers:
        if isinstance(box, ErrorbarContainer):
            x, y = (float(np.asarray(values)[-1]) for values in box.lines[0].get_data())
            name = str(box.get_label())
            labels.append(Label(x, y, f"{name}  {share(y)}", _look(parts, name).ink))
    beside(ax, labels, _BODY - 1.4)


def _title(parts: Sequence[Slice], names: Sequence[str], k: int) -> str:
    """The variant that depends most on the data."""
    spans = {}
    for name in names:
        _, rows = _values(parts, name, k)
        spans[name] = (rows[:, 0].min(), rows[:, 0].max()) if len(rows) > 1 else (math.nan, math.nan)
    known = {name: span for name, span in spans.items() if not math.isnan(span[0])}
    if not known:
        return f"overlap@{k} by dataset"
    name = max(known, key=lambda name: known[name][1] - known[name][0])
    low, high = known[name]
    return f"What a code costs depends on the data: {name} ranges from {share(low)} to {share(high)}"


def _reading(found: Sequence[Series]) -> str:
    text = "Codes alone, without rescoring; the value at the last dataset stands beside each name."
    return f"{text} Lines join datasets that differ in their {found[0].key} alone." if found else text


def _facts(parts: Sequence[Slice], k: int) -> str:
    counts = sorted({int(part.about.get("queries", 0)) for part in parts})
    queries = " to ".join(f"{count:,}" for count in dict.fromkeys([counts[0], counts[-1]]))
    sizes = {(part.about.get("n", 0), part.d) for part in parts}
    each = "".join(f" of {n:,} vectors of {d:,} numbers" for n, d in sizes) if len(sizes) == 1 else ""
    return f"{len(parts)} datasets{each}; {queries} queries each; k = {k}; {parts[0].interval}."
