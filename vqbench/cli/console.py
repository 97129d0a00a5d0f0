"""The screen: a console on which text from files does no harm, and progress bars."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import IO, Any, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment

from vqbench.text import shown

WIDTH = 100


class _Plain(Console):
    """A console that prints control characters of names and ids as escapes."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                lines = "\n".join(map(shown, segment.text.split("\n")))
                yield Segment(lines, segment.style)


class _Trimmed:
    """A text stream that drops the blanks at the ends of lines, with which tables are padded."""

    def __init__(self, stream: IO[str]):
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(re.sub(r" +(?=\n)", "", text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console() -> Console:
    """Return standard output; if it is no terminal, as wide as COLUMNS says, or else 100. Rich respects NO_COLOR."""
    screen = _Plain(highlight=False)
    if screen.is_terminal:
        return screen
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) > 0 else WIDTH
    return _Plain(highlight=False, width=width, file=cast(IO[str], _Trimmed(sys.stdout)))


def text_of(show: Callable[[Console], None]) -> str:
    """Return what ``show`` prints, as it would stand in a file."""
    text = io.StringIO()
    show(_Plain(highlight=False, width=WIDTH, file=cast(IO[str], _Trimmed(text))))
    return text.getvalue()


def progress_bar() -> Progress:
    """Return a progress bar on standard error; without a terminal it stays silent."""
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
