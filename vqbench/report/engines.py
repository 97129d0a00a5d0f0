"""Real engines beside what was predicted of them: the rows of a table, and a chart of the differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vqbench.analysis.recommend_text import share
from vqbench.report.charts import Chart, both
from vqbench.report.drawing import WIDE, Canvas, steps
from vqbench.report.tables import Cell, signed
from vqbench.results.folder import Results

#: Colours of the style sheet, the same hues as in the figures.
STYLES = {"faiss": "s0", "LanceDB": "s1", "Qdrant": "s2", "sqlite-vec": "s3", "turbovec": "s4", "USearch": "s5"}
_OTHER = "s6"
_REAL = 0.999  # agreement from which two lists count as the same but for rounding
_BYTES = {"code": "bytes_predicted", "codes": "bytes_codes", "on disk": "bytes_disk"}


@dataclass(frozen=True)
class Engine:
    """A setting of an engine that ran."""

    setting: str
    name: str
    version: str
    predicted: Cell
    obtained: Cell
    difference: Cell
    low: float
    high: float
    same: Cell
    bytes: Sequence[Cell]

    @property
    def style(self) -> str:
        return STYLES.get(self.name, _OTHER)

    @property
    def said(self) -> str:
        return f"{self.setting}: predicted {self.predicted.text}, obtained {self.obtained.text}"


@dataclass(frozen=True)
class Engines:
    """The settings that ran at one k, by engine; and which did not, with what happened and why."""

    k: int
    rows: Sequence[Engine]
    lost: Sequence[tuple[str, str, str]]
    headings: Sequence[str] = tuple(_BYTES)

    @property
    def as_predicted(self) -> int:
        """How many return the lists that were predicted."""
        return sum(row.same.value >= _REAL for row in self.rows)


def engines(results: Results, dataset: str, k: int) -> Engines | None:
    """At ``k``, or at the engines' largest; of the first seed. None where no engine was asked."""
    table = results.backends
    if table.empty or not (table["dataset"] == dataset).any():
        return None
    table = table[table["dataset"] == dataset]
    lost = table[table["status"] != "ok"].drop_duplicates(["backend", "status", "reason"])
    ran = table[table["status"] == "ok"]
    if len(ran):
        k = k if (ran["k"] == k).any() else int(ran["k"].max())
        ran = ran[(ran["k"] == k) & (ran["seed"] == ran["seed"].min())]
    rows = [_engine(row) for row in ran.to_dict("records")]
    rows.sort(key=lambda row: (row.name.casefold(), row.setting))
    return Engines(k, rows, [(row["backend"], row["status"], row["reason"]) for row in lost.to_dict("records")])


def _engine(row: Mapping[Any, Any]) -> Engine:
    ties = (
        ""
        if row["predicted_high"] - row["predicted_low"] < 0.0005
        else (f"{share(row['predicted_low'])}-{share(row['predicted_high'])}")
    )
    low, high = float(row["ci_low"]), float(row["ci_high"])
    sizes = [float(row[name]) for name in _BYTES.values()]
    return Engine(
        str(row["backend"]),
        str(row["engine"]),
        str(row["version"]),
        Cell(row["predicted"], share(row["predicted"]), ties),
        Cell(row["obtained"], share(row["obtained"])),
        Cell(row["difference"], signed(row["difference"]), f"{signed(low)} to {signed(high)}"),
        low,
        high,
        Cell(row["agreement"], share(row["agreement"])),
        [Cell(size, "-" if pd.isna(size) else f"{size:,.0f}") for size in sizes],
    )


def differences(found: Engines, ident: str) -> Chart | None:
    """Obtained less predicted over predicted overlap, with its interval; a hollow mark returns other lists."""
    rows = found.rows
    if not rows:
        return None
    least, most = min(row.predicted.value for row in rows), max(row.predicted.value for row in rows)
    low, high = min(0.0, *(row.low for row in rows)), max(0.0, *(row.high for row in rows))
    room = 0.06 * (high - low) or 0.01

    def draw(c: Canvas) -> None:
        x = c.axis_x(max(0.0, least - 0.03), min(1.0, most) + 0.02)
        y = c.axis_y(low - room, high + room)
        ticks = steps(x.low, min(1.0, x.high), 8 if c.width == WIDE else 5)
        c.frame(x, y, [(tick, f"{tick:g}") for tick in ticks], steps(y.low, y.high), f"predicted overlap@{found.k}")
        c.line([(c.left, y(0)), (c.width - c.right, y(0))], "axis")
        for row in rows:
            at = x(row.predicted.value)
            c.line([(at, y(row.low)), (at, y(row.high))], f"series thin {row.style}")
        for row in rows:
            kind = "full" if row.same.value >= _REAL else "mark"
            c.dot(
                x(row.predicted.value),
                y(row.difference.value),
                f"{kind} {row.style}",
                f"{row.said}, {row.difference.text} ({row.difference.interval})",
                4,
            )

    key = []
    for name in dict.fromkeys(row.name for row in rows):
        own = [row for row in rows if row.name == name]
        farthest = max(own, key=lambda row: abs(row.difference.value))
        alike = sum(row.same.value >= _REAL for row in own)
        facts = f"{alike} of {len(own)} as predicted; farthest off: {farthest.setting}, {farthest.difference.text}"
        key.append(("", own[0].style, f"{name} {own[0].version}", facts))
    title = f"overlap@{found.k} obtained from real engines, less what was predicted of them"
    description = "; ".join(f"{name}: {facts}" for *_, name, facts in key) + "."
    return Chart(both(draw, ident, title, description, 320), key)
