"""Two results folders: did quality fall from one to the other? For CI, after a change of code or setting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from vqbench.analysis.compare_align import aligned, failed, missing, shared_datasets
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.distributions import normal_below, normal_quantile
from vqbench.numerics.stats.groups import Groups
from vqbench.numerics.stats.multiple import holm
from vqbench.numerics.stats.paired import differences, p_values
from vqbench.numerics.stats.seeds import SeedSpread
from vqbench.results.columns import ALL_SEEDS
from vqbench.results.folder import Results
from vqbench.results.per_query import Values, by_query

WORSE, LOWER, BETTER, UNCLEAR, SAME = "worse", "lower", "better", "unclear", "same"
_KEY = ["dataset", "variant", "k", "oversample"]
Cubes = Mapping[tuple[int, int], Values]


@dataclass(frozen=True)
class Row:
    """One setting in both folders. difference: after - before, in the metric's units.

    paired: query by query; else from the two intervals, which is less sharp. p_drop: that quality fell by no more
    than is allowed; p: that nothing changed; both corrected over all rows (Holm). held: proven, by
    the 95 % interval, not to have fallen by more than is allowed.
    """

    dataset: str
    variant: str
    k: int
    oversample: int
    before: float
    after: float
    difference: float
    ci_low: float
    ci_high: float
    p: float
    p_drop: float
    bytes_before: float
    bytes_after: float
    paired: bool
    held: bool = False
    verdict: str = SAME


@dataclass(frozen=True)
class Pairs:
    """Differences ``(seeds, queries)``, after - before; of means over seeds where the two sides ran with others."""

    d_sq: Floats
    groups: Groups | None
    seeds: SeedSpread | None = None


@dataclass(frozen=True)
class Outcome:
    """rows: what both folders have. lost: results that only the first one has. notes: what else to know."""

    metric: str
    max_drop: float
    confidence: float
    rows: Sequence[Row]
    lost: Sequence[str]
    notes: Sequence[str]

    @property
    def worse(self) -> bool:
        """Did quality fall by more than is allowed, or a result get lost?"""
        return bool(self.lost) or any(row.verdict == WORSE for row in self.rows)


def compare(
    before: Results,
    after: Results,
    *,
    metric: str = "overlap",
    max_drop: float = 0.01,
    confidence: float = 0.95,
    common: bool = False,
) -> Outcome:
    """Every setting that both folders have, at every k and oversample factor.

    What only ``before`` has is lost, and as bad as a fall, unless ``common`` says to look at what both have alone. A
    variant of the same name but for what was set on the command line, as in ``binary_mean(threshold=median)``, is
    compared with it where there is one on either side.

    A setting is ``worse`` where its quality fell by more than ``max_drop``, sure at ``confidence`` over all rows
    together; ``lower`` or ``better`` where it changed for sure, but did not fall by that much; ``same`` where the means
    are equal; else ``unclear``.
    Raises VqbenchError where the folders cannot be compared: other data, queries or metrics.
    """
    if not 0 <= max_drop < math.inf:
        raise VqbenchError(f"max_drop = {max_drop}: must be 0 or more, as in 0.01")
    if not 0.5 < confidence < 1:
        hint = f"did you mean {confidence / 100:g}?" if 50 < confidence < 100 else "as in 0.95"
        raise VqbenchError(f"confidence = {confidence}: must lie between 0.5 and 1: {hint}")
    shared = shared_datasets(before, after)
    after, renamed = aligned(before, after)
    _check_drop(before, metric, max_drop)
    both = _both(before, after, metric, shared)
    if both.empty:
        raise VqbenchError(
            f"{before.folder} and {after.folder}: no variant, k and oversample factor of {metric} in common"
        )
    better = 1 if before.meta["metrics"][metric]["higher_is_better"] else -1
    rows = [row for dataset in shared for row in _dataset(before, after, metric, dataset, both, better, max_drop)]
    p, p_drop = (holm(np.array([getattr(row, name) for row in rows])) for name in ("p", "p_drop"))
    rows = [
        replace(
            row,
            p=float(a),
            p_drop=float(b),
            held=_held(row, better, max_drop),
            verdict=_verdict(row.difference * better, a, b, 1 - confidence),
        )
        for row, a, b in zip(rows, p, p_drop, strict=True)
    ]
    lost, gone = failed(before, after, shared), missing(before, after, metric)
    notes = [*renamed, *([] if not common else gone), *_notes(before, after, rows)]
    return Outcome(metric, max_drop, confidence, rows, [*lost, *([] if common else gone)], notes)


def _check_drop(results: Results, metric: str, max_drop: float) -> None:
    """A drop as large as the metric's whole range could never be seen: 1 is meant for .01."""
    about = results.meta["metrics"].get(metric, {"highest": math.inf, "lowest": 0})
    if max_drop >= float(about["highest"]) - float(about["lowest"]):
        raise VqbenchError(f"max_drop = {max_drop:g}: {metric} cannot fall by that much; one point is 0.01")


def _both(before: Results, after: Results, metric: str, shared: Sequence[str]) -> pd.DataFrame:
    """Rows of metrics.csv that both have, side by side."""
    for results in (before, after):
        if metric not in results.meta["metrics"]:
            known = ", ".join(results.meta["metrics"])
            raise VqbenchError(f"{results.folder}: metric {metric} was not measured; there are {known}")
    left, right = (
        x.pooled[(x.pooled["metric"] == metric) & x.pooled["dataset"].isin(shared) & x.pooled["k"].notna()]
        for x in (before, after)
    )
    return left.merge(right, on=_KEY, suffixes=("_before", "_after"))


