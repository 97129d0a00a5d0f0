"""Every metric of every variant at one k."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.style import FAINT, GREY, canvas, number

_LOSS = "light:#4B2E83"  # no hue of a family: here colour means loss
_MANY = 12  # variants that still leave room for wide cells
_LEAST = 0.02  # differences below this share of a metric's range stay pale


def metrics_heatmap(part: Slice) -> Figure | None:
    """Draw metrics as rows, variants as columns: values, and how far each is from the best of its row."""
    values = _values(part)
    if values.empty:
        return None
    many = values.shape[1] > _MANY
    angle = 58 if many else 38
    arrows = {True: "\N{UPWARDS ARROW}", False: "\N{DOWNWARDS ARROW}"}
    labels = [f"{part.axis(name, part.k)}  {arrows[_higher(part, name)]}" for name in values.index]
    if many:
        labels = ["\n(".join(text.rsplit(" (", 1)) for text in labels]
    figure = canvas(
        0.5 + 0.30 * len(values) + _slant(values.columns, angle),
        f"All metrics at k = {part.k}: a dark cell is far from the best of its row",
        "Each row is shaded by itself, from its best value (pale) to its worst (dark). \N{UPWARDS ARROW}: more is "
        "better. \N{DOWNWARDS ARROW}: less is better. Rows that hardly differ stay pale. The codes alone, without "
        "rescoring.",
        part.facts(f"k = {part.k}"),
    )
    ax = figure.subplots()
    sns.heatmap(
        pd.DataFrame([_loss(part, str(name), row) for name, row in values.iterrows()], index=values.index),
        ax=ax,
        annot=values.map(lambda value: _note(value, many)),
        fmt="",
        cmap=sns.color_palette(_LOSS, as_cmap=True),
        vmin=0,
        vmax=1,
        linewidths=1,
        linecolor="white",
        cbar_kws={"shrink": 0.7, "aspect": 28, "pad": 0.012},
        annot_kws={"fontsize": 6.5 if many else 8.5},
    )
    bar = ax.collections[0].colorbar
    if bar is not None:
        bar.set_ticks([0, 1], labels=["best\nof row", "worst\nof row"])
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    _hatch(ax, part, values)
    ax.set(xlabel="", ylabel="")
    ax.set_yticks(np.arange(len(values)) + 0.5, labels)
    ax.set_xticks(np.arange(values.shape[1]) + 0.5, values.columns, rotation=angle, ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)
    ax.tick_params(axis="y", rotation=0, labelsize=7.5 if many else 8.5)
    return figure


def _slant(names: Iterable[str], angle: float) -> float:
    """Inches that slanted names take below the cells."""
    return 0.15 + 0.078 * max(len(name) for name in names) * math.sin(math.radians(angle))


def _note(value: float, narrow: bool) -> str:
    if np.isnan(value):
        return "\N{EN DASH}"
    text = number(value)
    return text.removeprefix("0").replace("1.000", "1.00") if narrow and "." in text else text


def _values(part: Slice) -> pd.DataFrame:
    """Metrics x variants, in the order of meta.json; variants without results last, empty."""
    m = part.metrics
    rows = m[((m["k"] == part.k) | m["k"].isna()) & (m["oversample"] == 0)]
    table = rows.pivot_table(index="metric", columns="variant", values="value", observed=True)
    order = [x for name in part.described for x in (name, f"{name}_kept") if x in table.index]
    order += [name for name in table.index if name not in order]
    return table.reindex(index=order, columns=[*part.variants, *part.lost["variant"]])


def _higher(part: Slice, metric: str) -> bool:
    described = part.described.get(metric, part.described.get(metric.removesuffix("_kept"), {}))
    return bool(described.get("higher_is_better", True))


def _loss(part: Slice, metric: str, row: pd.Series) -> pd.Series:
    """0 for the best value of the row, 1 for the worst; little where the whole row is nearly equal."""
    described = part.described.get(metric, {})
    full = float(described.get("highest", 1)) - float(described.get("lowest", 0))
    best, worst = (row.max(), row.min()) if _higher(part, metric) else (row.min(), row.max())
    least = _LEAST * full if np.isfinite(full) else 0.0
    span = max(abs(worst - best), least)
    return (row - best).abs() / span if span > 0 else row * 0.0


def _hatch(ax: Axes, part: Slice, values: pd.DataFrame) -> None:
    """Mark what has no value: a metric that does not apply, a variant that was skipped or failed."""
    for (y, x), value in np.ndenumerate(values.to_numpy()):
        if np.isnan(value):
            ax.add_patch(Rectangle((x, y), 1, 1, fill=False, hatch="////", edgecolor=FAINT, lw=0))
    for row in part.lost.itertuples():
        ax.text(
            list(values.columns).index(row.variant) + 0.5,
            len(values) / 2,
            str(row.status),
            rotation=90,
            ha="center",
            va="center",
            color=GREY,
            fontsize=10,
            weight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
        )
