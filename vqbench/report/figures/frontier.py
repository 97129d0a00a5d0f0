"""All families of codes in one picture: quality against bits per dimension."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.style import FAINT, GREY, INK, TINY, below, canvas, grid, share

_BODY = 5.4
#: Okabe and Ito's hues without the yellow that vanishes on white, and three more that keep apart from them.
HUES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5D3A9B", "#8C510A", "#1B1B1B")
MARKS = ("o", "s", "^", "D", "v", "P", "X", "<")  # one fewer than hues: no two lines are alike
_FEW = 3  # a line needs so many sizes


def frontier(part: Slice) -> Figure | None:
    """overlap@k over bits per dimension; a line for each family of codes that comes in several sizes."""
    own = part.at("overlap", k=part.k)
    if own.empty or part.d == 0:
        return None
    own = own.assign(bits=[8 * part.bytes[str(name)] / part.d for name in own.index])
    families = families_of(own["bits"].to_dict())
    if not families:
        return None
    front = pareto(own)
    figure = canvas(_BODY, _title(own, front, part), _reading(), part.facts(f"k = {part.k}", part.interval))
    ax = figure.subplots()
    _single(ax, own, families, front)
    labels = []
    for (family, members), color, mark in zip(families.items(), cycle(HUES), cycle(MARKS), strict=False):
        rows = own.loc[members].sort_values("bits")
        error = np.abs(rows[["ci_low", "ci_high"]].to_numpy().T - rows["value"].to_numpy())
        ax.errorbar(
            rows["bits"],
            rows["value"],
            yerr=error,
            color=color,
            marker=mark,
            ms=5,
            lw=1.3,
            elinewidth=1,
            zorder=3,
            label=family,
        )
        last = rows.iloc[-1]
        labels.append(Label(last["bits"], last["value"], family, color))
    steps = own.loc[front].sort_values("bits")
    ax.plot(steps["bits"], steps["value"], color=INK, lw=6, alpha=0.12, zorder=1, drawstyle="steps-post", label="front")
    _axes(ax, part, own)
    beside(ax, labels, _BODY - 1.2)
    below(figure, _legend(own, families))
    return figure


def families_of(bits: Mapping[str, float]) -> dict[str, list[str]]:
    """Names that differ in their last number alone, as in rabitq1 to rabitq8, of three sizes or more."""
    groups: dict[str, list[str]] = {}
    for name in bits:
        last = next(reversed(list(re.finditer(r"_?\d+(_\d+)?(?=_|$)", name))), None)
        family = name if last is None else name[: last.start()] + name[last.end() :]
        groups.setdefault(family, []).append(name)
    return {
        family: sorted(members, key=lambda name: bits[name])
        for family, members in sorted(groups.items())
        if len({round(bits[name], 6) for name in members}) >= _FEW
    }


def pareto(own: pd.DataFrame) -> list[str]:
    """The variants that no other one beats in bits and in value, smallest first."""
    ordered = own.sort_values(["bits", "value"], ascending=[True, False], kind="stable")
    best, front = -np.inf, []
    for name, row in ordered.iterrows():
        if row["value"] > best:
            front.append(str(name))
            best = row["value"]
    return front


def _single(ax: Axes, own: pd.DataFrame, families: Mapping[str, list[str]], front: list[str]) -> None:
    """The variants that belong to no line, by name if on the front."""
    lined = {name for members in families.values() for name in members}
    rows = own.loc[[name for name in own.index if name not in lined]]
    ax.plot(rows["bits"], rows["value"], ls="", marker="o", ms=4, color=GREY, mfc=FAINT, zorder=2, label="single")
    for name in rows.index.intersection(front):
        at = (rows.loc[name, "bits"], rows.loc[name, "value"])
        ax.annotate(
            str(name), at, (-4, 4), textcoords="offset points", ha="right", va="bottom", fontsize=TINY, color=GREY
        )


def _axes(ax: Axes, part: Slice, own: pd.DataFrame) -> None:
    ticks = [x for x in (0.125, 0.25, 0.5, 1, 2, 3, 4, 6, 8, 16, 32, 64) if own["bits"].min() / 1.3 <= x]
    ticks = [x for x in ticks if x <= own["bits"].max() * 1.3]
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [f"{x:g}" for x in ticks])
    ax.minorticks_off()
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, -0.02), min(high, 1.02))
    ax.set_xlabel("bits per dimension, all that is stored for a vector (log scale)")
    ax.set_ylabel(part.axis("overlap", part.k))
    grid(ax, "both")


def _legend(own: pd.DataFrame, families: Mapping[str, list[str]]) -> list[Line2D]:
    found = [Line2D([], [], color=INK, lw=6, alpha=0.12, label="Pareto front: no code is smaller and better")]
    if len(own) > sum(map(len, families.values())):
        text = "codes of one size (names: metrics.csv)"
        found.append(Line2D([], [], color=GREY, mfc=FAINT, marker="o", ls="", ms=4, label=text))
    return found


def _title(own: pd.DataFrame, front: list[str], part: Slice) -> str:
    """The best code near one, two, four and eight bits."""
    shown = []
    for bits in (1, 2, 4):
        near = [name for name in front if bits * 0.9 < own.loc[name, "bits"] <= bits * 1.1]
        if near:
            shown.append(f"{share(float(own.loc[near[-1], 'value']))} at {bits} bit{'s' * (bits > 1)} ({near[-1]})")
    what = f"Best share of float's top {part.k}"
    return f"{what}: {', '.join(shown)}" if shown else f"{what} against bits per dimension"


def _reading() -> str:
    return (
        "Codes alone, without rescoring. A line joins the sizes of one family. Norms, ranges and corrections that a "
        "vector keeps for itself count, so points may stand right of a whole number of bits; codebooks and "
        "rotations, stored once, do not: on few vectors they weigh (see ratio in ledger.csv)."
    )
