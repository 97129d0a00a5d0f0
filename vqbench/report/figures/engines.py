"""Real engines beside what vqbench predicts of them: overlap, and bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vqbench.report.figures.embedded import Chart, KeyEntry, embedded, titled
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
    grid,
    intervals,
    line_per_name,
    log_axis,
)
from vqbench.text import share, signed

_LINE = 0.19  # inches an engine's setting
_LOWEST = 2.4  # inches: what the labels of axes need
#: The same in every figure, whichever engines it shows; after Okabe and Ito (2008).
COLORS = {
    "faiss": BLUE,
    "LanceDB": VERMILION,
    "Qdrant": GREEN,
    "sqlite-vec": "#B35C8E",
    "turbovec": "#C08A00",
    "USearch": "#56B4E9",
}
_TICKS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_FINER = tuple(digit * 10**power for power in range(1, 5) for digit in (1, 1.5, 2, 3, 4, 5, 6, 8))
#: Columns of bytes: how they are headed, and what they hold.
BYTES = {"bytes_predicted": "code", "bytes_codes": "codes", "bytes_disk": "disk"}
REAL = 0.999  # agreement from which two lists count as the same but for rounding


def engine_rows(backends: pd.DataFrame, k: int) -> pd.DataFrame:
    """Select the settings that ran, of the first seed, by engine; at ``k``, or at the engines' largest."""
    if backends.empty:
        return backends
    rows = backends[backends["status"] == "ok"]
    rows = rows[rows["k"] == (k if (rows["k"] == k).any() else rows["k"].max())]
    rows = rows[rows["seed"] == rows["seed"].min()]
    rows = rows.sort_values(["engine", "backend"], key=lambda names: names.astype(str).str.casefold())
    same = rows["agreement"] >= REAL
    color = rows["engine"].map(lambda name: COLORS.get(name, INK))  # engines of a user's own share one
    return rows.assign(same=same, color=color, face=color.where(same, "white"))


def engine_overlap(part: Slice) -> Figure | None:
    """Draw the overlap@k of each engine against the one predicted, and their difference, paired by query."""
    rows = engine_rows(part.backends, part.k)
    if rows.empty:
        return None
    k = int(rows["k"].iloc[0])
    figure = canvas(
        max(_LINE * len(rows) + 1.0, _LOWEST),
        f"{rows['same'].sum()} of {len(rows)} engine settings return what was predicted{_others(rows, k)}",
        "Left: on the diagonal, the engine's overlap equals the prediction. Right: engine less prediction over the "
        f"same queries, with its 95 % interval. Hollow: the engine returns other lists (agreement below {REAL}).",
        part.facts(f"k = {k}, exhaustive search, no rescoring", "ties: the prediction is the expectation over them"),
    )
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    low = max(0.0, min(rows["predicted_low"].min(), rows["obtained"].min()) - 0.03)
    left.plot([low, 1], [low, 1], color=GREY, lw=0.8, zorder=1)
    right.axvline(0, color=INK, lw=0.8, zorder=1)
    names = {"predicted": "value", "predicted_low": "ci_low", "predicted_high": "ci_high"}
    ties = rows[[*names, "obtained"]].rename(columns=names)
    means = rows.rename(columns={"difference": "value"})
    for line, (color, face) in enumerate(zip(rows["color"], rows["face"], strict=True)):
        style = {"color": color, "mfc": face, "marker": "o", "ms": 4, "elinewidth": 1, "zorder": 2, "sideways": True}
        intervals(left, [ties["obtained"].iloc[line]], ties.iloc[[line]], **style)
        intervals(right, [line], means.iloc[[line]], **style)
    left.set(xlim=(low, 1.01), ylim=(low, 1.01))
    left.set(xlabel=f"predicted overlap@{k} (bars: range of ties)", ylabel=f"overlap@{k} of the engine")
    grid(left, "both")
    right.xaxis.set_major_locator(MaxNLocator(5))
    right.set_xlabel("engine less prediction (share of the top)")
    line_per_name(right, rows["backend"].tolist())
    columns_right(
        right,
        [
            (20, "difference", [signed(x) for x in rows["difference"]]),
            (80, "agreement", [share(x) for x in rows["agreement"]]),
        ],
    )
    below(figure, _engine_handles(rows, marker="o", ls="", ms=5), 6)
    return figure


def _engine_handles(rows: pd.DataFrame, **style: str | float) -> list[Line2D]:
    engines = dict(zip(rows["engine"], rows["color"], strict=True))
    return [Line2D([], [], color=color, label=name, **style) for name, color in engines.items()]  # pyright: ignore


def _others(rows: pd.DataFrame, k: int) -> str:
    """How far off those are that return other lists."""
    far = rows[~rows["same"]]["difference"].abs().max()
    if np.isnan(far):
        return ""
    if far < 0.0005:
        return "; the others have the same overlap with other lists"
    return f"; the others differ by at most {share(far)} in overlap@{k}"


