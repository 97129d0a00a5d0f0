"""Two results folders: did quality fall from one to the other? For CI, after a change of code or setting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from vqbench.analysis.compare_align import aligned, failed, missing, shared_datasets
from vqbench.errors import VqbenchError
from vqbench.numerics.stats.distributions import normal_below, normal_quantile
from vqbench.numerics.stats.multiple import holm
from vqbench.numerics.stats.paired import differences, p_values
from vqbench.numerics.stats.seeds import SeedSpread
from vqbench.results.columns import ALL_SEEDS, BETTER, UNCLEAR, WORSE
from vqbench.results.folder import Results
from vqbench.results.per_query import Values, by_query

LOWER, SAME = "lower", "same"  # beside the verdicts of comparisons.csv
_KEY = ["dataset", "variant", "k", "oversample"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One setting in both folders."""

    dataset: str
    variant: str
    k: int
    oversample: int
    before: float
    after: float
    difference: float  #: after - before, in the metric's units
    ci_low: float
    ci_high: float
    p: float  #: that nothing changed, corrected over all settings (Holm)
    p_drop: float  #: that quality fell by no more than is allowed, corrected likewise
    bytes_before: float
    bytes_after: float
    paired: bool  #: query by query; else from the two intervals, which is less sharp
    held: bool = False  #: proven, by the 95 % interval, not to have fallen by more than is allowed
    verdict: str = SAME


@dataclass(frozen=True)
class Outcome:
    """What a comparison says."""

    metric: str
    max_drop: float
    confidence: float
    rows: Sequence[Change]  #: what both folders have
    lost: Sequence[str]  #: results that only the first one has
    notes: Sequence[str]  #: what else to know

    @property
    def worse(self) -> bool:
        """Whether quality fell by more than is allowed, or a result was lost."""
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
    """Compare every setting that both folders have, at every k and oversample factor.

    A variant that the command line changed, as in ``binary_mean(threshold=median)``, is compared with the variant of
    the same config on the other side.

    Args:
        before: the folder whose quality must hold.
        after: the folder that is judged.
        metric: a metric of both.
        max_drop: how much may be lost, in the metric's units.
        confidence: how sure a fall must be, over all settings together.
        common: ignore what only ``before`` has; otherwise that counts as lost, which is as bad as a fall.

    Returns:
        A setting is ``worse`` where its quality fell by more than ``max_drop`` at this confidence; ``lower`` or
        ``better`` where it surely changed, but did not fall by that much; ``same`` where the means are equal; else
        ``unclear``.

    Raises:
        VqbenchError: the folders cannot be compared, since their data, queries or metrics differ.
    """
    if not 0 <= max_drop < math.inf:
        raise VqbenchError(f"max_drop = {max_drop}: must be 0 or more, as in 0.01")
    if not 0.5 < confidence < 1:
        hint = f"did you mean {confidence / 100:g}?" if 50 < confidence < 100 else "as in 0.95"
        raise VqbenchError(f"confidence = {confidence}: must lie between 0.5 and 1: {hint}")
    shared = shared_datasets(before, after)
    after, renamed = aligned(before, after)
    for results in (before, after):
        if metric not in results.meta["metrics"]:
            known = ", ".join(results.meta["metrics"])
            raise VqbenchError(f"{results.folder}: metric {metric} was not measured; there are {known}")
    about = before.meta["metrics"][metric]
    reach = float(about["highest"]) - float(about["lowest"])
    if max_drop >= reach:  # could never be seen: 1 is meant for .01
        raise VqbenchError(f"max_drop = {max_drop:g}: {metric} cannot fall by that much; one point is 0.01")
    table = _side_by_side(before, after, metric, shared)
    if table.empty:
        raise VqbenchError(
            f"{before.folder} and {after.folder}: no variant, k and oversample factor of {metric} in common"
        )
    sign = 1 if about["higher_is_better"] else -1
    changes = [
        change
        for dataset in shared
        for change in _changes(
            table[table["dataset"] == dataset],
            *(_values(results, dataset, metric) for results in (before, after)),
            reach=reach,
            sign=sign,
            max_drop=max_drop,
        )
    ]
    p, p_drop = (holm(np.array([getattr(change, name) for change in changes])) for name in ("p", "p_drop"))
    changes = [
        replace(
            change,
            p=float(p_change),
            p_drop=float(p_fall),
            held=(change.ci_low if sign > 0 else -change.ci_high) > -max_drop,
            verdict=_verdict(change.difference * sign, p_change, p_fall, 1 - confidence),
        )
        for change, p_change, p_fall in zip(changes, p, p_drop, strict=True)
    ]
    lost, absent = failed(before, after, shared), missing(before, after, metric)
    lost, ignored = (lost, absent) if common else ([*lost, *absent], [])
    return Outcome(metric, max_drop, confidence, changes, lost, [*renamed, *ignored, *_notes(before, after, changes)])


