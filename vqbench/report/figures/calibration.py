"""What a quantizer loses when it learns from few rows, or from unrepresentative ones."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import cycle

from matplotlib.figure import Figure

from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.style import HUES, MARKS, canvas, grid, intervals, log_axis
from vqbench.text import share

_BODY = 4.4
DRAWS = {
    "uniform": "rows drawn at random",
    "prefix": "the first rows, in file order",
    "sorted": "the first rows, sorted by a component",
}


@dataclass(frozen=True)
class _Learned:
    """A variant with its calibration."""

    name: str
    rows: int  # that it learned from
    draw: str  # how they were drawn


def calibration(part: Slice) -> Figure | None:
    """Draw overlap@k over the number of calibration rows, a panel for each way of drawing them."""
    own, n = part.at("overlap", k=part.k), int(part.about["n"])
    groups = _groups(part, n)
    members = [one for group in groups.values() for one in group]
    draws = [draw for draw in DRAWS if len({one.rows for one in members if one.draw == draw}) > 1]
    if not draws:
        return None
    reading = (
        "Each quantizer learned its ranges or levels from so many rows; the last point learned from all of them. "
        "Sorted: the corpus is ordered by its first component, as one might be that is stored by topic."
    )
    figure = canvas(_BODY, _title(part, groups), reading, part.facts(f"k = {part.k}", part.interval))
    axes = figure.subplots(1, len(draws), sharey=True, squeeze=False)[0]
    ticks = sorted({one.rows for one in members})
    labels: list[Label] = []
    for ax, draw in zip(axes, draws, strict=True):
        labels = []
        for (label, group), color, marker in zip(groups.items(), cycle(HUES), cycle(MARKS), strict=False):
            seen = [one for one in group if one.draw == draw or one.rows == n]
            seen = list({one.rows: one for one in sorted(seen, key=lambda one: one.rows)}.values())
            rows = own.loc[[one.name for one in seen]]
            intervals(ax, [one.rows for one in seen], rows, color=color, marker=marker, label=label)
            labels.append(Label(seen[-1].rows, float(rows["value"].iloc[-1]), label, color))
        log_axis(ax, ticks, ["all" if count == n else f"{count:,}" for count in ticks])
        ax.tick_params(axis="x", rotation=45)
        ax.set_title(DRAWS[draw])
        ax.set_xlabel("calibration rows (log scale)")
        grid(ax)
    axes[0].set_ylabel(part.axis("overlap", part.k))
    beside(axes[-1], labels, _BODY - 1.1)
    return figure


def _groups(part: Slice, n: int) -> dict[str, list[_Learned]]:
    """Variants with a result that differ in their calibration alone, by what they have in common."""
    groups: dict[str, list[_Learned]] = {}
    for name in part.at("overlap", k=part.k).index.intersection(part.variants, sort=False):
        node = part.nodes.get(name) or {}
        same = {key: value for key, value in node.items() if key not in ("calibration", "draw", "about")}
        if same:
            learned = _Learned(name, min(node.get("calibration") or n, n), node.get("draw", "uniform"))
            groups.setdefault(json.dumps(same, sort_keys=True), []).append(learned)
    return {_label(group, n): group for group in groups.values() if len(group) > 1}


def _label(group: list[_Learned], n: int) -> str:
    """The name of the variant that learned from all rows, or what the names have in common."""
    return next((one.name for one in group if one.rows == n), re.sub(r"[_\d]+$", "", group[0].name))


def _title(part: Slice, groups: dict[str, list[_Learned]]) -> str:
    """The variant that the worst sample hurts most."""
    value = part.at("overlap", k=part.k)["value"]
    losses = []
    for label, group in groups.items():
        worst = min(group, key=lambda one: value[one.name])
        losses.append((max(value[one.name] for one in group) - value[worst.name], label, worst))
    loss, label, worst = max(losses, key=lambda item: item[0])
    rows = f"{worst.rows:,} rows ({DRAWS[worst.draw]})"
    return f"{label} loses {share(loss)} of overlap@{part.k} if it learns from {rows}"
