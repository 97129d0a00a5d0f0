"""The settings that a results folder measured: what each keeps, and what it stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from vqbench.results.columns import ALL_SEEDS, STORE, headline_k
from vqbench.results.folder import Results

Floats = Literal["disk", "ram"]
_FLOAT32 = 4
_KEY = ["dataset", "variant", "similarity", "metric", "k", "oversample"]


@dataclass(frozen=True)
class StoredToday:
    """What one vector takes as it is stored today: float32, or the bytes as which it came."""

    kind: str  #: float32, uint8, int8, bits or packed bits
    bytes: float

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> StoredToday:
        """Read meta.json's entry of a dataset."""
        if (stored := about.get("stored")) is None:
            return cls("float32", _FLOAT32 * int(about["d"]))
        return cls(str(stored["as"]), float(stored["bytes_per_vector"]))

    @property
    def floats(self) -> bool:
        """Whether it is float32."""
        return self.kind == "float32"

    @property
    def phrase(self) -> str:
        """In a sentence about bytes: ``32 bytes/vector you store today (uint8)``."""
        size = f"{self.bytes:,.1f}".removesuffix(".0")
        return f"{size} bytes/vector you store today ({self.kind})"

    @property
    def words(self) -> str:
        """What ratios are to: ``float32``, or ``the 32 bytes/vector you store today (uint8)``."""
        return "float32" if self.floats else f"the {self.phrase}"

    @property
    def line(self) -> str:
        """What its line of a bill is called."""
        return "float32 in memory" if self.floats else f"{self.kind}, as stored today"

    @property
    def store(self) -> str:
        """What rescoring reads: ``float32``, or ``uint8, as stored``."""
        return "float32" if self.floats else f"{self.kind}, as stored"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A variant with an oversample factor, what it keeps and what it stores."""

    dataset: str
    variant: str
    oversample: int  #: 0: no rescoring
    value: float  #: the metric's mean
    ci_low: float  #: its 95 % interval
    ci_high: float
    queries: int
    vector_bytes: float  #: code, side values and padding of each vector
    once_bytes: float  #: stored once for all vectors
    store_bytes: float  #: of each vector that rescoring reads; 0 without it
    store: str = "float32"  #: what that store holds
    seeds: int = 1  #: under how many seeds the value came out differently; 1 where the seed changes nothing

    @property
    def name(self) -> str:
        """Name the variant, and how many times k candidates are rescored."""
        return f"{self.variant} \N{MULTIPLICATION SIGN}{self.oversample}" if self.oversample else self.variant

    def ram(self, n: int, floats: Floats = "disk") -> float:
        """Return the bytes of memory for each of ``n`` vectors, their share of what is stored once included."""
        return self.vector_bytes + self.once_bytes / n + (self.store_bytes if floats == "ram" else 0.0)


def pooled_rows(results: Results) -> pd.DataFrame:
    """Return ``Results.pooled``, and for variants of several seeds without a row over all of them, one made of theirs.

    It has the mean of the values and the widest interval: whatever one seed leaves possible stays so.
    """
    rows = results.pooled
    ok = results.metrics[results.metrics["status"] == "ok"]
    whole = pd.MultiIndex.from_frame(rows[["dataset", "variant"]])
    rest = ok[~pd.MultiIndex.from_frame(ok[["dataset", "variant"]]).isin(whole)]
    if rest.empty:
        return rows
    how = {"value": "mean", "ci_low": "min", "ci_high": "max", "low": "min", "high": "max", "n_queries": "min"}
    joined = rest.groupby(_KEY, dropna=False, sort=False).agg(how).reset_index()
    return pd.concat([rows, joined], ignore_index=True) if len(rows) else joined


def settings_of(results: Results, *, dataset: str, metric: str, k: int) -> list[Setting]:
    """Return every setting of a dataset with a value of ``metric`` at ``k``, those of float search among them."""
    rows = pooled_rows(results)
    rows = rows[(rows["dataset"] == dataset) & (rows["metric"] == metric) & (rows["k"] == k) & rows["value"].notna()]
    ledger = results.ledger[results.ledger["dataset"] == dataset]
    stores = ledger["item"].str.endswith(STORE)
    store = ledger[stores].set_index("variant")["bytes"].to_dict()
    today = StoredToday.of(results.meta["datasets"][dataset])
    bytes_of = ledger[~stores].groupby(["variant", "scope"])["bytes"].sum().to_dict()
    each = results.metrics[(results.metrics["seed"] != ALL_SEEDS) & (results.metrics["status"] == "ok")]
    each = each[(each["dataset"] == dataset) & (each["metric"] == metric) & (each["k"] == k)]
    scattered = each.groupby(["variant", "oversample"])["value"].nunique().to_dict()
    return [
        Setting(
            dataset=dataset,
            variant=row["variant"],
            oversample=int(row["oversample"]),
            value=float(row["value"]),
            ci_low=float(row["ci_low"]),
            ci_high=float(row["ci_high"]),
            queries=int(row["n_queries"]),
            vector_bytes=float(bytes_of.get((row["variant"], "vector"), 0)),
            once_bytes=float(bytes_of.get((row["variant"], "once"), 0)),
            store_bytes=float(store.get(row["variant"], 0)) if row["oversample"] else 0.0,
            store=today.store,
            seeds=scattered.get((row["variant"], row["oversample"]), 1),
        )
        for row in rows.to_dict("records")
    ]


@dataclass(frozen=True)
class Line:
    """One line of a setting's ledger."""

    item: str
    each: float  #: bytes for each vector
    once: float  #: bytes once
    place: Floats  #: where they lie

    def total(self, n: int) -> float:
        """Return the bytes for ``n`` vectors."""
        return self.each * n + self.once


def ledger_of(results: Results, setting: Setting, floats: Floats = "disk") -> list[Line]:
    """List what a setting stores, item by item; what rescoring reads only where it reads them."""
    rows = results.ledger
    rows = rows[(rows["dataset"] == setting.dataset) & (rows["variant"] == setting.variant)]
    rows = rows[rows["scope"].isin(["vector", "once"])].drop_duplicates(["item", "scope"])
    return [
        Line(
            str(item),
            float(size) if scope == "vector" else 0.0,
            float(size) if scope == "once" else 0.0,
            floats if str(item).endswith(STORE) else "ram",
        )
        for item, scope, size in rows[["item", "scope", "bytes"]].itertuples(index=False)
        if not str(item).endswith(STORE) or setting.oversample
    ]


def shown_k(results: Results, dataset: str, metric: str = "overlap") -> int:
    """Choose the k that tables show (``headline_k``) of those at which the metric was measured."""
    return headline_k(measured_ks(results, dataset, metric))


def measured_ks(results: Results, dataset: str, metric: str) -> list[int]:
    """Return every k at which any variant has a value, ascending."""
    rows = results.metrics
    rows = rows[(rows["dataset"] == dataset) & (rows["metric"] == metric) & rows["value"].notna()]
    return sorted(rows["k"].dropna().astype(int).unique().tolist())
