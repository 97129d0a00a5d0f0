"""Overlap over k: do the first ranks fare like the later ones?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.style import FAINT, canvas, grid, legend, share

_VISIBLE = 0.004  # tie bounds closer than this would be thinner than a line
_BODY = 4.9


def overlap_by_k(part: Slice) -> Figure | None:
    """overlap@k of each variant over k, with intervals and with what tie-breaking could give."""
    m = part.metrics
    rows = m[(m["metric"] == "overlap") & (m["oversample"] == 0)]
    if rows["k"].nunique() < 2:
        return None
    curves = {name: rows[rows["variant"] == name].sort_values("k") for name in part.variants}
    curves = {name: curve for name, curve in curves.items() if len(curve)}
    tied = any((curve["high"] - curve["low"]).max() > _VISIBLE for curve in curves.values())
    figure = canvas(_BODY, _title(curves), _reading(tied), part.facts(part.interval))
    ax = figure.subplots()
    for at, (name, curve) in enumerate(curves.items()):
        _curve(ax, part, name, curve, at)
    ks = part.ks
    ax.set_xscale("log")
    ax.set_xticks(ks, [f"{k:,}" for k in ks])
    ax.minorticks_off()
    ax.set_xlabel("k, the ranks that are compared (log scale)")
    ax.set_ylabel(part.axis("overlap"))
    grid(ax)
    beside(
        ax,
        [
            Label(
                curve["k"].iloc[-1],
                curve["value"].iloc[-1],
                f"{name}  {share(curve['value'].iloc[-1])}",
                part.looks[name].ink,
            )
            for name, curve in curves.items()
        ],
        _BODY - 1.1,
    )
    band = [Patch(facecolor=FAINT, label="range that tie-breaking leaves")] if tied else []
    legend(figure, [part.looks[name] for name in curves], band, lines=True)
    return figure


def _curve(ax: Axes, part: Slice, name: str, curve: pd.DataFrame, at: int) -> None:
    look = part.looks[name]
    k, value = curve["k"].to_numpy(), curve["value"].to_numpy()
    if (curve["high"] - curve["low"]).max() > _VISIBLE:
        ax.fill_between(k, curve["low"], curve["high"], color=look.color, alpha=0.10, lw=0, zorder=1)
    error = np.maximum(0, np.array([value - curve["ci_low"], curve["ci_high"] - value]))
    nudge = 1 + 0.012 * (at % 5 - 2)  # bars of equal curves stay apart
    ax.errorbar(
        k * nudge,
        value,
        yerr=error,
        color=look.color,
        marker=look.marker,
        ms=5,
        ls=look.line,
        lw=1.3,
        elinewidth=1.1,
        label=name,
        zorder=3,
    )


def _title(curves: dict[str, pd.DataFrame]) -> str:
    """The variant whose overlap changes most."""
    moves = {name: curve["value"].iloc[-1] - curve["value"].iloc[0] for name, curve in curves.items()}
    name = max(moves, key=lambda name: abs(moves[name]))
    curve = curves[name]
    first, last = int(curve["k"].iloc[0]), int(curve["k"].iloc[-1])
    if abs(moves[name]) < 0.01:
        return f"Overlap with float search hardly depends on k, from {first} to {last}"
    verb = "rises" if moves[name] > 0 else "falls"
    ends = f"from {share(curve['value'].iloc[0])} at k = {first} to {share(curve['value'].iloc[-1])} at k = {last}"
    return f"Overlap with float search by depth: {name} {verb} most, {ends}"


def _reading(tied: bool) -> str:
    text = "Each line is a code without rescoring; its overlap at the largest k stands beside it."
    ties = " Equal scores leave the order open: lines are the expected overlap, shades the least and the most."
    return text + (ties if tied else "")
