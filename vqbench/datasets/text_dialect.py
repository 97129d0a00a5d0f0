"""How a table of text is written: its encoding, the mark between fields, the decimal mark, quotes, a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vqbench.datasets.choice import is_id_name
from vqbench.datasets.readers.base import refusal
from vqbench.datasets.text_lists import is_list

#: Between fields, the likelier first: a comma may also be a decimal mark.
_DELIMITERS = ("\t", ";", "|", ",", " ")
_SHOWN = {"\t": "tabs", ";": "semicolons", "|": "|", ",": "commas", " ": "blanks"}
_ROWS = 200  # rows that are looked at
_FEW = 20  # that each way to read them is tried on
_LEAST = 3  # numbers above columns that begin at 1 are a header only from so many on


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How the fields of a table of text are written."""

    delimiter: str  #: stands between two fields
    decimal: str = "."  #: stands before the decimals
    quoted: bool = True  #: whether ``"`` around a field is no part of it

    def is_number(self, text: str) -> bool:
        """Whether a field is a number, as Python's ``float`` takes it; but 1_000 is more likely an id or a slip."""
        text = text.strip()
        if self.decimal == ",":
            text = "x" if "." in text else text.replace(",", ".", 1)
        try:
            float(text)
        except ValueError:
            return False
        return text.isascii() and "_" not in text

    def number(self, text: str) -> float:
        """Return the number in a field; an empty field is NaN."""
        return float(text.replace(",", ".") if self.decimal == "," else text) if text.strip() else float("nan")

    def rows(self, text: str, most: int | None = None) -> list[list[str]]:
        """Return the fields of each row, or of the first. Raises csv.Error where a quote is not closed."""
        csv.field_size_limit(1 << 24)
        quoting = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        lines = io.StringIO(text, newline="")  # ends a line as csv does, not as str.splitlines
        return list(islice(csv.reader(lines, delimiter=self.delimiter, quoting=quoting, strict=True), most))


def dialect_of(path: Path, text: str) -> Dialect:
    """Tell how a table is written by its beginning, some complete lines.

    The mark between fields is the one that gives most numbers. Raises VqbenchError where none does, or where commas
    stand both between numbers and before their decimals.
    """
    tried = [
        (score, Dialect(delimiter=mark, decimal=decimal, quoted=quoted))
        for mark in _DELIMITERS
        for quoted in (True, False)
        for decimal in (".", ",")
        if (score := _numbers(Dialect(delimiter=mark, decimal=decimal, quoted=quoted), text))
        and not (decimal == "," == mark and not quoted)
    ]
    if not tried:
        if '"' in text:
            Dialect(delimiter=",").rows(text)  # a quote that is not closed
        raise refusal(
            path,
            place="row 1",
            problem=f"{text.splitlines()[0][:60]!r}" if text.strip() else "nothing but line ends",
            rule="needs rows of two numbers or more, with commas, semicolons, tabs or | between them",
            remedy="write it again, as numpy.savetxt(file, x, delimiter=',') does",
        )
    best = max(score for score, _ in tried)
    dialect = next(dialect for score, dialect in tried if score == best)
    if dialect.delimiter == ",":
        _check_commas(path, dialect, dialect.rows(text, _ROWS))
    return dialect


def _numbers(dialect: Dialect, text: str) -> int:
    """How many numbers the dialect sees in the first rows; 0 where it does not fit them."""
    one_list = dialect.delimiter == "\t" and is_list(text.split("\n", 1)[0])  # a column of lists, and nothing else
    if (dialect.delimiter not in text and not one_list) or (dialect.decimal == "," and "," not in text):
        return 0
    if dialect.delimiter == " ":
        if "\t" in text:
            return 0
        text = single_blanks("\n".join(text.split("\n")[:_FEW]))
    try:
        rows = dialect.rows(text, _FEW)
    except csv.Error:
        return 0
    fields = [field for row in rows for field in row if len(row) > 1 or is_list(field)]
    return sum(len(field.replace(",", " ").split()) if is_list(field) else dialect.is_number(field) for field in fields)


def single_blanks(text: str) -> str:
    """Return lines with one blank where several stand, and none at their ends: numpy.savetxt may align numbers."""
    lines = (line.strip(" ") for line in text.replace("\r\n", "\n").split("\n"))
    return re.sub("  +", " ", "\n".join(lines))


def _check_commas(path: Path, dialect: Dialect, rows: Sequence[Sequence[str]]) -> None:
    """Raise VqbenchError for numbers whose decimal comma cannot be told from the commas between them.

    ``-0,204100,0,728300`` is two numbers. What gives it away are pairs of a whole number and digits without a sign of
    which most hold what whole numbers never do: ``-0`` before the comma, or a 0 in front behind it, or nothing but 0
    before it in every row. A column of ids or a line of names may stand before the pairs.
    """
    body = [row for row in rows if sum(map(dialect.is_number, row)) * 2 >= len(row)]
    widths = {len(row) for row in body}
    if len(widths) != 1:
        return
    width, fields = widths.pop(), [[field.strip() for field in row] for row in body]
    first = width % 2
    wholes, decimals = (
        [[row[column] for row in fields] for column in range(start, width, 2)] for start in (first, first + 1)
    )
    if not wholes or any(not re.fullmatch(r"[+-]?\d+", x) for column in wholes for x in column):
        return
    if any(not re.fullmatch(r"\d+", x) for column in decimals for x in column):
        return
    telling = [
        "-0" in before
        or any(len(x) > 1 and x[0] == "0" for x in behind)
        or (set(before) <= {"0"} and min(map(len, behind)) > 1)
        for before, behind in zip(wholes, decimals, strict=True)
    ]
    if sum(telling) * 2 > len(telling):
        pairs = [(a, b) for a, b, tells in zip(wholes, decimals, telling, strict=True) if tells]
        before, behind = next(((a, b) for a, b in pairs if "-0" in a), pairs[0])
        row = before.index("-0") if "-0" in before else 0
        raise refusal(
            path,
            place=f"row {rows.index(body[row]) + 1}",
            problem=f"'{before[row]},{behind[row]}'",
            rule="commas stand both between numbers and before their decimals",
            remedy="write it again with points for decimals, or with semicolons between numbers",
        )


def has_header(dialect: Dialect, rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row holds names: no numbers above columns of numbers, or only their counted numbers."""
    first, rest = [field.strip() for field in rows[0]], rows[1:]
    if not rest:
        return not any(map(dialect.is_number, first[1:] or first)) and not any(map(is_list, first))
    above = [name for column, name in enumerate(first) if _mostly_numbers(dialect, rest, column)]
    numbers = [name for name in above if dialect.is_number(name) or is_list(name)]
    if not numbers:
        return bool(above) and any(first)
    if numbers == [str(number) for number in range(len(numbers))] and len(numbers) > 1:
        return True
    if numbers == [str(number + 1) for number in range(len(numbers))] and len(numbers) >= _LEAST:
        return any("." in field or "e" in field for row in rest for field in row)
    return is_id_name(first[0])


def _mostly_numbers(dialect: Dialect, rows: Sequence[Sequence[str]], column: int) -> bool:
    fields = [row[column] for row in rows if column < len(row) and row[column].strip()]
    return 2 * sum(dialect.is_number(field) or is_list(field) for field in fields) >= max(1, len(fields))


def described(dialect: Dialect) -> list[str]:
    """Say how fields are written where it is not plain CSV."""
    words = [f"{_SHOWN[dialect.delimiter]} between fields"] if dialect.delimiter != "," else []
    return [*words, *(["decimal commas"] if dialect.decimal == "," else [])]
