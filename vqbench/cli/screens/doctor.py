"""The doctor's findings as a table in the terminal, and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vqbench.cli.screens.fit_width import json_text, titled
from vqbench.evaluation.doctor.base import Finding, Level

_LEFT = 26  # columns of the left half; the sentences get the rest
_STYLES: Mapping[Level, str] = {"warning": "bold red", "note": "bold yellow", "fine": "green"}


def show(name: str, findings: Sequence[Finding], screen: Console) -> None:
    """Print warnings and notes, worst first, then what is fine in a line each."""
    (size,) = (finding.shown for finding in findings if finding.check == "rows")
    counts = {level: sum(finding.level == level for finding in findings) for level in ("warning", "note")}
    words = ", ".join(f"{count} {level}{'s' * (count > 1)}" for level, count in counts.items() if count)
    title = f"{name}, {size} rows: {words or 'nothing to warn of'}"
    table = titled(title, padding=(0, 2, 0, 0))
    table.title = Text(title)  # a name is no markup
    table.add_column("", no_wrap=True)
    table.add_column("finding", width=_LEFT, overflow="fold")
    table.add_column("what it means, and what to try", overflow="fold")
    fine = Table.grid(padding=(0, 2, 0, 0))
    for finding in findings:
        if finding.level == "fine":
            fine.add_row(finding.title, Text(finding.shown, "dim"))
            continue
        what = Text.assemble((finding.title, "bold"), "\n", (finding.shown, "dim"))
        advice = [("\ntry ", "dim"), (", ".join(finding.variants), "cyan")] if finding.variants else []
        table.add_row(Text(finding.level, _STYLES[finding.level]), what, Text.assemble(finding.sentence, *advice))
        table.add_section()
    screen.print(table if table.row_count else Text(title, "bold"))
    screen.print(Text("Fine", _STYLES["fine"]), fine, "", sep="\n")


def what_next(findings: Sequence[Finding], settings: Sequence[str], screen: Console) -> None:
    """Print what the shares are, and the command that tries on all rows what is suggested."""
    screen.print(
        "Shares of the top 10 are overlap@10 among at most 4,096 sampled rows; among more rows they are lower."
    )
    variants = list(dict.fromkeys(variant for finding in findings for variant in finding.variants))
    if variants:
        chosen = f"quantizer=[{','.join(['float32', *variants])}]"
        screen.print("To try the suggestions on all rows:\n ", end="")
        screen.print(shlex.join(["vqbench", *settings, chosen]), style="cyan", markup=False, soft_wrap=True)


def as_json(found: Mapping[str, Sequence[Finding]]) -> str:
    """All findings of each dataset."""
    return json_text({name: [finding.plain() for finding in findings] for name, findings in found.items()})
