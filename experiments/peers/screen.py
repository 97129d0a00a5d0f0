"""What a comparison prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments.peers.table import rate, ratio_of, size_of
from vqbench.cli.console import console

_STYLES = {"reached": "green", "missed": "red", "differs": "red", "failed": "red"}


def show(table: pd.DataFrame, out: Path) -> None:
    """Print the ratios, the limits of whole commands, what did not run, and how many goals were reached."""
    screen = console()
    compared = table[(table["against"] != "") & table["ratio"].notna()].to_dict("records")
    ran = table[table["family"].isin(["command", "startup", "memory"]) & ~table["status"].isin(["failed", "skipped"])]
    for job, rows in groupby(compared, _job):
        _print(screen, job, ("contestant", "Mpairs/s", "against", "ratio"), list(rows), _ratio)
    _print(screen, "whole commands", ("", "seconds", "MB"), ran.to_dict("records"), _limit)
    for row in table[table["reason"] != ""].drop_duplicates(["contestant", "reason"]).to_dict("records"):
        screen.print(f"[bold]{row['status']}[/bold]: {row['family']}, {row['contestant']}: {escape(row['reason'])}")
    reached, missed = (int((table["status"] == status).sum()) for status in ("reached", "missed"))
    screen.print(f"{reached} of {reached + missed} goals reached. Written to [bold]{escape(str(out))}[/bold].")


def _job(row: dict) -> str:
    """``int8: 100,000 x 1024, k = 10``."""
    return f"{row['family']}: {size_of(row)}" + ("" if pd.isna(row["k"]) else f", k = {row['k']}")


def _ratio(row: dict) -> Sequence[str]:
    return row["contestant"], rate(row["mpairs_s"]), row["against"].removeprefix("vqbench "), ratio_of(row)


def _limit(row: dict) -> Sequence[str]:
    seconds = "" if np.isnan(row["median_s"]) else f"{row['median_s']:.2f}"
    return row["contestant"], seconds, "" if np.isnan(row["megabytes"]) else f"{row['megabytes']:,.0f}"


def _print(
    screen: Console,
    title: str,
    headings: Sequence[str],
    rows: list[dict],
    cells: Callable[[dict], Sequence[str]],
) -> None:
    """A table with goal and status at its end; none without rows."""
    if not rows:
        return
    printed = Table(*headings, "goal", "", title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for row in rows:
        style = _STYLES.get(row["status"], "default")
        printed.add_row(*cells(row), row["goal"], f"[{style}]{row['status']}[/{style}]")
    screen.print(printed)
