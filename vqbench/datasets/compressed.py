"""Files that were compressed as a whole (``.gz``, ``.zst``), unpacked into a scratch file before they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from vqbench.datasets.readers.base import Content, ending_of
from vqbench.datasets.unpacking import Sheet
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Table
from vqbench.storage.ids import PackedIds
from vqbench.storage.limited import Unreadable, call
from vqbench.storage.limited_child import Job
from vqbench.storage.raw_rows import RawRows
from vqbench.storage.scratch import Temporary

#: The ending of a compressed file, and what pyarrow calls its codec.
CODECS = {".gz": "gzip", ".zst": "zstd"}
_BLOCK = 1 << 20  # bytes that are unpacked at a time


def inner_name(path: Path) -> str:
    """Return the name that a file has once it is unpacked: its own where it is not compressed.

    >>> inner_name(Path("wiki.vec.gz"))
    'wiki.vec'
    """
    return path.stem if path.suffix.lower() in CODECS else path.name


def unpacked_file(path: Path) -> Temporary:
    """Unpack a compressed file within the limits for unpacking.

    Raises:
        VqbenchError: it is damaged, unpacks to far more than its size, or is compressed twice.
    """
    inner = ending_of(Path(inner_name(path)))
    if inner in CODECS:  # each time would multiply how much it may unpack to
        raise VqbenchError(f"{path}: is compressed twice; unpack it once")
    scratch = Temporary(inner)
    codec = CODECS[path.suffix.lower()]
    size = path.stat().st_size
    try:
        call("vqbench.datasets.compressed:unpack", scratch, size, ("pyarrow",), path=str(path), codec=codec)
    except Unreadable as error:
        raise VqbenchError(
            f"{path}: cannot be read as {path.suffix.lower()} ({error}): needs a whole file of that kind; compress it "
            "again, or get it again if it was cut off"
        ) from None
    return scratch


@contextmanager
def plain_file(path: Path) -> Iterator[tuple[Path, Temporary | None]]:
    """A file to read from, and the scratch file that it is; where it is not compressed, itself and None.

    The scratch file lives as long as it is held. Messages that are raised within name the user's file.
    """
    if path.suffix.lower() not in CODECS:
        yield path, None
        return
    scratch = unpacked_file(path)
    try:
        yield scratch.path, scratch
    except VqbenchError as error:
        raise named_as(path, scratch, error) from None


def unpack(job: Job, path: str, codec: str) -> None:
    """In the child: unpack a file into the scratch file of the job."""
    import pyarrow as pa

    sheet = Sheet(Path(path), job)
    with pa.input_stream(path, compression=codec) as stream:
        sheet.plain(iter(lambda: stream.read(_BLOCK), b""))


def named_as(path: Path, scratch: Temporary, error: VqbenchError) -> VqbenchError:
    """Return an error about the scratch file as one about the compressed file, which the user knows."""
    return VqbenchError(str(error).replace(str(scratch.path), str(path)).replace(scratch.path.name, path.name))


def owned(content: Content, path: Path, scratch: Temporary) -> Content:
    """Return the content of a scratch file, which lives as long as what was read from it."""
    return replace(
        content,
        rows_nd=_owned_rows(content.rows_nd, scratch),
        queries_qd=None if content.queries_qd is None else _owned_rows(content.queries_qd, scratch),
        **{
            name: _owned_texts(texts, scratch)
            for name in ("ids", "query_ids", "texts", "labels")
            if (texts := getattr(content, name)) is not None
        },
        taken=content.taken.replace(scratch.path.name, path.name),
    )


def _owned_rows(rows: Table, scratch: Temporary) -> Table:
    return replace(rows, owner=scratch) if isinstance(rows, RawRows) and rows.path == scratch.path else rows


def _owned_texts(texts: Sequence[str], scratch: Temporary) -> Sequence[str]:
    return texts.owned(scratch) if isinstance(texts, PackedIds) and texts.path == scratch.path else texts
