"""The end of a run: the table of each dataset, what its columns mean, notes, and the answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vqbench.analysis.recommend import DoubtfulVectorsError, recommend
from vqbench.analysis.recommend_text import answer, rescored
from vqbench.cli.console import console
from vqbench.cli.screens.about_data import print_notes, print_taken
from vqbench.cli.screens.fit_width import fitted, left_out_of, titled
from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.results.columns import ALL_SEEDS, BETTER, EQUIVALENT, UNCLEAR, WORSE
from vqbench.results.folder import Results
from vqbench.results.measured_settings import StoredToday, shown_k
from vqbench.text import percent, share, shortened, signed

#: A comparison's verdict in one sign.
MARKS = {
    BETTER: "\N{BLACK UP-POINTING TRIANGLE}",
    WORSE: "\N{BLACK DOWN-POINTING TRIANGLE}",
    EQUIVALENT: "=",
    UNCLEAR: "?",
}
TARGET = 0.95  # what the answer under the table is for; ``vqbench recommend`` takes any
_ANSWERS = 3  # for so many datasets there is one
CLIPPED = 0.01  # a larger share of clipped components is worth a note
_NOTE = "[bold]note[/bold]"
#: Columns in the order in which a narrow screen loses them.
_EXPENDABLE = ("ndcg_kept", "half_lost", "ratio", "interval", "letters")


def summary(results: Results, screen: Console | None = None) -> None:
    """Print what was taken, the table of each dataset, and what was not evaluated or is doubtful."""
    screen, datasets = screen or console(), _datasets(results)
    about = {dataset: results.meta["datasets"][dataset] for dataset in datasets}
    print_taken(about, screen)
    for dataset in datasets:
        _print_table(results, dataset, screen, legend=dataset == datasets[-1])
    for dataset in datasets:
        print_dropped(dataset, results.meta["datasets"][dataset].get("dropped", {}), screen)
        _print_stated(results.meta["datasets"][dataset], dataset, screen)
    print_notes(about, screen)
    metrics = results.metrics
    for row in metrics[metrics["status"].isin(["skipped", "failed"])].to_dict("records"):
        reason = f"{row['dataset']}, {row['variant']}: {runnable(row['reason'])}"
        screen.print(f"[bold]{row['status']}[/bold]: {escape(reason)}")
    clipped = metrics[(metrics["metric"] == "clipped") & (metrics["value"] > CLIPPED)]
    for row in clipped.drop_duplicates(["dataset", "variant"]).to_dict("records"):
        screen.print(
            f"{_NOTE}: {escape(row['dataset'] + ', ' + row['variant'])}: {percent(row['value'])} of all components lie "
            "outside the code's range and were clipped (some codes do so on purpose) or wrapped"
        )


def print_answers(results: Results) -> None:
    """Print the cheapest setting that keeps most of float search, a sentence for each dataset."""
    screen, datasets = console(), _datasets(results)
    for dataset in datasets if len(datasets) <= _ANSWERS else []:
        try:
            best = recommend(results, dataset=dataset, target=TARGET)
        except DoubtfulVectorsError as error:
            screen.print(f"\n[bold]{escape(str(error))}[/bold]")
            continue
        except VqbenchError:  # overlap was not measured, or nothing has a result
            continue
        of = f" ({escape(dataset)})" if len(datasets) > 1 else ""
        head = f"To keep {100 * TARGET:g} % of float's top {best.k}{of}:"
        screen.print(f"\n[bold]{head}[/bold] {escape(answer(best))}")


def _datasets(results: Results) -> list[str]:
    """Those that have a result, in the order in which they were given."""
    with_result = set(results.pooled["dataset"])
    return [name for name in results.meta["datasets"] if name in with_result]


def closing(out: Path, *, before: int, meanwhile: int, written: Collection[str]) -> None:
    """Say where everything lies: what this run has written, not what another one left there.

    Args:
        before: how many cells were finished before this run.
        meanwhile: how many another run finished while this one went on.
        written: any of report.html, figures, tables.
    """
    reused = {"finished before": before, "finished meanwhile by another run": meanwhile}
    counts = [f"{n} cell{'s were' if n > 1 else ' was'} {words}" for words, n in reused.items() if n]
    cells = f" ({', '.join(counts)})" if counts else ""
    parts = [name for name in ("report.html", "figures", "tables") if name in written]
    stale = "" if "figures" in written or not (out / "figures").is_dir() else " figures/ is of an earlier run."
    console().print(f"\nWritten to [bold]{escape(str(out))}[/bold]{cells}: {', '.join(parts)}.{stale}")


def no_result(out: Path, reasons: Mapping[str, str]) -> None:
    """Say why no cell of a run has a result, and that the tables of an earlier one stay. reasons: by cell."""
    screen = console()
    for cell, reason in reasons.items():
        screen.print(f"[bold]failed[/bold]: {escape(f'{cell}: {runnable(reason)}')}")
    where = f"[bold]{escape(str(out))}[/bold]"
    screen.print(f"Nothing was written to {where}: no cell has a result, and the tables of an earlier run stay.")


def _print_stated(about: Mapping[str, Any], dataset: str, screen: Console) -> None:
    """How the nearest rows that a file states compare with those found."""
    if stated := about.get("neighbors"):
        agrees = not stated["checked"] or stated["right"] == stated["entries"]
        head = _NOTE if agrees and stated.get("distances_right") is not False else "[bold red]WARNING[/bold red]"
        screen.print(f"{head}: {escape(dataset + ': ' + stated['sentence'])}")


def print_dropped(dataset: str, dropped: Mapping[str, Mapping[str, Any]], screen: Console) -> None:
    """Say which rows ``on_bad_rows=drop`` left out."""
    for of, some in dropped.items():
        first, count = shortened(", ".join(map(str, some["first_ids"])), 300), some["rows"]
        more = f" and {count - len(some['first_ids']):,} more" if count > len(some["first_ids"]) else ""
        screen.print(
            f"{_NOTE}: {escape(dataset)}: {count:,} rows of the {of} are null, NaN, infinite or zero and were left "
            f"out: {escape(first)}{more}"
        )


def _print_table(results: Results, dataset: str, screen: Console, *, legend: bool) -> None:
    """The table, less the least important columns if the screen is narrow, and what its columns mean."""
    k = shown_k(results, dataset) or shown_k(results, dataset, "ndcg_kept")
    rows, factor, baseline, margin = table_rows(results, dataset, k)
    today = StoredToday.of(results.meta["datasets"][dataset])
    columns = {
        "bytes": ("bytes/\nvector", "{:,.0f}".format),
        "ratio": ("ratio", "{:,.1f}x".format),
        "overlap": (f"overlap@{k}", share),
        "interval": ("95 % CI", str),
        "letters": ("\N{ALMOST EQUAL TO}", str),
        "against": (f"vs {escape(baseline)}", str),
        "ndcg_kept": ("NDCG\nkept", share),
        "half_lost": (">half\nlost", percent),
        "rescored": (f"rescored\n{rescored(factor, today.store)}", share),
    }
    columns = {name: column for name, column in columns.items() if name in rows}

    def make(left_out: list[str]) -> Table:
        table = titled(_title(results, dataset))
        table.add_column("variant", overflow="fold", min_width=16)
        shown = {name: column for name, column in columns.items() if name not in left_out}
        for heading, _ in shown.values():
            table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
        for row in rows.to_dict("records"):
            table.add_row(escape(row["variant"]), *(form(row[name]) for name, (_, form) in shown.items()))
        return table

    table, left_out = fitted(make, [name for name in _EXPENDABLE if name in columns], screen)
    screen.print(table)
    if legend:
        screen.print(_legend([name for name in columns if name not in left_out], k, factor, margin, today))
        if left_out:
            screen.print(left_out_of([columns[name][0].replace("\n", " ") for name in left_out]))


def _title(results: Results, dataset: str) -> str:
    about = results.meta["datasets"][dataset]
    queries = "corpus rows as queries" if about["queries_are"].startswith("corpus") else "queries"
    title = f"{escape(dataset)}: {about['n']:,} x {about['d']}, {about['queries']:,} {queries}"
    title += f" in {about['groups']:,} groups" if about.get("groups") else ""
    each = results.metrics[(results.metrics["dataset"] == dataset) & (results.metrics["seed"] != ALL_SEEDS)]
    seeds = each["seed"].nunique()
    return f"{title}, mean of {seeds} seeds" if seeds > 1 else title


def _legend(shown: Collection[str], k: int, factor: int, margin: float, today: StoredToday) -> Table:
    """What the columns mean, for those that are there."""
    ratio = f"; ratio: times smaller than {today.words}" if "ratio" in shown else ""
    ndcg = "; NDCG kept: share of float's" if "ndcg_kept" in shown else ""
    words = {
        "bytes": ("bytes/vector", f"code, side values and a share of codebooks{ratio}"),
        "overlap": (
            f"overlap@{k}",
            f"share of float search's top {k} that is found (recall@{k} in ANN benchmarks)",
        ),
        "letters": (
            "\N{ALMOST EQUAL TO}",
            "variants that share a letter cannot be told apart (paired test, Holm, 5 %)",
        ),
        "against": (
            "vs",
            f"difference of overlap@{k}: {MARKS[BETTER]} better, {MARKS[WORSE]} worse (Holm, 5 %), "
            f"{MARKS[EQUIVALENT]} within {margin:g}, {MARKS[UNCLEAR]} too few queries to tell",
        ),
        "half_lost": (">half lost", f"share of queries losing more than half of their top {k}{ndcg}"),
        "rescored": (
            f"rescored \N{MULTIPLICATION SIGN}{factor}",
            f"overlap@{k} once {today.kind} vectors (not in bytes/vector) re-rank {k * factor} codes",
        ),
    }
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, line in words.items():
        if name in shown:
            grid.add_row(*line)
    return grid


def table_rows(results: Results, dataset: str, k: int) -> tuple[pd.DataFrame, int, str, float]:
    """Make one row a variant, most bytes first, best overlap first.

    Returns:
        The rows; the largest oversample factor; the name of the baseline and the margin of equivalence.
    """
    metrics, ledger = (x[x["dataset"] == dataset] for x in (results.pooled, results.ledger))
    factor, at_k = int(metrics["oversample"].max()), metrics[metrics["k"] == k]
    rows = metrics[["variant"]].drop_duplicates().set_index("variant")
    totals = ledger[ledger["scope"] == "total"].pivot(index="variant", columns="item", values="bytes")
    rows["bytes"] = totals["bytes_per_vector"].reindex(rows.index)
    about = results.meta["datasets"][dataset]
    rows["ratio"] = StoredToday.of(about).bytes / rows["bytes"]
    alone = at_k[at_k["oversample"] == 0].pivot(index="variant", columns="metric")
    for name, metric in (("overlap", "overlap"), ("ndcg_kept", "ndcg_kept"), ("half_lost", "worst")):
        if ("value", metric) in alone:
            rows[name] = alone["value", metric]
    overlap = at_k[at_k["metric"] == "overlap"].set_index(["oversample", "variant"])["value"]
    if factor and factor in overlap:
        rows["rescored"] = overlap[factor]
    if "overlap" in rows:
        bounds = alone[[("ci_low", "overlap"), ("ci_high", "overlap")]].reindex(rows.index).to_numpy()
        exact = (rows["overlap"] == 1) & (rows["bytes"] >= 4 * about["d"])  # float32 itself, or wider
        rows["interval"] = [
            "reference" if same else f"{share(low)}-{share(high)}"
            for same, (low, high) in zip(exact, bounds, strict=True)
        ]
    baseline, margin = _add_comparisons(rows, results.comparisons, dataset, k)
    best = [name for name in ("overlap", "rescored") if name in rows][:1]
    rows = rows.reset_index().sort_values(
        ["bytes", *best, "variant"],
        ascending=[False, *[False] * len(best), True],
        key=lambda column: column.round() if column.name == "bytes" else column,  # as shown: equal bytes, best first
    )
    return rows, factor, baseline, margin


def _add_comparisons(rows: pd.DataFrame, compared: pd.DataFrame, dataset: str, k: int) -> tuple[str, float]:
    """Add letters; and differences, unless the baseline is what overlap itself compares with. Its name and margin."""
    if compared.empty or not (compared["dataset"] == dataset).any():
        return "", 0.0
    compared = compared[compared["dataset"] == dataset]
    baseline, margin = compared[["baseline", "margin"]].iloc[0]
    same = (compared["metric"] == "overlap") & (compared["k"] == k) & (compared["oversample"] == 0)
    if "overlap" in rows and len(rows) > 1:
        compared = compared[same].set_index("variant").reindex(rows.index)
        if compared["letters"].fillna("").any():
            rows["letters"] = compared["letters"].fillna("")
        if baseline in rows.index and rows.loc[baseline, "overlap"] < 1:
            rows["against"] = [
                f"{signed(difference)} {MARKS[verdict]}" if verdict in MARKS else "-"
                for difference, verdict in zip(compared["difference"], compared["verdict"], strict=True)
            ]
    return baseline, float(margin)
