"""Parquet: a column of lists of numbers, and a column of ids if there is one.

Its columns are compressed, so that no single row can be read: they are unpacked once, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.columns import blocks_of, id_column, vector_column
from vqbench.datasets.readers.footer import parts
from vqbench.datasets.readers.unpack import most, too_large, unpacked
from vqbench.storage.ids import PackedIds

_BATCH = 1 << 13  # rows at a time, at most
_BYTES = 1 << 24  # bytes at a time
_LARGEST = 8  # bytes of a number
_BUFFER = 1 << 20  # bytes of each column that are read ahead


def read(path: Path, wanted: Wanted) -> Content:
    """The column that ``key`` names or the only one of lists of numbers; ids from ``id_column``, else from ``id``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        told = {"buffer_size": _BUFFER, "page_checksum_verification": True}
        with pq.ParquetFile(path, **told) as file:
            column = vector_column(path, file.schema_arrow, wanted.key)
            names = id_column(path, file.schema_arrow, wanted.id_column)
            n, batch = file.metadata.num_rows, _check_sizes(path, file.metadata.num_rows, column)
        # Ids as a dictionary: what the file holds once is then unpacked once, so that it can be looked at before.
        with pq.ParquetFile(path, read_dictionary=None if names is None else [names], **told) as file:
            ids = None if names is None else PackedIds.writer(n)
            rows_nd = unpacked(n, _batches(path, file, column, names, ids, batch))
            return Content(rows_nd=rows_nd, ids=None if ids is None else ids.ids())
    except (pa.ArrowException, OSError) as error:
        raise refusal(
            path,
            found=f"cannot be read as .parquet ({str(error).splitlines()[0][:200]})",
            rule="needs a whole Parquet file",
            remedy="write it again, or copy or download it again if it was cut off",
        ) from None


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
        raise refusal(
            path,
            place=f"column {column}",
            found=f"{numbers} values for {n} rows",
            rule="every row needs a list of numbers",
            remedy="write it again",
        )
    claimed = max(sum(part.unpacked for part in found), numbers * _LARGEST)
    if claimed > most(packed):
        raise refusal(path, **too_large(claimed, packed))
    return max(1, min(_BATCH, _BYTES * n // (numbers * _LARGEST)))


def _batches(
    path: Path, file: Any, column: str, names: str | None, ids: Any, batch_size: int
) -> Iterator[NDArray[Any]]:
    """Blocks of rows; the ids go to their writer on the way."""
    columns = [column] if names is None else [column, names]
    batches = file.iter_batches(batch_size=batch_size, columns=columns, use_threads=False)
    return blocks_of(batches, path, column, names, ids)
