"""Overlap over k: do the first ranks fare like the later ones?"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.looks import legend
from vqbench.report.figures.style import FAINT, canvas, grid, intervals, log_axis
from vqbench.text import share

_VISIBLE = 0.004  # tie bounds closer than this would be thinner than a line
_BODY = 4.9


def overlap_by_k(part: Slice) -> Figure | None:
    """Draw overlap@k of each variant over k, with intervals and with what tie-breaking could give."""
    m = part.metrics
    rows = m[(m["metric"] == "overlap") & (m["oversample"] == 0)].sort_values("k")
    if rows["k"].nunique() < 2:
        return None
    groups = dict(iter(rows.groupby("variant", observed=True)))
    curves = {name: groups[name] for name in part.variants if name in groups}
    tied = bool((rows["high"] - rows["low"]).max() > _VISIBLE)
    reading = "Each line is a code alone, without rescoring. Right of the axes: its overlap at the largest k."
    ties = " Where scores tie, lines show the expected overlap and shades its least and greatest value."
    figure = canvas(_BODY, _title(curves), reading + ties * tied, part.facts(part.interval))
    ax = figure.subplots()
    labels = []
    for place, (name, curve) in enumerate(curves.items()):
        look, last = part.looks[name], curve.iloc[-1]
        if (curve["high"] - curve["low"]).max() > _VISIBLE:
            ax.fill_between(curve["k"], curve["low"], curve["high"], color=look.color, alpha=0.10, lw=0, zorder=1)
        nudge = 1 + 0.012 * (place % 5 - 2)  # bars of equal curves stay apart
        intervals(ax, curve["k"] * nudge, curve, **look.mark, ls=look.line, label=name, zorder=3)
        labels.append(Label(last["k"], last["value"], f"{name}  {share(last['value'])}", look.ink))
    log_axis(ax, part.ks, [f"{k:,}" for k in part.ks], base=10)
    ax.set_xlabel("k, the ranks that are compared (log scale)")
    ax.set_ylabel(part.axis("overlap"))
    grid(ax)
    beside(ax, labels, _BODY - 1.1)
    band = [Patch(facecolor=FAINT, label="range of ties")] if tied else []
    legend(figure, [part.looks[name] for name in curves], band, lines=True)
    return figure


def _title(curves: dict[str, pd.DataFrame]) -> str:
    """The variant whose overlap changes most."""
    ends = {name: curve.iloc[[0, -1]] for name, curve in curves.items()}
    apart = {name: rows for name, rows in ends.items() if rows["ci_low"].max() > rows["ci_high"].min()}
    ends = apart or ends
    name = max(ends, key=lambda name: abs(ends[name]["value"].diff().iloc[-1]))
    (first, low), (last, high) = ends[name][["k", "value"]].to_numpy()
    if not apart or abs(high - low) < 0.01:
        return f"overlap@k hardly depends on k, from {first:.0f} to {last:.0f}"
    verb = "rises" if high > low else "falls"
    return f"overlap@k of {name} {verb} most, from {share(low)} at k = {first:.0f} to {share(high)} at k = {last:.0f}"
