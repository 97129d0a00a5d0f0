"""A recommendation in words, for the terminal and for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vqbench.analysis.recommend import Recommendation, Undecided
from vqbench.results.measured_settings import Setting
from vqbench.text import percent, share

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_FEW = 3  # variants that are named
_MUCH = 0.05  # of a small corpus: rescoring so much of it can hardly miss


def human(size: float) -> str:
    """Write bytes with three digits in decimal units: 48 B, 15.4 GB."""
    unit = 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    digits = 0 if size >= 99.95 or float(size).is_integer() else 1 if size >= 9.995 else 2
    return f"{size:,.{digits}f} {_UNITS[unit]}"


def _beside(value: float, target: float) -> str:
    """As many decimals as show on which side of the target the value lies."""
    texts = (f"{value:.{digits}f}" for digits in range(3, 11))
    return next((text for text in texts if (float(text) >= target) == (value >= target)), f"{value:.10f}")


def interval(setting: Setting) -> str:
    """The 95 % interval of a setting."""
    return f"{share(setting.ci_low)}-{share(setting.ci_high)}"


def rescored(oversample: int, store: str = "float32") -> str:
    """How a setting is rescored: ``×4 (float32)``; ``-`` where it is not."""
    return f"\N{MULTIPLICATION SIGN}{oversample} ({store})" if oversample else "-"


def named(setting: Setting) -> str:
    """A setting in a sentence: ``binary_zero rescored ×4 (float32)``."""
    how = rescored(setting.oversample, setting.store)
    return f"{setting.variant} rescored {how}" if setting.oversample else setting.variant


def axis(rec: Recommendation) -> str:
    """The metric with its k, as in overlap@10."""
    base = rec.metric.removesuffix("_kept")
    return f"{base}@{rec.k}" + (" kept" if base != rec.metric else "")


def smaller(rec: Recommendation, setting: Setting) -> float:
    """How many times less memory than what is stored today."""
    return rec.today.bytes / setting.ram(rec.n, rec.floats)


def times_less(rec: Recommendation, setting: Setting) -> str:
    """How many times less memory than what is stored today, in words: ``32x``, ``7.9x``."""
    return f"{smaller(rec, setting):,.1f}".removesuffix(".0") + "x"


def keeps(rec: Recommendation, setting: Setting) -> str:
    """What a setting keeps, with its interval, as the end of a sentence."""
    if rec.metric == "overlap":
        low, high = percent(setting.ci_low).removesuffix(" %"), percent(setting.ci_high)
        return f"finds {percent(setting.value)} of float's top {rec.k} (95 % interval {low} to {high})"
    return f"has {axis(rec)} {share(setting.value)} (95 % interval {interval(setting)})"


def answer(rec: Recommendation) -> str:
    """The recommendation in two sentences, or why there is none."""
    chosen = rec.chosen
    if chosen is None:
        return _no_choice(rec)
    where = "float vectors stay on disk" if chosen.oversample else "no float vectors are needed"
    if not rec.today.floats:
        where = f"the {rec.today.kind} vectors are not needed"
    total = human((chosen.ram(rec.n) + chosen.store_bytes) * rec.n)
    luck = (
        ""
        if rec.survives
        else " As the best of many settings it may owe that to luck: check with other queries (query_seed=1) or more."
    )
    return (
        f"Use {named(chosen)}: {chosen.ram(rec.n, rec.floats):,.0f} bytes/vector, {times_less(rec, chosen)} "
        f"less memory than {rec.today.words}; {where} ({total} in all). It {keeps(rec, chosen)}, measured with "
        f"{chosen.queries:,} queries.{luck}"
    )


def _no_choice(rec: Recommendation) -> str:
    within = f" within {rec.max_bytes:,.0f} bytes/vector" if rec.max_bytes is not None else ""
    nothing = f"Nothing smaller than float32{within}"
    if not rec.today.floats:
        nothing = f"Keep {rec.today.words}: nothing smaller{within}"
    text = f"{nothing} is shown to reach {axis(rec)} of {rec.target:g}."
    if rec.max_bytes is not None:
        text += " Something may without that limit: leave out --max-bytes to see."
    if rec.undecided:
        text += f" {rec.queries:,} queries are too few to tell"
        if rec.too_few_queries:
            return f"{text}: even a setting that never loses anything would need {rec.least_queries:,}."
        count = len(rec.undecided)
        text += f": {count} setting{'s have' if count > 1 else ' has'} a mean above it."
        first = min((one for one in rec.undecided if one.queries), key=lambda one: one.queries or 0, default=None)
        if first is not None:
            text += f" About {first.queries:,} queries would do for {named(first.setting)}."
    elif rec.closest is not None:
        text += f" The closest, {named(rec.closest)}, {keeps(rec, rec.closest)}."
    if rec.failed:
        more = f" and {len(rec.failed) - _FEW} more" if len(rec.failed) > _FEW else ""
        text += f" {', '.join(rec.failed[:_FEW])}{more} failed and could not be compared."
    elif rec.fallback is not None:
        text += f" Stay with {rec.fallback.variant}, or measure other variants (vqbench list)."
    return text


def notes(rec: Recommendation) -> list[str]:
    """What one should know before relying on the choice."""
    known, chosen = [], rec.chosen
    if chosen is not None and rec.corrected_low is not None:
        reaches = "still reaches" if rec.survives else "does not reach"
        more = "" if rec.survives else "; more queries, or the step up, would be safer"
        known.append(
            f"{rec.tried} setting{'s' * (rec.tried > 1)} could have been chosen. Corrected for that (Bonferroni), its "
            f"lower bound is {_beside(rec.corrected_low, rec.target)} and {reaches} the target{more}."
        )
    if chosen is not None and chosen.oversample:
        read = chosen.oversample * rec.k
        if rec.floats == "disk":
            known.append(
                f"Each query re-ranks its {read:,} best codes and reads their float vectors from disk, "
                f"{human(read * chosen.store_bytes)}."
            )
        if read >= _MUCH * rec.measured_n:
            known.append(
                f"Rescoring looks at {min(read, rec.measured_n):,} of only {rec.measured_n:,} vectors and can hardly "
                "miss: on a larger corpus it will find less."
            )
    if rec.n > rec.measured_n:
        known.append(
            f"Bytes are for {rec.n:,} vectors, but quality was measured on {rec.measured_n:,}. It falls as a corpus "
            "grows: measure again at a size nearer to yours (vqbench scale, from nested sizes)."
        )
    if rec.floats == "ram" and rec.today.floats:
        known.append("With the floats in memory as well, rescoring saves no memory, so no rescored setting can win.")
    elif (beside := rec.kept_beside) is not None:
        known.append(
            f"{named(beside)} needs {beside.ram(rec.n):,.0f} bytes/vector in memory, but the {rec.today.phrase} stay "
            f"on disk: {human((beside.ram(rec.n) + beside.store_bytes) * rec.n)} in all, more than today."
        )
    elif rec.too_large and chosen is None and rec.max_bytes is None:
        known.append(
            f"{rec.too_large} settings are left out: with what they store once they take no less than "
            f"{rec.today.words} for {rec.n:,} vectors. --n N counts for another number of vectors."
        )
    return known


def versus(rec: Recommendation, other: Setting) -> str:
    """What another setting costs and keeps, against the chosen one."""
    if rec.chosen is None:
        return ""
    more = other.ram(rec.n, rec.floats) - rec.chosen.ram(rec.n, rec.floats)
    size = f"{more:+,.0f} B" if round(more) else "same size"
    better = other.value - rec.chosen.value
    gain = f"{better:+.3f}" if abs(better) >= 0.0005 else "\N{PLUS-MINUS SIGN}0.000"
    return f"{size}, {gain}".replace("-", "\N{MINUS SIGN}")


def options(rec: Recommendation) -> list[tuple[str, Setting]]:
    """The settings worth a line, with what they are."""
    both = rec.step_up is not None and rec.step_up == rec.runner_up
    roles = [
        ("choice", rec.chosen),
        ("runner-up", None if both else rec.runner_up),
        ("step down", rec.step_down),
        ("runner-up, step up" if both else "step up", rec.step_up),
        ("closest", None if rec.chosen else rec.closest),
        ("reference", rec.fallback),
    ]
    return [(role, setting) for role, setting in roles if setting is not None]


def open_cases(rec: Recommendation) -> list[str]:
    """Undecided settings that would be cheaper than the choice, in words: for each variant the one that fewest queries
    would decide, and the other factors by which it is rescored.
    """
    own = math.inf if rec.chosen is None else rec.chosen.ram(rec.n, rec.floats)
    by_variant: dict[str, list[Undecided]] = {}
    for one in rec.undecided:
        if one.setting.ram(rec.n, rec.floats) < own:
            by_variant.setdefault(one.setting.variant, []).append(one)
    texts = []
    for cases in by_variant.values():
        best, *others = sorted(cases, key=lambda one: (one.queries or math.inf, one.setting.oversample))
        factors = sorted(one.setting.oversample for one in others)
        also = ", ".join(f"\N{MULTIPLICATION SIGN}{factor}" if factor else "not rescored" for factor in factors)
        needed = "no number of queries would decide"
        if best.queries is not None:
            needed = f"about {best.queries:,} queries would decide (n_queries={best.queries})"
        texts.append(
            f"{named(best.setting)} ({best.setting.ram(rec.n, rec.floats):,.0f} B): mean {share(best.setting.value)}, "
            f"lower bound {share(best.setting.ci_low)}; {needed}{f'; undecided too: {also}' if also else ''}"
        )
    return texts


def described(rec: Recommendation, setting: Setting | None) -> Mapping[str, Any] | None:
    """A setting with its cost, as plain data for JSON."""
    if setting is None:
        return None
    return {
        **vars(setting),
        "memory_bytes": setting.ram(rec.n, rec.floats),
        "disk_bytes": setting.store_bytes if rec.floats == "disk" else 0.0,
        "times_less_memory": smaller(rec, setting),
    }
