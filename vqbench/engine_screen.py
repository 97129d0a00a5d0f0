"""The table of real engines, after that of the variants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from vqbench.store import read_results
from vqbench.terminal import console

_CAPTION = (
    "predicted: overlap@k expected over ties; obtained: what the engine returned; difference: paired by query, 95 % "
    "interval; same: share of the returned rows that the prediction's list could hold; bytes a vector: the code by the "
    "ledger, the engine's codes, all that it keeps on disk"
)


def print_engines(out: Path) -> None:
    """Print backends.csv at one k, and why settings are missing."""
    screen, rows = console(), read_results(out).backends
    ok = rows[rows["status"] == "ok"]
    for dataset, own in ok.groupby("dataset"):
        ks = own["k"].astype(int).unique()
        k = 10 if 10 in ks else int(max(ks))
        screen.print(_table(own[own["k"] == k], f"{dataset}: real engines, overlap@{k}"))
    if len(ok):
        screen.print(_CAPTION)
    for row in rows[rows["status"] != "ok"].to_dict("records"):
        screen.print(f"[bold]{row['status']}[/bold]: {row['dataset']}, {row['backend']}: {escape(row['reason'])}")


def _table(rows: pd.DataFrame, title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("engine's setting", no_wrap=True, min_width=16)
    several = rows["seed"].nunique() > 1
    for heading in (
        *(("seed",) if several else ()),
        "predicted",
        "obtained",
        "difference",
        "same",
        "code",
        "codes",
        "disk",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows.to_dict("records"):
        half = f"{row['difference']:+.3f} ({row['ci_low']:+.3f} to {row['ci_high']:+.3f})"
        table.add_row(
            row["backend"], *((row["seed"],) if several else ()), f"{row['predicted']:.3f}", f"{row['obtained']:.3f}",
            half.replace("-", "\N{MINUS SIGN}"), f"{row['agreement']:.3f}",
            *(_bytes(row[name]) for name in ("bytes_predicted", "bytes_codes", "bytes_disk")),
        )  # fmt: skip
    return table


def _bytes(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:,.0f}"
