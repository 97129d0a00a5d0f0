"""How many candidates rescoring needs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.style import canvas, grid, legend, share

_LOSSLESS = 0.9995
_BODY = 4.6


def oversampling(part: Slice) -> Figure | None:
    """overlap@k over the oversample factor, a panel a k; the code's own result stands apart."""
    m = part.metrics
    rows = m[m["metric"] == "overlap"]
    if len(part.factors) < 2 or rows.empty:
        return None
    names = [name for name in part.variants if rows[rows["variant"] == name]["value"].min() < _LOSSLESS]
    if not names:
        return None
    figure = canvas(_BODY, _title(part, names), _reading(part, names), part.facts(part.interval))
    ks = part.ks
    axes = figure.subplots(1, len(ks), sharey=True, squeeze=False)[0]
    for ax, k in zip(axes, ks, strict=True):
        _panel(ax, part, names, k)
    axes[0].set_ylabel(part.axis("overlap"))
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(max(low, -0.02), min(high, 1.02))
    beside(axes[-1], _labels(part, names), _BODY - 1.3)
    legend(figure, [part.looks[name] for name in names], lines=True)
    return figure


def _positions(part: Slice) -> dict[int, float]:
    """Factors on a log axis; 0 a gap to the left of the smallest."""
    places = {factor: float(np.log2(factor)) for factor in part.factors}
    return {0: min(places.values()) - 1.3, **places}


def _panel(ax: Axes, part: Slice, names: list[str], k: int) -> None:
    places = _positions(part)
    for name in names:
        look = part.looks[name]
        found = {factor: part.at("overlap", k=k, oversample=factor) for factor in places}
        found = {factor: table.loc[name] for factor, table in found.items() if name in table.index}
        for factors, marker_face in (([0], look.color), (part.factors, "white")):
            seen = [factor for factor in factors if factor in found]
            y = np.array([found[factor]["value"] for factor in seen])
            bounds = np.array([[found[f]["ci_low"], found[f]["ci_high"]] for f in seen]).reshape(-1, 2)
            ax.errorbar(
                [places[factor] for factor in seen],
                y,
                yerr=np.abs(bounds.T - y),
                color=look.color,
                marker=look.marker,
                ms=5,
                mfc=marker_face,
                ls=look.line,
                lw=1.2,
                elinewidth=1,
                label=name if marker_face == "white" else f"{name} alone",
            )
    middle = (places[0] + min(places[factor] for factor in part.factors)) / 2
    ax.axvspan(places[0] - 0.5, middle, color="#F3F3F3", lw=0, zorder=0)
    ax.set_xlim(places[0] - 0.5, max(places.values()) + 0.3)
    ax.set_xticks(list(places.values()), ["alone", *(f"\N{MULTIPLICATION SIGN}{x}" for x in part.factors)])
    ax.set_title(f"k = {k}", weight="bold")
    ax.set_xlabel("candidates fetched / k")
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
        f"What float rescoring wins back: {name} rises from {share(own[name])} alone to {share(last[name])} "
        f"at \N{MULTIPLICATION SIGN}{factor} (k = {k})"
    )


def _reading(part: Slice, names: list[str]) -> str:
    exact = [name for name in part.variants if name not in names]
    text = (
        "The code search fetches factor \N{MULTIPLICATION SIGN} k candidates, float vectors (stored as well) put "
        "them in order. Filled, on grey: the code alone. Hollow: rescored."
    )
    return f"{text} Not drawn, all 1.000: {', '.join(exact)}." if exact else text
