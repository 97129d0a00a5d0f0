"""CSV: a row of numbers a line, commas between them; a header and ids in the first column may be there. Read whole."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from vqbench.readers.base import Content, Wanted, refusal

_MOST = 1 << 28  # bytes: the numbers may take several times as much in memory as their text


def read(path: Path, wanted: Wanted) -> Content:
    """Ids are a first column that ``id_column`` names, that is called ``id``, or whose first value is no number."""
    size = path.stat().st_size
    if size > _MOST:
        raise refusal(
            path, found=f"{size / 1e6:.0f} MB of text", rule=f".csv is read whole, up to {_MOST / 1e6:.0f} MB",
            remedy="save the vectors as .npy, .fbin or .parquet, which are read in blocks",
        )  # fmt: skip
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return _content(path, csv.reader(file, strict=True), (wanted.id_column or "id").lower())
    except (csv.Error, UnicodeError) as error:
        raise refusal(
            path, found=f"cannot be read as .csv ({error})", rule="needs UTF-8 text with commas between numbers",
            remedy="write it again",
        ) from None  # fmt: skip


def _content(path: Path, lines: Iterator[list[str]], id_name: str) -> Content:
    first = next(lines, [])
    named = bool(first) and first[0].strip().lower() == id_name
    header = named or not all(map(_is_number, first[1:] or first))
    second = next(lines, []) if header else first
    with_ids = named or not _is_number(second[0] if second else "")
    ids, numbers = list[str](), array("d")
    for at, fields in enumerate(chain([second], lines), start=1 + header):
        if len(fields) != len(first):
            raise refusal(
                path, place=f"row {at}", found=f"{len(fields)} fields, the first row has {len(first)}",
                rule="all rows must have the same number", remedy="mend that row (1 is the first, be it a header)",
            )  # fmt: skip
        try:
            numbers.extend(map(float, fields[with_ids:]))
        except ValueError:
            field = next(i for i in range(with_ids, len(fields)) if not _is_number(fields[i]))
            raise refusal(
                path, place=f"row {at}, field {field + 1}", found=repr(fields[field][:40]),
                rule="every field must be a number, except a header and ids in the first column",
                remedy="mend that row (1 is the first, be it a header)",
            ) from None  # fmt: skip
        ids += fields[:with_ids]
    rows_nd = np.frombuffer(numbers, np.float64).reshape(-1, len(first) - with_ids)
    return Content(rows_nd=rows_nd, ids=ids if with_ids else None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
