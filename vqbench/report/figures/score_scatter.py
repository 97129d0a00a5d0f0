"""What the codes themselves look like: their scores against cosine, their bits."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import spearmanr

from vqbench.report.figures.figure_data import FIRST, Slice
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.style import GREY, INK, MINUS, below, canvas, grid, short
from vqbench.text import share

_NEAR = "#AA4499"  # no hue of a family
_RHO = "\N{GREEK SMALL LETTER RHO}"
_UNITS = {
    "decoded": "cosine to decoded",
    "symmetric": "cosine, both decoded",
    "raw": "cosine of integers",
    "hamming": f"{MINUS} Hamming distance",
    "asymmetric": "cosine in the codes' space",
    "estimate": "estimated cosine",
}


def score_calibration(part: Slice) -> Figure | None:
    """Draw the code's score against float cosine for sampled pairs, a panel a variant."""
    pairs = part.sampled("pair")
    if not pairs:
        return None
    rho = {name: _rho(pair) for name, pair in pairs.items()}
    columns = 3 if len(pairs) in (1, 2, 3, 5, 6, 9) else 4
    rows = math.ceil(len(pairs) / columns)
    near = any(pair["index"].notna().any() for pair in pairs.values())
    count = max(len(pair) for pair in pairs.values())
    figure = canvas(
        0.4 + (2.0 if columns == 3 else 1.7) * rows,
        _calibration_title(part, rho),
        "Each dot is a pair of query and document. A narrow rising band keeps the order of float search; where it is "
        "flat or falls, the code cannot rank. Only the order counts, so scales differ between panels.",
        part.facts(
            f"{count:,} pairs a panel: the nearest of each query, and others drawn at random",
            f"{_RHO}: Spearman's rank correlation",
            seeds=FIRST,
        ),
    )
    axes = figure.subplots(rows, columns, sharex=True, squeeze=False)
    for place, ax in enumerate(axes.flat):
        ax.set_visible(place < len(pairs))
        if len(pairs) - columns <= place < len(pairs):
            ax.tick_params(labelbottom=True)
            ax.set_xlabel("float cosine")
    for ax, (name, pair) in zip(axes.flat, pairs.items(), strict=False):
        _panel(ax, part, name, pair, near, narrow=columns == 4)
    if near:
        kinds = ((_NEAR, "one of the query's nearest"), (GREY, "a document at random"))
        below(figure, [Line2D([], [], color=color, marker="o", ls="", ms=5, label=text) for color, text in kinds])
    return figure


def _rho(pair: pd.DataFrame) -> float:
    if pair["value"].nunique() < 2 or pair["code"].nunique() < 2:
        return math.nan
    # The numbers are rounded as ties are in a search, so that an exact code gets exactly 1.
    return float(spearmanr(pair["value"].round(12), pair["code"].round(12)).statistic)


def _calibration_title(part: Slice, rho: dict[str, float]) -> str:
    coded = {name: x for name, x in rho.items() if part.looks[name].family != "float" and not math.isnan(x)}
    if not coded:
        return "The code's score against the float cosine"
    best, worst = max(coded, key=lambda name: coded[name]), min(coded, key=lambda name: coded[name])
    text = f"Rank correlation of the code's score with the float cosine: {coded[best]:.4f} with {best}"
    return text if best == worst else f"{text}, {coded[worst]:.4f} with {worst}"


def _panel(ax: Axes, part: Slice, name: str, pair: pd.DataFrame, near: bool, narrow: bool) -> None:
    look = part.looks[name]
    close = pair["index"].notna().to_numpy()
    for mask, color in ((~close, GREY), (close, _NEAR)):
        ax.plot(pair["value"][mask], pair["code"][mask], ".", color=color, ms=2.6, mew=0, alpha=0.55, rasterized=True)
    style = {"fontsize": 7.6 if narrow else 8.2, "weight": "bold", "color": look.ink}
    ax.set_title(short(name, 32), x=-0.24 if narrow else 0, **style).set_in_layout(False)
    ax.set_ylabel(_UNITS.get(look.similarity, "score"), fontsize=7.8)
    ax.tick_params(labelsize=7.5)
    ax.locator_params(nbins=4)
    ax.ticklabel_format(useOffset=False)
    text = f"{_RHO} {_rho(pair):.4f}"
    if near and close.sum() > 2:
        text += f"\nnearest only {_rho(pair[close]):.4f}"
    ax.annotate(
        text, (0.04, 0.95), xycoords="axes fraction", va="top", fontsize=8, bbox={"fc": "w", "ec": "none", "pad": 1}
    )
    grid(ax, "both")


def bit_balance(part: Slice) -> Figure | None:
    """Draw the share of ones per dimension, sorted, for the 1-bit codes; equal curves share a label."""
    curves: dict[bytes, tuple[list[str], np.ndarray]] = {}
    for name, balance in part.sampled("balance").items():
        ones = np.sort(balance["value"].to_numpy(dtype=float))
        curves.setdefault(ones.round(12).tobytes(), ([], ones))[0].append(name)
    if not curves:
        return None
    figure = canvas(
        3.9,
        _balance_title(list(curves.values())),
        "A bit carries most information where half of all vectors have a 1. A bit that is nearly always the same "
        "carries almost none. In brackets: bits of information per stored bit, one dimension at a time. Codes with "
        "the same bits share a line.",
        part.facts("share of ones over all corpus vectors", seeds=FIRST),
    )
    ax = figure.subplots()
    labels = []
    for names, ones in curves.values():
        look = part.looks[names[0]]
        ax.plot(np.arange(1, len(ones) + 1), ones, color=look.color, ls=look.line, lw=1.6, label=", ".join(names))
        text = textwrap.fill(f"{', '.join(names)} ({share(_information(ones))})", 30)
        labels.append(Label(len(ones), float(ones[-1]), text, look.ink))
    ax.axhline(0.5, color=INK, lw=0.9, ls=(0, (2, 2)))
    ax.annotate("half", (1, 0.5), (2, 3), textcoords="offset points", fontsize=8)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlim(1, max(len(ones) for _, ones in curves.values()))
    ax.set_xlabel("dimensions, sorted by share of ones, for each code separately")
    ax.set_ylabel("share of vectors with a 1")
    grid(ax)
    beside(ax, labels, 3.3)
    return figure


def _information(ones: np.ndarray) -> float:
    """Mean entropy of a bit: 1 where ones and zeros are equally many (Shannon, 1948)."""
    p = np.clip(ones, 1e-300, 1 - 1e-16)
    return float(np.mean(-p * np.log2(p) - (1 - p) * np.log2(1 - p)))


def _balance_title(curves: list[tuple[list[str], np.ndarray]]) -> str:
    names, ones = max(curves, key=lambda curve: np.abs(curve[1] - 0.5).mean())
    first = "" if len(curves) == 1 else ", the least balanced code"
    return f"Share of ones per dimension: {100 * ones[0]:.0f} % to {100 * ones[-1]:.0f} % in {names[0]}{first}"
