"""A recommendation in words, for the terminal and for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vqbench.analysis.recommend import Recommendation, Undecided
from vqbench.results.measured_settings import FLOAT32, Setting

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_FEW = 3  # variants that are named
_MUCH = 0.05  # of a small corpus: rescoring so much of it can hardly miss


def human(size: float) -> str:
    """Bytes with three digits in decimal units: 48 B, 15.4 GB."""
    at = 0
    while size >= 999.5 and at < len(_UNITS) - 1:
        size, at = size / 1000, at + 1
    digits = 0 if size >= 99.95 or float(size).is_integer() else 1 if size >= 9.995 else 2
    return f"{size:,.{digits}f} {_UNITS[at]}"


def share(value: float) -> str:
    """Three decimals, rounded down next to 1, which nothing short of 1 may claim."""
    if math.isnan(value):
        return "-"
    return f"{math.floor(value * 1000) / 1000:.3f}" if 0.9995 <= value < 1 else f"{value:.3f}"


def _beside(value: float, target: float) -> str:
    """As many decimals as show on which side of the target the value lies."""
    for digits in range(3, 10):
        text = f"{value:.{digits}f}"
        if (float(text) >= target) == (value >= target):
            return text
    return f"{value:.10f}"


def percent(value: float) -> str:
    """One decimal, without the sign: 96.1; 99.9 for what is almost but not quite all."""
    if math.isnan(value):
        return "-"
    return "99.9" if 0.9995 <= value < 1 else f"{100 * value:.1f}"


def interval(setting: Setting) -> str:
    return f"{share(setting.ci_low)} to {share(setting.ci_high)}"


def rescored(oversample: int) -> str:
    """How a setting is rescored: ``×4 (float32)``; ``-`` where it is not."""
    return f"\N{MULTIPLICATION SIGN}{oversample} (float32)" if oversample else "-"


def named(setting: Setting) -> str:
    """A setting in a sentence: ``binary_zero rescored ×4 (float32)``."""
    return f"{setting.variant} rescored {rescored(setting.oversample)}" if setting.oversample else setting.variant


def axis(rec: Recommendation) -> str:
    """The metric with its k, as in overlap@10."""
    base = rec.metric.removesuffix("_kept")
    return f"{base}@{rec.k}" + (" kept" if base != rec.metric else "")


def smaller(rec: Recommendation, setting: Setting) -> float:
    """How many times less memory than float32."""
    return FLOAT32 * rec.d / setting.ram(rec.n, rec.floats)


def keeps(rec: Recommendation, setting: Setting) -> str:
    """What a setting keeps, with its interval, as the end of a sentence."""
    if rec.metric == "overlap":
        return (
            f"finds {percent(setting.value)} % of float's top {rec.k} "
            f"(95 % interval {percent(setting.ci_low)} to {percent(setting.ci_high)} %)"
        )
    return f"has {axis(rec)} {share(setting.value)} (95 % interval {interval(setting)})"


def answer(rec: Recommendation) -> str:
    """The recommendation in two sentences, or why there is none."""
    chosen = rec.chosen
    if chosen is None:
        return _nothing(rec)
    size = f"{chosen.ram(rec.n, rec.floats):,.0f} bytes of memory a vector"
    times = f"{smaller(rec, chosen):.1f} times less than float32"
    if chosen.oversample:
        after = (
            f"; for each query the float vectors, kept on disk, re-rank its {chosen.oversample * rec.k:,} best codes"
        )
    else:
        after = "; no float vectors are needed"
    with_what = f"measured with {chosen.queries:,} queries"
    luck = (
        ""
        if rec.survives
        else " As the best of so many settings it may owe that to luck: other queries (query_seed=1) or more tell."
    )
    return f"Use {chosen.variant}: {size}, {times}{after}. It {keeps(rec, chosen)}, {with_what}.{luck}"


def _nothing(rec: Recommendation) -> str:
    within = f" within {rec.max_bytes:,.0f} bytes a vector" if rec.max_bytes is not None else ""
    text = f"Nothing smaller than float32{within} is shown to reach {axis(rec)} of {rec.target:g}."
    if rec.max_bytes is not None:
        text += " Without that limit something may: leave out --max-bytes to see."
    if rec.too_few_queries and rec.undecided:
        return (
            f"{text} {rec.queries:,} queries are too few to tell: even a setting that never loses anything would "
            f"need {rec.least_queries:,}."
        )
    if rec.undecided:
        told = min((one for one in rec.undecided if one.queries), key=lambda one: one.queries or 0, default=None)
        text += f" {rec.queries:,} queries are too few to tell: {len(rec.undecided)} with a mean above it could."
        if told is not None:
            text += f" For {told.setting.name} about {told.queries:,} queries would do."
    elif rec.closest is not None:
        text += f" The closest, {rec.closest.name}, {keeps(rec, rec.closest)}."
    if rec.failed:
        more = f" and {len(rec.failed) - _FEW} more" if len(rec.failed) > _FEW else ""
        those = "it is" if len(rec.failed) == 1 else "they are"
        text += f" {', '.join(rec.failed[:_FEW])}{more} failed, so that {those} not among what was compared."
    elif rec.fallback is not None:
        text += f" Stay with {rec.fallback.variant}, or measure other variants (vqbench list)."
    return text


def notes(rec: Recommendation) -> list[str]:
    """What one should know before relying on the choice."""
    found, chosen = [], rec.chosen
    if chosen is not None and rec.corrected_low is not None:
        stands = "still meets" if rec.survives else "does not meet"
        more = "" if rec.survives else "; more queries, or the step up, would be safer"
        found.append(
            f"{rec.tried} setting{'s' * (rec.tried > 1)} could have been chosen. Corrected for that (Bonferroni), its "
            f"lower bound is {_beside(rec.corrected_low, rec.target)} and {stands} the target{more}."
        )
    if chosen is not None and chosen.oversample and rec.floats == "disk":
        read = chosen.oversample * rec.k
        found.append(
            f"Each query reads {read:,} float vectors from disk, {human(read * chosen.float_bytes)}. Stored in all, in "
            f"memory and on disk: {human((chosen.ram(rec.n) + chosen.float_bytes) * rec.n)}."
        )
    if chosen is not None and chosen.oversample * rec.k >= _MUCH * rec.measured_n:
        found.append(
            f"Rescoring looks at {min(chosen.oversample * rec.k, rec.measured_n):,} of only {rec.measured_n:,} "
            "vectors, so it can hardly miss: on a larger corpus it will find less."
        )
    if rec.n > rec.measured_n:
        found.append(
            f"Bytes are for {rec.n:,} vectors, quality was measured on {rec.measured_n:,}: it falls as a corpus grows, "
            "so measure again at a size nearer to yours (vqbench scale, from nested sizes)."
        )
    if rec.floats == "ram":
        found.append("With the floats in memory as well, rescoring saves no memory, so no rescored setting can win.")
    elif rec.too_large and chosen is None and rec.max_bytes is None:
        found.append(
            f"{rec.too_large} settings are left out: with what they store once they take no less than float32 for "
            f"{rec.n:,} vectors. --n N counts for another number of vectors."
        )
    return found


def versus(rec: Recommendation, other: Setting) -> str:
    """What another setting costs and keeps, against the chosen one."""
    if rec.chosen is None:
        return ""
    ram, own = other.ram(rec.n, rec.floats), rec.chosen.ram(rec.n, rec.floats)
    more = f"{ram - own:+,.0f} B" if round(ram - own) else "same size"
    better = other.value - rec.chosen.value
    gain = f"{better:+.3f}" if abs(better) >= 0.0005 else "\N{PLUS-MINUS SIGN}0.000"
    return f"{more}, {gain}".replace("-", "\N{MINUS SIGN}")


def options(rec: Recommendation) -> list[tuple[str, Setting]]:
    """The settings worth a line, with what they are."""
    named: list[tuple[str, Setting | None]] = [
        ("choice", rec.chosen),
        ("runner-up", rec.runner_up),
        ("step down", rec.cheaper),
        ("step up", rec.dearer),
    ]
    named += [] if rec.chosen else [("closest", rec.closest)]
    if rec.dearer is not None and rec.dearer == rec.runner_up:
        named = [
            ("runner-up, step up", rec.dearer) if role == "step up" else (role, setting)
            for role, setting in named
            if role != "runner-up"
        ]
    return [
        *((role, setting) for role, setting in named if setting is not None),
        *([("float search", rec.fallback)] if rec.fallback else []),
    ]


def open_cases(rec: Recommendation) -> list[str]:
    """Undecided settings that would be cheaper than the choice, in words: of each variant the one that is told soonest,
    and by what factors else it is rescored.
    """
    own = math.inf if rec.chosen is None else rec.chosen.ram(rec.n, rec.floats)
    by_variant: dict[str, list[Undecided]] = {}
    for one in rec.undecided:
        if one.setting.ram(rec.n, rec.floats) < own:
            by_variant.setdefault(one.setting.variant, []).append(one)
    found = []
    for cases in by_variant.values():
        best, *others = sorted(cases, key=lambda one: (one.queries or math.inf, one.setting.oversample))
        factors = sorted(one.setting.oversample for one in others)
        also = ", ".join(f"\N{MULTIPLICATION SIGN}{factor}" if factor else "not rescored" for factor in factors)
        needed = "no number of queries would tell"
        if best.queries is not None:
            needed = f"about {best.queries:,} queries to tell (n_queries={best.queries})"
        found.append(
            f"{best.setting.name} ({best.setting.ram(rec.n, rec.floats):,.0f} B): mean {share(best.setting.value)}, "
            f"lower bound {share(best.setting.ci_low)}; {needed}{f'; undecided too: {also}' if also else ''}"
        )
    return found


def described(rec: Recommendation, setting: Setting | None) -> Mapping[str, Any] | None:
    """A setting with its cost, as plain data for JSON."""
    if setting is None:
        return None
    numbers = {**vars(setting), "ram_bytes": setting.ram(rec.n, rec.floats), "times_smaller": smaller(rec, setting)}
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in numbers.items()}
