"""The table of real engines, after that of the variants."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from rich.markup import escape
from rich.table import Table

from vqbench.cli.console import console
from vqbench.cli.screens.fit_width import fitted, left_out_of, titled
from vqbench.extras import runnable
from vqbench.results.columns import headline_k
from vqbench.results.folder import Results
from vqbench.text import share, signed

_WORDS = {
    "predicted": "predicted: overlap@k expected over ties",
    "obtained": "obtained: overlap@k of what the engine returned",
    "difference": "difference: paired by query",
    "95 % CI": "95 % CI: its interval; where no query differs, what so many queries may have missed",
    "same": "same: share of the returned rows that the prediction's list could hold",
    "code": "bytes/vector: code, by the ledger",
    "codes": "codes, as the engine stores them",
    "disk": "disk, all that it stores there",
}
_BYTES = {"code": "bytes_predicted", "codes": "bytes_codes", "disk": "bytes_disk"}
_EXPENDABLE = ("codes", "disk", "code", "same", "95 % CI")


def print_engines(results: Results) -> None:
    """Print backends.csv at one k, and why settings are missing."""
    screen, rows = console(), results.backends
    ok = rows[rows["status"] == "ok"]
    left_out: list[str] = []
    for dataset, own in ok.groupby("dataset"):
        k = headline_k(own["k"].astype(int))
        make = partial(_table, own[own["k"] == k], f"{escape(str(dataset))}: real engines, overlap@{k}")
        table, left_out = fitted(make, _EXPENDABLE, screen)
        screen.print(table)
    if len(ok):
        screen.print("; ".join(words for heading, words in _WORDS.items() if heading not in left_out))
    if left_out:
        screen.print(f"{left_out_of(left_out)} backends.csv has them.")
    for row in rows[rows["status"] != "ok"].to_dict("records"):
        reason = f"{row['dataset']}, {row['backend']}: {runnable(row['reason'])}"
        screen.print(f"[bold]{row['status']}[/bold]: {escape(reason)}", soft_wrap=True)


def _table(rows: pd.DataFrame, title: str, left_out: list[str]) -> Table:
    table = titled(title)
    table.add_column("engine's setting", overflow="fold", min_width=16)
    seeds = ["seed"] if rows["seed"].nunique() > 1 else []
    headings = [*seeds, *(heading for heading in _WORDS if heading not in left_out)]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows.to_dict("records"):
        cells = {
            "seed": str(row["seed"]),
            "predicted": share(row["predicted"]),
            "obtained": share(row["obtained"]),
            "difference": signed(row["difference"]),
            "95 % CI": f"{signed(row['ci_low'])} to {signed(row['ci_high'])}",
            "same": share(row["agreement"]),
            **{heading: "-" if np.isnan(row[name]) else f"{row[name]:,.0f}" for heading, name in _BYTES.items()},
        }
        table.add_row(escape(row["backend"]), *(cells[heading] for heading in headings))
    return table
