"""One vector, before and after: what a code keeps of it."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vqbench.report.figures.figure_data import FIRST, Slice
from vqbench.report.figures.style import (
    BLUE,
    FAINT,
    GREY,
    INK,
    MINUS,
    VERMILION,
    below,
    canvas,
    grid,
    number,
    quoted,
    size,
)

_ROW = 512  # dimensions that one row of bars shows legibly
_WINDOW = 256
_FLOAT = "#6B6B6B"


def vector_bars(part: Slice) -> Figure | None:
    """Draw the float vector as bars by dimension, in several rows where it is long."""
    example = _example(part)
    if example is None:
        return None
    name, values = example
    rows = math.ceil(len(values) / _ROW)
    figure = canvas(
        2.6 if rows == 1 else 1.35 * rows + 0.4,
        f"{name} has {len(values):,} components between {number(values.min())} and {number(values.max())}",
        f"One bar per dimension. As float32 the vector takes {size(4 * len(values))}.",
        part.facts(f"example: {name}", seeds=FIRST),
    )
    axes = figure.subplots(rows, 1, sharey=True, squeeze=False)[:, 0]
    width = math.ceil(len(values) / rows)
    for row, ax in enumerate(axes):
        _bars(ax, values[row * width : (row + 1) * width], row * width, _FLOAT)
        grid(ax)
    axes[-1].set_xlabel("dimension")
    axes[rows // 2].set_ylabel(_unit(part))
    return figure


def vector_histogram(part: Slice) -> Figure | None:
    """Draw how often each value occurs in the vector, and where the 1-bit codes cut."""
    example = _example(part)
    if example is None:
        return None
    name, values = example
    low, high = np.quantile(values, (0.025, 0.975))
    int8 = _preferred(part, "int8")
    steps = f" {int8} stores them as {_rows(part, int8)['code'].nunique()} different codes." if int8 else ""
    figure = canvas(
        3.3,
        f"{name}: 95 % of its {len(values):,} components lie between {number(low)} and {number(high)}",
        f"How often each value occurs.{steps} A 1-bit code stores on which side of its threshold a component lies. "
        "The threshold is known up to the gap between two components of this vector.",
        part.facts(f"example: {name}", seeds=FIRST),
    )
    ax = figure.subplots()
    sns.histplot(x=values, ax=ax, bins=min(60, max(10, len(values) // 8)), color=FAINT, edgecolor="white", lw=0.4)
    ax.axvline(values.mean(), color=INK, lw=1.2, label=f"mean of this vector: {values.mean():.4f}".replace("-", MINUS))
    styles = ("--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
    for place, ((below_cut, above_cut), names) in enumerate(_cuts(part).items()):
        text = f"{', '.join(names)}: threshold between {below_cut:.2g} and {above_cut:.2g}".replace("-", MINUS)
        ax.axvline(
            (below_cut + above_cut) / 2, color=VERMILION, lw=1.3, ls=styles[place % 4], label=textwrap.fill(text, 125)
        )
    ax.set_xlabel(_unit(part))
    ax.set_ylabel("dimensions (count)")
    grid(ax)
    below(figure, ax.lines, columns=1)
    return figure


def vector_int8(part: Slice) -> Figure | None:
    """Draw the float vector and its stored int8 codes, dimension under dimension."""
    name = _preferred(part, "int8")
    if name is None:
        return None
    rows = _rows(part, name)
    values, codes, example = rows["value"].to_numpy(), rows["code"].to_numpy(), quoted(rows["id"].iloc[0])
    count, note = _window(len(values))
    figure = canvas(
        3.9,
        f"{name} stores the {len(values):,} components of {example} as {len(np.unique(codes)):,} different codes",
        f"Top: the components as floats ({size(4 * len(values))}). Bottom: the stored bytes ({size(part.bytes[name])}) "
        f"from {_zero(values, codes):.0f}, the code of the component nearest to 0.{note}",
        part.facts(f"example: {example}", seeds=FIRST),
    )
    axes = figure.subplots(2, 1, sharex=True)
    _bars(axes[0], values[:count], 0, _FLOAT)
    _bars(axes[1], codes[:count], 0, BLUE, base=_zero(values, codes))
    axes[0].set_ylabel("float component")
    axes[1].set(ylabel="stored integer", xlabel="dimension")
    for ax in axes:
        grid(ax)
    figure.align_ylabels(axes)
    return figure


def vector_binary(part: Slice) -> Figure | None:
    """Draw int8 codes (floats where there are none) above the bits of a 1-bit code."""
    name, int8 = _preferred(part, "binary"), _preferred(part, "int8")
    if name is None:
        return None
    rows = _rows(part, name)
    values, bits, example = rows["value"].to_numpy(), rows["code"].to_numpy() > 0, quoted(rows["id"].iloc[0])
    codes = values if int8 is None else _rows(part, int8)["code"].to_numpy()
    base = 0.0 if int8 is None else _zero(values, codes)
    count, note = _window(len(values))
    figure = canvas(
        3.6,
        f"{name} stores one bit per component of {example}: {bits.sum():,} of {len(bits):,} lie above the threshold",
        f"Top: {int8 or 'the components as floats'} ({size(part.bytes[int8] if int8 else 4 * len(values))}). Bottom: "
        f"the bits ({size(part.bytes[name])}). The distance from the threshold is lost.{note}",
        part.facts(f"example: {example}", seeds=FIRST),
    )
    axes = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
    for mask, color, pale in ((bits, VERMILION, VERMILION), (~bits, _FLOAT, "#DADADA")):
        _bars(axes[0], np.where(mask, codes, base)[:count], 0, color, base=base)
        _bars(axes[1], mask[:count].astype(float), 0, pale)
    handles: list = [Patch(color=VERMILION, label="above the threshold: 1"), Patch(color=_FLOAT, label="not above: 0")]
    if values[~bits].max(initial=-np.inf) < values[bits].min(initial=np.inf) and 0 < bits.sum() < len(bits):
        cut = (codes[~bits].max() + codes[bits].min()) / 2
        handles.append(axes[0].axhline(cut, color=INK, lw=1, ls=(0, (4, 2)), label="threshold"))
    axes[0].set_ylabel("float component" if int8 is None else "stored integer")
    axes[1].set(ylabel="bit", xlabel="dimension", yticks=[])
    grid(axes[0])
    below(figure, handles)
    return figure


def _rows(part: Slice, name: str) -> pd.DataFrame:
    return part.sampled("vector")[name].sort_values("index")


def _example(part: Slice) -> tuple[str, np.ndarray] | None:
    """The example's id and its float components: every variant has the same."""
    name = next(iter(part.sampled("vector")), None)
    if name is None:
        return None
    rows = _rows(part, name)
    return quoted(rows["id"].iloc[0]), rows["value"].to_numpy(dtype=float)


