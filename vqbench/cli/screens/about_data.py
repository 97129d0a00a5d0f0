"""What was taken for vectors, what is worth saying of them, and what the doctor warns of: the lines of meta.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text


def print_taken(datasets: Mapping[str, Mapping[str, Any]], screen: Console) -> None:
    """Print what was taken for vectors, ids and queries, a line for each file.

    Args:
        datasets: their names, and what meta.json says of them.
    """
    for line in dict.fromkeys(line for about in datasets.values() for line in about.get("taken", ())):
        screen.print(Text(line, "dim"))


def print_notes(datasets: Mapping[str, Mapping[str, Any]], screen: Console) -> None:
    """Print what else is worth saying, and the titles of what the doctor warns of."""
    for name, about in datasets.items():
        for note in about.get("notes", ()):
            _print("note", f"{name}: {note}", screen)
        if titles := _warnings(about.get("doctor", ())):
            _print("warning", f"{name}: {', '.join(titles)} (details: vqbench doctor)", screen)


def _warnings(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    return [finding["title"] for finding in findings if finding["level"] == "warning"]


def _print(kind: str, text: str, screen: Console) -> None:
    screen.print(Text.assemble((kind, "bold"), f": {text}"))
