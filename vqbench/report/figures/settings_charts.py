"""The charts of the report: settings by their bytes, by their oversample factor, and by dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from vqbench.analysis.recommend_text import named
from vqbench.report.figures.embedded import Chart, KeyEntry, embedded, titled
from vqbench.report.figures.figure_data import on_front
from vqbench.report.figures.label_placement import Label, apart
from vqbench.report.figures.style import BLUE, FAINT, GREY, HUES, INK, MARKS, TIMES, VERMILION, intervals, log_axis
from vqbench.results.measured_settings import Setting, StoredToday
from vqbench.text import share

TARGETS = (0.9, 0.95, 0.99)
_LINES = 7  # more cannot be told apart
_TARGET = "#9A6A00"


def front_of(settings: Sequence[Setting], n: int) -> list[Setting]:
    """Select the settings that no other beats in memory and value, smallest first; of equals the least rescored."""
    front = on_front([s.ram(n) for s in settings], [s.value for s in settings])
    ordered = sorted((s for s, on in zip(settings, front, strict=True) if on), key=lambda s: (s.oversample, s.variant))
    alike = {round(s.ram(n)): s for s in reversed(ordered)}
    return [alike[size] for size in sorted(alike)]


def pareto(settings: Sequence[Setting], n: int, k: int, chosen: Sequence[Setting], ident: str) -> Chart:
    """Draw overlap@k against memory: the Pareto front is numbered, the recommended settings are ringed."""
    front = front_of(settings, n)
    rest = [s for s in settings if s not in front]
    explained = [*front, *(s for s in rest if s in chosen)]

    def draw(ax: Axes) -> None:
        _size_axis(ax, [s.ram(n) for s in settings], "bytes of memory per vector (log scale)")
        low = _share_axis(ax, [s.value for s in settings])
        for target in TARGETS:
            if target > low:
                ax.axhline(target, color=_TARGET, lw=1, ls=(0, (5, 4)))
        steps = [*((s.ram(n), s.value) for s in front), (ax.get_xlim()[1], front[-1].value)]
        ax.plot(*zip(*steps, strict=True), color=BLUE, lw=1.5, alpha=0.55, drawstyle="steps-post")
        for s in rest:
            _dot(ax, s, n, color=GREY, ms=5, alpha=0.6)
        known = [s for s in front if s.ci_low <= s.ci_high]
        bars = pd.DataFrame([vars(s) for s in known], columns=["value", "ci_low", "ci_high"]).clip(lower=low)
        intervals(ax, [s.ram(n) for s in known], bars, color=BLUE, ls="", elinewidth=2)
        for s in front:
            _dot(ax, s, n, color=BLUE, ms=8)
        ring = {"marker": "o", "ms": 15, "mfc": "none", "mec": VERMILION, "mew": 2}
        for s in chosen:
            ax.plot(s.ram(n), s.value, gid=titled(_named_facts(s, n)), **ring)
        apart(ax, [Label(s.ram(n), s.value, str(number), INK, bold=True) for number, s in enumerate(front, 1)])

    smallest, largest = front[0], front[-1]
    description = (
        f"{len(settings)} settings. The smallest on the Pareto front, {_named_facts(smallest, n)}. "
        f"The largest, {_named_facts(largest, n)}."
    )
    marks = [*map(str, range(1, len(front) + 1)), *["\N{LARGE CIRCLE}"] * len(explained)]
    key = [KeyEntry(named(s), _facts(s, n), mark) for s, mark in zip(explained, marks, strict=False)]
    return embedded(draw, ident, f"overlap@{k} against bytes of memory per vector", key, description)


def _dot(ax: Axes, s: Setting, n: int, **style: str | float) -> None:
    """A mark with the setting's numbers; hollow where it is rescored."""
    face = {"mfc": "white"} if s.oversample else {}
    ax.plot(s.ram(n), s.value, marker="o", ls="", gid=titled(_named_facts(s, n)), **face, **style)  # pyright: ignore


def _facts(s: Setting, n: int) -> str:
    bounds = f" (95 % interval {share(s.ci_low)} to {share(s.ci_high)})" if s.ci_low <= s.ci_high else ""
    return f"{s.ram(n):,.0f} bytes, {share(s.value)}{bounds}"


def _named_facts(s: Setting, n: int) -> str:
    return f"{named(s)}: {_facts(s, n)}"


