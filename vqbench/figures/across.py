"""One figure over all datasets of a folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vqbench.figures.placing import Label, beside
from vqbench.figures.slices import Slice
from vqbench.figures.style import Look, canvas, grid, legend, share, short

_BODY = 4.8


def overlap_by_dataset(parts: Sequence[Slice], config: Mapping[str, Any] | Sequence[Any]) -> Figure | None:
    """overlap@k of each variant on each dataset.

    Datasets that differ in one setting alone stand on an axis of its values, joined by lines; the
    others stand side by side, not joined, since nothing lies between them.
    """
    shared = set.intersection(*({k for k in part.ks if len(part.at("overlap", k=k))} for part in parts))
    if not shared:
        return None
    k = 10 if 10 in shared else max(shared)
    key, places = series(config, [part.dataset for part in parts])
    on_axis = sorted((x for x in parts if x.dataset in places), key=lambda part: places[part.dataset])
    groups = [[part for part in parts if part.dataset not in places], on_axis]
    shown = [group for group in groups if group]
    names = list(dict.fromkeys(name for part in parts for name in part.variants))
    figure = canvas(_BODY, _title(parts, names, k), _reading(key), _facts(parts, k))
    widths = [max(2, len(group)) for group in shown]
    axes = figure.subplots(1, len(shown), sharey=True, squeeze=False, width_ratios=widths)[0]
    for ax, group in zip(axes, shown, strict=True):
        if group is groups[1]:
            _joined(ax, group, names, k, key, places)
        else:
            _side_by_side(ax, group, names, k)
        grid(ax)
    axes[0].set_ylabel(parts[0].axis("overlap", k))
    _label(axes[-1], shown[-1], names, k, places if shown[-1] is groups[1] else {})
    legend(figure, [_look(parts, name) for name in names], lines=bool(places))
    return figure


def series(config: Mapping[str, Any] | Sequence[Any], datasets: Sequence[str]) -> tuple[str, dict[str, float]]:
    """The setting in which most datasets alone differ, and its value for each of them."""
    nodes = config.get("datasets") if isinstance(config, Mapping) else None
    nodes = {name: node for name, node in (nodes or {}).items() if name in datasets}
    best: tuple[str, dict[str, float]] = ("", {})
    keys = {key for node in nodes.values() for key, value in node.items() if _is_share(value)}
    for key in sorted(keys):
        groups: dict[str, dict[str, float]] = {}
        for name, node in nodes.items():
            if _is_share(node.get(key)):
                rest = repr(sorted((k, v) for k, v in node.items() if k not in (key, "name")))
                groups.setdefault(rest, {})[name] = float(node[key])
        for group in groups.values():
            if len(set(group.values())) == len(group) > max(2, len(best[1])):
                best = (key, group)
    return best


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
    ax.errorbar(x[seen], rows[:, 0], yerr=error, color=look.color, marker=look.marker, ms=5.5, lw=1.3,
                ls=look.line if joined else "", elinewidth=1.1, label=name)  # fmt: skip


def _joined(
    ax: Axes, parts: Sequence[Slice], names: Sequence[str], k: int, key: str, places: Mapping[str, float]
) -> None:
    x = np.array([places[part.dataset] for part in parts])
    for name in names:
        _draw(ax, parts, name, k, x, joined=True)
    if x.min() > 0 and x.max() / x.min() > 20:
        ax.set_xscale("log")
        ax.minorticks_off()
    ax.set_xticks(x, [f"{value:g}" for value in x])
    ax.set_xlabel(f"{key} of the generated vectors")


def _side_by_side(ax: Axes, parts: Sequence[Slice], names: Sequence[str], k: int) -> None:
    x = np.arange(len(parts), dtype=float)
    shifts = (np.arange(len(names)) - (len(names) - 1) / 2) * min(0.09, 0.7 / max(1, len(names)))
    for name, shift in zip(names, shifts, strict=True):
        _draw(ax, parts, name, k, x + shift, joined=False)
    for edge in x[1:] - 0.5:
        ax.axvline(edge, color="#E6E6E6", lw=0.8)
    ax.set_xlim(-0.5, len(parts) - 0.5)
    ax.set_xticks(x, [f"{short(part.dataset, 24)}\n{part.about.get('n', 0):,} x {part.d}" for part in parts])
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("dataset (vectors x numbers)")


def _label(ax: Axes, parts: Sequence[Slice], names: Sequence[str], k: int, places: Mapping[str, float]) -> None:
    """Names right of the last dataset, at each variant's last marker."""
    labels = []
    for line, name in zip([box.lines[0] for box in ax.containers], names, strict=True):  # pyright: ignore
        x, y = line.get_data()
        if len(x):
            labels.append(Label(float(x[-1]), float(y[-1]), f"{name}  {share(float(y[-1]))}",
                                _look(parts, name).ink))  # fmt: skip
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


def _reading(key: str) -> str:
    text = "Codes alone, without rescoring; the value at the last dataset stands beside each name."
    return f"{text} Lines join datasets that differ in their {key} alone." if key else text


def _facts(parts: Sequence[Slice], k: int) -> str:
    counts = sorted({int(part.about.get("queries", 0)) for part in parts})
    queries = " to ".join(f"{count:,}" for count in {counts[0]: 0, counts[-1]: 0})
    sizes = {(part.about.get("n", 0), part.d) for part in parts}
    each = "".join(f" of {n:,} vectors of {d:,} numbers" for n, d in sizes) if len(sizes) == 1 else ""
    return f"{len(parts)} datasets{each}; {queries} queries each; k = {k}; {parts[0].interval}."
