"""The comparison on the screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from experiments.peers.table import rate, ratio_of, size_of
from vqbench.cli.console import console

_STYLES = {"reached": "green", "missed": "red", "differs": "red", "failed": "red"}


def show(table: pd.DataFrame, out: Path) -> None:
    """Print ratios, then limits, and what is missing."""
    screen = console()
    compared = table[(table["against"] != "") & table["ratio"].notna()]
    for _, own in compared.groupby(["family", "n", "d", "k"], dropna=False, sort=False):
        screen.print(_ratios(table, own))
    limits = table[
        table["family"].isin(["command", "startup", "memory"]) & ~table["status"].isin(["failed", "skipped"])
    ]
    if len(limits):
        screen.print(_limits(limits))
    for row in table[table["reason"].fillna("") != ""].drop_duplicates(["contestant", "reason"]).to_dict("records"):
        screen.print(f"[bold]{row['status']}[/bold]: {row['family']}, {row['contestant']}: {escape(row['reason'])}")
    counts = table["status"].value_counts()
    reached, missed = int(counts.get("reached", 0)), int(counts.get("missed", 0))
    screen.print(f"{reached} of {reached + missed} goals reached. Written to [bold]{escape(str(out))}[/bold].")


def _ratios(table: pd.DataFrame, own: pd.DataFrame) -> Table:
    first = own.iloc[0].to_dict()
    depth = "" if pd.isna(first["k"]) else f", k = {first['k']}"
    screen_table = _table(
        f"{first['family']}: {size_of(first)}{depth}", "contestant", "Mpairs/s", "against", "ratio", "goal", ""
    )
    ours = table[(table["against"] == "") & table["median_s"].notna()]
    same = (ours["family"] == first["family"]) & (ours["n"] == first["n"]) & (ours["d"] == first["d"])
    for row in ours[same & (ours["k"].isna() if pd.isna(first["k"]) else ours["k"] == first["k"])].to_dict("records"):
        screen_table.add_row(row["contestant"], _speed(row), "", "", "", "")
    for row in own.to_dict("records"):
        style = _STYLES.get(row["status"], "default")
        against, goal = row["against"].removeprefix("vqbench "), row["goal"]
        for word, sign in (("at least ", "\N{GREATER-THAN OR EQUAL TO}"), ("at most ", "\N{LESS-THAN OR EQUAL TO}")):
            goal = goal.replace(word, sign)
        status = f"[{style}]{row['status']}[/{style}]"
        screen_table.add_row(row["contestant"], _speed(row), against, ratio_of(row), goal, status)
    return screen_table


def _limits(rows: pd.DataFrame) -> Table:
    screen_table = _table("whole commands", "", "seconds", "MB", "goal", "")
    for row in rows.to_dict("records"):
        style = _STYLES.get(row["status"], "default")
        megabytes = "" if np.isnan(row["megabytes"]) else f"{row['megabytes']:,.0f}"
        seconds = "" if np.isnan(row["median_s"]) else f"{row['median_s']:.2f}"
        screen_table.add_row(row["contestant"], seconds, megabytes, row["goal"], f"[{style}]{row['status']}[/{style}]")
    return screen_table


def _speed(row: dict) -> str:
    """Million pairs a second, or seconds where no pairs are scored."""
    return f"{row['median_s']:.3g} s" if np.isnan(row["mpairs_s"]) else rate(row["mpairs_s"])


def _table(title: str, *headings: str) -> Table:
    screen_table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for number, heading in enumerate(headings):
        screen_table.add_column(heading, justify="right" if 0 < number < len(headings) - 1 else "left", no_wrap=True)
    return screen_table
