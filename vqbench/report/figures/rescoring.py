"""How many candidates rescoring needs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.looks import legend
from vqbench.report.figures.style import SHADE, TIMES, canvas, grid, intervals, within_unit
from vqbench.text import share

_LOSSLESS = 0.9995
_BODY = 4.6


def oversampling(part: Slice) -> Figure | None:
    """Draw overlap@k over the oversample factor, a panel a k; the code's own result stands apart."""
    m = part.metrics
    least = m[m["metric"] == "overlap"].groupby("variant", observed=True)["value"].min()
    names = [name for name in part.variants if least.get(name, 1.0) < _LOSSLESS]
    if len(part.factors) < 2 or not names:
        return None
    exact = [name for name in part.variants if name in least.index and name not in names]
    figure = canvas(
        _BODY,
        _title(part, names),
        f"The codes return factor {TIMES} k candidates, and {part.today.kind} vectors, stored as well, re-rank them. "
        "Filled, on grey: the code alone. Hollow: rescored."
        + (f" Not drawn, since always 1.000: {', '.join(exact)}." if exact else ""),
        part.facts(part.interval),
    )
    axes = figure.subplots(1, len(part.ks), sharey=True, squeeze=False)[0]
    for ax, k in zip(axes, part.ks, strict=True):
        _panel(ax, part, names, k)
    axes[0].set_ylabel(part.axis("overlap"))
    within_unit(axes[0])
    beside(axes[-1], _labels(part, names), _BODY - 1.3)
    legend(figure, [part.looks[name] for name in names], lines=True)
    return figure


def _positions(part: Slice) -> dict[int, float]:
    """Factors on a log axis; 0 a gap to the left of the smallest."""
    places = {factor: float(np.log2(factor)) for factor in part.factors}
    return {0: min(places.values()) - 1.3, **places}


def _panel(ax: Axes, part: Slice, names: list[str], k: int) -> None:
    places, m = _positions(part), part.metrics
    rows = m[(m["metric"] == "overlap") & (m["k"] == k)].sort_values("oversample")
    rows = rows.assign(x=rows["oversample"].map(places))
    for name in names:
        own, look = rows[rows["variant"] == name], part.looks[name]
        alone, again = own[own["oversample"] == 0], own[own["oversample"] > 0]
        intervals(ax, alone["x"], alone, **look.mark, label=f"{name} alone")
        intervals(ax, again["x"], again, **look.mark, mfc="white", ls=look.line, label=name)
    ax.axvspan(places[0] - 0.5, places[0] + 0.65, color=SHADE, lw=0, zorder=0)
    ax.set_xlim(places[0] - 0.5, max(places.values()) + 0.3)
    ax.set_xticks(list(places.values()), ["alone", *(f"{TIMES}{factor}" for factor in part.factors)])
    ax.set_title(f"k = {k}", weight="bold")
    ax.set_xlabel("candidates / k")
    grid(ax)


def _labels(part: Slice, names: list[str]) -> list[Label]:
    """Named at the last factor of the last panel, in the order of the code's own result."""
    k, factor = part.ks[-1], part.factors[-1]
    last, x = part.at("overlap", k=k, oversample=factor)["value"], _positions(part)[factor]
    own = part.at("overlap", k=k)["value"]
    order = sorted(names, key=lambda name: (last.get(name, 0.0), own.get(name, 0.0)))
    return [Label(x, float(last[name]), name, part.looks[name].ink) for name in order if name in last.index]


def _title(part: Slice, names: list[str]) -> str:
    """What the largest factor gives the code that is worst alone."""
    k, factor = part.k, part.factors[-1]
    own, last = part.at("overlap", k=k)["value"], part.at("overlap", k=k, oversample=factor)["value"]
    name = min(names, key=lambda name: own.get(name, 1.0))
    return (
        f"Rescoring {TIMES}{factor} ({part.today.store}) raises overlap@{k} of {name} from {share(own[name])} to "
        f"{share(last[name])}"
    )
