"""One dataset of a results folder, in the form that figures need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from vqbench.report.figures.style import Look, family_of, looks_of
from vqbench.results.columns import ALL_SEEDS
from vqbench.results.folder import Results

FIRST = "the first of"  # seeds


@dataclass(frozen=True)
class Slice:
    """What was measured on one dataset.

    metrics: one row a variant, metric, k and oversample, over all seeds. lost: variants without a result.
    samples: those of the first seed. nodes: the variants' configs. comparisons: with the baseline.
    backends: real engines, where any ran.
    """

    dataset: str
    about: Mapping[str, Any]
    described: Mapping[str, Mapping[str, Any]]
    metrics: pd.DataFrame
    lost: pd.DataFrame
    bytes: Mapping[str, float]
    per_query: pd.DataFrame
    samples: pd.DataFrame
    looks: Mapping[str, Look]
    seeds: int
    nodes: Mapping[str, Any]
    comparisons: pd.DataFrame
    backends: pd.DataFrame = field(default_factory=pd.DataFrame)

    @cached_property
    def k(self) -> int:
        """The k of figures that show one: 10, or else the largest."""
        ks = self.ks
        return 10 if 10 in ks else max(ks, default=0)

    @property
    def ks(self) -> list[int]:
        return sorted(self.metrics["k"].dropna().astype(int).unique().tolist())

    @property
    def factors(self) -> list[int]:
        """The oversample factors above 0."""
        return sorted(x for x in self.metrics["oversample"].unique().tolist() if x > 0)

    @cached_property
    def variants(self) -> list[str]:
        """Those with results: most bytes first, then the best."""
        overlap = self.at("overlap", k=self.k)["value"]
        order = sorted(self.bytes, key=lambda name: (-self.bytes[name], -overlap.get(name, 0.0), name))
        return [name for name in order if name in set(self.metrics["variant"])]

    @property
    def baseline(self) -> str | None:
        """The variant that searches floats exactly, if the run had one."""
        exact = [name for name in self.variants if self.looks[name].family == "float"]
        return "float32" if "float32" in exact else next(iter(exact), None)

    @property
    def d(self) -> int:
        return int(self.about.get("d", 0))

    def at(self, metric: str, *, k: int, oversample: int = 0) -> pd.DataFrame:
        """The rows of one metric, by variant."""
        m = self.metrics
        return m[(m["metric"] == metric) & (m["k"] == k) & (m["oversample"] == oversample)].set_index("variant")

    def sampled(self, kind: str) -> dict[str, pd.DataFrame]:
        """The samples of a kind, by variant in order."""
        if "kind" not in self.samples:
            return {}
        groups = dict(iter(self.samples[self.samples["kind"] == kind].groupby("variant", observed=True)))
        return {name: groups[name] for name in self.variants if name in groups}

    def label(self, metric: str, k: int | None = None) -> str:
        """The metric's own label, with the k that is shown."""
        base = metric.removesuffix("_kept")
        text = str(self.described.get(metric, self.described.get(base, {})).get("label", metric))
        kept = ": share of float's kept" if metric not in self.described and base in self.described else ""
        return _with_k(text, k) + (kept if base != metric else "")

    def axis(self, metric: str, k: int | None = None) -> str:
        """Label and unit."""
        unit = str(self.described.get(metric, {}).get("unit", ""))
        return f"{self.label(metric, k)} ({_with_k(unit, k)})" if unit else self.label(metric, k)

    def facts(self, *more: str, seeds: str = "mean over") -> str:
        """The note under a figure: the data, and what else is given.

        seeds: how several are shown: their mean, all of them, or only the first, as samples are.
        """
        about = self.about
        size = f"{about['n']:,} vectors of {about['d']:,} numbers" if about else ""
        groups = f" in {about['groups']:,} groups" if about.get("groups") else ""
        queries = f"{about['queries']:,} queries{groups} ({about['queries_are']})" if about else ""
        seen = f"{seeds} {self.seeds} seeds" if self.seeds > 1 else ""
        return "; ".join(part for part in (f"{self.dataset}: {size}", queries, *more, seen) if part) + "."

    @property
    def interval(self) -> str:
        """What a bar around a mean says."""
        return f"bars: 95 % interval of the mean over queries{' and seeds' if self.seeds > 1 else ''}"


def _with_k(text: str, k: int | None) -> str:
    return text if k is None else re.sub(r"\bk\b", str(k), text)


def slices(results: Results) -> list[Slice]:
    """The datasets of a folder in the order of its meta.json, those without any result left out."""
    ok = results.metrics[results.metrics["status"] == "ok"]
    seen = [*results.meta["datasets"], *sorted(set(ok["dataset"]) - set(results.meta["datasets"]))]
    return [_slice(results, name) for name in seen if (ok["dataset"] == name).any()]


def _slice(results: Results, dataset: str) -> Slice:
    metrics, ok, ledger, per_query, samples, comparisons, backends = (
        frame[frame["dataset"] == dataset] if "dataset" in frame else frame
        for frame in (
            results.metrics,
            results.pooled,
            results.ledger,
            results.per_query,
            results.samples,
            results.comparisons,
            results.backends,
        )
    )
    lost = metrics[metrics["status"].isin(["skipped", "failed"])].drop_duplicates("variant")
    totals = ledger[(ledger["scope"] == "total") & (ledger["item"] == "bytes_per_vector")]
    sizes = totals.groupby("variant")["bytes"].first().to_dict()
    about = results.meta["datasets"].get(dataset, {})
    if "seed" in samples:
        samples = samples[samples["seed"] == samples["seed"].min()]
    return Slice(
        dataset,
        about,
        results.meta["metrics"],
        ok,
        lost[~lost["variant"].isin(ok["variant"])],
        sizes,
        per_query,
        samples,
        _looks(metrics, sizes, samples, int(about.get("d", 0))),
        metrics.loc[(metrics["status"] == "ok") & (metrics["seed"] != ALL_SEEDS), "seed"].nunique(),
        _nodes(results.meta["config"]),
        comparisons,
        backends,
    )


def _nodes(config: Any) -> dict[str, Any]:
    """The variants' configs; those of all jobs of a multirun together."""
    jobs = config if isinstance(config, list) else [config]
    return {name: node for job in jobs for name, node in (job.get("quantizer") or {}).items()}


def _looks(metrics: pd.DataFrame, sizes: Mapping[str, float], samples: pd.DataFrame, d: int) -> dict[str, Look]:
    """Looks by name, so that a variant looks the same whatever its rank."""
    similarities = metrics.drop_duplicates("variant").set_index("variant")["similarity"].sort_index()
    binary = set(samples[samples["kind"] == "balance"]["variant"]) if "kind" in samples else set()
    families = {name: family_of(name, sizes.get(name, 0.0) / max(d, 1), name in binary) for name in similarities.index}
    return looks_of(families, similarities.to_dict())
