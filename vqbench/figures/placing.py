"""Labels beside what they name, without overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from vqbench.figures.style import FAINT, GREY, SMALL, TINY


@dataclass(frozen=True)
class Label:
    """A text for a point in data coordinates."""

    x: float
    y: float
    text: str
    color: str
    bold: bool = False


def spread(wanted: Sequence[float], gap: float, lowest: float, highest: float) -> np.ndarray:
    """The places nearest to ``wanted`` (least squares) that keep the order and a distance of ``gap``.

    With ``gap * i`` subtracted, this is an isotonic regression: neighbours that clash are pooled.
    """
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(order))
    pools: list[tuple[float, int]] = []
    for value in np.asarray(wanted, dtype=float)[order] - steps:
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
    level = np.concatenate([np.full(n, value) for value, n in pools]) if pools else np.empty(0)
    level = np.clip(level, lowest, max(lowest, highest - steps[-1] if len(steps) else highest))
    placed = np.empty(len(order))
    placed[order] = level + steps
    return placed


def beside(ax: Axes, labels: Sequence[Label], height: float) -> None:
    """A column of labels right of the axes, joined to their points by thin lines.

    height: that of the axes in inches, about.
    """
    low, high = ax.get_ylim()
    gap = 0.150 / height * (high - low)
    places = spread([label.y for label in labels], gap, low, high)
    for label, y in zip(labels, places, strict=True):
        ax.annotate(
            label.text, (label.x, label.y), (1.045, (y - low) / (high - low)), textcoords="axes fraction",
            va="center", ha="left", fontsize=TINY + 0.5, color=label.color, annotation_clip=False,
            weight="bold" if label.bold else "normal",
            arrowprops={"arrowstyle": "-", "color": label.color, "lw": 0.6, "alpha": 0.7, "shrinkA": 1,
                        "shrinkB": 4, "relpos": (0, 0.5)},
        )  # fmt: skip


def within(ax: Axes, labels: Sequence[Label], taken: Sequence[Bbox]) -> None:
    """Labels inside the axes, each at the nearest free place left or right of its point.

    taken: boxes in pixels that stay free of text (markers, bars). The layout must be final.
    """
    scale = ax.get_figure(root=True).dpi / 72  # pyright: ignore[reportOptionalMemberAccess]
    inside, boxes = ax.get_window_extent(), list(taken)
    for label in labels:
        text = ax.text(0, 0, label.text, fontsize=SMALL, color=label.color, va="center", zorder=6,
                       weight="bold" if label.bold else "normal", transform=None)  # fmt: skip
        text.set_in_layout(False)
        at = ax.transData.transform((label.x, label.y))
        box = _free(text, at, inside, boxes, scale)
        boxes.append(box)
        _leader(ax, at, box, scale)


def _free(text: Text, at: np.ndarray, inside: Bbox, taken: Sequence[Bbox], scale: float) -> Bbox:
    """Move the text to the cheapest place without overlap; the least bad one if there is none."""
    size = text.get_window_extent()
    best: tuple[float, float, float] | None = None
    shifts = sorted(np.arange(-260, 261, 2.5), key=abs)
    for far, side, shift in product((9, 26, 48), (1, -1), shifts):
        x = at[0] + side * far * scale - (size.width if side < 0 else 0)
        y = at[1] + shift * scale
        cost = abs(shift) + far * 1.2 + (2 if side < 0 else 0)
        if best is not None and cost >= best[0]:
            continue
        box = Bbox.from_bounds(x, y - size.height / 2, size.width, size.height)
        cost += 400 * sum(box.overlaps(other) for other in taken)
        if box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1:
            cost += 2000
        if best is None or cost < best[0]:
            best = (cost, x, y)
    assert best is not None  # noqa: S101  (there is always a first candidate)
    text.set_position(best[1:])
    return Bbox.from_bounds(best[1], best[2] - size.height / 2, size.width, size.height)


def _leader(ax: Axes, at: np.ndarray, box: Bbox, scale: float) -> None:
    """A line from the point to the near end of its label."""
    x = box.x0 - 1.5 * scale if box.x0 > at[0] else box.x1 + 1.5 * scale
    ends = ax.transData.inverted().transform([at, (x, (box.y0 + box.y1) / 2)])
    ax.plot(ends[:, 0], ends[:, 1], color=GREY if abs(x - at[0]) > 12 * scale else FAINT, lw=0.6, zorder=1.5,
            alpha=0.8, scalex=False, scaley=False)  # fmt: skip
