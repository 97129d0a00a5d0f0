"""Small SVG charts that a style sheet colours: scales, axes, marks. Every text is escaped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

WIDE, NARROW = 760, 340  # the second is for phones, where the first would shrink to unreadable text


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic scale from values to pixels."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (
            (math.log(x) for x in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (at - low) / (high - low) * (self.stop - self.start)


@dataclass
class Canvas:
    """An SVG of a fixed width with a plot area; marks are added in the order in which they are drawn."""

    width: int
    height: int
    left: int = 46
    right: int = 14
    top: int = 14
    bottom: int = 44
    parts: list[Markup] = field(default_factory=list)

    def axis_x(self, low: float, high: float, log: bool = False) -> Axis:
        return Axis(low, high, self.left, self.width - self.right, log)

    def axis_y(self, low: float, high: float) -> Axis:
        return Axis(low, high, self.height - self.bottom, self.top)

    def line(self, points: Sequence[tuple[float, float]], style: str) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(Markup('<polyline class="{}" points="{}"/>').format(style, path))

    def dot(self, x: float, y: float, style: str, title: str, radius: float = 4) -> None:
        self.parts.append(
            Markup('<circle class="{}" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
                style, f"{x:.1f}", f"{y:.1f}", f"{radius:g}", title
            )
        )

    def text(self, x: float, y: float, text: str, style: str = "", anchor: str = "start") -> None:
        self.parts.append(
            Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
                style, f"{x:.1f}", f"{y:.1f}", anchor, text
            )
        )

    def frame(
        self, x: Axis, y: Axis, ticks_x: Sequence[tuple[float, str]], ticks_y: Sequence[float], label_x: str
    ) -> None:
        """Grid lines, tick labels and the label of the x axis; the y axis is named in the caption."""
        for value in ticks_y:
            self.line([(self.left, y(value)), (self.width - self.right, y(value))], "grid")
            self.text(self.left - 6, y(value) + 4, f"{value:g}".replace("-", "\N{MINUS SIGN}"), "tick", "end")
        base = self.height - self.bottom
        self.line([(self.left, base), (self.width - self.right, base)], "axis")
        for value, text in ticks_x:
            self.line([(x(value), base), (x(value), base + 4)], "axis")
            self.text(x(value), base + 17, text, "tick", "middle")
        self.text((self.left + self.width - self.right) / 2, self.height - 6, label_x, "label", "middle")

    def svg(self, ident: str, title: str, description: str) -> Markup:
        """The picture with a name and a description for those who do not see it."""
        return Markup(
            '<svg role="img" aria-labelledby="{0}-t {0}-d" viewBox="0 0 {1} {2}" class="{3}">'
            '<title id="{0}-t">{4}</title><desc id="{0}-d">{5}</desc>{6}</svg>'
        ).format(
            ident,
            self.width,
            self.height,
            "wide" if self.width == WIDE else "narrow",
            title,
            description,
            Markup("").join(self.parts),
        )


def steps(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two values, at most so many."""
    if not high > low:
        return [low]
    for step in (s * 10.0**e for e in range(-4, 4) for s in (1, 2, 5)):
        first = math.ceil(low / step - 1e-9)
        count = math.floor(high / step + 1e-9) - first + 1
        if count <= most:
            return [round((first + at) * step, 10) for at in range(count)]
    return [low, high]


def doublings(low: float, high: float, most: int) -> list[float]:
    """Powers of two between two values, thinned out evenly from the top."""
    powers = [2.0**e for e in range(math.ceil(math.log2(low) - 1e-9), math.floor(math.log2(high) + 1e-9) + 1)]
    every = max(1, math.ceil(len(powers) / most))
    return powers[::-1][::every][::-1]


def apart(wanted: Sequence[tuple[float, float]], gap_x: float, gap_y: float, top: float) -> list[tuple[float, float]]:
    """Places for short labels: each moved up, or down where there is no room, until it is clear of those before it."""
    placed: list[tuple[float, float]] = []
    for x, y in wanted:
        shifts = sorted((step * 3.0 for step in range(-30, 31)), key=lambda shift: (abs(shift), shift))
        free = (
            y + shift
            for shift in shifts
            if y + shift >= top and all(abs(x - a) >= gap_x or abs(y + shift - b) >= gap_y for a, b in placed)
        )
        placed.append((x, next(free, y)))
    return placed


def together(points: Sequence[tuple[float, float]], near: float) -> list[list[int]]:
    """Indices of points in groups: each joins the first group that starts near it."""
    groups: list[list[int]] = []
    for at, (x, y) in enumerate(points):
        for group in groups:
            a, b = points[group[0]]
            if abs(x - a) < near and abs(y - b) < near:
                group.append(at)
                break
        else:
            groups.append([at])
    return groups
