"""A Parquet table of a results folder, which may come from anyone, unpacked by the limited child."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, BinaryIO

from vqbench.storage.limited import call
from vqbench.storage.scratch import Temporary

if TYPE_CHECKING:
    import pyarrow as pa

    from vqbench.storage.limited_child import Job

_FREE, _FACTOR = 1 << 26, 1000  # bytes, and times its size, that a table may unpack to: constant columns pack well


def unpacked_table(file: BinaryIO) -> pa.Table:
    """Read all columns of a Parquet file.

    Raises:
        ValueError: it is damaged, or would become far larger than its file.
    """
    import pyarrow as pa

    scratch = Temporary(".parquet")
    size = file.seek(0, 2)
    file.seek(0)
    shutil.copyfileobj(file, scratch.file)
    call("vqbench.storage.parquet:unpack", scratch, size, ("pyarrow.parquet",))
    with scratch.path.open("rb") as unpacked:
        unpacked.seek(size)
        return pa.ipc.open_stream(pa.py_buffer(unpacked.read())).read_all()


def unpack(job: Job) -> None:
    """Add the table, as an Arrow stream, behind the Parquet file that the scratch file begins with."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open(job.scratch.name, "rb") as packed:
        content = pa.BufferReader(packed.read(job.size))
    most = max(_FREE, _FACTOR * job.size)
    job.declare(most)
    table = pq.ParquetFile(content, page_checksum_verification=True).read(use_threads=False).unify_dictionaries()
    if table.nbytes > most:
        raise ValueError(f"{job.size} bytes that unpack to {table.nbytes}")
    with pa.ipc.new_stream(job.scratch, table.schema) as stream:
        stream.write_table(table)
