"""What ``vqbench compare`` prints."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vqbench.analysis.compare import BETTER, LOWER, SAME, UNCLEAR, WORSE, Change, Outcome
from vqbench.cli.screens.fit_width import fitted

_STYLES = {WORSE: "bold red", LOWER: "yellow", BETTER: "green", UNCLEAR: "", SAME: ""}
_ORDER = (WORSE, LOWER, BETTER, UNCLEAR, SAME)
_SHOWN = 40


def as_json(outcome: Outcome) -> str:
    """The whole outcome, for programs; a number that is unknown is null."""
    content = {**asdict(outcome), "worse": outcome.worse}
    return json.dumps(_without_nan(content), indent=2, ensure_ascii=False, allow_nan=False)


def _without_nan(content: object) -> object:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def show(outcome: Outcome, before: str, after: str, screen: Console) -> None:
    """A table, what changed most first; then the sentence that counts."""
    rows = [row for row in outcome.rows if row.difference != 0 or row.bytes_before != row.bytes_after]
    rows.sort(key=lambda row: (_ORDER.index(row.verdict), -abs(row.difference)))
    if rows:
        full = partial(_table, outcome, rows[:_SHOWN], before, after)
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


def _table(outcome: Outcome, rows: Sequence[Change], before: str, after: str, narrow: bool = False) -> Table:
    """narrow: without the means, which metrics.csv has, and p, which the verdict sums up."""
    pairing = "paired by query" if all(row.paired for row in rows) else "not all paired by query"
    table = Table(
        title=f"{outcome.metric}: {escape(after)} against {escape(before)}",
        title_justify="left",
        title_style="bold",
        caption="×: rescored candidates, times k; difference: after - before, with its 95 % interval, "
        f"{pairing}; p: of no change (Holm, all rows)",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    several = len({row.dataset for row in rows}) > 1
    for name in (["dataset"] if several else []) + ["variant"]:
        table.add_column(name, overflow="fold", min_width=12)
    sized = any(row.bytes_before != row.bytes_after for row in rows)
    means = () if narrow else ("before", "after")
    for name in ("k", "×", *means, "difference", "95 % CI", *["p"] * (not narrow), *["bytes"] * sized, ""):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for row in rows:
        style = _STYLES[row.verdict]
        table.add_row(
            *([escape(row.dataset)] if several else []),
            escape(row.variant),
            str(row.k),
            str(row.oversample),
            *([] if narrow else [f"{row.before:.3f}", f"{row.after:.3f}"]),
            f"{row.difference:+.4f}",
            f"{row.ci_low:+.4f} {row.ci_high:+.4f}",
            *([] if narrow else [f"{row.p:.3f}"]),
            *[_bytes(row)] * sized,
            f"[{style}]{row.verdict}[/{style}]" if style else row.verdict,
        )
    return table


def _bytes(row: Change) -> str:
    before, after = (f"{x:g}" for x in (row.bytes_before, row.bytes_after))
    return after if before == after else f"{before} to {after}"


def _sentence(outcome: Outcome) -> str:
    counts = {verdict: sum(row.verdict == verdict for row in outcome.rows) for verdict in _ORDER}
    many, sure = len(outcome.rows), f"{100 * outcome.confidence:g} %"
    if counts[WORSE]:
        fell = f"{counts[WORSE]} of {many} settings fell by more than {outcome.max_drop:g} ({sure} sure)"
        return f"[bold red]Worse[/bold red]: {fell}."
    if outcome.lost:
        return "[bold red]Worse[/bold red]: results were lost (--common looks at what both folders have alone)."
    lower = f" {counts[LOWER]} fell, by less." if counts[LOWER] else ""
    changed = [row for row in outcome.rows if row.difference != 0]
    if not changed:
        return f"[bold green]Fine[/bold green]: {outcome.metric} is the same in all {many} settings."
    proven = sum(row.held for row in changed)
    which = "all" if len(changed) == many else f"all {len(changed)} that changed"
    fine = f"none of {many} settings is {sure} sure to have fallen by more than {outcome.max_drop:g}"
    fine += (
        f", and {which} are proven not to."
        if proven == len(changed)
        else f"; of {len(changed)} that changed, {proven} are proven not to."
    )
    return f"[bold green]Fine[/bold green]: {fine}{lower}"
