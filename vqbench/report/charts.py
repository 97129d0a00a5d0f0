"""The charts of the report: each twice, for wide screens and for phones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from vqbench.analysis.recommend_text import interval, share
from vqbench.report.drawing import NARROW, WIDE, Canvas, apart, doublings, steps, together
from vqbench.results.measured_settings import Setting

SERIES = 8  # colours in the style sheet
_LINES = 7  # more cannot be told apart
TARGETS = (0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Chart:
    """A picture in two widths, and the lines of its key: number, colour (either may be empty), name, facts."""

    pictures: Markup
    key: Sequence[tuple[str, str, str, str]]


def both(draw: Callable[[Canvas], None], ident: str, title: str, description: str, height: int = 400) -> Markup:
    """A chart as it is on wide screens and on phones."""
    found = Markup("")
    for width, tall in ((WIDE, height), (NARROW, 300)):
        canvas = Canvas(width, tall)
        draw(canvas)
        found += canvas.svg(f"{ident}-{width}", title, description)
    return found


def front_of(settings: Sequence[Setting], n: int) -> list[Setting]:
    """The settings that no other beats in memory and in value, smallest first."""
    ordered = sorted(settings, key=lambda s: (round(s.ram(n)), -s.value, s.oversample, s.variant))
    front: list[Setting] = []
    for setting in ordered:
        if not front or setting.value > front[-1].value:
            front.append(setting)
    return front


def pareto(settings: Sequence[Setting], n: int, k: int, chosen: Sequence[Setting], ident: str) -> Chart:
    """overlap@k against memory; the settings that nothing beats are numbered, and the recommended ones, ringed."""
    front = front_of(settings, n)
    numbered = [*front, *(s for s in settings if s in chosen and s not in front)]
    low_y = min(s.value for s in settings)
    sizes = [s.ram(n) for s in settings]

    def draw(c: Canvas) -> None:
        x = c.axis_x(min(sizes) / 1.3, max(sizes) * 1.3, log=True)
        y = c.axis_y(max(0.0, low_y - 0.04), 1.02)
        few = 10 if c.width == WIDE else 5
        ticks = [(value, f"{value:,.0f}") for value in doublings(x.low, x.high, few) if value >= 1]
        c.frame(x, y, ticks, steps(y.low, 1.0), "bytes of memory per vector (log scale)")
        for target in TARGETS:
            if target > y.low:
                c.line([(c.left, y(target)), (c.width - c.right, y(target))], "target")
        _stairs(c, [(x(s.ram(n)), y(s.value)) for s in front], c.width - c.right)
        for s in settings:
            if s not in front:
                c.dot(x(s.ram(n)), y(s.value), "dot again" if s.oversample else "dot", _said(s, n), 3)
                if s in chosen:  # its bytes round to those of the front's, which keeps more
                    c.dot(x(s.ram(n)), y(s.value), "ring", _said(s, n), 8)
        for s in front:
            at = x(s.ram(n)), y(s.value)
            if s.ci_low <= s.ci_high:  # both are known
                c.line([(at[0], y(max(s.ci_low, y.low))), (at[0], y(s.ci_high))], "bar")
            if s in chosen:
                c.dot(*at, "ring", _said(s, n), 8)
            c.dot(*at, "dot best again" if s.oversample else "dot best", _said(s, n), 4.5)
        wanted = [(x(s.ram(n)) - 10, y(s.value) - 8) for s in numbered]
        for number, at in enumerate(apart(wanted, 14, 12, c.top - 2), 1):
            c.text(*at, str(number), "number", "end")

    best = front[-1]
    description = (
        f"{len(settings)} settings; of those on the line, which none beats in size and quality, the smallest, "
        f"{front[0].name}, keeps {share(front[0].value)} in {front[0].ram(n):,.0f} bytes, the largest, {best.name}, "
        f"{share(best.value)} in {best.ram(n):,.0f}."
    )
    title = f"overlap@{k} with float search against bytes of memory per vector"
    key = [(str(number), "", s.name, _facts(s, n)) for number, s in enumerate(numbered, 1)]
    return Chart(both(draw, ident, title, description), key)


def _stairs(c: Canvas, points: Sequence[tuple[float, float]], right: float) -> None:
    """The front: up to the next size nothing better is to be had."""
    found: list[tuple[float, float]] = []
    for at, (x, y) in enumerate(points):
        following = points[at + 1][0] if at + 1 < len(points) else right
        found += [(x, y), (following, y)]
    c.line(found, "front")


def _facts(s: Setting, n: int) -> str:
    return f"{s.ram(n):,.0f} bytes, {share(s.value)} ({interval(s)})"


def _said(s: Setting, n: int) -> str:
    return f"{s.name}: {_facts(s, n)}"


def rescoring(settings: Sequence[Setting], n: int, k: int, ident: str) -> Chart | None:
    """overlap@k over the oversample factor, for the best variants of each size."""
    factors = sorted({s.oversample for s in settings})
    if len(factors) < 2:
        return None
    names = _told(settings, n)
    settings = [s for s in settings if s.variant in names]
    by_name = {name: {s.oversample: s for s in settings if s.variant == name} for name in names}
    low_y = min(s.value for rows in by_name.values() for s in rows.values())

    def draw(c: Canvas) -> None:
        x = c.axis_x(-0.25, len(factors) - 0.75)
        y = c.axis_y(max(0.0, low_y - 0.04), 1.02)
        texts = [(at, "alone" if not factor else f"×{factor}") for at, factor in enumerate(factors)]
        c.frame(x, y, texts, steps(y.low, 1.0), f"candidates re-ranked by floats, as multiples of k = {k}")
        for at, rows in enumerate(by_name.values()):
            points = [(x(place), y(rows[f].value)) for place, f in enumerate(factors) if f in rows]
            c.line(points, f"series s{at % SERIES}")
            for (a, b), s in zip(points, (rows[f] for f in factors if f in rows), strict=True):
                c.dot(a, b, f"mark s{at % SERIES}", _said(s, n), 3.5)

    key = []
    for at, (name, rows) in enumerate(by_name.items()):
        found = ", ".join(f"{'alone' if not f else f'×{f}'} {share(rows[f].value)}" for f in factors if f in rows)
        key.append(("", f"s{at % SERIES}", name, f"{next(iter(rows.values())).ram(n):,.0f} bytes: {found}"))
    title = f"overlap@{k} by how many candidates float vectors re-rank"
    description = "; ".join(f"{name}, {facts}" for *_, name, facts in key) + "."
    return Chart(both(draw, ident, title, description, 320), key)


def _told(settings: Sequence[Setting], n: int) -> list[str]:
    """The variants worth a line: those on a front alone or rescored, smallest first, then the best of the others."""
    fronts = [
        s
        for factor in sorted({s.oversample for s in settings})
        for s in front_of([s for s in settings if s.oversample == factor], n)
    ]
    others = sorted(settings, key=lambda s: (round(s.ram(n)), -s.value))
    names = list(dict.fromkeys(s.variant for s in [*sorted(fronts, key=lambda s: s.ram(n)), *others]))
    return names[:_LINES]


def across(found: Mapping[str, tuple[Sequence[Setting], int, int]], ident: str) -> Chart:
    """The front of every dataset: overlap over memory relative to float32.

    found: by name, a dataset's settings, its number of vectors and the bytes of a float32 vector.
    """
    fronts = {}
    for name, (settings, n, full) in found.items():
        fronts[name] = [(s.ram(n) / full, s) for s in front_of(settings, n) if s.ram(n) <= full] or [
            (s.ram(n) / full, s) for s in front_of(settings, n)
        ]
    sizes = [size for points in fronts.values() for size, _ in points]
    low_y = min(s.value for points in fronts.values() for _, s in points)

    def draw(c: Canvas) -> None:
        x = c.axis_x(min(sizes) / 1.6, max(sizes) * 1.2, log=True)  # room for the lines' numbers
        y = c.axis_y(max(0.0, low_y - 0.04), 1.02)
        powers = doublings(x.low, x.high, 8 if c.width == WIDE else 5)
        ticks = [(p, f"1/{1 / p:.0f}" if p < 1 else f"{p:.0f}") for p in powers]
        c.frame(x, y, ticks, steps(y.low, 1.0), "memory relative to float32 (log scale)")
        for at, points in enumerate(fronts.values()):
            c.line([(x(size), y(s.value)) for size, s in points], f"series s{at % SERIES} d{at // SERIES % 4}")
        for at, (name, points) in enumerate(fronts.items()):
            for size, s in points:
                c.dot(x(size), y(s.value), f"mark s{at % SERIES}", f"{name}: {s.name}, {share(s.value)}", 3.5)
        starts = [(x(points[0][0]) - 7, y(points[0][1].value) + 4) for points in fronts.values()]
        groups = together(starts, 12)
        places = apart([starts[group[0]] for group in groups], 15, 12, c.top)
        for group, at in zip(groups, places, strict=True):
            more = f" +{len(group) - 1}" if len(group) > 1 else ""
            c.text(*at, f"{group[0] + 1}{more}", "number", "end")

    key = []
    for at, (name, points) in enumerate(fronts.items()):
        size, least = points[0]
        facts = f"from {share(least.value)} at 1/{1 / size:.0f} of the memory ({least.name})"
        key.append((str(at + 1), f"s{at % SERIES} d{at // SERIES % 4}", name, facts))
    title = "overlap with float search against memory relative to float32, for each dataset"
    description = "; ".join(f"{name}: {facts}" for *_, name, facts in key) + "."
    return Chart(both(draw, ident, title, description), key)
