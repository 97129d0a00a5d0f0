"""Parquet: a column of lists of numbers, and a column of ids if there is one.

Its columns are compressed, so that no single row can be read: they are unpacked once, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vqbench.ids import PackedIds
from vqbench.readers.base import Content, Wanted, refusal
from vqbench.readers.columns import blocks_of, id_column, vector_column
from vqbench.readers.unpack import unpacked

_BATCH = 1 << 13  # rows at a time
_BUFFER = 1 << 20  # bytes of each column that are read ahead


def read(path: Path, wanted: Wanted) -> Content:
    """The column that ``key`` names or the only one of lists of numbers; ids from ``id_column``, else from ``id``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, buffer_size=_BUFFER) as file:
            column = vector_column(path, file.schema_arrow, wanted.key)
            names = id_column(path, file.schema_arrow, wanted.id_column)
            n = file.metadata.num_rows
            if n < 1:
                raise refusal(path, found="0 rows", rule="needs at least one")
            ids = None if names is None else PackedIds.writer(n)
            rows_nd = unpacked(n, _batches(path, file, column, names, ids))
            return Content(rows_nd=rows_nd, ids=None if ids is None else ids.ids())
    except (pa.ArrowException, OSError) as error:
        raise refusal(
            path, found=f"cannot be read as .parquet ({str(error).splitlines()[0][:200]})",
            rule="needs a whole Parquet file", remedy="write it again",
        ) from None  # fmt: skip


def _batches(path: Path, file: Any, column: str, names: str | None, ids: Any) -> Iterator[NDArray[Any]]:
    """Blocks of rows; the ids go to their writer on the way."""
    columns = [column] if names is None else [column, names]
    batches = file.iter_batches(batch_size=_BATCH, columns=columns, use_threads=False)
    return blocks_of(batches, path, column, names, ids)
