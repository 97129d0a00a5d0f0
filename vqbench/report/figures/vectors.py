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
_UNIT = "component of the unit vector"


def vector_bars(part: Slice) -> Figure | None:
    """The float vector as bars by dimension, in several rows where it is long."""
    vector = _floats(part)
    if vector is None:
        return None
    name, values = vector
    rows = math.ceil(len(values) / _ROW)
    title = f"{name} is {len(values):,} numbers between {number(values.min())} and {number(values.max())}"
    figure = canvas(
        2.6 if rows == 1 else 1.35 * rows + 0.4,
        title,
        f"One bar a dimension: a float32 vector takes {size(4 * len(values))}. No single number means anything to a "
        "reader; a search compares all of them at once.",
        _about(part, name),
    )
    axes = figure.subplots(rows, 1, sharey=True, squeeze=False)[:, 0]
    per_row = math.ceil(len(values) / rows)
    for at, ax in enumerate(axes):
        start = at * per_row
        _bars(ax, values[start : start + per_row], start, _FLOAT)
        grid(ax)
    axes[-1].set_xlabel("dimension")
    axes[rows // 2].set_ylabel(_unit(part))
    return figure


def vector_histogram(part: Slice) -> Figure | None:
    """How often each value occurs in the vector, and where the 1-bit codes cut."""
    vector = _floats(part)
    if vector is None:
        return None
    name, values = vector
    cuts = _cuts(part)
    low, high = np.quantile(values, (0.025, 0.975))
    int8 = _int8(part)
    steps = f" {int8} has {_rows(part, int8)['code'].nunique()} different codes for them." if int8 else ""
    figure = canvas(
        3.3,
        f"{name}: 95 % of its {len(values):,} numbers lie between {number(low)} and {number(high)}",
        f"How often each value occurs.{steps} A 1-bit code only keeps on which side of its threshold a number lies; "
        "thresholds are known here as closely as these numbers show them.",
        _about(part, name),
    )
    ax = figure.subplots()
    sns.histplot(x=values, ax=ax, bins=min(60, max(10, len(values) // 8)), color=FAINT, edgecolor="white", lw=0.4)
    ax.axvline(values.mean(), color=INK, lw=1.2, label=f"mean of this vector: {values.mean():.4f}".replace("-", MINUS))
    styles = ("--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
    for at, (text, cut) in enumerate(cuts.items()):
        ax.axvline(cut, color=VERMILION, lw=1.3, ls=styles[at % 4], label=text)
    ax.set_xlabel(_unit(part))
    ax.set_ylabel("dimensions (count)")
    grid(ax)
    below(figure, ax.lines, columns=1)
    return figure


def vector_int8(part: Slice) -> Figure | None:
    """The float vector and its stored int8 codes, dimension under dimension."""
    name = _int8(part)
    if name is None:
        return None
    rows = _rows(part, name)
    values, codes = rows["value"].to_numpy(), rows["code"].to_numpy()
    shown = _window(len(values))
    figure = canvas(
        3.9,
        f"{name} turns the {len(values):,} numbers of {_title_of(rows)} into {len(np.unique(codes)):,} different codes",
        f"Above the floats ({size(4 * len(values))}), below the bytes that are stored ({size(part.bytes[name])}). Bars "
        f"start at {_zero(values, codes):.0f}, the code of the number nearest to 0. {_seen(shown, len(values))}",
        _about(part, _title_of(rows)),
    )
    axes = figure.subplots(2, 1, sharex=True)
    _bars(axes[0], values[:shown], 0, _FLOAT)
    _bars(axes[1], codes[:shown], 0, BLUE, base=_zero(values, codes))
    axes[0].set_ylabel("float component")
    axes[1].set_ylabel("stored integer")
    axes[1].set_xlabel("dimension")
    for ax in axes:
        grid(ax)
    figure.align_ylabels(axes)
    return figure


def vector_binary(part: Slice) -> Figure | None:
    """Int8 codes (floats where there are none) above the bits of a 1-bit code."""
    name = _binary(part)
    if name is None:
        return None
    rows, int8 = _rows(part, name), _int8(part)
    values, bits = rows["value"].to_numpy(), rows["code"].to_numpy() > 0
    codes = values if int8 is None else _rows(part, int8)["code"].to_numpy()
    shown = _window(len(values))
    figure = canvas(
        3.6,
        f"{name} keeps one bit of each number of {_title_of(rows)}: {bits.sum():,} of {len(bits):,} lie above "
        "the threshold",
        f"Above {int8 or 'the float components'} ({size(part.bytes[int8] if int8 else 4 * len(values))}), "
        f"below the bits ({size(part.bytes[name])}): which side of the threshold remains, how far from it is gone. "
        f"{_seen(shown, len(values))}",
        _about(part, _title_of(rows)),
    )
    axes = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
    for mask, color in ((bits, VERMILION), (~bits, _FLOAT)):
        base = 0.0 if int8 is None else _zero(values, codes)
        _bars(axes[0], np.where(mask, codes, base)[:shown], 0, color, base=base)
        _bars(axes[1], mask[:shown].astype(float), 0, color if color == VERMILION else "#DADADA")
    if values[~bits].max(initial=-np.inf) < values[bits].min(initial=np.inf) and 0 < bits.sum() < len(bits):
        cut = (codes[~bits].max() + codes[bits].min()) / 2
        axes[0].axhline(cut, color=INK, lw=1, ls=(0, (4, 2)), label="threshold")
    axes[0].set_ylabel("float component" if int8 is None else "stored integer")
    axes[1].set_ylabel("bit")
    axes[1].set_yticks([])
    axes[1].set_xlabel("dimension")
    grid(axes[0])
    handles = [Patch(color=VERMILION, label="above the threshold: 1"), Patch(color=_FLOAT, label="not above: 0")]
    below(figure, [*handles, *(line for line in axes[0].lines if line.get_label() == "threshold")])
    return figure


def _rows(part: Slice, name: str) -> pd.DataFrame:
    return part.sampled("vector")[name].sort_values("index")


def _title_of(rows: pd.DataFrame) -> str:
    return quoted(rows["id"].iloc[0])


def _floats(part: Slice) -> tuple[str, np.ndarray] | None:
    """The example's id and its float components: every variant has the same."""
    vectors = part.sampled("vector")
    if not vectors:
        return None
    rows = next(iter(vectors.values())).sort_values("index")
    return _title_of(rows), rows["value"].to_numpy(dtype=float)


def _preferred(part: Slice, family: str, names: tuple[str, ...]) -> str | None:
    found = [name for name in part.sampled("vector") if part.looks[name].family == family]
    return next((name for name in names if name in found), next(iter(found), None))


def _int8(part: Slice) -> str | None:
    return _preferred(part, "int8", ("offset_int8", "offset_int8_raw"))


def _binary(part: Slice) -> str | None:
    return _preferred(part, "binary", ("binary_mean", "binary_mean_raw"))


def _cuts(part: Slice) -> dict[str, float]:
    """Where 1-bit codes cut, as far as this vector shows it: between its largest 0 and its smallest 1."""
    cuts: dict[tuple[float, float], list[str]] = {}
    for name in part.sampled("vector"):
        rows = _rows(part, name)
        ones = rows["code"] > 0
        if part.looks[name].family != "binary" or ones.all() or not ones.any():
            continue
        low, high = rows["value"][~ones].max(), rows["value"][ones].min()
        if low < high:
            cuts.setdefault((low, high), []).append(name)
    return {
        textwrap.fill(f"{', '.join(names)}: cut between {low:.2g} and {high:.2g}".replace("-", MINUS), 125): (
            low + high
        )
        / 2
        for (low, high), names in cuts.items()
    }


def _zero(values: np.ndarray, codes: np.ndarray) -> float:
    """The code of the component nearest to 0."""
    return float(codes[np.argmin(np.abs(values))])


def _window(d: int) -> int:
    return d if d <= _ROW else _WINDOW


def _seen(shown: int, d: int) -> str:
    return "" if shown == d else f"Shown: the first {shown} of {d:,} dimensions."


def _unit(part: Slice) -> str:
    return _UNIT if part.about.get("normalized", True) else "component"


def _about(part: Slice, name: str) -> str:
    return part.facts(f"example: {name}", seeds=FIRST)


def _bars(ax: Axes, values: np.ndarray, start: int, color: str, base: float = 0.0) -> None:
    """Bars as one shape: a thousand rectangles would be slow and blurred."""
    ax.stairs(values, np.arange(start, start + len(values) + 1) - 0.5, baseline=base, fill=True, color=color, lw=0)
    ax.axhline(base, color=GREY, lw=0.6)
    ax.set_xlim(start - 0.5, start + len(values) - 0.5)
