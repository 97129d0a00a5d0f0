"""How a table of text is written: its encoding, the mark between fields, the decimal mark, quotes, a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vqbench.datasets.readers.base import refusal
from vqbench.datasets.text_lists import is_list

#: Between fields, the likelier first: a comma may also be a decimal mark.
_DELIMITERS = ("\t", ";", "|", ",", " ")
_SHOWN = {"\t": "tabs", ";": "semicolons", "|": "|", ",": "commas", " ": "blanks"}
_ROWS = 200  # rows that are looked at
_FEW = 20  # that each way to read them is tried on
#: What stands for a number that is missing, in small letters; ``nan`` is a number.
MISSING = ("", "n/a", "na", "#n/a", "null", "none", "nil", "\\n", "-", "?")


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
        """Return the number in a field; NaN where it is missing."""
        return float("nan") if is_missing(text) else float(text.replace(",", ".") if self.decimal == "," else text)

    def rows(self, text: str, most: int | None = None) -> list[list[str]]:
        """Return the fields of each row, or of the first. Raises csv.Error where a quote is not closed."""
        csv.field_size_limit(1 << 24)
        quoting = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        lines = io.StringIO(text, newline="")  # ends a line as csv does, not as str.splitlines
        return list(islice(csv.reader(lines, delimiter=self.delimiter, quoting=quoting, strict=True), most))


def is_missing(text: str) -> bool:
    """Whether a field is empty, or says that its number is missing."""
    return text.strip().lower() in MISSING


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
    if dialect.delimiter == " ":
        text = single_blanks("\n".join(text.split("\n")[:_ROWS]))
    rows = dialect.rows(text, _ROWS)
    if dialect.delimiter == ",":
        _check_commas(path, dialect, rows)
    _check_thousands(path, rows)
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


def _check_thousands(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Raise VqbenchError for numbers whose mark may stand before thousands or before decimals.

    All digits behind the mark come in threes, no 0 stands before it, and whole numbers up to 999 have none: so whole
    numbers are written, as 123,456 and 789, and decimals hardly ever.
    """
    width = max(map(len, rows))
    columns = [[row[column].strip() for row in rows if column < len(row)] for column in range(width)]
    for mark in ",.":
        marked = [(column, x) for column in columns for x in column if mark in x and re.fullmatch(r"[-+\d.,eE]+", x)]
        form = re.compile(rf"[-+]?[1-9]\d{{0,2}}(?:\{mark}\d{{3}})+")
        if not marked or not all(form.fullmatch(x) for _, x in marked):
            continue
        several = any(x.count(mark) > 1 for _, x in marked)
        plain = [x for column in columns if any(map(form.fullmatch, column)) for x in column if mark not in x]
        plain = [x for x in plain if re.fullmatch(r"[-+]?\d+", x)]
        if several or (plain and all(re.fullmatch(r"[-+]?\d{1,3}", x) for x in plain)):
            shown = marked[0][1]
            row = next(number for number, row in enumerate(rows, 1) if shown in map(str.strip, row))
            raise refusal(
                path,
                place=f"row {row}",
                problem=repr(shown),
                rule=f"{mark!r} could stand between thousands or before decimals",
                remedy="write whole numbers without it, or all decimals with more digits, such as %.6f",
            )


def described(dialect: Dialect) -> list[str]:
    """Say how fields are written where it is not plain CSV."""
    words = [f"{_SHOWN[dialect.delimiter]} between fields"] if dialect.delimiter != "," else []
    return [*words, *(["decimal commas"] if dialect.decimal == "," else [])]
