"""What the mean hides: overlap query by query."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.style import INK, below, canvas, grid, share

_EDGES = (0.0, 0.25, 0.5, 0.75, 1.0)
_NAMES = ("below a quarter", "a quarter to a half", "half to three quarters", "three quarters or more", "all of it")
_BAD = 2  # classes that hold less than half


def per_query(part: Slice) -> Figure | None:
    """Share of queries by how much of float's top k each finds, a bar a variant."""
    shares, means = _shares(part)
    if shares.empty:
        return None
    bad = shares.iloc[:, :_BAD].sum(axis=1)
    figure = canvas(
        1.2 + 0.31 * len(shares),
        _title(part, bad, means),
        f"Each bar splits the queries by how much of float's top {part.k} they find. Dark: less than half is "
        "found. The codes alone, without rescoring; overlap is the expected one where scores tie.",
        part.facts(f"k = {part.k}", seeds="all queries of"),
    )
    ax = figure.subplots()
    colors = sns.color_palette("blend:#3B1F6E,#B9A9D6,#F0EEF4", len(_NAMES)).as_hex()
    left = np.zeros(len(shares))
    for name, color in zip(_NAMES, colors, strict=True):
        width = shares[name].to_numpy()
        ax.barh(
            np.arange(len(shares)), width, left=left, color=color, height=0.74, label=name, edgecolor="white", lw=0.6
        )
        left += width
    _axes(ax, shares, bad, means)
    handles = [Patch(color=color, label=name) for name, color in zip(_NAMES, colors, strict=True)]
    below(figure, handles, columns=5, title=f"the query finds, of float's top {part.k}:")
    return figure


def _shares(part: Slice) -> tuple[pd.DataFrame, pd.Series]:
    """Share of queries by class, and the mean, by variant."""
    p = part.per_query
    if "metric" not in p:
        return pd.DataFrame(), pd.Series(dtype=float)
    p = p[(p["metric"] == "overlap") & (p["k"] == part.k) & (p["oversample"] == 0)]
    if p.empty:
        return pd.DataFrame(), pd.Series(dtype=float)
    kind = np.digitize(p["value"].to_numpy() + 1e-9, _EDGES) - 1
    counts = pd.crosstab(p["variant"].astype(str), kind).reindex(columns=range(len(_NAMES)), fill_value=0)
    shares = counts.div(counts.sum(axis=1), axis=0).set_axis(list(_NAMES), axis=1)
    order = [name for name in part.variants if name in shares.index]
    return shares.loc[order], p.groupby(p["variant"].astype(str))["value"].mean().loc[order]


def _title(part: Slice, bad: pd.Series, means: pd.Series) -> str:
    if bad.max() == 0:
        return f"No query finds less than half of float's top {part.k}, whatever the code"
    fair = bad[(means >= 0.5) & (bad > 0)]
    worst = (fair if len(fair) else bad).idxmax()
    start = f"The mean of {share(means[worst])} hides bad queries: with" if len(fair) else "With"
    return f"{start} {worst}, {100 * bad[worst]:.1f} % of the queries find less than half of float's top {part.k}"


def _axes(ax: Axes, shares: pd.DataFrame, bad: pd.Series, means: pd.Series) -> None:
    rows = np.arange(len(shares))
    ax.set_yticks(rows, list(shares.index))
    ax.set_ylim(len(shares) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.set_xticks(np.arange(0, 1.01, 0.25), [f"{100 * x:.0f} %" for x in np.arange(0, 1.01, 0.25)])
    ax.set_xlabel("share of queries")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    grid(ax, "x")
    columns = ((1.06, "mean", [share(x) for x in means]), (1.17, "below half", [f"{100 * x:.1f} %" for x in bad]))
    for x, head, texts in columns:
        ax.annotate(
            head,
            (x, 1),
            xycoords="axes fraction",
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8.5,
            color=INK,
            weight="bold",
        )
        for y, text in zip(rows, texts, strict=True):
            ax.annotate(text, (x, y), xycoords=("axes fraction", "data"), ha="center", va="center", fontsize=8.5)
