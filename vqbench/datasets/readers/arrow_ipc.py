"""Streams and files of Arrow (its IPC format), memory-mapped: batches of chosen columns, each checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vqbench.datasets.readers.base import refusal
from vqbench.datasets.readers.column_kinds import Column

if TYPE_CHECKING:
    import pyarrow as pa

_END = b"\xff\xff\xff\xff\0\0\0\0"  # of a stream that is whole


@contextmanager
def opened(file: Path, remedy: str, kind: str = "stream") -> Iterator[pa.MemoryMappedFile]:
    """The mapped file. What pyarrow says of a damaged one names the file."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as source:
            yield source
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise refusal(file, problem=f"no Arrow {kind} ({said})", rule="needs a whole one", remedy=remedy) from None


def stream_schema(source: pa.MemoryMappedFile) -> pa.Schema:
    """Names and types of the columns of a stream."""
    import pyarrow as pa

    with pa.ipc.open_stream(source) as stream:
        return stream.schema


def file_schema(source: pa.MemoryMappedFile) -> pa.Schema:
    """Names and types of the columns of a file."""
    import pyarrow as pa

    with pa.ipc.open_file(source) as file:
        return file.schema


def stream_batches(
    source: pa.MemoryMappedFile, schema: pa.Schema, columns: Sequence[Column], most: int
) -> Iterator[pa.RecordBatch]:
    """Some columns of a stream, in batches of at most ``most`` rows.

    The stream must end where its file does: pyarrow takes one that was cut between batches for a whole one.
    """
    import pyarrow as pa

    with pa.ipc.open_stream(source, options=_options(schema, columns)) as stream:
        for batch in stream:
            yield from _checked(batch, most)
    end, size = source.tell(), source.size()
    source.seek(max(0, size - len(_END)))
    if end != size or source.read() != _END:
        raise ValueError(f"it ends at byte {end} of {size}, and must end there with FF FF FF FF 00 00 00 00")


def file_batches(
    source: pa.MemoryMappedFile, schema: pa.Schema, columns: Sequence[Column], most: int
) -> Iterator[pa.RecordBatch]:
    """Some columns of a file, in batches of at most ``most`` rows."""
    import pyarrow as pa

    with pa.ipc.open_file(source, options=_options(schema, columns)) as file:
        for at in range(file.num_record_batches):
            yield from _checked(file.get_batch(at), most)


def _options(schema: pa.Schema, columns: Sequence[Column]) -> pa.ipc.IpcReadOptions:
    """Reads the named columns only; where none is named, the one that costs least, so that rows can be counted."""
    import pyarrow as pa
    import pyarrow.types as t

    names = schema.names
    fields = sorted({names.index(column.path[0]) for column in columns})
    if not fields and names:
        fields = [min(range(len(names)), key=lambda at: (t.is_nested(schema.field(at).type), at))]
    return pa.ipc.IpcReadOptions(included_fields=fields, use_threads=False)


def _checked(batch: pa.RecordBatch, most: int) -> Iterator[pa.RecordBatch]:
    batch.validate(full=True)  # offsets that lead out of it, a number of rows that is not true
    for start in range(0, batch.num_rows, most):
        yield batch.slice(start, most)
