"""The tables of the report, as plain rows for the template. What a folder lacks is an empty list."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vqbench.analysis.recommend_text import share
from vqbench.results.folder import Results
from vqbench.results.measured_settings import FLOAT32, Line, ledger_of, pooled_rows, settings_of

#: Columns of the table of settings, where measured: metric, heading, term of the glossary.
COLUMNS = (
    ("overlap", "overlap", "overlap"),
    ("top1", "top1", "top1"),
    ("ndcg_kept", "NDCG kept", "ndcg"),
    ("rbo", "RBO", "rbo"),
    ("worst", "worst", "worst"),
)
_WORST_VARIANTS = 6


@dataclass(frozen=True)
class Cell:
    """A number as shown and as it is sorted; an interval beside it where there is one."""

    value: float
    text: str
    interval: str = ""

    @property
    def exact(self) -> str:
        """As metrics.csv has it; nothing where it is not known."""
        return "" if math.isnan(self.value) else f"{self.value:.10g}"


@dataclass(frozen=True)
class Row:
    """A setting at one k."""

    variant: str
    similarity: str
    oversample: int
    k: int
    bytes: Cell
    times: Cell
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Table:
    """All settings: the columns that were measured (heading, term, is more better) and a row for each setting and k."""

    columns: Sequence[tuple[str, str, bool]]
    rows: Sequence[Row]
    ks: Sequence[int]
    factors: Sequence[int]


def settings_table(results: Results, dataset: str) -> Table:
    """Every setting at every k, smallest first, best first."""
    rows = pooled_rows(results)
    rows = rows[(rows["dataset"] == dataset) & rows["k"].notna()]
    about = results.meta["datasets"][dataset]
    n, full = int(about["n"]), FLOAT32 * int(about["d"])
    columns = [column for column in COLUMNS if (rows["metric"] == column[0]).any()]
    ledger = results.ledger[(results.ledger["dataset"] == dataset) & (results.ledger["scope"] == "total")]
    totals = {(row["variant"], row["item"]): float(row["bytes"]) for row in ledger.to_dict("records")}
    found = []
    for (variant, similarity, factor, k), group in rows.groupby(["variant", "similarity", "oversample", "k"]):
        by_metric = {row["metric"]: row for row in group.to_dict("records")}
        size = totals[variant, "bytes_per_vector"] + totals[variant, "bytes_once"] / n
        found.append(
            Row(
                str(variant),
                str(similarity),
                int(factor),
                int(k),
                Cell(size, _size(size)),
                Cell(full / size, f"{full / size:.1f}"),
                [_cell(by_metric.get(metric)) for metric, *_ in columns],
            )
        )

    def order(row: Row) -> tuple:
        first = row.cells[0].value if row.cells else 0.0
        return (row.k, round(row.bytes.value), -first if first == first else 0.0, row.variant, row.oversample)

    found.sort(key=order)
    headings = [(heading, term, metric != "worst") for metric, heading, term in columns]
    ks, factors = sorted({row.k for row in found}), sorted({row.oversample for row in found})
    return Table(headings, found, ks, factors)


def _cell(row: Mapping[Any, Any] | None) -> Cell:
    if row is None or math.isnan(row["value"]):
        return Cell(math.nan, "-")
    low, high = float(row["ci_low"]), float(row["ci_high"])
    bounds = "" if math.isnan(low) else f"{share(low)}-{share(high)}"
    return Cell(float(row["value"]), share(float(row["value"])), bounds)


def _size(size: float) -> str:
    return f"{size:,.0f}" if abs(size - round(size)) < 0.05 else f"{size:,.1f}"


def comparisons(results: Results, dataset: str, k: int) -> list[dict[str, Any]]:
    """Paired comparisons of overlap with the baseline at ``k``; empty where the folder lacks them."""
    table = results.comparisons
    if table.empty:
        return []
    rows = table[(table["dataset"] == dataset) & (table["metric"] == "overlap") & (table["k"] == k)]
    numbers = ["difference", "ci_low", "ci_high", "p_holm", "detectable", "margin"]  # a baseline has none of some
    rows = rows.assign(**{name: pd.to_numeric(rows[name], errors="coerce") for name in numbers})
    rows = rows.sort_values(["oversample", "difference", "variant"], ascending=[True, False, True], na_position="last")
    return [
        {
            **row,
            "shown": signed(row["difference"]),
            "p_shown": _p(row["p_holm"]),
            "bounds": f"{signed(row['ci_low'])} to {signed(row['ci_high'])}",
            "detectable_shown": _plain(row["detectable"]),
            "margin_shown": _plain(row["margin"]),
        }
        for row in rows.to_dict("records")
    ]


def _plain(value: Any) -> str:
    return "-" if pd.isna(value) else f"{value:.3f}"


def signed(value: Any) -> str:
    """Three decimals with a sign, none where they are all zero; a dash for what is not known."""
    if pd.isna(value) or abs(value) < 0.0005:
        return "-" if pd.isna(value) else "0.000"
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def _p(value: Any) -> str:
    return "-" if pd.isna(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def ledgers(results: Results, dataset: str, k: int) -> list[tuple[str, Sequence[Line], float]]:
    """Variants with their items and bytes of memory for a vector, smallest first."""
    n = int(results.meta["datasets"][dataset]["n"])
    alone = [s for s in settings_of(results, dataset=dataset, metric="overlap", k=k) if not s.oversample]
    alone = sorted(alone, key=lambda s: (s.ram(n), s.variant))
    return [(s.variant, ledger_of(results, s), s.ram(n)) for s in alone]


def not_measured(results: Results, dataset: str) -> list[tuple[str, str, str]]:
    """Variants that were skipped or failed: name, what happened, why."""
    rows = results.metrics[(results.metrics["dataset"] == dataset) & (results.metrics["status"] != "ok")]
    rows = rows.drop_duplicates(["variant", "status", "reason"])
    return [(row["variant"], row["status"], row["reason"]) for row in rows.to_dict("records")]


@dataclass(frozen=True)
class Listed:
    """One row of a list: its id, its score as shown, and whether the other list has it too."""

    id: str
    score: str
    shared: bool


@dataclass(frozen=True)
class Worst:
    """A query that a code answers badly: what float finds, and what the code finds."""

    query: str
    floats: Sequence[Listed]
    codes: Sequence[Listed]

    @property
    def kept(self) -> int:
        return sum(one.shared for one in self.floats)


def worst_queries(results: Results, dataset: str, variants: Sequence[str]) -> dict[str, list[Worst]]:
    """The worst queries of each of these variants, of the first seed; empty where the folder lacks samples."""
    samples = results.samples
    if samples.empty or not {"dataset", "kind", "other"} <= set(samples.columns):
        return {}
    rows = samples[(samples["dataset"] == dataset) & samples["kind"].isin(["worst", "worst_float"])]
    if "seed" in rows and len(rows):
        rows = rows[rows["seed"] == rows["seed"].min()]
    found: dict[str, list[Worst]] = {}
    for variant in [name for name in variants if (rows["variant"] == name).any()][:_WORST_VARIANTS]:
        own = rows[rows["variant"] == variant].astype({"kind": str})
        cases = [_worst(query, own[own["id"] == query]) for query in dict.fromkeys(own["id"])]
        found[variant] = sorted(cases, key=lambda case: case.kept)
    return found


def _worst(query: str, rows: pd.DataFrame) -> Worst:
    lists = {kind: rows[rows["kind"] == kind].sort_values("index") for kind in ("worst_float", "worst")}
    ids = {kind: set(part["other"]) for kind, part in lists.items()}

    def listed(kind: str, other: str, score: str) -> list[Listed]:
        return [
            Listed(str(row["other"]), _plain(row[score]), row["other"] in ids[other])
            for row in lists[kind].to_dict("records")
        ]

    return Worst(str(query), listed("worst_float", "worst", "value"), listed("worst", "worst_float", "value"))


def timings(results: Results, dataset: str) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Headings and seconds by variant, all with as many decimals; the mean over seeds."""
    table = results.timings
    if table.empty:
        return [], []
    rows = table[table["dataset"] == dataset].drop(columns=["dataset", "seed"], errors="ignore")
    means = rows.groupby("variant", sort=True).mean(numeric_only=True)
    values = means.to_numpy()
    digits = 2 if np.nan_to_num(values).max(initial=0) >= 10 else 4  # where all are short, tell 0.4 ms from none
    shown = [
        (str(name), ["-" if math.isnan(value) else f"{value:.{digits}f}" for value in row])
        for name, row in zip(means.index, values, strict=True)
    ]
    return [str(column) for column in means.columns], shown
