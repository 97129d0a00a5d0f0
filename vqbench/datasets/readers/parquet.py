"""Parquet: a column of lists of numbers, and a column of ids if there is one.

Its columns are compressed, so that no single row can be read: they are unpacked once, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.columns import id_column, texts, vector_column, vectors
from vqbench.datasets.unpacking import Sheet

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".parquet",)
NEEDS = ("needs a whole Parquet file", "write it again")
USES = ("key", "id_column")
IMPORTS = ("pyarrow.parquet", "pyarrow.compute")
_BATCH = 1 << 13  # rows at a time, at most
_BYTES = 1 << 24  # bytes at a time
_BUFFER = 1 << 20  # bytes of each column that are read ahead


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the column that ``key`` names or the only one of lists of numbers; ids from ``id_column``, else ``id``."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, buffer_size=_BUFFER, page_checksum_verification=True) as file:

        def batches(column: str, size: int = _BATCH) -> Iterator[pa.RecordBatch]:
            return file.iter_batches(batch_size=size, columns=[column], use_threads=False)

        column = vector_column(path, file.schema_arrow, wanted.key)
        names = id_column(path, file.schema_arrow, wanted.id_column)
        n = file.metadata.num_rows
        if n < 1:
            raise refusal(path, problem=f"{n} rows", rule="needs at least one", remedy="write it again")
        first_nd = next(vectors(path, batches(column, 1), column))
        size = max(1, min(_BATCH, _BYTES // max(1, first_nd.nbytes)))
        return Content(
            rows_nd=sheet.table(n, vectors(path, batches(column, size), column)),
            ids=None if names is None else sheet.texts(n, texts(path, batches(names), names)),
        )
