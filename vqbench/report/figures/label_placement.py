"""Labels beside what they name, without overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox, ScaledTranslation

from vqbench.report.figures.style import GREY, TINY

_LINE = 0.150  # inches from one label to the next
_FEW = 4  # points so close that their labels still find places one by one


@dataclass(frozen=True)
class Label:
    """A text for a point in data coordinates."""

    x: float
    y: float
    text: str
    color: str
    bold: bool = False

    @property
    def style(self) -> dict[str, Any]:
        return {"color": self.color, "weight": "bold" if self.bold else "normal", "va": "center"}


def spread(wanted: Sequence[float] | np.ndarray, heights: Sequence[float], lowest: float, highest: float) -> np.ndarray:
    """Find the centres nearest to ``wanted`` (least squares) that keep its order and do not overlap.

    With the heights below subtracted this is an isotonic regression: neighbours that clash are pooled.
    """
    order = np.argsort(wanted, kind="stable")
    tall = np.asarray(heights, dtype=float)[order]
    steps = np.concatenate([[0.0], np.cumsum((tall[1:] + tall[:-1]) / 2)])[: len(order)]
    pools: list[tuple[float, int]] = []
    for value in np.asarray(wanted, dtype=float)[order] - steps:
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
    level = np.array([value for value, n in pools for _ in range(n)])
    placed = np.empty(len(order))
    if len(order):
        placed[order] = np.clip(level, lowest, max(lowest, highest - steps[-1])) + steps
    return placed


def beside(ax: Axes, labels: Sequence[Label], height: float) -> None:
    """Write a column of labels right of the axes, joined to their points by thin lines.

    Args:
        height: That of the axes in inches, about.
    """
    low, high = ax.get_ylim()
    column = ax.transAxes + ScaledTranslation(0.28, 0, ax.figure.dpi_scale_trans)
    lines = [_LINE / height * (high - low) * (1 + label.text.count("\n")) for label in labels]
    arrow = {"arrowstyle": "-", "lw": 0.6, "alpha": 0.7, "shrinkA": 1, "shrinkB": 4, "relpos": (0, 0.5)}
    for label, y in zip(labels, spread([x.y for x in labels], lines, low, high), strict=True):
        ax.annotate(
            label.text,
            (label.x, label.y),
            (1, (y - low) / (high - low)),
            textcoords=column,
            ha="left",
            fontsize=TINY,
            annotation_clip=False,
            arrowprops={**arrow, "color": label.color},
            **label.style,
        )


def apart(ax: Axes, labels: Sequence[Label]) -> None:
    """Write short labels inside the axes, each near its point and clear of the others and of all points."""
    ax.get_figure(root=True).draw_without_rendering()  # pyright: ignore[reportOptionalMemberAccess]
    points = ax.transData.transform([(label.x, label.y) for label in labels])
    within(ax, [[label] for label in labels], [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in points])


def within(ax: Axes, groups: Sequence[Sequence[Label]], taken: Sequence[Bbox]) -> None:
    """Write labels inside the axes, without overlap. The layout must be final.

    A large group gets a column of its own, in order; the others stand at the nearest free place.

    Args:
        taken: Boxes in pixels that stay free of text (markers, bars).
    """
    scale, edges = ax.figure.dpi / 72, ax.get_window_extent()
    inside = Bbox.from_extents(edges.x0, edges.y0 + 4, edges.x1 + 8, edges.y1)
    boxes = list(taken)
    for group in sorted(groups, key=len, reverse=True):
        texts = [_text(ax, label) for label in group]
        points = ax.transData.transform([(label.x, label.y) for label in group])
        if len(group) > _FEW:
            places = _column(texts, points, inside, boxes, scale)
        else:
            places = []
            for text, point in zip(texts, points, strict=True):
                places.append(_free(text, point, inside, [*boxes, *places], scale))
        boxes += places
        for label, text, point, box in zip(group, texts, points, places, strict=True):
            text.set_position(((box.x0 - point[0]) / scale, ((box.y0 + box.y1) / 2 - point[1]) / scale))
            _leader(ax, point, box, label.color, scale)


def _text(ax: Axes, label: Label) -> Text:
    text = ax.annotate(
        label.text,
        (label.x, label.y),
        (0, 0),
        textcoords="offset points",
        fontsize=mpl.rcParams["legend.fontsize"],
        zorder=6,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},  # lines pass behind, not through
        **label.style,
    )
    text.set_in_layout(False)
    return text


def _column(texts: Sequence[Text], points: np.ndarray, inside: Bbox, taken: Sequence[Bbox], scale: float) -> list[Bbox]:
    """One label under the other, in the order of the points' heights, on the side with more room."""
    sizes = [text.get_window_extent() for text in texts]
    widest, height = max(size.width for size in sizes), max(size.height for size in sizes) * 1.1
    left, right = points[:, 0].min() - 24 * scale, points[:, 0].max() + 24 * scale
    y = spread(points[:, 1], [height] * len(texts), inside.y0 + height / 2, inside.y1 - height / 2)

    def boxes(on_right: bool) -> list[Bbox]:
        return [
            Bbox.from_bounds(right if on_right else left - box.width, middle - box.height / 2, box.width, box.height)
            for middle, box in zip(y, sizes, strict=True)
        ]

    def clashes(places: list[Bbox]) -> float:
        outside = places[0].x0 < inside.x0 or places[0].x0 + widest > inside.x1
        return 100 * outside + sum(box.overlaps(other) for box in places for other in taken)

    return min(boxes(True), boxes(False), key=clashes)


def _free(text: Text, point: np.ndarray, inside: Bbox, taken: Sequence[Bbox], scale: float) -> Bbox:
    """The cheapest place for the text without overlap; the least bad one if there is none."""
    size = text.get_window_extent()
    least, place = np.inf, size
    shifts = sorted(np.arange(-260, 261, 2.5), key=abs)
    for far, side, shift in product((9, 26, 48, 80, 112), (1, -1), shifts):
        cost = abs(shift) + far * 1.2 + (2 if side < 0 else 0)
        if cost >= least:
            continue
        x = point[0] + side * far * scale - (size.width if side < 0 else 0)
        box = Bbox.from_bounds(x, point[1] + shift * scale - size.height / 2, size.width, size.height)
        cost += 400 * sum(box.overlaps(other) for other in taken)
        if box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1:
            cost += 2000
        if cost < least:
            least, place = cost, box
    return place


def _leader(ax: Axes, point: np.ndarray, box: Bbox, color: str, scale: float) -> None:
    """A line from the point to the near end of its label."""
    x, y = (box.x0 - 1.5 * scale if box.x0 > point[0] else box.x1 + 1.5 * scale), (box.y0 + box.y1) / 2
    ends = ax.transData.inverted().transform(np.array([point, (x, y)]))
    far = max(abs(x - point[0]), abs(y - point[1])) > 12 * scale
    style = {"color": color if far else GREY, "lw": 0.6, "zorder": 1.5, "alpha": 0.7}
    ax.plot(ends[:, 0], ends[:, 1], scalex=False, scaley=False, label="_leader", **style)
