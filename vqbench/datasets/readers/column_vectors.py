"""Vectors in columns of Arrow: a block of numbers for each batch, and which rows hold no vector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.choice import Kind
from vqbench.datasets.number_bytes import as_float32, number_types, of_16_bits
from vqbench.datasets.readers.column_kinds import Column, Form, inner_values, kind_of_rows, unmarked
from vqbench.datasets.text_lists import is_whole_list, numbers_in
from vqbench.numerics.arrays import Bools, Ints
from vqbench.text import shortened

if TYPE_CHECKING:
    import pyarrow as pa

#: Stands for a table in Python code, as ``FILE`` for the path of a file.
TABLE = "\0table\0"
_PARSED = 32  # texts that are looked at
_MOST = 0.75  # of the rows that are not empty must look like a vector in texts and bytes
_SHOWN = 30  # characters of a text in a message
#: Rows that hold no vector, and what stands there.
Gaps = dict[int, str]


def examined(column: Column, array: pa.Array) -> Column:
    """A column as its first rows show it: whether texts, bytes and lists of varying length can be vectors."""
    part, lengths_n = column.part, _lengths(column, array)
    some_n = lengths_n[lengths_n > 0]
    length, count = _most_common(some_n)
    if column.form == Form.TEXT:
        texts = [text for text in array.to_pylist() if text][:_PARSED]
        rows = [text for text in texts if (numbers := numbers_in(text)) is not None and len(numbers) > 1]
        if not rows or len(rows) < _MOST * len(texts):
            return column
        kind = Kind.WHOLES if all(map(is_whole_list, rows)) else Kind.FLOATS
        return replace(column, part=replace(part, kind=kind, what="numbers written as text"), width=length)
    if column.form == Form.BLOB:
        usual = count and count >= _MOST * len(some_n)
        blobs = array.filter(_mask(lengths_n == length)).to_pylist() if usual else []
        types, what = of_16_bits(blobs)
        if types:
            part = replace(part, kind=Kind.OTHER, what=f"bytes: {what}", remedy=_to_float32(column, types))
            return replace(column, part=part)
        number = next(iter(number_types(blobs)), "")
        if not number:
            return column
        part = replace(part, kind=Kind.FLOATS, what=f"{np.dtype(number)} as bytes")
        return replace(column, part=part, number=number, width=length // np.dtype(number).itemsize)
    if column.form == Form.NESTED:
        inner = inner_values(array)
        kind = (
            kind_of_rows(unmarked(inner.type.value_type)) if len(some_n) and not (lengths_n == -2).any() else Kind.OTHER
        )
        return replace(column, part=replace(part, kind=kind), width=length)
    if count * 2 < len(some_n):
        return replace(column, part=replace(part, kind=Kind.OTHER, what=f"{part.what} of varying length"))
    return replace(column, width=length)


def width_of(column: Column, batches: Iterable[pa.RecordBatch]) -> int | None:
    """How many numbers most rows have in the first batch that has any; None where all rows are empty."""
    if column.form == Form.WIDE or column.width:
        return column.width or len(column.members)
    for batch in batches:
        lengths_m = _lengths(column, column.of(batch))
        width, count = _most_common(lengths_m[lengths_m > 0])
        if count:
            return width
    return None


def _most_common(lengths: Ints) -> tuple[int, int]:
    """The most common length and how often it occurs; of equally common ones, the first."""
    return next(iter(Counter(lengths.tolist()).most_common(1)), (0, 0))


def blocks_of(column: Column, batches: Iterable[pa.RecordBatch], width: int, gaps: Gaps) -> Iterator[NDArray[Any]]:
    """The vectors of each batch, ``(m, width)``; rows without one become NaN or 0, and are added to ``gaps``."""
    start = 0
    for batch in batches:
        if column.form == Form.WIDE:
            numbers_md, reasons = _wide(column, batch)
        elif column.form == Form.TEXT:
            numbers_md, reasons = _texts(column.of(batch).to_pylist(), width)
        else:
            numbers_md, reasons = _block(column, column.of(batch), width)
        gaps.update((start + row, reason) for row, reason in sorted(reasons.items()))
        if len(numbers_md):
            yield numbers_md
        start += batch.num_rows


def _block(column: Column, array: pa.Array, width: int) -> tuple[NDArray[Any], Gaps]:
    """The numbers of a batch of lists or bytes, and its rows that hold no vector."""
    lengths_m = _lengths(column, array)
    good_m = lengths_m == width
    bad = np.flatnonzero(~good_m).tolist()
    reasons = {row: _reason(column, array, row, int(lengths_m[row]), width) for row in bad}
    numbers_gd, null_g = _numbers(column, array if good_m.all() else array.filter(_mask(good_m)), width)
    rows = np.flatnonzero(good_m)
    reasons |= {int(rows[at]): "null among its numbers" for at in null_g}
    if not reasons:
        return numbers_gd, reasons
    numbers_md = np.full((len(array), width), _gap(numbers_gd.dtype), numbers_gd.dtype)
    numbers_md[good_m] = numbers_gd
    numbers_md[list(reasons)] = _gap(numbers_gd.dtype)
    return numbers_md, reasons


def _numbers(column: Column, array: pa.Array, width: int) -> tuple[NDArray[Any], Ints]:
    """The numbers of rows that have as many as they should, and which of these rows have a null among them."""
    none = np.empty(0, np.int64)
    if column.form == Form.BLOB:
        return np.frombuffer(b"".join(array.to_pylist()), column.number).reshape(-1, width), none
    values = inner_values(array)
    values = inner_values(values) if column.form == Form.NESTED else values
    null_g = np.unique(np.flatnonzero(_nulls(values)) // width) if values.null_count else none
    return _of_values(values).reshape(-1, width), null_g


def _texts(texts: list[str | None], width: int) -> tuple[NDArray[Any], Gaps]:
    """The numbers of a batch of texts, and its rows that hold no vector."""
    numbers_md, reasons = np.full((len(texts), width), np.nan), Gaps()
    for row, text in enumerate(texts):
        numbers = None if text is None else numbers_in(text)
        if numbers is not None and len(numbers) == width:
            numbers_md[row] = numbers
        elif text is None or numbers is None:
            reasons[row] = "null" if text is None else f"no list of numbers: {shortened(text, _SHOWN)!r}"
        else:
            reasons[row] = _other_width(len(numbers), width)
    return numbers_md, reasons


def _wide(column: Column, batch: pa.RecordBatch) -> tuple[NDArray[Any], Gaps]:
    """The numbers of several columns side by side."""
    arrays = [(member.part.name, member.of(batch)) for member in column.members]
    reasons: Gaps = {}
    for name, array in arrays:
        for row in np.flatnonzero(_nulls(array)) if array.null_count else ():
            reasons.setdefault(int(row), f"null in column {name}")
    parts = [_of_values(array) for _, array in arrays]
    numbers_md = np.empty((batch.num_rows, len(parts)), np.result_type(*(part.dtype for part in parts)))
    for at, part in enumerate(parts):
        numbers_md[:, at] = part
    numbers_md[list(reasons)] = _gap(numbers_md.dtype)
    return numbers_md, reasons


def _of_values(values: pa.Array) -> NDArray[Any]:
    """Numbers as numpy has them; 0 in place of null, so that whole numbers stay whole."""
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_decimal(values.type):
        values = values.cast(pa.float64())
    if values.null_count:
        values = values.fill_null(False if t.is_boolean(values.type) else 0)
    return values.to_numpy(zero_copy_only=False)


def _gap(dtype: np.dtype[Any]) -> float:
    return np.nan if dtype.kind == "f" else 0


def _lengths(column: Column, array: pa.Array) -> Ints:
    """How many numbers each row has, or of bytes that were not looked at how many bytes; -1: null, -2: no numbers."""
    import pyarrow.compute as pc

    if column.form == Form.TEXT:
        numbers = [(text, None if text is None else numbers_in(text)) for text in array.to_pylist()]
        return np.array([-1 if text is None else -2 if x is None else len(x) for text, x in numbers], np.int64)
    if column.form == Form.BLOB:
        size = np.dtype(column.number).itemsize if column.number else 1
        lengths_m = _with_null(pc.binary_length(array))  # type: ignore[attr-defined]
        return np.where((lengths_m > 0) & (lengths_m % size != 0), -2, lengths_m // size)
    lengths_m = _with_null(pc.list_value_length(array))  # type: ignore[attr-defined]
    if column.form != Form.NESTED:
        return lengths_m
    inner = inner_values(array.filter(_mask(lengths_m == 1)))
    one_m = lengths_m == 1
    lengths_m = np.where(lengths_m > 1, -2, lengths_m)
    lengths_m[one_m] = _with_null(pc.list_value_length(inner))  # type: ignore[attr-defined]
    return lengths_m


def _reason(column: Column, array: pa.Array, row: int, length: int, width: int) -> str:
    """Why a row holds no vector, as ``_lengths`` found it."""
    if length == -1:
        return "null"
    if length == -2:
        return f"{len(array[row].as_py())} {'bytes' if column.form == Form.BLOB else 'lists'}, which are no vector"
    return _other_width(length, width)


def _other_width(length: int, width: int) -> str:
    return f"{length} number{'s' * (length > 1)} where most rows have {width}" if length else "an empty list"


def _to_float32(column: Column, types: tuple[str, ...]) -> str:
    """The code that adds a column of float32 to a table, which ``TABLE`` stands for, and writes it in Parquet."""
    flat, name = ".flatten()" * (len(column.path) - 1), column.part.name
    return (
        f"import numpy as np,pyarrow as pa,pyarrow.parquet as q;t={TABLE}{flat};"
        f"q.write_table(t.append_column('float32',pa.array([b and {as_float32(types, 'b')} "
        f"for b in t[{name!r}].to_pylist()])),'float32.parquet')"
    )


def _with_null(lengths: pa.Array) -> Ints:
    return lengths.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def _nulls(array: pa.Array) -> Bools:
    return array.is_null().to_numpy(zero_copy_only=False)


def _mask(chosen_m: Bools) -> pa.Array:
    import pyarrow as pa

    return pa.array(chosen_m)
