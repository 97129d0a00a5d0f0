"""Which variants differ from the baseline, paired by query."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    VERMILION,
    below,
    canvas,
    columns_right,
    intervals,
    line_per_name,
    p_value,
)
from vqbench.text import share, signed

_LINE = 0.26  # inches a variant
_VERDICTS = {
    "better": (GREEN, "better"),
    "worse": (VERMILION, "worse"),
    "equivalent": (BLUE, "equivalent: within the margin"),
    "unclear": (GREY, "unclear: more queries are needed"),
}


def differences(part: Slice) -> Figure | None:
    """Draw overlap@k of each variant less the baseline's, with interval, verdict and the margin of equivalence."""
    rows = _rows(part)
    if rows.empty:
        return None
    baseline, margin = str(rows["baseline"].iloc[0]), float(rows["margin"].iloc[0])
    figure = canvas(
        _LINE * len(rows) + 0.9,
        _title(rows, baseline, part.k),
        f"Mean difference in overlap from {baseline} over the same queries, with its 95 % interval. Equivalent: shown "
        f"to differ by less than {margin:g} (two one-sided tests). Detectable: the smallest true difference that this "
        "many queries find in 4 of 5 experiments. Variants with a common letter cannot be told apart.",
        part.facts(f"k = {part.k}, without rescoring", "p corrected for the number of variants (Holm)"),
    )
    ax = figure.subplots()
    ax.axvspan(-margin, margin, color=FAINT, alpha=0.5, lw=0, zorder=0)
    ax.axvline(0, color=INK, lw=0.8, zorder=1)
    means = rows.rename(columns={"difference": "value"})
    for line, (name, verdict) in enumerate(rows["verdict"].items()):
        style = {"color": _VERDICTS[str(verdict)][0], "marker": "o", "zorder": 3, "label": str(name)}
        intervals(ax, [line], means.iloc[[line]], sideways=True, **style)
    line_per_name(ax, rows.index)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"overlap@{part.k} less that of {baseline} (share of {part.k})")
    columns = [
        (30, "difference", [signed(x) for x in rows["difference"]]),
        (88, "p (Holm)", [p_value(x) for x in rows["p_holm"]]),
        (146, "detectable", [share(x) for x in rows["detectable"]]),
        (194, "letters", [str(x) for x in rows["letters"]]),
    ]
    columns_right(ax, [column for column in columns if any(column[2])])
    seen = [look for verdict, look in _VERDICTS.items() if verdict in set(rows["verdict"])]
    handles = [Line2D([], [], color=color, marker="o", lw=1.4, ms=5, label=text) for color, text in seen]
    band = Patch(color=FAINT, alpha=0.5, label=f"margin of equivalence: \N{PLUS-MINUS SIGN}{margin:g}")
    below(figure, [*handles, band])
    return figure


def _rows(part: Slice) -> pd.DataFrame:
    """The comparisons of overlap at the figure's k, in the variants' order."""
    c = part.comparisons
    if c.empty:
        return c
    c = c[(c["metric"] == "overlap") & (c["k"] == part.k) & (c["oversample"] == 0) & (c["verdict"] != "baseline")]
    c = c.set_index("variant")
    return c.loc[[name for name in part.variants if name in c.index]]


def _title(rows: pd.DataFrame, baseline: str, k: int) -> str:
    counts = rows["verdict"].value_counts()
    verdicts = [f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if verdict in counts]
    return f"overlap@{k} compared with {baseline}, query by query: {', '.join(verdicts)}"
