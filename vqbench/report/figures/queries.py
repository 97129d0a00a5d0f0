"""What the mean hides: overlap query by query."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.style import below, canvas, columns_right, line_per_name
from vqbench.text import percent, share

_EDGES = (0.0, 0.25, 0.5, 0.75, 1.0)
_CLASSES = ("below 25 %", "25 to 50 %", "50 to 75 %", "75 % or more", "all")
_BAD = 2  # classes that hold less than half


def per_query(part: Slice) -> Figure | None:
    """Draw the share of queries by how much of float's top k each finds, a bar a variant."""
    values = _values(part)
    if values.empty:
        return None
    kinds = np.digitize(values["value"].to_numpy() + 1e-9, _EDGES) - 1
    counts = pd.crosstab(values["variant"], kinds).reindex(columns=range(len(_CLASSES)), fill_value=0)
    order = [name for name in part.variants if name in counts.index]
    shares = counts.div(counts.sum(axis=1), axis=0).loc[order]
    means = values.groupby("variant")["value"].mean().loc[order]
    bad = shares.iloc[:, :_BAD].sum(axis=1)
    figure = canvas(
        1.2 + 0.31 * len(shares),
        _title(part, bad, means),
        f"Each bar divides the queries by how much of float's top {part.k} they find. Dark: less than half. "
        "The codes alone, without rescoring. Where scores tie, overlap is the expectation over the ties.",
        part.facts(f"k = {part.k}", seeds="all queries of"),
    )
    ax = figure.subplots()
    colors = sns.color_palette("blend:#3B1F6E,#B9A9D6,#F0EEF4", len(_CLASSES)).as_hex()
    left = shares.cumsum(axis=1) - shares
    for column, color in enumerate(colors):
        ax.barh(
            range(len(shares)), shares[column], left=left[column], color=color, height=0.74, edgecolor="white", lw=0.6
        )
    line_per_name(ax, shares.index)
    ax.set_xlim(0, 1)
    ax.set_xticks(_EDGES, [f"{100 * x:.0f} %" for x in _EDGES])
    ax.set_xlabel("share of queries")
    ax.spines["left"].set_visible(False)
    columns = [(26, "mean", [share(x) for x in means]), (76, ">half lost", [percent(x) for x in bad])]
    columns_right(ax, columns)
    handles = [Patch(color=color, label=name) for name, color in zip(_CLASSES, colors, strict=True)]
    below(figure, handles, columns=5, title=f"Share of float's top {part.k} that a query finds:")
    return figure


def _values(part: Slice) -> pd.DataFrame:
    p = part.per_query
    if p.empty:
        return p
    p = p[(p["metric"] == "overlap") & (p["k"] == part.k) & (p["oversample"] == 0)]
    return p.astype({"variant": str})


def _title(part: Slice, bad: pd.Series, means: pd.Series) -> str:
    if bad.max() == 0:
        return f"With every variant, each query finds at least half of float's top {part.k}"
    fair = bad[(means >= 0.5) & (bad > 0)]
    worst = (fair if len(fair) else bad).idxmax()
    return (
        f"{worst} finds {share(means[worst])} of float's top {part.k} on average, but {percent(bad[worst])} "
        "of the queries find less than half"
    )
