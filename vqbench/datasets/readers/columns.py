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

_ID = 1 << 13  # bytes of an id


def blocks_of(
    batches: Iterable[pa.RecordBatch], path: Path, column: str, names: str | None, ids: Any
) -> Iterator[NDArray[Any]]:
    """The vectors of each batch, ``(m, d)``; the ids of column ``names`` go to their writer on the way."""
    start, d = 0, None
    for batch in batches:
        block_nd, d = _block(path, batch.column(column), start, d)
        if names is not None:
            texts = batch.column(names)
            _check_ids(path, texts, start, names)
            ids.add([str(x) for x in texts.to_pylist()])
        yield block_nd
        start += len(block_nd)


def _check_ids(path: Path, texts: Any, start: int, names: str) -> None:
    """No null, and none so long that a batch of them would not fit: a text that all rows share is stored once."""
    import pyarrow.compute as pc
    import pyarrow.types as t

    remedy = "name another column with dataset.id_column"
    if texts.null_count:
        raise refusal(
            path,
            place=f"row {start + _first_null(texts)}, column {names}",
            found="null",
            rule="each row needs an id",
            remedy=remedy,
        )
    longest = pc.max(pc.binary_length(texts.dictionary)).as_py() if t.is_dictionary(texts.type) else 0
    if longest is not None and longest > _ID:
        raise refusal(
            path,
            place=f"column {names}",
            found=f"an id of {longest} bytes",
            rule=f"ids may have up to {_ID}",
            remedy=remedy,
        )


def _is_vector(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    lists = t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)
    return lists and (t.is_floating(kind.value_type) or t.is_integer(kind.value_type))


def vector_column(path: Path, schema: pa.Schema, key: str | None) -> str:
    """The column that ``key`` names, else the only one of lists of numbers."""
    fits = [field.name for field in schema if _is_vector(field.type) and schema.names.count(field.name) == 1]
    if key is not None and key in fits:
        return key
    if key is not None:
        kinds = [str(field.type) for field in schema if field.name == key]
        found = f"column {key!r} is {' and '.join(kinds)}" if kinds else f"no column {key!r}"
        raise refusal(
            path,
            found=found,
            rule=f"columns of lists of numbers: {', '.join(fits) or 'none'}",
            remedy="choose one with dataset.key=NAME" if fits else "",
        )
    if len(fits) != 1:
        raise refusal(
            path,
            found=f"columns of lists of numbers: {', '.join(fits) or 'none'}",
            rule="needs exactly one, or its name",
            remedy="choose one with dataset.key=NAME" if fits else "store each vector as a list in one column",
        )
    return fits[0]


def id_column(path: Path, schema: pa.Schema, name: str | None) -> str | None:
    """The column ``name``, else the one called id, if there is one of texts or whole numbers."""
    import pyarrow.types as t

    def fits(kind: pa.DataType) -> bool:
        kind = kind.value_type if t.is_dictionary(kind) and t.is_string(kind.value_type) else kind
        return t.is_string(kind) or t.is_large_string(kind) or t.is_integer(kind)

    if name is None:
        return "id" if schema.names.count("id") == 1 and fits(schema.field("id").type) else None
    if schema.names.count(name) != 1 or not fits(schema.field(name).type):
        possible = [field.name for field in schema if fits(field.type)]
        raise refusal(
            path,
            place=f"dataset.id_column={name}",
            found="no such column of texts or whole numbers",
            rule=f"there are: {', '.join(possible) or 'none'}",
        )
    return name


def _block(path: Path, lists: Any, start: int, d: int | None) -> tuple[NDArray[Any], int]:
    """A batch of lists as ``(m, d)``; ``start`` is the number of its first row, ``d`` the width of those before."""
    import pyarrow.compute as pc

    rule, remedy = "every row needs a list of numbers", "remove those rows, or fill them"
    if lists.null_count:
        raise refusal(path, place=f"row {start + _first_null(lists)}", found="null", rule=rule, remedy=remedy)
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    d = int(lengths[0]) if d is None else d
    if (lengths != d).any():
        at = int(np.flatnonzero(lengths != d)[0])
        raise refusal(
            path,
            place=f"row {start + at}",
            found=f"{lengths[at]} numbers, the first row has {d}",
            rule="all rows must have the same number",
            remedy="write the file again",
        )
    values = lists.flatten()
    if values.null_count:
        row = start + _first_null(values) // max(1, d)
        raise refusal(path, place=f"row {row}", found="null among its numbers", rule=rule, remedy=remedy)
    return values.to_numpy(zero_copy_only=False).reshape(len(lists), d), d


def _first_null(array: Any) -> int:
    return int(np.flatnonzero(np.asarray(array.is_null().to_numpy(zero_copy_only=False)))[0])