def engine_bytes(part: Slice) -> Figure | None:
    """Draw bytes per vector: by the ledger, of the engine's codes, and of all that it keeps."""
    rows = engine_rows(part.backends, part.k)
    if rows.empty:
        return None
    rows = rows.iloc[np.lexsort((rows["backend"], -rows["bytes_disk"], -rows["bytes_predicted"]))]
    rows = rows[~rows[["engine", *BYTES]].round(dict.fromkeys(BYTES, 0)).duplicated()]
    most = rows.loc[(rows["bytes_disk"] / rows["bytes_predicted"]).idxmax()]
    times = most["bytes_disk"] / most["bytes_predicted"]
    figure = canvas(
        max(_LINE * len(rows) + 0.9, _LOWEST / 2),
        f"An engine stores up to {times:.{int(times < 10)}f} times the bytes of its code: {most['backend']} stores "
        f"{most['bytes_disk']:,.0f} bytes per vector for a code of {most['bytes_predicted']:,.0f}",
        "Ring: the code, by vqbench's ledger. Dot: the codes as the engine stores them. Square: all that the engine "
        "stores on disk: codebooks, ids, graphs, and the float vectors that some engines keep. Settings of one engine "
        "with the same bytes share a line.",
        part.facts("bytes stored once are spread over all vectors", "memory that engines reserve is not shown"),
    )
    ax = figure.subplots()
    low, high = rows["bytes_predicted"].min() / 1.3, rows["bytes_disk"].max() * 1.3
    ticks = [x for x in _TICKS if low <= x <= high]
    ticks = ticks if len(ticks) > 2 else [x for x in _FINER if low <= x <= high]
    log_axis(ax, ticks, [f"{x:,.0f}" for x in ticks], base=10)
    lines = np.arange(len(rows))
    ax.hlines(lines, rows["bytes_predicted"], rows["bytes_disk"], color=FAINT, lw=1, zorder=1)
    ax.scatter(rows["bytes_disk"], lines, marker="s", c=rows["color"], s=25, zorder=2)
    ax.scatter(rows["bytes_codes"], lines, marker="o", c=rows["color"], s=16, zorder=3)
    ax.scatter(rows["bytes_predicted"], lines, marker="o", c="none", edgecolors=INK, s=64, zorder=4)
    ax.set_xlabel("bytes per vector (log scale)")
    line_per_name(ax, rows["backend"].tolist())
    columns = zip((16, 44, 74), BYTES.items(), strict=True)
    columns_right(ax, [(x, heading, [f"{count:,.0f}" for count in rows[name]]) for x, (name, heading) in columns])
    marks = (
        ("o", "none", INK, 8, "code, by the ledger"),
        ("o", GREY, GREY, 4, "codes as stored"),
        ("s", GREY, GREY, 5, "all on disk"),
    )
    handles = [
        Line2D([], [], marker=m, mfc=face, mec=edge, ms=ms, ls="", label=text) for m, face, edge, ms, text in marks
    ]
    below(figure, [*handles, *_engine_handles(rows, lw=5)], 6)
    return figure


def engine_chart(rows: pd.DataFrame, k: int, ident: str) -> Chart:
    """Draw engine less prediction over predicted overlap; hollow: the engine returns other lists."""

    def draw(ax: Axes) -> None:
        ax.axhline(0, color=GREY, lw=0.8)
        means = rows.rename(columns={"difference": "value"})
        for line, row in enumerate(rows.to_dict("records")):
            style = {"color": row["color"], "mfc": row["face"], "marker": "o", "elinewidth": 1, "alpha": 0.8}
            intervals(ax, [row["predicted"]], means.iloc[[line]], **style)
            ax.plot(row["predicted"], row["difference"], marker="o", ms=8, alpha=0, gid=titled(_facts(row)))
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.set_xlabel(f"predicted overlap@{k}")

    key = []
    for (engine, version), own in rows.groupby(["engine", "version"], sort=False):
        farthest = own.loc[own["difference"].abs().idxmax()]
        facts = (
            f"{own['same'].sum()} of {len(own)} as predicted; largest difference: {farthest['backend']}, "
            f"{signed(farthest['difference'])}"
        )
        key.append(KeyEntry(f"{engine} {version}", facts, color=str(own["color"].iloc[0])))
    description = "; ".join(f"{entry.name}: {entry.facts}" for entry in key) + "."
    return embedded(draw, ident, f"overlap@{k} of real engines less what was predicted", key, description)


def _facts(row: dict) -> str:
    bounds = f"{signed(row['ci_low'])} to {signed(row['ci_high'])}"
    values = f"predicted {share(row['predicted'])}, engine {share(row['obtained'])}"
    return f"{row['backend']}: {values}, difference {signed(row['difference'])} ({bounds})"
