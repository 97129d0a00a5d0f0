"""Overlap against the size of the corpus, with what the law expects beyond the sizes measured."""

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
from vqbench.report.figures.style import FAINT, GREY, SMALL, canvas, grid, legend, share
from vqbench.results.folder import Results

_BODY = 4.8
_STEPS = 60  # of a drawn curve


def scale(results: Results, parts: Sequence[Slice], group: Nested) -> Figure | None:
    """Measured overlaps at nested sizes, the fitted line and its band up to ten times the largest size.

    A panel for codes alone and one for rescored codes. None where the group has no overlap.
    """
    part = next((part for part in parts if group.sizes.get(part.dataset) == group.largest), None)
    if part is None or not part.ks:
        return None
    found = [course for course in courses(results, part.k, group) if course.variant in part.looks]
    factors = sorted({course.oversample for course in found})
    factors = [*factors[:1], *[max(factors)][: len(factors) > 1]]
    panels = [[course for course in found if course.oversample == factor] for factor in factors]
    if not panels:
        return None
    figure = canvas(_BODY, _title(panels[0], part.k), _reading(), _facts(part, group))
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, some, factor in zip(axes, panels, factors, strict=True):
        _panel(ax, part, some)
        alone = "codes alone" if factor == 0 else f"float re-ranks {factor} k candidates"
        ax.set_title(alone, fontsize=SMALL + 0.5, color=GREY)
    axes[0].set_ylabel(part.axis("overlap", part.k))
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(max(low, -0.02), min(high, 1.02))
    beside(axes[-1], _labels(part, panels[-1]), _BODY - 1.4)
    legend(figure, [part.looks[course.variant] for course in panels[0]], lines=True)
    return figure


def _panel(ax: Axes, part: Slice, found: Sequence[Course]) -> None:
    group = found[0].group
    ax.set_xscale("log")
    for course in found:
        _draw(ax, part, course)
    ax.axvspan(group.largest * 1.15, group.largest * REACH * 1.1, color="#F3F3F3", lw=0, zorder=0)
    ax.set_xlim(min(group.sizes.values()) * 0.8, group.largest * REACH * 1.1)
    ax.xaxis.set_major_locator(LogLocator(10))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    ax.minorticks_off()
    ax.set_xlabel("rows of the corpus")
    ax.axvline(group.largest * 1.15, color=FAINT, lw=0.8, zorder=0.5)
    grid(ax)


def _draw(ax: Axes, part: Slice, course: Course) -> None:
    look, own = part.looks[course.variant], course.points.at(course.k)
    y = own["value"].to_numpy(dtype=float)
    bounds = np.array([own["ci_low"], own["ci_high"]], dtype=float)
    ax.errorbar(
        own["n"],
        y,
        yerr=np.abs(bounds - y),
        color=look.color,
        marker=look.marker,
        ms=4.5,
        ls="",
        elinewidth=1,
        label=course.variant,
        zorder=3,
    )
    if course.fit is None:
        return
    usable = course.points.usable(course.k)
    start = float(usable[usable["k"] == course.k]["n"].min())
    line = course.fit.predict(np.geomspace(start, REACH * course.group.largest, _STEPS))
    ax.plot(line.n, line.value, color=look.color, ls=look.line, lw=1.3, label=f"{course.variant} fitted")
    ax.fill_between(line.n, line.low, line.high, color=look.color, alpha=0.16, lw=0, zorder=1)


def _labels(part: Slice, found: Sequence[Course]) -> list[Label]:
    """Names right of the axes, with what is expected at the right end."""
    labels = []
    for course in found:
        look, last = part.looks[course.variant], course.points.at(course.k).iloc[-1]
        end = course.forecast(round(REACH * course.group.largest))
        if end.kind == "fitted":
            x, y = REACH * course.group.largest, end.value
            text = f"{share(end.value)} ({share(end.low)}-{share(end.high)})"
        else:
            x, y = float(last["n"]), float(last["value"])
            text = f"above {share(end.low)}" if end.kind == "bound" else "no forecast"
        labels.append(Label(x, y, f"{course.variant}\n{text}", look.ink))
    return labels


def _title(found: Sequence[Course], k: int) -> str:
    """The variant that has changed most between the smallest and the largest size."""
    group = found[0].group
    falls = {
        course.variant: (float(own.iloc[0]["value"]), float(own.iloc[-1]["value"]))
        for course in found
        if len(own := course.points.at(k)) > 1
    }
    name = max(falls, key=lambda name: abs(falls[name][0] - falls[name][1]))
    first, last = falls[name]
    went = "falls" if last < first else "rises"
    least, most = min(group.sizes.values()), group.largest
    change = f"overlap@{k} of {name} {went} from {share(first)} to {share(last)}"
    return f"{group.name}: from {least:,} to {most:,} rows {change}"


def _reading() -> str:
    return (
        "Bars: measured, with the 95 % interval. Lines and bands: the fitted law and its 95 % interval; grey: up to "
        f"{REACH:g} times what was measured. Beside the names: expected at the far right, if it is more of the same."
    )


def _facts(part: Slice, group: Nested) -> str:
    sizes = ", ".join(f"{n:,}" for n in group.sizes.values())
    return (
        f"{group.name}: nested subsamples of {sizes} vectors of {group.d:,} numbers; the same {group.queries:,} "
        f"queries for all; k = {part.k}; the fit uses every k measured."
    )
