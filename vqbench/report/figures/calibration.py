"""What a quantizer loses when it learns from few rows, or from the wrong ones."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.frontier import HUES, MARKS
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.style import GREY, INK, canvas, grid, share

_BODY = 4.4
DRAWS = {
    "uniform": "rows drawn at random",
    "prefix": "the first rows, in file order",
    "sorted": "the first rows, sorted by a component",
}


@dataclass(frozen=True)
class _Setting:
    """A variant: what it is but for its calibration, the rows it learned from, and how they were drawn."""

    base: str
    name: str
    rows: int
    draw: str


def calibration(part: Slice) -> Figure | None:
    """overlap@k over the number of calibration rows, a panel for each way of drawing them."""
    own = part.at("overlap", k=part.k)
    settings = [setting for setting in _settings(part) if setting.name in own.index]
    draws = [draw for draw in DRAWS if len({setting.rows for setting in settings if setting.draw == draw}) > 1]
    if not draws:
        return None
    whole = {setting.base: setting.name for setting in settings if setting.rows == part.about["n"]}
    labels = {base: _label(base, settings, whole) for base in dict.fromkeys(setting.base for setting in settings)}
    figure = canvas(_BODY, _title(part, settings, labels), _reading(), part.facts(f"k = {part.k}", part.interval))
    axes = figure.subplots(1, len(draws), sharey=True, squeeze=False)[0]
    named: list[Label] = []
    for ax, draw in zip(axes, draws, strict=True):
        named = []
        for base, color, mark in zip(labels, cycle(HUES), cycle(MARKS), strict=False):
            seen = sorted((s for s in settings if s.base == base and s.draw == draw), key=lambda s: s.rows)
            seen += [s for s in settings if s.base == base and s.name == whole.get(base) and s not in seen]
            rows = own.loc[[s.name for s in seen]]
            error = np.abs(rows[["ci_low", "ci_high"]].to_numpy().T - rows["value"].to_numpy())
            ax.errorbar(
                [s.rows for s in seen],
                rows["value"],
                yerr=error,
                color=color,
                marker=mark,
                ms=4.5,
                lw=1.3,
                elinewidth=1,
                label=labels[base],
            )
            named.append(Label(seen[-1].rows, float(rows["value"].iloc[-1]), labels[base], color))
        _axes(ax, draw, sorted({s.rows for s in settings}))
    axes[0].set_ylabel(part.axis("overlap", part.k))
    beside(axes[-1], named, _BODY - 1.1)
    return figure


def _settings(part: Slice) -> list[_Setting]:
    found = []
    for name in part.variants:
        node = dict(part.nodes.get(name) or {})
        rows, draw = node.pop("calibration", None), node.pop("draw", "uniform")
        if node:
            n = int(part.about.get("n", 0))
            found.append(_Setting(json.dumps(node, sort_keys=True), name, min(rows or n, n), draw))
    counts = {s.base: sum(other.base == s.base for other in found) for s in found}
    return [s for s in found if counts[s.base] > 1]


def _label(base: str, settings: list[_Setting], whole: dict[str, str]) -> str:
    """The name of the variant that learned from all rows, or what the names have in common."""
    names = [s.name for s in settings if s.base == base]
    return whole.get(base) or re.sub(r"[_\d]+$", "", names[0])


def _axes(ax: Axes, draw: str, rows: list[int]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(rows, [f"{count:,}" if count < 8192 else "all" for count in rows], rotation=45)
    ax.minorticks_off()
    ax.set_title(DRAWS[draw], color=INK)
    ax.set_xlabel("calibration rows (log scale)", color=GREY)
    grid(ax)


def _title(part: Slice, settings: list[_Setting], labels: dict[str, str]) -> str:
    """The variant that the worst sample hurts most."""
    value = part.at("overlap", k=part.k)["value"]
    lost = []
    for base, name in labels.items():
        members = [s for s in settings if s.base == base]
        worst = min(members, key=lambda s: value[s.name])
        lost.append((max(value[s.name] for s in members) - value[worst.name], name, worst))
    loss, name, worst = max(lost, key=lambda item: item[0])
    return f"The wrong {worst.rows:,} rows cost {name} {share(loss)} of overlap@{part.k} ({DRAWS[worst.draw]})"


def _reading() -> str:
    return (
        "What each quantizer finds when it learned its ranges or levels from so many rows. Sorted: by the first "
        "component, as a corpus stored in some order of meaning would be. The last point learned from all rows."
    )
