"""The screen: a console on which foreign text does no harm, and progress bars."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment

from vqbench.text import shown

WIDTH = 100


class _Plain(Console):
    """A console on which names and ids, which come from files, move no cursor and ring no bell."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                lines = "\n".join(map(shown, segment.text.split("\n")))
                yield Segment(lines, segment.style)


class _Trimmed:
    """A text stream without the blanks that tables are padded with, which files and other programs need not carry."""

    def __init__(self, stream: IO[str]):
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(re.sub(r" +(?=\n)", "", text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console() -> Console:
    """Standard output; where it is no terminal, as wide as COLUMNS says, or else 100. Rich respects NO_COLOR."""
    found = _Plain(highlight=False)
    told = os.environ.get("COLUMNS", "")
    width = int(told) if told.isdecimal() and int(told) > 0 else WIDTH
    return (
        found if found.is_terminal else _Plain(highlight=False, width=width, file=cast(IO[str], _Trimmed(sys.stdout)))
    )


def progress_bar() -> Progress:
    """A bar on standard error; without a terminal it stays silent."""
    screen = _Plain(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<40.40}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen,
        disable=not screen.is_terminal,
    )
