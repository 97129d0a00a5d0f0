"""Which datasets of a results folder are nested subsamples of one corpus, and their overlaps as curves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """Subsamples of one corpus with the same queries. sizes: rows by dataset, ascending."""

    name: str
    sizes: Mapping[str, int]
    d: int
    queries: int

    @property
    def largest(self) -> int:
        return max(self.sizes.values())


@dataclass(frozen=True)
class Points:
    """Overlaps of one variant and oversample factor at nested sizes: a table with a row for each k and size.

    table: k, n, value, ci_low, ci_high, losers (queries that lose anything, NaN where only means are known).
    means_rm: as in ``Curve``, for the rows of the table. whole: whether they come from values per query.
    """

    variant: str
    oversample: int
    table: pd.DataFrame
    means_rm: Floats
    whole: bool

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
        """What is fitted to predict overlap@k."""
        rows = self.usable(k)
        return Curve(
            n_m=rows["n"].to_numpy(),
            k_m=rows["k"].to_numpy(),
            value_m=rows["value"].to_numpy(dtype=float),
            means_rm=self.means_rm[:, rows.index.to_numpy()],
            oversample=self.oversample,
        )


def nested(results: Results) -> list[Nested]:
    """The groups of at least two sizes, in the order of meta.json.

    Told by content: what the corpus would be without the draw of rows (``sha256_whole``), and the draw's seed. The
    whole corpus belongs to every draw.
    """
    about = {name: x for name, x in results.meta["datasets"].items() if "sha256_whole" in x}
    groups: dict[tuple[Any, ...], dict[str, int]] = {}
    for name, x in about.items():
        if x["sha256"] != x["sha256_whole"]:
            groups.setdefault((x["sha256_whole"], x["normalized"], x["rows_seed"]), {})[name] = x["n"]
    for name, x in about.items():
        if x["sha256"] == x["sha256_whole"]:
            for (whole, normalized, _), sizes in groups.items():
                if (whole, normalized) == (x["sha256"], x["normalized"]):
                    sizes.setdefault(name, x["n"])
    found = []
    for sizes in groups.values():
        ordered = dict(sorted(sizes.items(), key=lambda item: (item[1], item[0])))
        some = about[next(iter(ordered))]
        if len(set(ordered.values())) > 1:
            found.append(Nested(_name(list(ordered)), ordered, some["d"], some["queries"]))
    return found


def _name(datasets: Sequence[str]) -> str:
    """What the names share, as in wordnet for wordnet_1000 and wordnet(rows=5000)."""
    return os.path.commonprefix(list(datasets)).partition("(")[0].rstrip("_- 0123456789") or datasets[-1]


def points(results: Results, group: Nested) -> dict[tuple[str, int], Points]:
    """Points by variant and oversample factor; several seeds are averaged."""
    metrics = results.pooled
    metrics = metrics[(metrics["metric"] == "overlap") & metrics["dataset"].isin(list(group.sizes))]
    found = {}
    for (variant, oversample), rows in metrics.groupby(["variant", "oversample"], sort=True):
        table = (
            rows.assign(n=rows["dataset"].map(dict(group.sizes)), k=rows["k"].astype(int))
            .groupby(["k", "n"], as_index=False)
            .agg({"value": "mean", "ci_low": "min", "ci_high": "max", "n_queries": "max", "dataset": "first"})
        )
        own = results.per_query
        if len(own):
            own = own[(own["metric"] == "overlap") & (own["variant"] == variant) & (own["oversample"] == oversample)]
            found[variant, oversample] = _from_queries(variant, oversample, table, own)
        else:
            found[variant, oversample] = _from_means(variant, oversample, table)
    return found


def _from_queries(variant: str, oversample: int, table: pd.DataFrame, own: pd.DataFrame) -> Points:
    """The queries are resampled once for all sizes and k: the sizes share their queries, and so their luck."""
    own = own[own["dataset"].isin(list(table["dataset"]))]
    own = own.assign(query=own["query"].astype(str), dataset=own["dataset"].astype(str))
    by_query = own.pivot_table(index="query", columns=["k", "dataset"], values="value", aggfunc="mean")
    wanted = list(zip(table["k"], table["dataset"], strict=True))
    values_qm = by_query.sort_index()[wanted].to_numpy(dtype=float)
    means_rm = np.concatenate([part @ values_qm / len(values_qm) for part in resamples(len(values_qm))])
    losers = np.count_nonzero(values_qm < 1, axis=0)
    return Points(variant, oversample, table.assign(losers=losers), means_rm, whole=True)


def _from_means(variant: str, oversample: int, table: pd.DataFrame) -> Points:
    """Resamples made up from the intervals of the means alone, where a folder holds no values per query.

    The same queries answer at every size, so the errors of the means are correlated; how much is not known. Assumed
    are 0.3 between any two points: values per query gave .35 in the middle at twice the size, .1 at 16 times.
    """
    half = (table["ci_high"] - table["ci_low"]).to_numpy(dtype=float) / 2
    error_m = half / ndtri((1 + CONFIDENCE) / 2)
    rng = np.random.default_rng(0)
    shared_r, own_rm = rng.standard_normal(2000), rng.standard_normal((2000, len(table)))
    draws_rm = np.sqrt(_SHARED) * shared_r[:, None] + np.sqrt(1 - _SHARED) * own_rm
    value_m = table["value"].to_numpy(dtype=float)
    # A query that loses anything loses at least 1 / k: so many losers there are at most.
    losers = (1 - value_m) * table["k"].to_numpy() * table["n_queries"].to_numpy()
    means_rm = np.clip(value_m + error_m * draws_rm, 0, 1)
    return Points(variant, oversample, table.assign(losers=losers), means_rm, whole=False)
