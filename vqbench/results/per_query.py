"""Per-query values as arrays, and what becomes of them over several seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.groups import Groups
from vqbench.numerics.stats.intervals import mean
from vqbench.numerics.stats.seeds import mean_over_seeds, ratio_over_seeds
from vqbench.results.columns import ALL_SEEDS, FLOAT, KEPT


@dataclass(frozen=True)
class Values:
    """One metric at one k and oversample factor: arrays ``(variants, seeds, queries)``, NaN where there is no value."""

    metric: str
    k: int
    oversample: int
    variants: Sequence[str]
    seeds: Sequence[int]
    values: Floats
    low: Floats  #: the least that tie-breaking could give
    high: Floats  #: the most
    groups: Groups | None  #: of the queries

    def seeds_of(self, variant: str) -> list[int]:
        """Return the seeds under which a variant has values."""
        values_sq = self.values[self.variants.index(variant)]
        return [seed for seed, some in zip(self.seeds, np.isfinite(values_sq).any(axis=1), strict=True) if some]

    def of(self, variant: str) -> Floats:
        """Return ``(seeds, queries)`` of a variant, less the seeds under which it has no values."""
        values_sq = self.values[self.variants.index(variant)]
        return values_sq[np.isfinite(values_sq).any(axis=1)]


def by_query(per_query: pd.DataFrame) -> Iterator[Values]:
    """Arrange the rows of one dataset, metric by metric. Float search's own values of judged metrics are among them."""
    per_query = per_query.reset_index(drop=True)
    variants, queries = (sorted(per_query[column].astype(str).unique()) for column in ("variant", "query"))
    seeds = sorted(per_query["seed"].unique().tolist())
    codes = {
        "variant": pd.Categorical(per_query["variant"].astype(str), categories=variants).codes,
        "seed": np.searchsorted(seeds, per_query["seed"].to_numpy()),
        "query": pd.Categorical(per_query["query"].astype(str), categories=queries).codes,
    }
    groups = None
    if "group" in per_query:
        first = per_query.assign(query=codes["query"]).drop_duplicates("query").sort_values("query")
        groups = Groups.of(first["group"].astype(str).tolist())
    columns = {name: per_query[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high")}
    for (metric, k, oversample), rows in per_query.groupby(["metric", "k", "oversample"], sort=False, observed=True):
        where = rows.index.to_numpy()
        cubes = {name: np.full((len(variants), len(seeds), len(queries)), np.nan) for name in columns}
        for name, values in columns.items():
            cubes[name][tuple(each[where] for each in codes.values())] = values[where]
        yield Values(
            metric=str(metric),
            k=int(k),
            oversample=int(oversample),
            variants=variants,
            seeds=seeds,
            values=cubes["value"],
            low=cubes["low"],
            high=cubes["high"],
            groups=groups,
        )


def over_seeds(
    per_query: pd.DataFrame, metrics: pd.DataFrame, described: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """Make the rows of metrics.csv over all seeds of one variant on one dataset, from its rows by seed.

    Intervals cover queries and seeds. A metric that has no values by query, such as mse, has the mean alone.

    Args:
        described: what meta.json says of each metric.
    """
    arranged = {(x.metric, x.k, x.oversample): x for x in by_query(per_query)} if len(per_query) else {}
    rows = []
    for (metric, k, oversample), same in metrics.groupby(["metric", "k", "oversample"], sort=False, dropna=False):
        row = same.iloc[0].to_dict() | {"seed": ALL_SEEDS, "value": mean(same["value"].to_numpy(dtype=np.float64))}
        values = None if pd.isna(k) else arranged.get((metric.removesuffix(KEPT), int(k), int(oversample)))
        if values is not None:
            base = arranged.get((metric.removesuffix(KEPT) + FLOAT, int(k), int(oversample)))
            row |= _pooled(values, base if metric.endswith(KEPT) else None, described[metric.removesuffix(KEPT)])
        rows.append(row)
    return pd.DataFrame(rows).astype({"k": "Int64"})


def _pooled(values: Values, base: Values | None, about: Mapping[str, Any]) -> dict[str, Any]:
    """Value, interval and tie bounds of one metric, or of its ratio to ``base``, over seeds and queries."""
    known_q = np.isfinite(values.values[0]).all(axis=0)
    values_sq = values.values[0][:, known_q]
    groups = None if values.groups is None else values.groups.only(known_q)
    low, high = about["lowest"], about["highest"]
    if base is not None:
        ends = ratio_over_seeds(values_sq, base.values[0][0, known_q], reach=high - low, groups=groups)
        bounds = math.nan, math.nan
    else:
        ends = mean_over_seeds(values_sq, lowest=low, highest=high, groups=groups)
        bounds = mean(values.low[0][:, known_q].ravel()), mean(values.high[0][:, known_q].ravel())
    names = ("value", "ci_low", "ci_high", "low", "high")
    return {**dict(zip(names, (*ends, *bounds), strict=True)), "n_queries": int(known_q.sum())}