def _preferred(part: Slice, family: str) -> str | None:
    """A variant of the family that has samples; one of those of the first notebook if it can be."""
    names = [name for name in part.sampled("vector") if part.looks[name].family == family]
    usual = ("offset_int8", "offset_int8_raw", "binary_mean", "binary_mean_raw")
    return next((name for name in (*usual, *names) if name in names), None)


def _cuts(part: Slice) -> dict[tuple[float, float], list[str]]:
    """Where 1-bit codes cut, as far as this vector shows it: between its largest 0 and its smallest 1."""
    cuts: dict[tuple[float, float], list[str]] = {}
    for name in part.sampled("vector"):
        rows = _rows(part, name)
        ones = rows["code"] > 0
        if part.looks[name].family == "binary" and ones.any() and not ones.all():
            low, high = rows["value"][~ones].max(), rows["value"][ones].min()
            if low < high:
                cuts.setdefault((low, high), []).append(name)
    return cuts


def _zero(values: np.ndarray, codes: np.ndarray) -> float:
    """The code of the component nearest to 0."""
    return float(codes[np.argmin(np.abs(values))])


def _window(d: int) -> tuple[int, str]:
    """How many dimensions are shown, and a sentence on that where it is not all."""
    return (d, "") if d <= _ROW else (_WINDOW, f" Shown: the first {_WINDOW} of {d:,} dimensions.")


def _unit(part: Slice) -> str:
    return "component of the unit vector" if part.about.get("normalized", True) else "component"


def _bars(ax: Axes, values: np.ndarray, start: int, color: str, base: float = 0.0) -> None:
    """Bars as one shape: a thousand rectangles would be slow and blurred."""
    ax.stairs(values, np.arange(start, start + len(values) + 1) - 0.5, baseline=base, fill=True, color=color, lw=0)
    ax.axhline(base, color=GREY, lw=0.6)
    ax.set_xlim(start - 0.5, start + len(values) - 0.5)