def rescoring(settings: Sequence[Setting], n: int, k: int, ident: str) -> Chart | None:
    """Draw overlap@k over the oversample factor, for the best variants of each size."""
    factors = sorted({s.oversample for s in settings})
    if len(factors) < 2:
        return None
    lines = {
        name: sorted((s for s in settings if s.variant == name), key=lambda s: s.oversample)
        for name in _worth_a_line(settings, n)
    }
    texts = {factor: f"{TIMES}{factor}" if factor else "alone" for factor in factors}

    def draw(ax: Axes) -> None:
        ax.set_xlim(-0.25, len(factors) - 0.75)
        ax.set_xticks(range(len(factors)), list(texts.values()))
        ax.set_xlabel(f"oversample factor (rescored by {settings[0].store})")
        _share_axis(ax, [s.value for own in lines.values() for s in own])
        for own, color, marker in zip(lines.values(), HUES, MARKS, strict=False):
            ax.plot([factors.index(s.oversample) for s in own], [s.value for s in own], color=color, lw=2)
            for s in own:
                where = factors.index(s.oversample), s.value
                ax.plot(*where, marker=marker, color=color, mfc="white", ms=6, gid=titled(_named_facts(s, n)))

    key = [
        KeyEntry(
            name,
            f"{own[0].ram(n):,.0f} bytes: " + ", ".join(f"{texts[s.oversample]} {share(s.value)}" for s in own),
            color=color,
        )
        for (name, own), color in zip(lines.items(), HUES, strict=False)
    ]
    return embedded(draw, ident, f"overlap@{k} by oversample factor", key, _described(key))


def _worth_a_line(settings: Sequence[Setting], n: int) -> list[str]:
    """Variants on a front of some oversample factor, smallest first, then the best of the others."""
    fronts = [
        s
        for factor in {s.oversample for s in settings}
        for s in front_of([s for s in settings if s.oversample == factor], n)
    ]
    ordered = [
        *sorted(fronts, key=lambda s: (round(s.ram(n)), s.oversample, s.variant)),
        *sorted(settings, key=lambda s: (round(s.ram(n)), -s.value)),
    ]
    return list(dict.fromkeys(s.variant for s in ordered))[:_LINES]


def across(datasets: Mapping[str, tuple[Sequence[Setting], int, StoredToday]], ident: str) -> Chart:
    """Draw the front of every dataset: overlap over memory relative to what is stored today.

    Args:
        datasets: By name: settings, number of vectors, what a vector takes today.
    """
    fronts, relative = {}, relative_to(today for _, _, today in datasets.values())
    for name, (settings, n, today) in datasets.items():
        front = [(s.ram(n) / today.bytes, s) for s in front_of(settings, n)]
        fronts[name] = [point for point in front if point[0] <= 1] or front
    points = sum(fronts.values(), [])

    def draw(ax: Axes) -> None:
        _size_axis(ax, [size for size, _ in points], f"memory relative to {relative} (log scale)")
        _share_axis(ax, [s.value for _, s in points])
        for (name, front), color, marker in zip(fronts.items(), cycle(HUES), cycle(MARKS), strict=False):
            ax.plot([size for size, _ in front], [s.value for _, s in front], color=color, lw=2)
            for size, s in front:
                text = titled(f"{name}: {named(s)}, {share(s.value)}")
                ax.plot(size, s.value, marker=marker, color=color, mfc="white", ms=6, gid=text)
        starts = (front[0] for front in fronts.values())
        apart(ax, [Label(size, s.value, str(number), INK, bold=True) for number, (size, s) in enumerate(starts, 1)])

    key = [
        KeyEntry(name, f"from {share(s.value)} at {_ratio(size)} of the memory ({named(s)})", str(number), color)
        for number, ((name, ((size, s), *_)), color) in enumerate(zip(fronts.items(), cycle(HUES), strict=False), 1)
    ]
    return embedded(draw, ident, f"overlap against memory relative to {relative}, by dataset", key, _described(key))


def relative_to(todays: Iterable[StoredToday]) -> str:
    """What the memory of some datasets is compared with."""
    return "float32" if all(today.floats for today in todays) else "what is stored today"


def _described(key: Sequence[KeyEntry]) -> str:
    return "; ".join(f"{entry.name}: {entry.facts}" for entry in key) + "."


def _ratio(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"1/{1 / value:.0f}"


def _size_axis(ax: Axes, sizes: Sequence[float], label: str) -> None:
    """A logarithmic axis with powers of two, as many as have room."""
    low, high = min(sizes) / 1.4, max(sizes) * 1.3
    powers = 2.0 ** np.arange(np.ceil(np.log2(low)), np.floor(np.log2(high)) + 1)
    every = int(np.ceil(len(powers) * 72 / (ax.get_window_extent().width + 1)))  # an inch each
    ticks = powers[::-1][:: max(1, every)].tolist() or [min(sizes)]
    log_axis(ax, ticks, [_ratio(tick) for tick in ticks])
    ax.set_xlim(low, high)
    ax.set_xlabel(label)


def _share_axis(ax: Axes, values: Sequence[float]) -> float:
    """An axis from below the least value to 1; returns where it begins."""
    low = max(0.0, min(values) - 0.04)
    ax.set_ylim(low, 1.02)
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= 1.0001])
    ax.tick_params(color=FAINT)
    return low
