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
    "predicted: overlap@k expected over ties; obtained: what the engine returned; difference: paired by query, its "
    "95 % CI, which where no query differs is what so many queries may have missed; same: share of the returned "
    "rows that the prediction's list could hold"
)
_BYTES = "; bytes a vector: the code by the ledger, the engine's codes, all that it keeps on disk"
_WIDE = 105  # columns of a screen that has room for bytes


def print_engines(out: Path) -> None:
    """Print backends.csv at one k, and why settings are missing."""
    screen, rows = console(), read_results(out).backends
    ok = rows[rows["status"] == "ok"]
    for dataset, own in ok.groupby("dataset"):
        ks = own["k"].astype(int).unique()
        k = 10 if 10 in ks else int(max(ks))
        title = f"{escape(str(dataset))}: real engines, overlap@{k}"
        screen.print(_table(own[own["k"] == k], title, wide=screen.width >= _WIDE))
    if len(ok):
        screen.print(_CAPTION + (_BYTES if screen.width >= _WIDE else "; bytes: backends.csv"))
    for row in rows[rows["status"] != "ok"].to_dict("records"):
        screen.print(f"[bold]{row['status']}[/bold]: " + escape(f"{row['dataset']}, {row['backend']}: {row['reason']}"))


def _table(rows: pd.DataFrame, title: str, *, wide: bool) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("engine's setting", overflow="fold", min_width=16)
    several = rows["seed"].nunique() > 1
    sizes = ("bytes_predicted", "bytes_codes", "bytes_disk") if wide else ()
    headings = ("predicted", "obtained", "difference", "95 % CI", "same", *(("code", "codes", "disk") if wide else ()))
    for heading in (*(("seed",) if several else ()), *headings):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows.to_dict("records"):
        difference, low, high = (_signed(row[name]) for name in ("difference", "ci_low", "ci_high"))
        table.add_row(
            escape(row["backend"]), *((row["seed"],) if several else ()), f"{row['predicted']:.3f}",
            f"{row['obtained']:.3f}", difference, f"{low} to {high}", f"{row['agreement']:.3f}",
            *(_bytes(row[name]) for name in sizes),
        )  # fmt: skip
    return table


def _signed(value: float) -> str:
    """Three decimals with a sign, none where they are all zero."""
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def _bytes(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:,.0f}"
