"""CSV: a row of numbers a line, commas between them; a header and ids in the first column may be there. Read whole."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.readers.base import Content, Wanted, check_whole, refusal

ENDINGS = (".csv",)
NEEDS = ("needs UTF-8 text with commas between numbers", "write it again")
USES = ("id_column",)
_LINE = 1 << 24  # characters of a line at most
_WIDEST = 1 << 17  # fields of a line at most


def read(path: Path, wanted: Wanted) -> Content:
    """A header is a first line of names, or just the columns' numbers; the field above the ids may be empty.

    Ids are a first column that ``id_column`` names, that is called ``id`` or nothing, that holds text, or different
    whole numbers beside numbers that are not. What could as well be a slip in a number is refused.
    """
    check_whole(path)
    with open(path, encoding="utf-8-sig", newline="") as file:
        return _content(path, csv.reader(_lines(path, file), strict=True), wanted.id_column)


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """Lines, none of which is longer than a row of numbers can be, or holds what is no text."""
    number = 0
    while line := file.readline(_LINE):
        number += 1
        if len(line) == _LINE:
            raise refusal(
                path,
                place=f"line {number}",
                problem=f"{_LINE} characters and more",
                rule="a line is one row",
                remedy="write it again with line ends",
            )
        if "\0" in line:
            raise refusal(
                path,
                place=f"line {number}",
                problem="a NUL character",
                rule="needs text",
                remedy="write it again: it was damaged, or is of another type",
            )
        yield line


def _content(path: Path, lines: Iterator[list[str]], id_column: str | None) -> Content:
    first = next(lines, [])
    if len(first) > _WIDEST:
        raise refusal(
            path,
            place="row 1",
            problem=f"{len(first):,} fields",
            rule=f"a row has up to {_WIDEST:,}",
            remedy="write one row for each vector, or save them as .npy",
        )
    name = first[0].strip().lower() if first else ""
    if id_column is not None and name != id_column.lower():
        raise refusal(
            path,
            place="row 1",
            problem=f"the first column is called {name!r}",
            rule=f"dataset.id_column = {id_column}",
            remedy="name the first column, which is where ids stand, or leave id_column out",
        )
    _check_commas(path, first)
    names = not any(map(_is_number, first[1:] or first)) or _numbered(first) or _numbered(first[1:])
    named = id_column is not None or name == "id" or (name == "" and names)
    header = named or names
    second = next(lines, []) if header else first
    with_ids = named or not _is_number(second[0] if second else "")
    ids, numbers = list[str](), array("d")
    for number, fields in enumerate(chain([second], lines), start=1 + header):
        if len(fields) != len(first):
            raise refusal(
                path,
                place=f"row {number}",
                problem=f"{len(fields)} fields, the first row has {len(first)}",
                rule="all rows must have the same number",
                remedy="correct that row (row 1 is the first line, header included)",
            )
        try:
            numbers.extend(map(_number, fields[with_ids:]))
        except ValueError:
            field = next(i for i in range(with_ids, len(fields)) if not _is_number(fields[i]))
            raise refusal(
                path,
                place=f"row {number}, field {field + 1}",
                problem=repr(fields[field][:40]),
                rule="every field must be a number, except a header and ids in the first column",
                remedy="correct that row (row 1 is the first line, header included)",
            ) from None
        ids.append(fields[0])
    if with_ids and not named and len(ids) > 1 and all(map(_is_number, ids[1:])):
        raise refusal(
            path,
            place=f"row {1 + header}, field 1",
            problem=repr(ids[0][:40]),
            rule="all other fields of the first column are numbers",
            remedy="correct it, or name the column id if it holds ids",
        )
    if not numbers:
        raise refusal(
            path,
            problem="a header, and no row of numbers",
            rule="needs at least one",
            remedy="write one row for each vector",
        )
    rows_nd = np.frombuffer(numbers, np.float64).reshape(-1, len(first) - with_ids)
    if not with_ids and _counts(ids, rows_nd):
        rows_nd, with_ids = np.ascontiguousarray(rows_nd[:, 1:]), True
    return Content(rows_nd=rows_nd, ids=ids if with_ids else None)


def _check_commas(path: Path, first: list[str]) -> None:
    if len(first) > 1:
        return
    mark = next((mark for mark in ";\t " if mark in "".join(first).strip()), None)
    problem = f"no comma, but {mark!r} between the fields" if mark else "one field"
    raise refusal(
        path,
        place="row 1",
        problem=problem,
        rule="needs commas between numbers, and points for decimals",
        remedy="write it again, as numpy.savetxt(file, x, delimiter=',') does",
    )


def _numbered(first: list[str]) -> bool:
    """Whether a line is 0, 1, 2 ...: what pandas writes above columns without names."""
    return len(first) > 1 and [field.strip() for field in first] == [str(at) for at in range(len(first))]


def _counts(first_n: list[str], rows_nd: NDArray[np.float64]) -> bool:
    """Whether the first column tells rows apart by whole numbers, beside columns that are not whole."""
    whole = all(field.strip().isdecimal() for field in first_n)
    return whole and len(set(first_n)) == len(first_n) > 1 and bool((rows_nd[:, 1:] % 1 != 0).any())


def _number(text: str) -> float:
    """Python takes 1_000 for a number too, which is more likely an id or a slip."""
    if "_" in text:
        raise ValueError(text)
    return float(text)


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True
