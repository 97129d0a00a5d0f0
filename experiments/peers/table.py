"""Rows of peers.csv, and the same as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from experiments.peers.contest import Goal

COLUMNS = [
    "family", "n", "d", "queries", "k", "contestant", "version", "threads", "timed_queries", "rounds", "median_s",
    "min_s", "max_s", "mpairs_s", "megabytes", "against", "ratio", "ratio_min", "ratio_max", "goal", "status",
    "agreement", "overlap", "reason",
]  # fmt: skip
TABLE = "peers.csv"
RUNS = "peers_runs.csv"
MARKDOWN = "peers.md"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contestant, set beside one of ours where it is a rival.

    n, d, queries, k: what was asked, where it was a search. seconds: one a round, for all queries, also where
    fewer were timed (``timed_queries``). ratios: one a round. megabytes: peak memory or size on disk. goal: for the
    ratio, else for the seconds or megabytes. agreement: share of queries for which the right rows were found, in jobs
    that have one right answer; overlap: mean share of float's top k that was found. reason: why there is no result, or
    what else one should know.
    """

    family: str
    contestant: str
    version: str
    threads: int
    n: int | None = None
    d: int | None = None
    queries: int | None = None
    k: int | None = None
    timed_queries: int | None = None
    seconds: Sequence[float] = ()
    megabytes: float = nan
    against: str = ""
    ratios: Sequence[float] = ()
    goal: Goal | None = None
    status: str = ""
    agreement: float = nan
    overlap: float = nan
    reason: str = ""

    def plain(self) -> dict[str, object]:
        """A row of the table."""
        middle, low, high = spread(self.seconds)
        ratio, least, most = spread(self.ratios)
        pairs = self.n * self.queries / middle / 1e6 if self.n and self.queries and self.k and self.seconds else nan
        found = {name: getattr(self, name) for name in COLUMNS if hasattr(self, name)}
        return {
            **found, "rounds": len(self.seconds) or None, "median_s": middle, "min_s": low, "max_s": high,
            "mpairs_s": pairs, "ratio": ratio, "ratio_min": least, "ratio_max": most,
            "goal": str(self.goal or ""), "status": self.status or self._reached(ratio, middle),
        }  # fmt: skip

    def _reached(self, ratio: float, middle: float) -> str:
        if self.goal is None:
            return "ok"
        value = {"x": ratio, "s": middle, "MB": self.megabytes}[self.goal.unit]
        return "reached" if self.goal.met(value) else "missed"


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least, most; NaN where there are none."""
    return (statistics.median(values), min(values), max(values)) if values else (nan, nan, nan)


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """The table."""
    table = pd.DataFrame([row.plain() for row in rows], columns=COLUMNS)
    whole = ["n", "d", "queries", "k", "timed_queries", "rounds"]
    return table.astype(dict.fromkeys(whole, "Int64"))


def runs(rows: Iterable[Row]) -> pd.DataFrame:
    """Every round of everyone, in seconds for all queries."""
    columns = ["family", "n", "d", "queries", "k", "contestant", "round", "seconds"]
    found = [
        [*(getattr(row, name) for name in columns[:6]), at, seconds]
        for row in rows
        for at, seconds in enumerate(row.seconds)
    ]
    table = pd.DataFrame(found, columns=columns).drop_duplicates()
    return table.astype(dict.fromkeys(("n", "d", "queries", "k"), "Int64"))


def markdown(table: pd.DataFrame) -> str:
    """The comparisons and the limits as two Markdown tables."""
    compared = table[(table["against"] != "") | table["status"].isin(["skipped", "failed", "differs"])]
    head = "| job | size | k | rival | million pairs/s | ours | million pairs/s | ratio (least to most) | goal | |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|---|"] if len(compared) else []
    for row in compared.to_dict("records"):
        own = table[(table["contestant"] == row["against"]) & (table["against"] == "")]
        for name in ("family", "n", "d", "k"):
            own = own[(own[name] == row[name]) | (own[name].isna() & pd.isna(row[name]))]
        speed = own["mpairs_s"].iloc[0] if len(own) else nan
        lines.append(
            f"| {row['family']} | {size_of(row)} | {'' if pd.isna(row['k']) else row['k']} | {row['contestant']} | "
            f"{rate(row['mpairs_s'])} | {row['against']} | {rate(speed)} | {ratio_of(row)} | {row['goal']} | "
            f"{row['status']} |"
        )
    lines += [""] * bool(lines) + ["| | seconds, median (least to most) | MB | goal | |", "|---|---|---|---|---|"]
    others = table[(table["against"] == "") & table["k"].isna() & ~table["status"].isin(["skipped", "failed"])]
    for row in others.to_dict("records"):
        taken = "" if np.isnan(row["median_s"]) else f"{row['median_s']:.3g} ({row['min_s']:.3g} to {row['max_s']:.3g})"
        megabytes = "" if np.isnan(row["megabytes"]) else f"{row['megabytes']:,.0f}"
        lines.append(f"| {row['contestant']} | {taken} | {megabytes} | {row['goal']} | {row['status']} |")
    return "\n".join([*lines, ""])


def size_of(row: Mapping[str, object]) -> str:
    """``100,000 x 1024``, or nothing."""
    return "" if pd.isna(row["n"]) else f"{row['n']:,} x {row['d']}"  # pyright: ignore[reportArgumentType, reportGeneralTypeIssues]


def rate(value: float) -> str:
    """Million pairs a second: two significant digits below ten, then whole."""
    return "" if np.isnan(value) else f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def ratio_of(row: Mapping[str, float]) -> str:
    """``4.2x (4.0 to 4.5)``, or nothing."""
    if np.isnan(row["ratio"]):
        return ""
    return f"{_digits(row['ratio'])}x ({_digits(row['ratio_min'])} to {_digits(row['ratio_max'])})"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"
