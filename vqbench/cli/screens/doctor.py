"""A diagnosis as a table in the terminal, and as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vqbench.evaluation.doctor.base import Finding, Level

_LEFT = 26  # columns of the left half; the sentences get the rest
_STYLES: Mapping[Level, str] = {"warning": "bold red", "note": "bold yellow", "fine": "green"}


def show(name: str, findings: Sequence[Finding], screen: Console) -> None:
    """Print what deserves a word, worst first, then what is fine in a line each."""
    (size,) = (finding.shown for finding in findings if finding.check == "rows")
    told = [finding for finding in findings if finding.level != "fine"]
    counts = [
        f"{_many(found, level)}"
        for level in ("warning", "note")
        if (found := sum(finding.level == level for finding in told))
    ]
    title = f"{name}, {size} rows: {', '.join(counts) or 'nothing to warn of'}"
    table = Table(
        title=Text(title, "bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 2, 0, 0),
        show_header=bool(told),
    )
    table.add_column("", no_wrap=True)
    table.add_column("finding", width=_LEFT, overflow="fold")
    table.add_column("what it means, and what to try", overflow="fold")
    for finding in told:
        table.add_row(Text(finding.level, _STYLES[finding.level]), _what(finding), _meaning(finding))
        table.add_section()
    screen.print(table if told else title, style=None if told else "bold", markup=False)
    fine = Table(
        title="Fine",
        title_justify="left",
        title_style=_STYLES["fine"],
        show_header=False,
        box=None,
        padding=(0, 2, 0, 0),
    )
    fine.add_column(no_wrap=True)
    fine.add_column()
    for finding in findings:
        if finding.level == "fine":
            fine.add_row(finding.title, Text(finding.shown, "dim"))
    screen.print(fine, "")


def what_next(findings: Sequence[Finding], settings: Sequence[str], screen: Console) -> None:
    """Print what the shares are, and the command that tries on all rows what is advised."""
    screen.print(
        "Shares of the top 10 are overlap@10 among at most 4,096 rows, drawn by key; among more they are lower."
    )
    variants = list(dict.fromkeys(variant for finding in findings for variant in finding.variants))
    if variants:
        chosen = f"quantizer=[{','.join(['float32', *variants])}]"
        screen.print("What is advised, on all rows:\n ", end="")
        screen.print(shlex.join(["vqbench", *settings, chosen]), style="cyan", markup=False, soft_wrap=True)


def as_json(found: Mapping[str, Sequence[Finding]]) -> str:
    """All findings of each dataset."""
    plain = {name: [finding.plain() for finding in findings] for name, findings in found.items()}
    return json.dumps(plain, indent=2, ensure_ascii=False)


def _many(count: int, level: Level) -> str:
    return f"{count} {level}{'s' if count > 1 else ''}"


def _what(finding: Finding) -> Text:
    return Text.assemble((finding.title, "bold"), "\n", (finding.shown, "dim"))


def _meaning(finding: Finding) -> Text:
    text = Text(finding.sentence)
    if finding.variants:
        text.append("\ntry ", "dim")
        text.append(", ".join(finding.variants), "cyan")
    return text
