"""Parquet: the columns of a table, compressed, so that no single row can be read.

They are unpacked once, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.column_kinds import Column
from vqbench.datasets.readers.columns import TABLE_IMPORTS, TABLE_USES, Columns
from vqbench.datasets.unpacking import Sheet

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".parquet",)
NEEDS = ("needs a whole Parquet file", "write it again")
USES = TABLE_USES
IMPORTS = ("pyarrow.parquet", *TABLE_IMPORTS)
_BUFFER = 1 << 20  # bytes of each column that are read ahead
_ENCRYPTED = b"PARE"  # ends a file whose footer is encrypted


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the columns that are meant: see ``vqbench.datasets.choice``."""
    import pyarrow.parquet as pq

    try:
        # Read ahead as a whole (pre_buffer), a row group of a gigabyte would lie in memory.
        with pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False, page_checksum_verification=True) as file:

            def batches(columns: Sequence[Column], size: int) -> Iterator[pa.RecordBatch]:
                names = [".".join(column.path) for column in columns]
                return file.iter_batches(batch_size=size, columns=names, use_threads=False)

            table = Columns(path=path, schema=file.schema_arrow, n=file.metadata.num_rows, batches=batches)
            return table.content(wanted, sheet)
    except OSError as error:
        if "decrypt" in str(error) or "encrypt" in str(error) or _ends_encrypted(path):
            raise refusal(
                path,
                problem="is encrypted",
                rule="needs a Parquet file without a key",
                remedy="read it with its key and write it again with pyarrow.parquet.write_table",
            ) from None
        raise


def _ends_encrypted(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_ENCRYPTED)))
        return file.read() == _ENCRYPTED
