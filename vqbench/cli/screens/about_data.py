"""What was taken for vectors, what is worth saying of them, and what the doctor warns of: the lines of meta.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

_NAMED = 3  # datasets that share a line and are named


def print_taken(datasets: Mapping[str, Mapping[str, Any]], screen: Console) -> None:
    """Print what was taken for vectors, ids and queries, a line for each file.

    Args:
        datasets: their names, and what meta.json says of them.
    """
    for line in dict.fromkeys(line for about in datasets.values() for line in about.get("taken", ())):
        screen.print(Text(line, "dim"))


def print_notes(datasets: Mapping[str, Mapping[str, Any]], screen: Console) -> None:
    """Print what else is worth saying, and the titles of what the doctor warns of; once where datasets share it."""
    for kind, text, names in notes_of(datasets):
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        screen.print(Text.assemble((kind, "bold"), f": {', '.join(names[:_NAMED])}{more}: {text}"))


def notes_of(datasets: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, list[str]]]:
    """Return the notes of datasets and the doctor's warnings: the kind, the sentence, and whom it is about."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, about in datasets.items():
        titles = [f"'{finding['title']}'" for finding in about.get("doctor", ()) if finding["level"] == "warning"]
        lines = [("note", note) for note in about.get("notes", ())]
        lines += (
            [("warning", f"the doctor warns of {', '.join(titles)}; vqbench doctor gives details")] if titles else []
        )
        for line in lines:
            names.setdefault(line, []).append(name)
    return [(kind, text, own) for (kind, text), own in names.items()]
