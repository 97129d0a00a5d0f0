"""One dataset of a results folder, in the form that figures need."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from vqbench.report.figures.looks import Look, family_of, looks_of
from vqbench.report.figures.style import TIMES, size
from vqbench.results.columns import ALL_SEEDS, REFERENCE, headline_k
from vqbench.results.folder import Results
from vqbench.results.measured_settings import StoredToday

FIRST = "the first of"  # seeds


@dataclass(frozen=True)
class Slice:
    """What was measured on one dataset."""

    dataset: str
    about: Mapping[str, Any]  # meta.json's entry of the dataset
    described: Mapping[str, Mapping[str, Any]]  # meta.json's entries of the metrics
    metrics: pd.DataFrame  # a row for each variant, metric, k and oversample factor, over all seeds
    lost: pd.DataFrame  # variants without a result
    bytes: Mapping[str, float]  # bytes per vector, by variant
    per_query: pd.DataFrame
    samples: pd.DataFrame  # of the first seed
    looks: Mapping[str, Look]
    seeds: int
    nodes: Mapping[str, Any]  # the variants' configs
    comparisons: pd.DataFrame  # with the baseline
    backends: pd.DataFrame = field(default_factory=pd.DataFrame)  # real engines, where any ran

    @cached_property
    def k(self) -> int:
        """The k of figures that show one: 10, or else the largest."""
        return headline_k(self.ks)

    @property
    def ks(self) -> list[int]:
        return sorted(self.metrics["k"].dropna().astype(int).unique().tolist())

    @property
    def factors(self) -> list[int]:
        """The oversample factors above 0."""
        return sorted(x for x in self.metrics["oversample"].unique().tolist() if x > 0)

    @property
    def factor(self) -> int:
        """The oversample factor of figures that show one: the largest up to 4, or else the smallest; 0: none."""
        return max([x for x in self.factors if 1 < x <= 4], default=min(self.factors, default=0))

    @cached_property
    def variants(self) -> list[str]:
        """Those with results: most bytes first, then the best."""
        overlap = self.at("overlap", k=self.k)["value"]
        order = sorted(self.bytes, key=lambda name: (-round(self.bytes[name]), -overlap.get(name, 0.0), name))
        return [name for name in order if name in set(self.metrics["variant"])]

    @property
    def baseline(self) -> str | None:
        """The variant that searches floats exactly, if the run had one."""
        exact = [name for name in self.variants if self.looks[name].family == "float"]
        return "float32" if "float32" in exact else next(iter(exact), None)

    @property
    def today(self) -> StoredToday:
        """What a vector takes as it is stored today."""
        return StoredToday.of(self.about)

    @property
    def d(self) -> int:
        return int(self.about["d"])

    def at(self, metric: str, *, k: int, oversample: int = 0) -> pd.DataFrame:
        """Select the rows of one metric, by variant."""
        m = self.metrics
        return m[(m["metric"] == metric) & (m["k"] == k) & (m["oversample"] == oversample)].set_index("variant")

    def overlap(self) -> pd.DataFrame:
        """Select overlap at the figure's k of the codes alone, in the variants' order, with a column ``bytes``."""
        own = self.at("overlap", k=self.k)
        own = own.loc[[name for name in self.variants if name in own.index]]
        return own.assign(bytes=[self.bytes[str(name)] for name in own.index])

    def rescored(self) -> pd.DataFrame:
        """Select overlap at the figure's k and oversample factor; no row where nothing was rescored."""
        rows = self.at("overlap", k=self.k, oversample=self.factor)
        return rows if self.factor else rows.iloc[:0]

    def sampled(self, kind: str) -> dict[str, pd.DataFrame]:
        """Select the samples of a kind, by variant in order."""
        if "kind" not in self.samples:
            return {}
        groups = dict(iter(self.samples[self.samples["kind"] == kind].groupby("variant", observed=True)))
        return {name: groups[name] for name in self.variants if name in groups}

    def label(self, metric: str, k: int | None = None) -> str:
        """Return the metric's own label, with the k that is shown."""
        base = metric.removesuffix("_kept")
        text = str(self.described.get(metric, self.described.get(base, {})).get("label", metric))
        kept = ", relative to float search" if metric not in self.described and base in self.described else ""
        return _with_k(text, k) + kept

    def axis(self, metric: str, k: int | None = None) -> str:
        """Return label and unit."""
        unit = str(self.described.get(metric, {}).get("unit", ""))
        return f"{self.label(metric, k)} ({_with_k(unit, k)})" if unit else self.label(metric, k)

    def facts(self, *more: str, seeds: str = "mean over") -> str:
        """Write the note under a figure: the data, and what else is given.

        Args:
            seeds: How several are shown: their mean, all of them, or only the first, as samples are.
        """
        about = self.about
        groups = f" in {about['groups']:,} groups" if about.get("groups") else ""
        data = f"{self.dataset}: {about['n']:,} vectors of {about['d']:,} dimensions"
        queries = f"{about['queries']:,} queries{groups} ({about['queries_are']})"
        seen = [f"{seeds} {self.seeds} seeds"] if self.seeds > 1 else []
        return "; ".join((data, queries, *more, *seen)) + "."

    @property
    def interval(self) -> str:
        """What a bar around a mean says."""
        return f"bars: 95 % interval of the mean over queries{' and seeds' if self.seeds > 1 else ''}"

    def hollow(self) -> str:
        """Say what hollow markers mean; nothing where nothing was rescored."""
        if not self.factor:
            return ""
        today = self.today
        return (
            f" Hollow: rescored {TIMES}{self.factor}: {today.kind} vectors re-rank the {self.factor * self.k} best "
            f"candidates. They take {size(today.bytes)} more per vector, usually on disk, which is not counted here."
        )


