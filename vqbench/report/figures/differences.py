"""What differs for sure: every variant against the baseline, paired by query."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.style import BLUE, FAINT, GREEN, GREY, INK, MINUS, TINY, VERMILION, below, canvas, grid

_LINE = 0.26  # inches a variant
_COLORS = {"better": GREEN, "worse": VERMILION, "equivalent": BLUE, "unclear": GREY}
_WORDS = {
    "better": "better",
    "worse": "worse",
    "equivalent": "equivalent: within the margin",
    "unclear": "cannot be told from these queries",
}


def differences(part: Slice) -> Figure | None:
    """overlap@k of each variant less the baseline's, with interval, verdict and the margin of equivalence."""
    rows = _rows(part)
    if len(rows) < 1:
        return None
    baseline, margin = str(rows["baseline"].iloc[0]), float(rows["margin"].iloc[0])
    figure = canvas(
        _LINE * len(rows) + 0.9,
        _title(rows, baseline, part.k),
        _reading(baseline, margin),
        part.facts(f"k = {part.k}, without rescoring", "p corrected by Holm over the variants shown"),
    )
    ax = figure.subplots()
    ax.axvspan(-margin, margin, color=FAINT, alpha=0.5, lw=0, zorder=0)
    ax.axvline(0, color=INK, lw=0.8, zorder=1)
    for at, (name, row) in enumerate(rows.iterrows()):
        error = [[row["difference"] - row["ci_low"]], [row["ci_high"] - row["difference"]]]
        color = _COLORS[str(row["verdict"])]
        ax.errorbar(
            [row["difference"]],
            [at],
            xerr=np.maximum(error, 0),
            color=color,
            marker="o",
            ms=5,
            elinewidth=1.4,
            zorder=3,
            label=str(name),
        )
    _axes(ax, part, rows, baseline)
    seen = [verdict for verdict in _WORDS if verdict in set(rows["verdict"])]
    handles: list = [Line2D([], [], color=_COLORS[v], marker="o", lw=1.4, ms=5, label=_WORDS[v]) for v in seen]
    below(
        figure, [*handles, Patch(color=FAINT, alpha=0.5, label=f"margin of equivalence: \N{PLUS-MINUS SIGN}{margin:g}")]
    )
    return figure


def _rows(part: Slice) -> pd.DataFrame:
    """The comparisons of overlap at the figure's k, in the variants' order."""
    c = part.comparisons
    if c.empty:
        return c
    c = c[(c["metric"] == "overlap") & (c["k"] == part.k) & (c["oversample"] == 0) & (c["verdict"] != "baseline")]
    c = c.set_index("variant")
    return c.loc[[name for name in part.variants if name in c.index]]


def _axes(ax: Axes, part: Slice, rows: pd.DataFrame, baseline: str) -> None:
    y = np.arange(len(rows))
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks(y, [str(name) for name in rows.index], fontsize=TINY + 0.8)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"overlap@{part.k}, difference from {baseline} (share of {part.k})")
    grid(ax, "x")
    columns = (
        (30, "difference", [_signed(x) for x in rows["difference"]]),
        (88, "p (Holm)", [_p(x) for x in rows["p_holm"]]),
        (146, "detectable", [f"{x:.3f}" for x in rows["detectable"]]),
        (194, "alike", [str(x) for x in rows["letters"]]),
    )
    for x, head, texts in columns:  # points right of the axes
        if not any(texts):
            continue
        ax.annotate(
            head,
            (1, 1),
            (x, 4),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=TINY + 0.5,
            color=INK,
            weight="bold",
        )
        for at, text in enumerate(texts):
            ax.annotate(
                text,
                (1, at),
                (x, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=TINY + 0.5,
                color=GREY,
            )


def _signed(value: float) -> str:
    return "0.000" if abs(value) < 0.0005 else f"{value:+.3f}".replace("-", MINUS)


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0") if value < 1 else "1"


def _title(rows: pd.DataFrame, baseline: str, k: int) -> str:
    counts = rows["verdict"].value_counts()
    words = {"better": "better", "worse": "worse", "equivalent": "equivalent", "unclear": "undecided"}
    said = [f"{counts[verdict]} {word}" for verdict, word in words.items() if verdict in counts]
    return f"overlap@{k} against {baseline}, query by query: {', '.join(said)}"


def _reading(baseline: str, margin: float) -> str:
    return (
        f"Mean difference of the same queries' overlap from {baseline}'s, with its 95 % interval. Equivalent: proven "
        f"to be smaller than {margin:g} (two one-sided tests). Detectable: the smallest true difference that so many "
        "queries would reveal 4 times in 5. Alike: variants that share a letter cannot be told apart."
    )
