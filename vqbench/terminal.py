"""What a person sees in the terminal: progress, and the table at the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from vqbench.store import Results, read_results

WIDTH = 100


def console() -> Console:
    """Standard output, 100 columns where it is no terminal; NO_COLOR is respected by rich."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)


def progress_bar() -> Progress:
    """A bar on standard error; without a terminal it stays silent."""
    screen = Console(stderr=True)
    return Progress(
        SpinnerColumn(), TextColumn("{task.description:<40.40}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), console=screen, disable=not screen.is_terminal,
    )  # fmt: skip


def summary(out: Path, *, reused: int) -> None:
    """Print the table of a results folder, what was not evaluated, and where everything lies."""
    results, screen = read_results(out), console()
    datasets = sorted(results.metrics["dataset"].unique())
    for dataset in datasets:
        screen.print(_table(results, dataset, explained=dataset == datasets[-1]))
    lost = results.metrics[results.metrics["status"].isin(["skipped", "failed"])]
    for row in lost.to_dict("records"):
        screen.print(f"[bold]{row['status']}[/bold]: {row['dataset']}, {row['variant']}: {escape(row['reason'])}")
    before = f" ({reused} cells were finished before)" if reused else ""
    screen.print(f"Written to [bold]{out}[/bold]{before}: metrics.csv, ledger.csv, figures and more.")


def _table(results: Results, dataset: str, *, explained: bool) -> Table:
    metrics = results.metrics[(results.metrics["dataset"] == dataset) & (results.metrics["status"] == "ok")]
    about = results.meta["datasets"][dataset]
    ks = metrics["k"].dropna().astype(int).unique()
    k = 10 if 10 in ks else int(max(ks, default=0))
    factor = int(metrics["oversample"].max()) if len(metrics) else 0
    title = f"{dataset}: {about['n']:,} x {about['d']}, {about['queries']:,} queries"
    shown = _shown(results, metrics, dataset, k, factor)
    caption = _caption(shown, k, factor) if explained else None
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left", title_style="bold",
                  box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))  # fmt: skip
    columns = [
        (f"overlap@{k}", "overlap", _share), ("95 % interval", "interval", str), ("NDCG kept", "ndcg_kept", _share),
        ("RBO", "rbo", _share), ("worst", "worst", _percent), ("rescored", "rescored", _share),
    ]  # fmt: skip
    columns = [("bytes", "bytes", "{:,.0f}".format), ("ratio", "ratio", "{:.1f}x".format)] + [
        column for column in columns if column[1] in shown
    ]
    table.add_column("variant", overflow="fold", min_width=22)
    for heading, _, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    seeds = shown["seed"].nunique() > 1
    for row in shown.to_dict("records"):
        name = f"{row['variant']} (seed {row['seed']})" if seeds else row["variant"]
        table.add_row(name, *(form(row[key]) for _, key, form in columns))
    return table


def _caption(shown: pd.DataFrame, k: int, factor: int) -> str:
    """What the columns mean, for those that are there."""
    words = {
        "overlap": f"overlap@{k}: share of float's top {k} that is found",
        "ndcg_kept": "NDCG kept: relative to float search",
        "rbo": "RBO: rank-biased overlap, the first ranks weigh most",
        "worst": f"worst: queries that lose more than half of their top {k}",
        "rescored": f"rescored: overlap@{k} once float re-ranks the code's top {k * factor}",
    }
    told = [text for name, text in words.items() if name in shown]
    return "; ".join(["bytes: per vector; ratio: to float32, all bytes counted", *told])


def _shown(results: Results, metrics: pd.DataFrame, dataset: str, k: int, factor: int) -> pd.DataFrame:
    """One row a variant and seed: most bytes first, best overlap first."""
    key = ["variant", "seed"]
    at_k = metrics[(metrics["k"] == k)]
    own = at_k[at_k["oversample"] == 0].pivot(index=key, columns="metric", values="value")
    own = own[[name for name in ("overlap", "ndcg_kept", "rbo", "worst") if name in own]]
    overlap = at_k[at_k["metric"] == "overlap"]
    if len(overlap):
        interval = overlap[overlap["oversample"] == 0].set_index(key)[["ci_low", "ci_high"]]
        own["interval"] = [f"{_share(low)}-{_share(high)}" for low, high in interval.to_numpy()]
    if factor and len(overlap):
        own["rescored"] = overlap[overlap["oversample"] == factor].set_index(key)["value"]
    ledger = results.ledger[results.ledger["dataset"] == dataset]
    totals = ledger[ledger["scope"] == "total"].pivot(index="variant", columns="item", values="bytes")
    own = own.join(totals.rename(columns={"bytes_per_vector": "bytes", "ratio_float32": "ratio"}), on="variant")
    best = [name for name in ("overlap",) if name in own]
    return own.reset_index().sort_values(["bytes", *best, "variant"], ascending=[False, *[False] * len(best), True])


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f} %"
