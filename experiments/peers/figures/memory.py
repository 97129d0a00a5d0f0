"""Peak memory of the default sweep against rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from experiments.peers.figures.searches import thousands
from experiments.peers.table import TABLE, read
from vqbench.report.figures.style import BLUE, GREY, SMALL, VERMILION, below, canvas, grid

_BODY = 3.4
_MB, _BOUND = 1e6, 2**31 / 1e6


def memory(folder: Path, meta: dict) -> Figure | None:
    """The peaks, the float32 vectors alone, and the bound. None where no memory was measured."""
    table = read(folder / TABLE)
    table = table[(table["family"] == "memory") & table["megabytes"].notna()].sort_values("n")
    if table.empty:
        return None
    n, peak = table["n"].to_numpy(dtype=float), table["megabytes"].to_numpy(dtype=float)
    d, queries = int(table["d"].iloc[0]), int(table["queries"].iloc[0])
    figure = canvas(_BODY, _title(n[-1], peak[-1], d), _reading(), _about(meta, d, queries))
    ax = figure.subplots()
    ax.set_xscale("log")
    ax.set_ylim(0, 1.12 * max(_BOUND, peak.max()))
    x = np.geomspace(n[0], n[-1], 200)
    ax.plot(x, x * d * 4 / _MB, color=GREY, ls="--", lw=1.3)
    ax.axhline(_BOUND, color=VERMILION, lw=1.3)
    ax.plot(n, peak, color=BLUE, marker="o", ms=5, lw=1.5, zorder=3)
    for rows, megabytes in zip(n, peak, strict=True):
        ax.annotate(
            f"{megabytes:,.0f}",
            (rows, megabytes),
            (0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=SMALL,
            color=BLUE,
        )
    ax.set_xticks(n, [thousands(each) for each in n])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.margins(x=0.06)
    ax.set_xlabel("rows of the corpus")
    ax.set_ylabel("MB")
    ax.tick_params(labelsize=SMALL)
    grid(ax)
    below(
        figure,
        [
            Line2D([], [], color=BLUE, marker="o", ms=5, lw=1.5, label="peak of the whole command"),
            Line2D([], [], color=GREY, ls="--", lw=1.3, label="the vectors alone, as float32"),
            Line2D([], [], color=VERMILION, lw=1.3, label="2 GiB"),
        ],
        columns=3,
    )
    return figure


def _title(n: float, peak: float, d: int) -> str:
    return f"The default sweep of {n:,.0f} vectors of {d:,} dimensions peaks at {peak:,.0f} MB"


def _reading() -> str:
    return (
        "Largest resident set of a process that reads the vectors from a .npy file of float16, evaluates every variant "
        "of the default sweep and writes the tables. The dashed line leaves the panel where the vectors outgrow it."
    )


def _about(meta: dict, d: int, queries: int) -> str:
    where = f"{meta['machine']['system']}, {meta['threads']} threads"
    return f"{where}; {d:,} dimensions, {queries:,} queries; MB = 10^6 bytes."
