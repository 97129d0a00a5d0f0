"""Whether the first row of a table of text holds names, also where these are numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from vqbench.datasets.part_names import is_id_name
from vqbench.datasets.readers.base import refusal
from vqbench.datasets.text_dialect import Dialect, is_missing
from vqbench.datasets.text_lists import is_list
from vqbench.errors import VqbenchError

#: How a header writes numbers: without decimals or an exponent.
_PLAIN = re.compile(r"-?[0-9]+(?:[.,]0)?")
_LEAST = 3  # numbers that count from another start than 0 are names only from so many on
_HALF = 0.5  # a column holds numbers from this share on
_SURE = 8  # the same above whole numbers, among which a few may count by chance


def has_header(path: Path, dialect: Dialect, rows: Sequence[Sequence[str]], *, before: int = 0) -> bool:
    """Tell whether the first row holds names: no numbers above columns of numbers, or numbers that count by one.

    Args:
        path: of the file, for messages.
        dialect: how fields are written.
        rows: the first rows.
        before: lines before them, for messages.

    Raises:
        VqbenchError: the first row may as well be a row of numbers.
    """
    first, rest = [field.strip() for field in rows[0]], rows[1:]
    if not rest:
        return not any(map(dialect.is_number, first[1:] or first)) and not any(map(is_list, first))
    below = {column: _numbers_below(dialect, rest, column) for column in range(len(first))}
    above = {column: first[column] for column, share in below.items() if share >= _HALF}
    numbers = {column: x for column, x in above.items() if dialect.is_number(x) or is_list(x)}
    if not numbers:
        return bool(above) and any(first)
    if is_id_name(first[0]):
        return True
    values = [dialect.number(x) if dialect.is_number(x) else 0.5 for x in numbers.values()]
    if len(values) < 2 or len(set(values)) < len(values) or not all(map(_PLAIN.fullmatch, numbers.values())):
        return False
    decimals = 2 * sum(_are_decimals(dialect, rest, column) for column in numbers) > len(numbers)
    counts = _counts(values)
    enough = 2 if values[0] == 0 else _LEAST if decimals else _SURE
    if counts and min(values) >= 0 and len(values) >= enough and not _goes_on(dialect, values, rest[0], list(numbers)):
        return True
    if decimals and _names_a_column(first, below, rest):
        return True
    if decimals or (counts and len(values) >= _LEAST) or (not first[0] and _all_filled(rest)):
        raise _refused(path, dialect, rows[0], before)
    return False


def _numbers_below(dialect: Dialect, rows: Sequence[Sequence[str]], column: int) -> float:
    """The share of numbers and lists in a column; 1 where it is empty."""
    fields = [row[column] for row in rows if column < len(row) and not is_missing(row[column])]
    return sum(dialect.is_number(field) or is_list(field) for field in fields) / len(fields) if fields else 1.0


def _are_decimals(dialect: Dialect, rows: Sequence[Sequence[str]], column: int) -> bool:
    """Whether no field of a column is a whole number without a decimal mark or an exponent."""
    fields = [row[column].strip() for row in rows if column < len(row) and not is_missing(row[column])]
    return all(dialect.decimal in field or not field.lstrip("+-").isdecimal() for field in fields)


def _counts(values: Sequence[float]) -> bool:
    """Whether numbers go up, or down, by one."""
    steps = {after - before for before, after in zip(values, values[1:], strict=False)}
    return steps in ({1}, {-1})


def _goes_on(dialect: Dialect, values: Sequence[float], row: Sequence[str], columns: Sequence[int]) -> bool:
    """Whether the next row counts on from the first, as rows of ``numpy.arange`` do."""
    fields = [row[column] for column in columns if column < len(row)]
    return all(map(dialect.is_number, fields)) and _counts([*values, *map(dialect.number, fields)])


def _all_filled(rows: Sequence[Sequence[str]]) -> bool:
    return all(row and row[0].strip() for row in rows)


def _names_a_column(first: Sequence[str], below: dict[int, float], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a field of the first row can only be a name: a word above numbers, or none above ids that are all there.

    ``below``: the share of numbers below each field.
    """
    words = [x for column, x in enumerate(first) if below[column] == 1 and any(map(str.isalpha, x))]
    named = any(not is_missing(x) and not Dialect(delimiter=";").is_number(x) for x in words)
    return named or (not first[0] and _all_filled(rows))


def _refused(path: Path, dialect: Dialect, row: Sequence[str], before: int) -> VqbenchError:
    shown = dialect.delimiter.join(row[:4]) + (" ..." if len(row) > 4 else "")
    return refusal(
        path,
        place=f"row {1 + before}",
        problem=repr(shown),
        rule="may be a header or a row of numbers",
        remedy="delete it if it is a header, or put a row of names (d0, d1, ...) above it if it is a row of numbers",
    )
