"""CSV and other tables of text: a row of numbers a line, or a list of numbers in a column."""

from __future__ import annotations

from pathlib import Path

from vqbench.datasets import text_reading
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.datasets.unpacking import Sheet

ENDINGS = (".csv", ".tsv")
NEEDS = ("needs rows of numbers as text", "write it again")
USES = text_reading.USES
IMPORTS = text_reading.IMPORTS


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the columns that are dimensions, and ids where a column holds them."""
    return text_reading.unpack_table(path, wanted, sheet)
