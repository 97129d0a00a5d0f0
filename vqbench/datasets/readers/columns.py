"""Vectors and ids in columns of Arrow, which Parquet files and folders of ``datasets`` have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.readers.base import refusal

if TYPE_CHECKING:
    import pyarrow as pa


def vector_column(path: Path, schema: pa.Schema, key: str | None) -> str:
    """The column that ``key`` names, else the only one of lists of numbers."""
    fits = [field.name for field in schema if _is_vector(field.type) and schema.names.count(field.name) == 1]
    kinds = [str(field.type) for field in schema if field.name == key]
    if key in fits or (key is None and len(fits) == 1):
        return key or fits[0]
    problem, rule = f"columns of lists of numbers: {', '.join(fits) or 'none'}", "needs exactly one, or its name"
    if key is not None:
        problem, rule = f"column {key!r} is {' and '.join(kinds)}" if kinds else f"no column {key!r}", problem
    raise refusal(
        path,
        problem=problem,
        rule=rule,
        remedy="choose one with dataset.key=NAME" if fits else "store each vector as a list in one column",
    )


def id_column(path: Path, schema: pa.Schema, name: str | None) -> str | None:
    """The column ``name``, else the one called id, if there is one of texts or whole numbers."""
    possible = [field.name for field in schema if _is_id(field.type) and schema.names.count(field.name) == 1]
    if name is None:
        return "id" if "id" in possible else None
    if name not in possible:
        raise refusal(
            path,
            place=f"dataset.id_column={name}",
            problem="no such column of texts or whole numbers",
            rule=f"there are: {', '.join(possible) or 'none'}",
        )
    return name


def _is_vector(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    lists = t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)
    return lists and (t.is_floating(kind.value_type) or t.is_integer(kind.value_type))


def _is_id(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    kind = kind.value_type if t.is_dictionary(kind) and t.is_string(kind.value_type) else kind
    return t.is_string(kind) or t.is_large_string(kind) or t.is_integer(kind)


def vectors(path: Path, batches: Iterable[pa.RecordBatch], column: str) -> Iterator[NDArray[Any]]:
    """The vectors of each batch, ``(m, d)``, all of one width. Raises VqbenchError for a row that is none."""
    import pyarrow.compute as pc

    start, d, rule, remedy = 0, None, "every row needs a list of numbers", "remove those rows, or fill them"
    for batch in batches:
        lists = batch.column(column)
        if lists.null_count:
            raise refusal(path, place=f"row {start + _first_null(lists)}", problem="null", rule=rule, remedy=remedy)
        lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
        d = int(lengths[0]) if d is None and len(lengths) else d
        if (lengths != d).any():
            row = int(np.flatnonzero(lengths != d)[0])
            raise refusal(
                path,
                place=f"row {start + row}",
                problem=f"{lengths[row]} numbers, the first row has {d}",
                rule="all rows must have the same number",
                remedy="write the file again",
            )
        values = lists.flatten()
        if values.null_count:
            row = start + _first_null(values) // max(1, d or 0)
            raise refusal(path, place=f"row {row}", problem="null among its numbers", rule=rule, remedy=remedy)
        if len(lists):
            yield values.to_numpy(zero_copy_only=False).reshape(len(lists), d)
        start += len(lists)


def texts(path: Path, batches: Iterable[pa.RecordBatch], column: str) -> Iterator[list[str]]:
    """The ids of each batch. Raises VqbenchError where one is null."""
    start = 0
    for batch in batches:
        ids = batch.column(column)
        if ids.null_count:
            raise refusal(
                path,
                place=f"row {start + _first_null(ids)}, column {column}",
                problem="null",
                rule="each row needs an id",
                remedy="name another column with dataset.id_column",
            )
        yield [str(x) for x in ids.to_pylist()]
        start += len(ids)


def _first_null(array: Any) -> int:
    return int(np.flatnonzero(np.asarray(array.is_null().to_numpy(zero_copy_only=False)))[0])
