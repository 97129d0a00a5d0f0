"""comparisons.csv: every variant against a baseline, paired by query, with the doubt that many comparisons bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from vqbench.arrays import Floats
from vqbench.by_query import FLOAT, Values, by_query
from vqbench.stats.intervals import mean
from vqbench.stats.multiple import ALPHABET, LEVEL, holm, letters
from vqbench.stats.paired import Difference, differences, p_values

COMPARISONS = [
    "dataset", "variant", "baseline", "metric", "k", "oversample", "difference", "ci_low", "ci_high", "p", "p_holm",
    "detectable", "margin", "verdict", "letters", "n_queries", "n_seeds",
]  # fmt: skip
_LETTERED = "overlap"  # all pairs take several times as long as the baseline's
BASELINE, EQUIVALENT, BETTER, WORSE, UNCLEAR = "baseline", "equivalent", "better", "worse", "unclear"


def chosen_baseline(wanted: str | None, variants: Sequence[str]) -> str | None:
    """The baseline: as wanted, else float32, else the first variant; None where there is no such result."""
    if wanted is not None:
        return wanted if wanted in variants else None
    return "float32" if "float32" in variants else next(iter(variants), None)


def comparisons(
    per_query: pd.DataFrame, described: Mapping[str, Mapping[str, Any]], baseline: str, margin: float
) -> pd.DataFrame:
    """One row for each variant, metric, k and oversample factor of one dataset, the baseline's own included.

    difference: variant - baseline, in the metric's units. p_holm: corrected over the variants of one metric, k
    and oversample factor. verdict: ``equivalent`` where the difference is proven to be smaller than ``margin``
    either way, even if it is real; else ``better`` or ``worse`` where p_holm is at most 5 %; else ``unclear``.
    letters: two variants share one where their overlaps cannot be told apart (all pairs, Holm).
    """
    rows = [
        row
        for values in by_query(per_query)
        if not values.metric.endswith(FLOAT)
        for row in _family(values, described[values.metric], baseline, margin)
    ]
    return pd.DataFrame(rows, columns=[name for name in COMPARISONS if name != "dataset"])


def _family(values: Values, about: Mapping[str, Any], baseline: str, margin: float) -> list[dict[str, Any]]:
    present = [name for name in values.variants if len(values.of(name))]
    if baseline not in present:
        return []
    others = [name for name in present if name != baseline]
    reach = float(about["highest"]) - float(about["lowest"])
    columns = [_paired(values, name, baseline) for name in others]
    found = differences(columns, reach=reach, groups=values.groups)
    corrected_m = holm(np.array([each.p for each in found]))
    room = _room(_defined(values.of(baseline)), float(about["lowest"]), float(about["highest"]))
    better = 1 if about["higher_is_better"] else -1
    lettered = _letters(values, present, better)
    shared = {"baseline": baseline, "metric": values.metric, "k": values.k, "oversample": values.oversample}
    rows = {}
    for name, column, each, p_holm in zip(others, columns, found, corrected_m, strict=True):
        rows[name] = {
            "difference": each.mean, "ci_low": max(each.low, room[0]), "ci_high": min(each.high, room[1]),
            "p": each.p, "p_holm": p_holm, "detectable": each.detectable, "margin": margin,
            "verdict": _verdict(each, p_holm, margin, better), "n_queries": each.n, "n_seeds": len(column),
        }  # fmt: skip
    own = values.of(baseline)
    rows[baseline] = {"difference": 0.0, "margin": margin, "verdict": BASELINE, "n_seeds": len(own),
                      "n_queries": int(np.isfinite(own).all(axis=0).sum())}  # fmt: skip
    return [{"variant": name, **shared, **rows[name], "letters": lettered[name]} for name in present]


def _paired(values: Values, name: str, baseline: str) -> Floats:
    """Differences ``(seeds, queries)`` under the seeds that both have; the baseline may lack seeds by its nature."""
    own_sq, base_sq = (values.values[values.variants.index(x)] for x in (name, baseline))
    both_s = np.isfinite(own_sq).any(axis=1) & np.isfinite(base_sq).any(axis=1)
    if both_s.any():
        return own_sq[both_s] - base_sq[both_s]
    return values.of(name) - values.of(baseline).mean(axis=0)


def _room(base: Floats, lowest: float, highest: float) -> tuple[float, float]:
    """How far a difference can go: of a baseline that is perfect for every query, only down."""
    return lowest - highest if base.max() > lowest else 0.0, highest - lowest if base.min() < highest else 0.0


def _defined(values_sq: Floats) -> Floats:
    return values_sq[:, np.isfinite(values_sq).all(axis=0)].ravel()


def _verdict(found: Difference, p_holm: float, margin: float, better: int) -> str:
    if found.within(margin):
        return EQUIVALENT
    if p_holm <= LEVEL:
        return BETTER if found.mean * better > 0 else WORSE
    return UNCLEAR


def _letters(values: Values, names: Sequence[str], better: int) -> dict[str, str]:
    """Letters by name, "a" for the best."""
    if values.metric != _LETTERED or not 1 < len(names) <= len(ALPHABET):
        return dict.fromkeys(names, "")
    pairs = list(combinations(range(len(names)), 2))
    columns = [_paired(values, names[left], names[right]) for left, right in pairs]
    p_m = holm(p_values(columns, groups=values.groups))
    apart_mm = np.zeros((len(names), len(names)), dtype=bool)
    for (left, right), p in zip(pairs, p_m, strict=True):
        apart_mm[left, right] = p <= LEVEL
    means = [mean(_defined(values.of(name))) for name in names]
    order = sorted(range(len(names)), key=lambda at: (-better * means[at], names[at]))
    return dict(zip(names, letters(apart_mm, order), strict=True))
