"""What ``vqbench compare`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vqbench.analysis.compare import LOWER, SAME, Change, Outcome
from vqbench.cli.screens.fit_width import fitted, json_text, titled
from vqbench.results.columns import BETTER, UNCLEAR, WORSE
from vqbench.text import share

#: Worst first.
_STYLES = {WORSE: "bold red", LOWER: "yellow", BETTER: "green", UNCLEAR: "none", SAME: "none"}
_SHOWN = 40


def as_json(outcome: Outcome) -> str:
    """The whole outcome, for programs."""
    return json_text({**asdict(outcome), "worse": outcome.worse})


def show(outcome: Outcome, before: str, after: str, screen: Console) -> None:
    """Print a table, what changed most first; then the sentence that counts."""
    rows = [row for row in outcome.rows if row.difference != 0 or row.bytes_before != row.bytes_after]
    rows.sort(key=lambda row: (list(_STYLES).index(row.verdict), -abs(row.difference)))
    if rows:
        full = partial(_table, outcome, rows[:_SHOWN], f"{outcome.metric}: {escape(after)} against {escape(before)}")
        table, _ = fitted(lambda left_out: full(narrow=bool(left_out)), ["means and p"], screen)
        screen.print(table)
    if len(rows) < len(outcome.rows):
        screen.print(f"{len(outcome.rows) - len(rows)} settings did not change at all.")
    if len(rows) > _SHOWN:
        kinds = sorted({row.verdict for row in rows[_SHOWN:]})
        screen.print(f"and {len(rows) - _SHOWN} more, all of them {' or '.join(kinds)}")
    for text in outcome.lost:
        screen.print(f"[bold red]lost[/bold red]: {escape(text)}")
    for text in outcome.notes:
        screen.print(f"[bold]note[/bold]: {escape(text)}")
    screen.print(_sentence(outcome), soft_wrap=True)


def _table(outcome: Outcome, rows: Sequence[Change], title: str, narrow: bool = False) -> Table:
    """narrow: without the means, which metrics.csv has, and p, which the verdict sums up."""
    pairing = "paired by query" if all(row.paired for row in rows) else "not all paired by query"
    caption = (
        "\N{MULTIPLICATION SIGN}: rescored candidates, times k; difference: after - before, with its 95 % interval, "
        f"{pairing}; p: of no change (Holm, all rows)"
    )
    table = titled(title, caption=caption, caption_justify="left")
    several = len({row.dataset for row in rows}) > 1
    sized = any(row.bytes_before != row.bytes_after for row in rows)
    for name in ["dataset"] * several + ["variant"]:
        table.add_column(name, overflow="fold", min_width=12)
    means, p = ([], []) if narrow else (["before", "after"], ["p"])
    for name in ("k", "\N{MULTIPLICATION SIGN}", *means, "difference", "95 % CI", *p, *["bytes/vector"] * sized, ""):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for row in rows:
        sizes = dict.fromkeys(f"{size:g}" for size in (row.bytes_before, row.bytes_after))
        table.add_row(
            *[escape(row.dataset)] * several,
            escape(row.variant),
            str(row.k),
            str(row.oversample),
            *([] if narrow else [share(row.before), share(row.after)]),
            f"{row.difference:+.4f}",
            f"{row.ci_low:+.4f} {row.ci_high:+.4f}",
            *([] if narrow else [f"{row.p:.3f}"]),
            *[" to ".join(sizes)] * sized,
            f"[{_STYLES[row.verdict]}]{row.verdict}[/]",
        )
    return table


def _sentence(outcome: Outcome) -> str:
    many, sure = len(outcome.rows), f"{100 * outcome.confidence:g} %"
    worse, lower = (sum(row.verdict == verdict for row in outcome.rows) for verdict in (WORSE, LOWER))
    if worse:
        fell = f"{worse} of {many} settings fell by more than {outcome.max_drop:g} ({sure} sure)"
        return f"[bold red]Worse[/bold red]: {fell}."
    if outcome.lost:
        return "[bold red]Worse[/bold red]: results were lost (--common compares only what both folders have)."
    changed = [row for row in outcome.rows if row.difference != 0]
    if not changed:
        return f"[bold green]Fine[/bold green]: {outcome.metric} is the same in all {many} settings."
    proven = sum(row.held for row in changed)
    held = f"of {len(changed)} that changed, {proven} are proven not to"
    if proven == len(changed):
        held = f"all {'of them' if proven == many else f'{proven} that changed'} are proven not to"
    fell = f" {lower} fell, by less." if lower else ""
    fine = f"none of {many} settings is {sure} sure to have fallen by more than {outcome.max_drop:g}; {held}."
    return f"[bold green]Fine[/bold green]: {fine}{fell}"
