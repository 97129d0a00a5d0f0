"""Parquet: a column of lists of numbers, and a column of ids if there is one.

Its columns are compressed, so that no single row can be read: they are unpacked once, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqbench.ids import PackedIds
from vqbench.readers.base import Content, Wanted, refusal
from vqbench.readers.footer import parts
from vqbench.readers.unpack import most, too_large, unpacked

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 1 << 13  # rows at a time, at most
_BYTES = 1 << 24  # bytes at a time
_LARGEST = 8  # bytes of a number
_ID = 1 << 13  # bytes of an id
_BUFFER = 1 << 20  # bytes of each column that are read ahead


def read(path: Path, wanted: Wanted) -> Content:
    """The column that ``key`` names or the only one of lists of numbers; ids from ``id_column``, else from ``id``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        told = {"buffer_size": _BUFFER, "page_checksum_verification": True}
        with pq.ParquetFile(path, **told) as file:
            column = _vector_column(path, file.schema_arrow, wanted.key)
            names = _id_column(path, file.schema_arrow, wanted.id_column)
            n, batch = file.metadata.num_rows, _check_sizes(path, file.metadata.num_rows, column)
        # Ids as a dictionary: what the file holds once is then unpacked once, so that it can be looked at before.
        with pq.ParquetFile(path, read_dictionary=None if names is None else [names], **told) as file:
            ids = None if names is None else PackedIds.writer(n)
            rows_nd = unpacked(n, _batches(path, file, column, names, ids, batch))
            return Content(rows_nd=rows_nd, ids=None if ids is None else ids.ids())
    except (pa.ArrowException, OSError) as error:
        raise refusal(
            path, found=f"cannot be read as .parquet ({str(error).splitlines()[0][:200]})",
            rule="needs a whole Parquet file", remedy="write it again",
        ) from None  # fmt: skip


def _check_sizes(path: Path, n: int, column: str) -> int:
    """What the footer says of sizes, before anything is unpacked; how many rows to read at a time.

    A column of equal values takes next to nothing in the file, however long it is: so numbers are counted too.
    """
    found = parts(path)
    packed = min(sum(part.packed for part in found), path.stat().st_size)
    numbers = sum(part.numbers for part in found if part.column[0] == column)
    if n < 1:
        raise refusal(path, found=f"{n} rows", rule="needs at least one", remedy="write it again")
    if n > numbers:
        raise refusal(path, place=f"column {column}", found=f"{numbers} values for {n} rows",
                      rule="every row needs a list of numbers", remedy="write it again")  # fmt: skip
    claimed = max(sum(part.unpacked for part in found), numbers * _LARGEST)
    if claimed > most(packed):
        raise refusal(path, **too_large(claimed, packed))
    return max(1, min(_BATCH, _BYTES * n // (numbers * _LARGEST)))


def _is_vector(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    lists = t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)
    return lists and (t.is_floating(kind.value_type) or t.is_integer(kind.value_type))


def _vector_column(path: Path, schema: pa.Schema, key: str | None) -> str:
    fits = [field.name for field in schema if _is_vector(field.type)]
    if key is not None and key in fits:
        return key
    if key is not None:
        found = f"column {key!r} is {schema.field(key).type}" if key in schema.names else f"no column {key!r}"
        raise refusal(path, found=found, rule=f"columns of lists of numbers: {', '.join(fits) or 'none'}",
                      remedy="choose one with dataset.key=NAME" if fits else "")  # fmt: skip
    if len(fits) != 1:
        raise refusal(
            path, found=f"columns of lists of numbers: {', '.join(fits) or 'none'}",
            rule="needs exactly one, or its name",
            remedy="choose one with dataset.key=NAME" if fits else "store each vector as a list in one column",
        )  # fmt: skip
    return fits[0]


def _id_column(path: Path, schema: pa.Schema, name: str | None) -> str | None:
    import pyarrow.types as t

    def fits(kind: pa.DataType) -> bool:
        kind = kind.value_type if t.is_dictionary(kind) and t.is_string(kind.value_type) else kind
        return t.is_string(kind) or t.is_large_string(kind) or t.is_integer(kind)

    if name is None:
        return "id" if schema.names.count("id") == 1 and fits(schema.field("id").type) else None
    if schema.names.count(name) != 1 or not fits(schema.field(name).type):
        possible = [field.name for field in schema if fits(field.type)]
        raise refusal(path, place=f"dataset.id_column={name}", found="no such column of texts or whole numbers",
                      rule=f"there are: {', '.join(possible) or 'none'}")  # fmt: skip
    return name


def _batches(
    path: Path, file: Any, column: str, names: str | None, ids: Any, batch_size: int
) -> Iterator[NDArray[Any]]:
    """Blocks of rows; the ids go to their writer on the way."""
    columns, start, d = [column] if names is None else [column, names], 0, None
    for batch in file.iter_batches(batch_size=batch_size, columns=columns, use_threads=False):
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
        raise refusal(path, place=f"row {start + _first_null(texts)}, column {names}", found="null",
                      rule="each row needs an id", remedy=remedy)  # fmt: skip
    longest = pc.max(pc.binary_length(texts.dictionary)).as_py() if t.is_dictionary(texts.type) else 0
    if longest is not None and longest > _ID:
        raise refusal(path, place=f"column {names}", found=f"an id of {longest} bytes",
                      rule=f"ids may have up to {_ID}", remedy=remedy)  # fmt: skip


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
            path, place=f"row {start + at}", found=f"{lengths[at]} numbers, the first row has {d}",
            rule="all rows must have the same number", remedy="write the file again",
        )  # fmt: skip
    values = lists.flatten()
    if values.null_count:
        row = start + _first_null(values) // max(1, d)
        raise refusal(path, place=f"row {row}", found="null among its numbers", rule=rule, remedy=remedy)
    return values.to_numpy(zero_copy_only=False).reshape(len(lists), d), d


def _first_null(array: Any) -> int:
    return int(np.flatnonzero(np.asarray(array.is_null().to_numpy(zero_copy_only=False)))[0])
