"""What a person sees in the terminal: progress, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vqbench.analysis.recommend import recommend
from vqbench.analysis.recommend_text import answer
from vqbench.cli.console import console
from vqbench.cli.screens.fit_width import fitted, left_out_of
from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.results.columns import ALL_SEEDS
from vqbench.results.folder import Results, read_results
from vqbench.text import shortened

#: A comparison's verdict in one sign.
MARKS = {
    "better": "\N{BLACK UP-POINTING TRIANGLE}",
    "worse": "\N{BLACK DOWN-POINTING TRIANGLE}",
    "equivalent": "=",
    "unclear": "?",
}
TARGET = 0.95  # what the answer under the table is for; ``vqbench recommend`` takes any
_ANSWERS = 3  # for so many datasets there is one
CLIPPED = 0.01  # a larger share of clipped components is worth a note


def summary(out: Path) -> None:
    """Print the table of a results folder, and what was not evaluated or is doubtful."""
    results, screen = read_results(out), console()
    with_result = set(results.pooled["dataset"])  # one whose cells all failed has no table
    datasets = [name for name in results.meta["datasets"] if name in with_result]  # in the order they were given
    for dataset in datasets:
        _print_table(results, dataset, screen, last=dataset == datasets[-1])
    for dataset in datasets if len(datasets) <= _ANSWERS else []:
        _print_answer(results, dataset, screen)
    for dataset in datasets:
        print_dropped(dataset, results.meta["datasets"][dataset].get("dropped", {}), screen)
    lost = results.metrics[results.metrics["status"].isin(["skipped", "failed"])]
    for dataset in datasets:
        _print_notes(results.meta["datasets"][dataset], dataset, screen)
    for row in lost.to_dict("records"):
        lost = f"{row['dataset']}, {row['variant']}: {runnable(row['reason'])}"
        screen.print(f"[bold]{row['status']}[/bold]: {escape(lost)}")
    clipped = results.metrics[(results.metrics["metric"] == "clipped") & (results.metrics["value"] > CLIPPED)]
    clipped = clipped.drop_duplicates(["dataset", "variant"])
    for row in clipped.to_dict("records"):
        screen.print(
            f"[bold]note[/bold]: {escape(row['dataset'] + ', ' + row['variant'])}: {_percent(row['value'])} of all "
            "components lie outside the code's range and were clipped (some codes do so on purpose) or wrapped"
        )


def closing(out: Path, *, before: int, meanwhile: int, written: Collection[str]) -> None:
    """Say where everything lies: what this run has written, not what another one left there.

    before, meanwhile: how many cells were finished before this run, and by another one while it went on.
    """
    told = [f"{_cells(before)} finished before"] if before else []
    told += [f"{_cells(meanwhile)} finished meanwhile by another run"] if meanwhile else []
    cells = f" ({', '.join(told)})" if told else ""
    parts = [name for name in ("report.html", "figures", "tables") if name in written]
    console().print(f"Written to [bold]{escape(str(out))}[/bold]{cells}: {', '.join(parts)}.")


def _cells(count: int) -> str:
    return "1 cell was" if count == 1 else f"{count} cells were"


def no_result(out: Path, reasons: Mapping[str, str]) -> None:
    """Say why no cell of a run has a result, and that the tables of an earlier one stay. reasons: by cell."""
    screen = console()
    for cell, reason in reasons.items():
        screen.print(f"[bold]failed[/bold]: {escape(f'{cell}: {runnable(reason)}')}")
    where = f"[bold]{escape(str(out))}[/bold]"
    screen.print(f"Nothing was written to {where}: no cell has a result, and the tables of an earlier run stay.")


def _print_notes(about: Mapping[str, Any], dataset: str, screen: Console) -> None:
    """Whom judgements leave out; queries that find themselves; how nearest rows that the file states compare with ours:
    loud if badly.
    """
    note = "[bold]note[/bold]"
    if (judged := about.get("judgements")) and judged["sentence"]:
        screen.print(f"{note}: {escape(dataset + ': ' + judged['sentence'])}")
    if twins := about.get("twins"):
        screen.print(
            f"{note}: {escape(dataset)}: {twins:,} of {about['queries']:,} queries are equal to a row of the corpus "
            "and find it first: if they are such rows, name them (dataset.ids=FILE dataset.query_ids=FILE) or use "
            "queries=self"
        )
    if stated := about.get("neighbors"):
        agrees = not stated["checked"] or stated["right"] == stated["entries"]
        head = note if agrees and stated.get("distances_right") is not False else "[bold red]WARNING[/bold red]"
        screen.print(f"{head}: {escape(dataset + ': ' + stated['sentence'])}")


def print_dropped(dataset: str, dropped: Mapping[str, Mapping[str, Any]], screen: Console) -> None:
    """Say which rows ``on_bad_rows=drop`` left out."""
    for of, some in dropped.items():
        first, count = shortened(", ".join(map(str, some["first_ids"])), 300), some["rows"]
        more = f" and {count - len(some['first_ids']):,} more" if count > len(some["first_ids"]) else ""
        screen.print(
            f"[bold]note[/bold]: {escape(dataset)}: {count:,} rows of the {of} are NaN, infinite or zero and were left "
            f"out: {escape(first)}{more}"
        )


def _print_answer(results: Results, dataset: str, screen: Console) -> None:
    """The cheapest setting that keeps most of float search, in a sentence."""
    try:
        found = recommend(results, dataset=dataset, target=TARGET)
    except VqbenchError:  # overlap was not measured, or nothing has a result
        return
    of = f" ({escape(dataset)})" if results.metrics["dataset"].nunique() > 1 else ""
    screen.print(f"[bold]To keep {100 * TARGET:g} % of float's top {found.k}{of}:[/bold] {escape(answer(found))}")


def _print_table(results: Results, dataset: str, screen: Console, *, last: bool) -> None:
    """The table, less the least important columns if the screen is narrow, and what its columns mean."""
    metrics = results.pooled
    metrics = metrics[metrics["dataset"] == dataset]
    about = results.meta["datasets"][dataset]
    ks = metrics["k"].dropna().astype(int).unique()
    k = 10 if 10 in ks else int(max(ks, default=0))
    factor = int(metrics["oversample"].max()) if len(metrics) else 0
    shown = _shown(results, metrics, dataset, k, factor)
    baseline, margin = _baseline(results.comparisons, dataset)
    queries = "corpus rows as queries" if about["queries_are"].startswith("corpus") else "queries"
    seeds = results.metrics[(results.metrics["dataset"] == dataset) & (results.metrics["seed"] != ALL_SEEDS)]
    many = seeds["seed"].nunique()
    title = f"{escape(dataset)}: {about['n']:,} x {about['d']}, {about['queries']:,} {queries}"
    title += f" in {about['groups']:,} groups" if about.get("groups") else ""
    title += f", mean of {many} seeds" if many > 1 else ""
    columns = [
        ("bytes", "bytes", "{:,.0f}".format),
        ("ratio", "ratio", "{:.1f}x".format),
        (f"overlap@{k}", "overlap", _share),
        ("95 % CI", "interval", str),
        ("\N{ALMOST EQUAL TO}", "letters", str),
        (f"vs {escape(baseline)}", "against", str),
        ("NDCG kept", "ndcg_kept", _share),
        ("worst", "worst", _percent),
        ("rescored", "rescored", _share),
    ]
    columns = [column for column in columns if column[1] in shown]
    keys = [key for _, key, _ in columns]

    def make(left_out: list[str]) -> Table:
        return _table(shown, [column for column in columns if column[1] not in left_out], title)

    expendable = [key for key in ("worst", "interval", "ratio", "letters") if key in keys]
    table, left_out = fitted(make, expendable, screen)
    screen.print(table)
    if last:
        screen.print(_caption([key for key in keys if key not in left_out], k, factor, margin))
        if left_out:
            headings = {key: heading for heading, key, _ in columns}
            screen.print(left_out_of([headings[key] for key in left_out]))


def _table(shown: pd.DataFrame, columns: list[tuple[str, str, Callable[..., str]]], title: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("variant", overflow="fold", min_width=16)
    for heading, _, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in shown.to_dict("records"):
        table.add_row(escape(row["variant"]), *(form(row[key]) for _, key, form in columns))
    return table


def _caption(shown: list[str], k: int, factor: int, margin: float) -> str:
    """What the columns mean, for those that are there."""
    words = {
        "bytes": "bytes: a vector's code",
        "ratio": "ratio: to float32, with all that the codes need, but not the floats that rescoring reads",
        "overlap": f"overlap@{k}: share of float's top {k} that is found (CI: confidence interval)",
        "letters": "\N{ALMOST EQUAL TO}: variants that share a letter cannot be told apart (paired by query, all "
        "pairs, Holm, 5 %)",
        "against": f"vs: difference of overlap@{k}, {MARKS['better']} better, {MARKS['worse']} worse (Holm, 5 %), "
        f"{MARKS['equivalent']} proven to be within {margin:g}, {MARKS['unclear']} too few queries to tell",
        "ndcg_kept": "NDCG kept: relative to float search",
        "worst": f"worst: queries that lose more than half of their top {k}",
        "rescored": f"rescored: overlap@{k} once float re-ranks the code's top {k * factor}",
    }
    return "; ".join(words[name] for name in words if name in shown)


def _shown(results: Results, metrics: pd.DataFrame, dataset: str, k: int, factor: int) -> pd.DataFrame:
    """One row a variant: most bytes first, best overlap first."""
    at_k = metrics[metrics["k"] == k]
    alone = at_k[at_k["oversample"] == 0]
    own = metrics[["variant"]].drop_duplicates().set_index("variant")
    own = own.join(alone.pivot(index="variant", columns="metric", values="value"))
    own = own[[name for name in ("overlap", "ndcg_kept", "worst") if name in own]]
    overlap = at_k[at_k["metric"] == "overlap"].set_index("variant")
    if "overlap" in own:
        interval = overlap[overlap["oversample"] == 0].reindex(own.index)[["ci_low", "ci_high"]]
        own["interval"] = [f"{_share(low)}-{_share(high)}" for low, high in interval.to_numpy()]
        _add_comparisons(own, results.comparisons, dataset, k)
    if factor and len(overlap):
        own["rescored"] = overlap[overlap["oversample"] == factor]["value"]
    ledger = results.ledger[results.ledger["dataset"] == dataset]
    totals = ledger[ledger["scope"] == "total"].pivot(index="variant", columns="item", values="bytes")
    own = own.join(totals.rename(columns={"bytes_per_vector": "bytes", "ratio_float32": "ratio"}), on="variant")
    best = [name for name in ("overlap", "rescored") if name in own][:1]
    return own.reset_index().sort_values(["bytes", *best, "variant"], ascending=[False, *[False] * len(best), True])


def _add_comparisons(own: pd.DataFrame, comparisons: pd.DataFrame, dataset: str, k: int) -> None:
    """Letters; and differences, unless the baseline is what overlap itself compares with."""
    if comparisons.empty or len(own) < 2:
        return
    same = (comparisons["dataset"] == dataset) & (comparisons["metric"] == "overlap") & (comparisons["k"] == k)
    rows = comparisons[same & (comparisons["oversample"] == 0)].set_index("variant").reindex(own.index)
    if rows["letters"].fillna("").any():
        own["letters"] = rows["letters"].fillna("")
    baseline = next(iter(rows["baseline"].dropna()), "")
    baseline, _ = _baseline(comparisons, dataset)
    if baseline in own.index and own.loc[baseline, "overlap"] < 1:
        own["against"] = [_against(row) for row in rows.to_dict("records")]


def _baseline(comparisons: pd.DataFrame, dataset: str) -> tuple[str, float]:
    """Its name and the margin of equivalence; nothing where there are no comparisons."""
    rows = comparisons[comparisons["dataset"] == dataset] if len(comparisons) else comparisons
    return ("", 0.0) if rows.empty else (str(rows["baseline"].iloc[0]), float(rows["margin"].iloc[0]))


def _against(row: dict) -> str:
    if row["verdict"] not in MARKS:
        return "-"
    return f"{row['difference']:+.3f} {MARKS[row['verdict']]}".replace("-", "\N{MINUS SIGN}")


def _share(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f} %"
