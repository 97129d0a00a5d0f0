"""The tables of a comparison: written, read, and as Markdown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from experiments.peers.contest import Goal
from vqbench.errors import VqbenchError

COLUMNS = [
    "family",
    "n",
    "d",
    "queries",
    "k",
    "contestant",
    "version",
    "threads",
    "timed_queries",
    "rounds",
    "median_s",
    "min_s",
    "max_s",
    "mpairs_s",
    "megabytes",
    "against",
    "ratio",
    "ratio_min",
    "ratio_max",
    "goal",
    "status",
    "agreement",
    "overlap",
    "reason",
]
TABLE = "peers.csv"
RUNS = "peers_runs.csv"
LINEAR = "linear.csv"
MARKDOWN = "peers.md"
AGAIN = "measure every part again"
_WHOLE = ("n", "d", "queries", "k", "timed_queries", "rounds")
_TEXT = ("family", "contestant", "version", "against", "goal", "status", "reason", "what")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contestant; for a rival, compared with one of ours."""

    family: str
    contestant: str
    version: str
    threads: int
    n: int | None = None  # rows, dimensions, queries and ranks, where it is a search
    d: int | None = None
    queries: int | None = None
    k: int | None = None
    timed_queries: int | None = None  # fewer than ``queries`` for a slow rival
    seconds: Sequence[float] = ()  # one a round, for all queries: scaled where fewer were timed
    megabytes: float = nan  # peak memory, or size on disk
    against: str = ""  # the contestant of ours
    ratios: Sequence[float] = ()  # one a round
    goal: Goal | None = None  # of the ratio, else of the seconds or megabytes
    status: str = ""
    agreement: float = nan  # share of queries with the right rows, in jobs that have one right answer
    overlap: float = nan  # mean share of float's top k that was found
    reason: str = ""  # why there is no result, or what else to know

    def plain(self) -> dict[str, object]:
        """A row of the table."""
        middle, low, high = spread(self.seconds)
        ratio, least, most = spread(self.ratios)
        pairs = self.n * self.queries / middle / 1e6 if self.n and self.queries and self.k and self.seconds else nan
        fields = {name: getattr(self, name) for name in COLUMNS if hasattr(self, name)}
        return {
            **fields,
            "rounds": len(self.seconds) or None,
            "median_s": middle,
            "min_s": low,
            "max_s": high,
            "mpairs_s": pairs,
            "ratio": ratio,
            "ratio_min": least,
            "ratio_max": most,
            "goal": str(self.goal or ""),
            "status": self.status or self._outcome(ratio, middle),
        }

    def _outcome(self, ratio: float, middle: float) -> str:
        if self.goal is None:
            return "ok"
        value = {"x": ratio, "s": middle, "MB": self.megabytes}[self.goal.unit]
        return "reached" if self.goal.reached(value) else "missed"


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least, most; NaN where there are none."""
    return (statistics.median(values), min(values), max(values)) if values else (nan, nan, nan)


def frame(rows: Iterable[Row]) -> pd.DataFrame:
    """The table."""
    table = pd.DataFrame([row.plain() for row in rows], columns=COLUMNS)
    return table.astype(dict.fromkeys(_WHOLE, "Int64"))


def read(path: Path) -> pd.DataFrame:
    """A table as it was written. Raises VqbenchError where it is missing or no table."""
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(_TEXT, str))
    except (OSError, ValueError) as error:
        raise VqbenchError(f"{path}: is not a table of a comparison ({error}): {AGAIN}") from None
    text = [name for name in _TEXT if name in table]
    return table.fillna(dict.fromkeys(text, "")).astype({name: "Int64" for name in _WHOLE if name in table})


def read_meta(folder: Path) -> dict[str, Any] | None:
    """meta.json of a comparison; None where the folder holds none."""
    try:
        meta = json.loads((folder / "meta.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return meta if isinstance(meta, dict) and {"timed", "measured"} <= meta.keys() else None


def runs(rows: Iterable[Row]) -> pd.DataFrame:
    """Every round of everyone, in seconds for all queries."""
    columns = ["family", "n", "d", "queries", "k", "contestant", "round", "seconds"]
    lines = [
        [*(getattr(row, name) for name in columns[:6]), number, seconds]
        for row in rows
        for number, seconds in enumerate(row.seconds)
    ]
    table = pd.DataFrame(lines, columns=columns).drop_duplicates()
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