def _side_by_side(before: Results, after: Results, metric: str, shared: Sequence[str]) -> pd.DataFrame:
    """Rows of metrics.csv that both have, with their bytes."""
    own = [*_KEY, "value", "ci_low", "ci_high", "bytes_per_vector"]
    left, right = (
        x.pooled.loc[(x.pooled["metric"] == metric) & x.pooled["dataset"].isin(shared) & x.pooled["k"].notna(), own]
        for x in (before, after)
    )
    return left.merge(right, on=_KEY, suffixes=("_before", "_after"))


def _values(results: Results, dataset: str, metric: str) -> Mapping[tuple[int, int], Values]:
    """Values by query, by k and oversample factor; none where the folder lacks them."""
    p = results.per_query
    if p.empty:
        return {}
    return {(x.k, x.oversample): x for x in by_query(p[(p["dataset"] == dataset) & (p["metric"] == metric)])}


def _changes(
    rows: pd.DataFrame,
    before: Mapping[tuple[int, int], Values],
    after: Mapping[tuple[int, int], Values],
    *,
    reach: float,
    sign: int,
    max_drop: float,
) -> Iterator[Change]:
    for row in rows.to_dict("records"):
        k, oversample = int(row["k"]), int(row["oversample"])
        old, new = before.get((k, oversample)), after.get((k, oversample))
        numbers = None
        if old is not None and new is not None:
            numbers = _paired(old, new, row["variant"], reach, sign, max_drop)
        yield Change(
            dataset=row["dataset"],
            variant=row["variant"],
            k=k,
            oversample=oversample,
            before=row["value_before"],
            after=row["value_after"],
            bytes_before=row["bytes_per_vector_before"],
            bytes_after=row["bytes_per_vector_after"],
            paired=numbers is not None,
            **(numbers or _unpaired(row, sign, max_drop)),
        )


def _paired(old: Values, new: Values, variant: str, reach: float, sign: int, max_drop: float) -> dict[str, Any] | None:
    """The difference query by query, of means over seeds where the seeds differ; None where the queries do."""
    old_sq, new_sq, spread = old.of(variant), new.of(variant), None
    if old_sq.shape[1] != new_sq.shape[1]:
        return None
    if old.seeds_of(variant) != new.seeds_of(variant):
        spread = SeedSpread.between(old_sq, new_sq, old.groups)
        old_sq, new_sq = (values_sq.mean(axis=0, keepdims=True) for values_sq in (old_sq, new_sq))
    d_sq = new_sq - old_sq
    (each,) = differences([d_sq], reach=reach, groups=old.groups, seeds=spread)
    (p_drop,) = p_values([d_sq * sign + max_drop], groups=old.groups, seeds=spread, two_sided=False)
    return {
        "difference": each.mean,
        "ci_low": each.low,
        "ci_high": each.high,
        "p": each.p,
        "p_drop": float(p_drop),
    }


def _unpaired(row: dict, sign: int, max_drop: float) -> dict[str, Any]:
    """The difference from two means and their intervals, as if the queries were not the same ones."""
    difference = row["value_after"] - row["value_before"]
    down = math.hypot(row["value_after"] - row["ci_low_after"], row["ci_high_before"] - row["value_before"])
    up = math.hypot(row["ci_high_after"] - row["value_after"], row["value_before"] - row["ci_low_before"])
    error = max(down, up, 1e-12) / normal_quantile(0.975)
    return {
        "difference": difference,
        "ci_low": difference - down,
        "ci_high": difference + up,
        "p": 2 * normal_below(-abs(difference) / error),
        "p_drop": normal_below((difference * sign + max_drop) / error),
    }


def _verdict(gain: float, p: float, p_drop: float, level: float) -> str:
    if p_drop <= level:
        return WORSE
    if p <= level:
        return BETTER if gain > 0 else LOWER
    return SAME if gain == 0 else UNCLEAR


def _notes(before: Results, after: Results, changes: Sequence[Change]) -> list[str]:
    notes = []
    if added := set(after.pooled["variant"]) - set(before.pooled["variant"]):
        notes.append(f"only in {after.folder}: {', '.join(sorted(added))}")
    if not all(change.paired for change in changes):
        notes.append("not paired by query, since a per_query.parquet is missing: small differences cannot be seen")
    seeds = [set(x.metrics["seed"]) - {ALL_SEEDS} for x in (before, after)]
    if seeds[0] != seeds[1] and max(map(len, seeds)) < 2:
        notes.append("other seeds: with one seed on each side a difference may be chance; use several seeds")
    elif seeds[0] != seeds[1] and min(map(len, seeds)) < 2:
        notes.append("one side has a single seed: it is assumed to vary between seeds as the other side does")
    return notes
