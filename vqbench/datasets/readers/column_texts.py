"""Ids, texts and labels in columns of Arrow: each value as a text."""

from __future__ import annotations

import json
import uuid
from collections.abc import Container, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vqbench.datasets.readers.base import refusal
from vqbench.datasets.readers.column_kinds import UUID, Column, is_bytes, is_text

if TYPE_CHECKING:
    import pyarrow as pa


def are_texts(arrays: Iterable[pa.Array]) -> bool:
    """Whether all values of a column of bytes are printable UTF-8."""
    try:
        return all(x is None or x.decode().isprintable() for array in arrays for x in array.to_pylist())
    except UnicodeDecodeError:
        return False


def id_texts(
    path: Path, column: Column, arrays: Iterable[pa.Array], gaps: Container[int], *, as_hex: bool = False
) -> Iterator[list[str]]:
    """The ids of each batch. Raises VqbenchError where one is null.

    Args:
        path: for messages.
        column: what it is.
        arrays: its values.
        gaps: rows that hold no vector and are refused or left out whatever their id is.
        as_hex: whether bytes are shown as hexadecimal digits rather than as UTF-8.
    """
    start = 0
    for array in arrays:
        ids = texts_of(column, array, as_hex=as_hex)
        for at, each in enumerate(ids):
            if each is None and start + at not in gaps:
                raise refusal(
                    path,
                    place=f"row {start + at}, column {column.part.name}",
                    problem="null",
                    rule="each row needs an id",
                    remedy="dataset.id_column=NAME names another column, dataset.id_column=none numbers the rows",
                )
        yield [f"row {start + at}" if each is None else each for at, each in enumerate(ids)]
        start += len(ids)


def shown_texts(column: Column, arrays: Iterable[pa.Array], *, as_hex: bool = False) -> Iterator[list[str]]:
    """The texts or labels of each batch; empty where there is none."""
    for array in arrays:
        yield [each or "" for each in texts_of(column, array, as_hex=as_hex)]


def texts_of(column: Column, array: pa.Array, *, as_hex: bool = False) -> list[str | None]:
    """Each value as a text: whole floats without a point, times as ISO 8601 has them; None for null and NaN."""
    import pyarrow as pa
    import pyarrow.types as t

    if is_text(array.type):
        return array.to_pylist()
    if t.is_floating(array.type):
        return [_of_float(x) for x in array.to_numpy(zero_copy_only=False)]
    if t.is_date(array.type):
        return array.cast(pa.date32()).cast(pa.string()).to_pylist()
    if t.is_timestamp(array.type):
        return [x and x.replace(" ", "T") for x in array.cast(pa.string()).to_pylist()]
    values = array.to_pylist()
    if t.is_decimal(array.type):
        return [None if x is None else _of_decimal(x) for x in values]
    if column.part.what == UUID:
        return [None if x is None else str(uuid.UUID(bytes=x)) for x in values]
    if is_bytes(array.type):
        return [None if x is None else x.hex() if as_hex else x.decode() for x in values]
    if t.is_nested(array.type) or t.is_boolean(array.type):
        return [None if x is None else json.dumps(x, ensure_ascii=False, default=str) for x in values]
    return [None if x is None else str(x) for x in values]


def _of_float(x: Any) -> str | None:
    """12.0 as "12" at any size, others with as many digits as tell them apart in their own precision; None for NaN."""
    if np.isnan(x):
        return None
    return str(int(x)) if np.isfinite(x) and x == int(x) else str(x)


def _of_decimal(x: Decimal) -> str:
    return format(x.normalize(), "f") if x else "0"
