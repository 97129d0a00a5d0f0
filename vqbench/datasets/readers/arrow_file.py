"""Feather and other files of Arrow's IPC format, as files or streams, compressed or not: the columns of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vqbench.datasets.readers.arrow_ipc import file_batches, file_schema, opened, stream_batches, stream_schema
from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.column_kinds import Column
from vqbench.datasets.readers.columns import TABLE_IMPORTS, TABLE_USES, Columns
from vqbench.datasets.unpacking import Sheet
from vqbench.text import python_command

if TYPE_CHECKING:
    import pyarrow as pa

_WRITE = "write it again with pyarrow.feather.write_feather"
ENDINGS = (".feather", ".arrow", ".arrows", ".ipc")
NEEDS = ("needs a whole Arrow file", _WRITE)
USES = TABLE_USES
IMPORTS = TABLE_IMPORTS
_FILE, _FIRST_FEATHER = b"ARROW1", b"FEA1"  # how they begin; a stream begins with the size of its schema
_ALL = 1 << 62  # rows of a batch at most


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the columns that are meant: see ``vqbench.datasets.choice``."""
    with path.open("rb") as file:
        begins = file.read(len(_FILE))
    if begins.startswith(_FIRST_FEATHER):
        target = path.with_suffix(".parquet")
        code = f"import pandas; pandas.read_feather({str(path)!r}).to_parquet({str(target)!r})"
        raise refusal(
            path,
            problem="Feather version 1",
            rule="needs version 2",
            remedy=f"convert it: {python_command(code)}",
        )
    is_file = begins == _FILE
    kind, schema_of, batches_of = (
        ("file", file_schema, file_batches) if is_file else ("stream", stream_schema, stream_batches)
    )
    with opened(path, _WRITE, kind) as source:
        schema = schema_of(source)

    def batches(columns: Sequence[Column], most: int) -> Iterator[pa.RecordBatch]:
        with opened(path, _WRITE, kind) as source:
            yield from batches_of(source, schema, columns, most)

    n = sum(batch.num_rows for batch in batches([], _ALL))
    return Columns(path=path, schema=schema, n=n, batches=batches).content(wanted, sheet)
