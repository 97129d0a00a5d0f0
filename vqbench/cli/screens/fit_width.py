"""Tables on screens that are too narrow for all of their columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

_UNBOUNDED = 1000  # columns: more than any table takes


def fitted(
    make: Callable[[list[str]], Table], expendable: Sequence[str], screen: Console, *, frame: int = 0
) -> tuple[Table, list[str]]:
    """The table without the first few of its ``expendable`` columns, as many as it takes to fit; and which those are.

    make: builds the table, without the columns in its argument. frame: what stands beside the table on the screen.
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