def _with_k(text: str, k: int | None) -> str:
    return text if k is None else re.sub(r"\bk\b", str(k), text)


def on_front(sizes: Sequence[float] | pd.Series, values: Sequence[float] | pd.Series) -> np.ndarray:
    """Mark each setting that no other beats: at least as good and smaller, or better and no larger, in whole bytes."""
    bytes_m, values_m = np.round(np.asarray(sizes, dtype=float)), np.asarray(values, dtype=float)
    smaller, better = bytes_m[:, None] < bytes_m, values_m[:, None] > values_m
    beats = (smaller & (values_m[:, None] >= values_m)) | (better & (bytes_m[:, None] <= bytes_m))
    return np.logical_not(np.any(beats, axis=0))


def slices(results: Results) -> list[Slice]:
    """Return the datasets of a folder in the order of its meta.json; those without any result are left out."""
    with_result = set(results.pooled["dataset"])
    return [_slice(results, name) for name in results.meta["datasets"] if name in with_result]


def _slice(results: Results, dataset: str) -> Slice:
    def own(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["dataset"] == dataset] if "dataset" in table else table

    metrics, pooled, ledger, samples = map(own, (results.metrics, results.pooled, results.ledger, results.samples))
    lost = metrics[metrics["status"].isin(["skipped", "failed"])].drop_duplicates("variant")
    totals = ledger[(ledger["scope"] == "total") & (ledger["item"] == "bytes_per_vector")]
    sizes = totals.groupby("variant")["bytes"].first().to_dict()
    if "seed" in samples:
        samples = samples[samples["seed"] == samples["seed"].min()]
    about = results.meta["datasets"][dataset]
    pooled = pooled.copy()
    pooled.loc[pooled["variant"] == REFERENCE, ["ci_low", "ci_high"]] = np.nan
    return Slice(
        dataset=dataset,
        about=about,
        described=results.meta["metrics"],
        metrics=pooled,
        lost=lost[~lost["variant"].isin(pooled["variant"])],
        bytes=sizes,
        per_query=own(results.per_query),
        samples=samples,
        looks=_looks(metrics, sizes, samples, int(about["d"])),
        seeds=metrics.loc[(metrics["status"] == "ok") & (metrics["seed"] != ALL_SEEDS), "seed"].nunique(),
        nodes={name: origin["node"] for name, origin in results.meta.get("variants", {}).items()},
        comparisons=own(results.comparisons),
        backends=own(results.backends),
    )


def _looks(metrics: pd.DataFrame, sizes: Mapping[str, float], samples: pd.DataFrame, d: int) -> dict[str, Look]:
    """Looks by name, so that a variant looks the same whatever its rank."""
    similarities = metrics.drop_duplicates("variant").set_index("variant")["similarity"].sort_index()
    binary = set(samples[samples["kind"] == "balance"]["variant"]) if "kind" in samples else set()
    families = {name: family_of(name, sizes.get(name, 0.0) / max(d, 1), name in binary) for name in similarities.index}
    return looks_of(families, similarities.to_dict())