def _dataset(
    before: Results, after: Results, metric: str, dataset: str, both: pd.DataFrame, better: int, max_drop: float
) -> list[Row]:
    sizes = [_bytes(results, dataset) for results in (before, after)]
    old, new = (_cubes(results, dataset, metric) for results in (before, after))
    columns = [_paired(old, new, str(x["variant"]), int(x["k"]), int(x["oversample"])) for x in _records(both, dataset)]
    about = before.meta["metrics"][metric]
    reach = float(about["highest"]) - float(about["lowest"])
    rows = []
    for x, found in zip(_records(both, dataset), columns, strict=True):
        start = {
            **{name: x[name] for name in ("dataset", "variant")},
            "k": int(x["k"]),
            "oversample": int(x["oversample"]),
            "before": x["value_before"],
            "after": x["value_after"],
            "bytes_before": sizes[0].get(x["variant"], math.nan),
            "bytes_after": sizes[1].get(x["variant"], math.nan),
        }
        if found is None:
            rows.append(Row(**start, **_apart(x, better, max_drop)))
            continue
        (each,) = differences([found.d_sq], reach=reach, groups=found.groups, seeds=found.seeds)
        shifted = [found.d_sq * better + max_drop]
        (p_drop,) = p_values(shifted, groups=found.groups, seeds=found.seeds, two_sided=False)
        rows.append(
            Row(
                **start,
                difference=each.mean,
                ci_low=each.low,
                ci_high=each.high,
                p=each.p,
                p_drop=float(p_drop),
                paired=True,
            )
        )
    return rows


def _records(both: pd.DataFrame, dataset: str) -> list[dict]:
    return both[both["dataset"] == dataset].to_dict("records")


def _cubes(results: Results, dataset: str, metric: str) -> Cubes:
    """Values by query, by k and oversample factor; none where the folder lacks them."""
    p = results.per_query
    if p.empty:
        return {}
    return {(x.k, x.oversample): x for x in by_query(p[(p["dataset"] == dataset) & (p["metric"] == metric)])}


def _paired(before: Cubes, after: Cubes, variant: str, k: int, oversample: int) -> Pairs | None:
    """None where either folder has no values by query."""
    ours, theirs = before.get((k, oversample)), after.get((k, oversample))
    if ours is None or theirs is None:
        return None
    old_sq, new_sq = ours.of(variant), theirs.of(variant)
    if old_sq.shape[1] != new_sq.shape[1]:
        return None
    if ours.seeds_of(variant) == theirs.seeds_of(variant):
        return Pairs(new_sq - old_sq, ours.groups)
    d_1q = new_sq.mean(axis=0, keepdims=True) - old_sq.mean(axis=0, keepdims=True)
    return Pairs(d_1q, ours.groups, SeedSpread.between(old_sq, new_sq, ours.groups))


def _apart(x: dict, better: int, max_drop: float) -> dict:
    """The difference from two means and their intervals, as if the queries were not the same ones."""
    difference = x["value_after"] - x["value_before"]
    down = math.hypot(x["value_after"] - x["ci_low_after"], x["ci_high_before"] - x["value_before"])
    up = math.hypot(x["ci_high_after"] - x["value_after"], x["value_before"] - x["ci_low_before"])
    error = max(down, up, 1e-12) / normal_quantile(0.975)
    p = 2 * normal_below(-abs(difference) / error)
    p_drop = normal_below((difference * better + max_drop) / error)
    return {
        "difference": difference,
        "ci_low": difference - down,
        "ci_high": difference + up,
        "p": p,
        "p_drop": p_drop,
        "paired": False,
    }


def _bytes(results: Results, dataset: str) -> dict[str, float]:
    ledger = results.ledger
    own = ledger[(ledger["dataset"] == dataset) & (ledger["item"] == "bytes_per_vector")]
    return dict(zip(own["variant"], own["bytes"].astype(float), strict=True))


def _held(row: Row, better: int, max_drop: float) -> bool:
    return (row.ci_low if better > 0 else -row.ci_high) > -max_drop


def _verdict(gain: float, p: float, p_drop: float, level: float) -> str:
    if p_drop <= level:
        return WORSE
    if p <= level:
        return BETTER if gain > 0 else LOWER
    return SAME if gain == 0 else UNCLEAR


def _notes(before: Results, after: Results, rows: Sequence[Row]) -> list[str]:
    notes = []
    names, others = (set(x.pooled["variant"]) for x in (after, before))
    if names - others:
        notes.append(f"only in {after.folder}: {', '.join(sorted(names - others))}")
    if any(not row.paired for row in rows):
        notes.append("not paired by query, since a per_query.parquet is missing: small differences cannot be seen")
    seeds = [set(x.metrics["seed"]) - {ALL_SEEDS} for x in (before, after)]
    if seeds[0] != seeds[1] and max(map(len, seeds)) < 2:
        notes.append("other seeds: with one seed a side, a difference may be the luck of the draw; use several")
    elif seeds[0] != seeds[1] and min(map(len, seeds)) < 2:
        notes.append("one side has a single seed: its scatter between seeds is taken to be the other side's")
    return notes
