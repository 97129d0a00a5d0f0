"""What a person sees in the terminal: progress, and the table at the end."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from vqbench.run import Outcome
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


def summary(outcome: Outcome) -> None:
    """Print the table of a results folder, what was not evaluated, and where everything lies."""
    results, screen = read_results(outcome.out), console()
    for dataset in sorted(results.metrics["dataset"].unique()):
        screen.print(_table(results, dataset))
    lost = results.metrics[results.metrics["status"].isin(["skipped", "failed"])]
    for row in lost.itertuples():
        screen.print(f"[bold]{row.status}[/bold]: {row.dataset}, {row.variant}: {row.reason}")
    reused = f" ({outcome.reused} cells were finished before)" if outcome.reused else ""
    screen.print(f"Written to [bold]{outcome.out}[/bold]{reused}: metrics.csv, ledger.csv, figures and more.")


def _table(results: Results, dataset: str) -> Table:
    metrics = results.metrics[(results.metrics["dataset"] == dataset) & (results.metrics["status"] == "ok")]
    meta = results.meta["datasets"].get(dataset, {})
    ks = metrics["k"].dropna().astype(int).unique()
    k = 10 if 10 in ks else int(max(ks, default=0))
    factor = int(metrics["oversample"].max())
    title = f"{dataset}: {meta.get('n', 0):,} x {meta.get('d', '?')}, {meta.get('queries', '?'):,} queries"
    table = Table(title=title, caption=_caption(k, factor), title_justify="left", caption_justify="left")
    judged = "ndcg_kept" in set(metrics["metric"])
    table.add_column("variant", overflow="fold", max_width=30)
    for name in ["bytes", "ratio", f"overlap@{k} [95 %]", *(["NDCG kept"] if judged else []), "RBO", "worst",
                 *([f"rescored x{factor}"] if factor else [])]:  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    shown = _shown(results, metrics, dataset, k, factor)
    seeds = shown["seed"].nunique() > 1
    for row in shown.itertuples():
        name = f"{row.variant} (seed {row.seed})" if seeds else str(row.variant)
        cells = [
            f"{row.bytes:,.0f}", f"{row.ratio:.1f}x",
            f"{_share(row.overlap)} [{_share(row.ci_low)}, {_share(row.ci_high)}]",
            *([_share(row.ndcg_kept)] if judged else []), _share(row.rbo), _percent(row.worst),
            *([_share(row.rescored)] if factor else []),
        ]  # fmt: skip
        table.add_row(name, *cells)
    return table


def _caption(k: int, factor: int) -> str:
    text = (
        f"bytes per vector; ratio to float32; overlap@{k}: share of float's top {k} found, with interval; "
        f"worst: queries that lose more than half"
    )
    return text + (f"; rescored: overlap after float re-ranks {factor} x {k} candidates" if factor else "")


def _shown(results: Results, metrics: pd.DataFrame, dataset: str, k: int, factor: int) -> pd.DataFrame:
    """One row a variant and seed: most bytes first, best overlap first."""
    key = ["variant", "seed"]
    at_k = metrics[(metrics["k"] == k)]
    own = at_k[at_k["oversample"] == 0].pivot(index=key, columns="metric", values="value")
    own = own.reindex(columns=["overlap", "ndcg_kept", "rbo", "worst"])
    overlap = at_k[at_k["metric"] == "overlap"]
    own = own.join(overlap[overlap["oversample"] == 0].set_index(key)[["ci_low", "ci_high"]])
    own["rescored"] = overlap[overlap["oversample"] == factor].set_index(key)["value"]
    ledger = results.ledger[results.ledger["dataset"] == dataset]
    totals = ledger[ledger["scope"] == "total"].pivot(index="variant", columns="item", values="bytes")
    own = own.join(totals.rename(columns={"bytes_per_vector": "bytes", "ratio_float32": "ratio"}), on="variant")
    return own.reset_index().sort_values(["bytes", "overlap", "variant"], ascending=[False, False, True])


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f} %"
