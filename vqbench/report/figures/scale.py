"""Overlap against the size of the corpus, with a forecast beyond the sizes measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from vqbench.analysis.scaling.curves import Nested
from vqbench.analysis.scaling.forecast import REACH, Course, courses
from vqbench.report.figures.figure_data import Slice
from vqbench.report.figures.label_placement import Label, beside
from vqbench.report.figures.looks import legend
from vqbench.report.figures.style import FAINT, GREY, SHADE, SMALL, TIMES, canvas, grid, intervals, within_unit
from vqbench.results.folder import Results
from vqbench.text import share

_BODY = 4.8
_STEPS = 60  # of a drawn curve


def scale(results: Results, parts: Sequence[Slice], group: Nested) -> Figure | None:
    """Draw measured overlaps at nested sizes, the fitted line and its band up to ten times the largest size.

    A panel for codes alone and one for rescored codes. None where the group has no overlap.
    """
    part = next((part for part in parts if group.sizes.get(part.dataset) == group.largest), None)
    if part is None or not part.ks:
        return None
    drawn = [course for course in courses(results, part.k, group) if course.variant in part.looks]
    factors = sorted({course.oversample for course in drawn})
    ends = factors[:1] + factors[-1:]
    panels = {factor: [course for course in drawn if course.oversample == factor] for factor in ends}
    if not panels:
        return None
    sizes = ", ".join(f"{n:,}" for n in group.sizes.values())
    figure = canvas(
        _BODY,
        _title(next(iter(panels.values())), part.k),
        "Points: measured, with the 95 % interval. Lines and bands: the fitted law and its 95 % interval. Grey: "
        f"forecast, up to {REACH:g} times the largest size. Right of the axes: the forecast at the right end, if the "
        "corpus grows by more rows of the same kind.",
        f"{group.name}: nested subsamples of {sizes} vectors of {group.d:,} dimensions; the same {group.queries:,} "
        f"queries for all; k = {part.k}; the fit uses every k measured.",
    )
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, (factor, own) in zip(axes, panels.items(), strict=True):
        _panel(ax, part, own)
        title = f"rescored {TIMES}{factor} ({part.today.store})" if factor else "codes alone"
        ax.set_title(title, fontsize=SMALL + 0.5, color=GREY)
    axes[0].set_ylabel(part.axis("overlap", part.k))
    within_unit(axes[0])
    beside(axes[-1], [_label(part, course) for course in panels[factors[-1]]], _BODY - 1.4)
    legend(figure, [part.looks[course.variant] for course in panels[factors[0]]], lines=True)
    return figure


def _panel(ax: Axes, part: Slice, own: Sequence[Course]) -> None:
    """Measured points, fitted lines and their bands."""
    group = own[0].group
    ax.set_xscale("log")
    for course in own:
        look, points = part.looks[course.variant], course.points.at(course.k)
        intervals(ax, points["n"], points, **look.mark, ls="", label=course.variant, zorder=3)
        if course.fit is not None:
            usable = course.points.usable(course.k)
            start = float(usable[usable["k"] == course.k]["n"].min())
            line = course.fit.predict(np.geomspace(start, REACH * group.largest, _STEPS))
            ax.plot(line.n, line.value, color=look.color, ls=look.line, lw=1.3, label=f"{course.variant} fitted")
            ax.fill_between(line.n, line.low, line.high, color=look.color, alpha=0.16, lw=0, zorder=1)
    ax.axvspan(group.largest * 1.15, group.largest * REACH * 1.1, color=SHADE, lw=0, zorder=0)
    ax.axvline(group.largest * 1.15, color=FAINT, lw=0.8, zorder=0.5)
    ax.set_xlim(min(group.sizes.values()) * 0.8, group.largest * REACH * 1.1)
    ax.xaxis.set_major_locator(LogLocator(10))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    ax.minorticks_off()
    ax.set_xlabel("rows of the corpus")
    grid(ax)


def _label(part: Slice, course: Course) -> Label:
    """The name right of the axes, with the forecast at the right end."""
    end = course.forecast(round(REACH * course.group.largest))
    if end.kind == "fitted":
        x, y = REACH * course.group.largest, end.value
        text = f"{share(end.value)} ({share(end.low)}-{share(end.high)})"
    else:
        x, y = course.points.at(course.k)[["n", "value"]].iloc[-1]
        text = f"above {share(end.low)}" if end.kind == "bound" else "no forecast"
    return Label(float(x), float(y), f"{course.variant}\n{text}", part.looks[course.variant].ink)


def _title(own: Sequence[Course], k: int) -> str:
    """The variant that has changed most between the smallest and the largest size."""
    group = own[0].group
    ends = {
        course.variant: points["value"].iloc[[0, -1]].tolist()
        for course in own
        if len(points := course.points.at(k)) > 1
    }
    name, (first, last) = max(ends.items(), key=lambda item: abs(item[1][0] - item[1][1]))
    change = f"overlap@{k} of {name} {'falls' if last < first else 'rises'} from {share(first)} to {share(last)}"
    return f"{group.name}: from {min(group.sizes.values()):,} to {group.largest:,} rows, {change}"
