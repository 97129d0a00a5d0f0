"""A Parquet file of ours, or of anyone who says so, unpacked into a table that is bounded before it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from vqbench.datasets.readers.footer import parts_of

if TYPE_CHECKING:
    import pyarrow as pa

_FREE, _FACTOR = 1 << 28, 1000  # bytes, and times its size, that a table may unpack to: constant columns pack well
_WIDE = 8  # bytes of a number


def unpacked_table(file: BinaryIO) -> pa.Table:
    """All columns; texts that stand once in the file, and often in the table, are counted before they are repeated.

    Raises ValueError where the table would be far larger than its file; pyarrow's own errors where it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    size = file.seek(0, 2)
    most = max(_FREE, _FACTOR * size)
    found = parts_of(file)
    claimed = max(sum(part.unpacked for part in found), sum(part.numbers for part in found) * _WIDE)
    if claimed > most:
        raise ValueError(f"{size} bytes that unpack to {claimed}")
    texts = [field.name for field in pq.read_schema(file) if _is_text(field.type)]
    with pq.ParquetFile(file, read_dictionary=texts, page_checksum_verification=True) as opened:
        table = opened.read()
    for name in texts:
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            long = sum(_bytes(chunk) for chunk in column.chunks)
            if long > most:
                raise ValueError(f"{size} bytes that unpack to {long}, in column {name}")
            at = table.schema.get_field_index(name)
            table = table.set_column(at, name, column.cast(column.type.value_type))
    return table


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    return t.is_string(kind) or t.is_large_string(kind) or t.is_binary(kind) or t.is_large_binary(kind)


def _bytes(chunk: pa.DictionaryArray) -> int:
    """How long all texts are, each as often as it stands there."""
    import pyarrow.compute as pc

    lengths = pc.binary_length(chunk.dictionary).cast("int64")
    return pc.sum(lengths.take(chunk.indices)).as_py() or 0
