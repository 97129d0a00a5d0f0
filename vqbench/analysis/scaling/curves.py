"""Which datasets of a results folder are nested subsamples of one corpus, and their overlaps as curves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from vqbench.analysis.scaling.fit import Curve
from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.intervals import CONFIDENCE, resamples
from vqbench.results.folder import Results

#: With fewer rows than this times the candidates, k / n is no tail of the scores.
DEPTH = 5
#: Fewer queries than this that lose anything say nothing about how the loss grows.
LOSERS = 10
#: Curves of smaller k lie too far from those of larger k to be fitted together.
_SMALL = 5
_SHARED = 0.3  # correlation assumed between points where only means are known; see ``_from_means``


@dataclass(frozen=True)
class Nested:
    """Subsamples of one corpus with the same queries."""

    name: str  #: what the datasets' names share
    sizes: Mapping[str, int]  #: rows by dataset, ascending
    d: int
    queries: int

    @property
    def largest(self) -> int:
        return max(self.sizes.values())


@dataclass(frozen=True)
class Points:
    """Overlaps of one variant and oversample factor at nested sizes."""

    variant: str
    oversample: int
    #: A row for each k and size: k, n, value, ci_low, ci_high, and losers, how many queries lose anything.
    table: pd.DataFrame
    means_rm: Floats  #: as in ``Curve``, for the rows of the table

    def at(self, k: int) -> pd.DataFrame:
        """The rows of one k, by size."""
        return self.table[self.table["k"] == k].sort_values("n")

    def usable(self, k: int) -> pd.DataFrame:
        """The rows that a fit for ``k`` may use: enough rows in the corpus, enough queries that lose."""
        t = self.table
        near = (t["k"] == k) | ((t["k"] >= _SMALL) & (k >= _SMALL))
        deep = t["n"] >= DEPTH * t["k"] * max(1, self.oversample)
        return t[near & deep & (t["losers"] >= LOSERS)]

    def curve(self, k: int) -> Curve:
        """The points that are fitted to predict overlap@k."""
        rows = self.usable(k)
        return Curve(
            n_m=rows["n"].to_numpy(),
            k_m=rows["k"].to_numpy(),
            value_m=rows["value"].to_numpy(dtype=float),
            means_rm=self.means_rm[:, rows.index.to_numpy()],
            oversample=self.oversample,
        )


def nested(results: Results) -> list[Nested]:
    """Find the groups of at least two sizes, in the order of meta.json.

    They are recognised by content: what the corpus would be without the draw of rows (``sha256_whole``), and the
    draw's seed. The whole corpus belongs to every draw.
    """
    about = {name: x for name, x in results.meta["datasets"].items() if "sha256_whole" in x}
    draws = [
        (x["sha256_whole"], x["normalized"], x["rows_seed"]) for x in about.values() if x["sha256"] != x["sha256_whole"]
    ]
    groups = []
    for whole, normalized, seed in dict.fromkeys(draws):
        sizes = {
            name: x["n"]
            for name, x in sorted(about.items(), key=lambda item: (item[1]["n"], item[0]))
            if (x["sha256_whole"], x["normalized"]) == (whole, normalized)
            and (x["rows_seed"] == seed or x["sha256"] == whole)
        }
        if len(set(sizes.values())) > 1:
            first, *_, last = sizes
            # What the names share, as in wordnet for wordnet_1000 and wordnet(rows=5000).
            shared = os.path.commonprefix(list(sizes)).partition("(")[0].rstrip("_- 0123456789") or last
            groups.append(Nested(shared, sizes, about[first]["d"], about[first]["queries"]))
    return groups


def points(results: Results, group: Nested) -> dict[tuple[str, int], Points]:
    """The points of each variant and oversample factor; several seeds are averaged."""
    metrics, per_query = results.pooled, results.per_query
    metrics = metrics[(metrics["metric"] == "overlap") & metrics["dataset"].isin(list(group.sizes))]
    columns = {"value": "mean", "ci_low": "min", "ci_high": "max", "n_queries": "max", "dataset": "first"}
    by_setting = {}
    for (variant, oversample), rows in metrics.groupby(["variant", "oversample"], sort=True):
        rows = rows.assign(n=rows["dataset"].map(dict(group.sizes)), k=rows["k"].astype(int))
        table = rows.groupby(["k", "n"], as_index=False).agg(columns)
        if per_query.empty:
            losers_m, means_rm = _from_means(table)
        else:
            losers_m, means_rm = _from_queries(
                table,
                per_query[
                    (per_query["metric"] == "overlap")
                    & (per_query["variant"] == variant)
                    & (per_query["oversample"] == oversample)
                    & per_query["dataset"].isin(list(table["dataset"]))
                ],
            )
        by_setting[variant, oversample] = Points(variant, oversample, table.assign(losers=losers_m), means_rm)
    return by_setting


def _from_queries(table: pd.DataFrame, own: pd.DataFrame) -> tuple[Floats, Floats]:
    """Losers, and resampled means: the queries are resampled once for all sizes and k, which share their luck."""
    own = own.assign(query=own["query"].astype(str), dataset=own["dataset"].astype(str))
    by_query = own.pivot_table(index="query", columns=["k", "dataset"], values="value", aggfunc="mean")
    wanted = list(zip(table["k"], table["dataset"], strict=True))
    values_qm = by_query.sort_index()[wanted].to_numpy(dtype=float)
    means_rm = np.concatenate([part @ values_qm / len(values_qm) for part in resamples(len(values_qm))])
    return np.count_nonzero(values_qm < 1, axis=0), means_rm


def _from_means(table: pd.DataFrame) -> tuple[Floats, Floats]:
    """Losers, and resamples drawn from the intervals of the means, where a folder holds no values per query.

    The same queries answer at every size, so the errors of the means are correlated; how much is not known. Assumed
    is 0.3 between any two points: values per query gave .35 in the middle at twice the size, .1 at 16 times.
    """
    error_m = (table["ci_high"] - table["ci_low"]).to_numpy(dtype=float) / 2 / ndtri((1 + CONFIDENCE) / 2)
    rng = np.random.default_rng(0)
    shared_r, own_rm = rng.standard_normal(2000), rng.standard_normal((2000, len(table)))
    draws_rm = np.sqrt(_SHARED) * shared_r[:, None] + np.sqrt(1 - _SHARED) * own_rm
    value_m = table["value"].to_numpy(dtype=float)
    # A query that loses anything loses at least 1 / k: there are at most so many losers.
    losers_m = (1 - value_m) * table["k"].to_numpy() * table["n_queries"].to_numpy()
    return losers_m, np.clip(value_m + error_m * draws_rm, 0, 1)
