"""CSV: a row of numbers a line, commas between them; a header and ids in the first column may be there. Read whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vqbench.readers.base import Content, Wanted, refusal

_MOST = 1 << 28  # bytes: text takes several times its size in memory while it is parsed
_LINE = 1 << 20  # characters of a line that are looked at to find header and ids


def read(path: Path, wanted: Wanted) -> Content:
    """Ids are a first column that ``id_column`` names, that is called ``id``, or whose first value is no number."""
    import pandas as pd

    size = path.stat().st_size
    if size > _MOST:
        raise refusal(
            path, found=f"{size / 1e6:.0f} MB of text", rule=f".csv is read whole, up to {_MOST / 1e6:.0f} MB",
            remedy="save the vectors as .npy, .fbin or .parquet, which are read in blocks",
        )  # fmt: skip
    try:
        header, with_ids = _layout(path, (wanted.id_column or "id").lower())
        frame = pd.read_csv(
            path, header=0 if header else None, converters={0: str} if with_ids else None, keep_default_na=False,
            float_precision="round_trip", skip_blank_lines=False, encoding="utf-8-sig", low_memory=False,
        )  # fmt: skip
    except (ValueError, OverflowError, pd.errors.ParserError) as error:
        raise refusal(
            path, found=f"cannot be read as .csv ({str(error).strip()})",
            rule="needs as many fields in each line, with commas between", remedy="write it again, in UTF-8",
        ) from None  # fmt: skip
    numbers = frame.iloc[:, 1:] if with_ids else frame
    for at, dtype in enumerate(numbers.dtypes):
        if dtype.kind not in "fiu":
            raise _not_a_number(path, numbers.iloc[:, at], at + with_ids, header)
    ids = frame.iloc[:, 0].tolist() if with_ids else None
    return Content(rows_nd=numbers.to_numpy(dtype=np.float64), ids=ids)


def _layout(path: Path, id_name: str) -> tuple[bool, bool]:
    """Whether the first line is a header, and whether the first column holds ids."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        lines = [file.readline(_LINE).strip() for _ in range(2)]
    first, second = ([x.strip().strip('"') for x in line.split(",")] for line in lines)
    named = first[0].lower() == id_name
    header = named or not all(map(_is_number, first[1:] or first))
    data = second if header else first
    if header and len(first) != len(second):
        raise ValueError(f"{len(first)} names for {len(second)} fields")
    return header, named or not _is_number(data[0])


def _not_a_number(path: Path, column: Any, at: int, header: bool) -> Exception:
    line = next((row for row, x in enumerate(column.tolist()) if not _is_number(str(x))), 0)
    return refusal(
        path, place=f"line {line + 1 + header}, field {at + 1}", found=repr(str(column.iloc[line]))[:40],
        rule="every field must be a number, except a header and ids in the first column", remedy="mend that line",
    )  # fmt: skip


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
