"""Tables that fit the screen, and JSON of what they show."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

_UNBOUNDED = 1000  # columns: more than any table takes


def titled(title: str, **options: object) -> Table:
    """A table without frames under a bold title. options: as of ``Table``."""
    style = {"title_justify": "left", "title_style": "bold", "box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0)}
    return Table(title=title, **{**style, **options})  # pyright: ignore[reportArgumentType]


def fitted(
    make: Callable[[list[str]], Table], expendable: Sequence[str], screen: Console, *, frame: int = 0
) -> tuple[Table, list[str]]:
    """Leave out columns until the table fits.

    Args:
        make: builds the table, without the columns in its argument.
        expendable: the columns that may go, first ones first.
        screen: where it must fit.
        frame: columns of what stands beside the table on the screen.

    Returns:
        The table, and which columns it lacks.
    """
    left_out: list[str] = []
    table, room = make(left_out), screen.options.update(max_width=_UNBOUNDED)
    for name in expendable:
        if screen.measure(table, options=room).maximum <= screen.width - frame:
            break
        left_out.append(name)
        table = make(left_out)
    return table, left_out


def left_out_of(headings: Sequence[str]) -> str:
    """What to say of columns that are not there."""
    return f"Left out, since the screen is narrow: {', '.join(headings)}."


def json_text(content: object) -> str:
    """JSON for people and programs; a number that is not known is null."""
    return json.dumps(_without_nan(content), indent=2, ensure_ascii=False, allow_nan=False)


def _without_nan(content: object) -> object:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
