"""Folders that ``Dataset.save_to_disk`` of Hugging Face ``datasets`` writes: Arrow streams that state.json lists.

The streams are walked message by message with plain reads, so that memory holds one batch of rows, and what a
message claims is compared with the bytes that are there before pyarrow sees it. The layout of messages is that of
"Encapsulated message format" in Arrow's columnar format document; their metadata are flatbuffers.
"""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.readers.columns import blocks_of, id_column, vector_column
from vqbench.datasets.readers.unpack import unpacked
from vqbench.errors import VqbenchError
from vqbench.storage.ids import PackedIds

if TYPE_CHECKING:
    import pyarrow as pa

STATE, SPLITS = "state.json", "dataset_dict.json"
_STATE = 1 << 20  # bytes of state.json at most
_METADATA = 1 << 24  # bytes of a message's metadata at most
_MESSAGE = 1 << 29  # bytes of a message at most; save_to_disk writes 1,000 rows in each
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3  # kinds of messages
_NEXT = 0xFFFFFFFF  # stands before every message
_SAVE = "save it again with Dataset.save_to_disk"


@dataclass(frozen=True)
class _Message:
    """Where a message lies in its file, prefix, metadata and body together; rows: how many it claims to hold."""

    path: Path
    at: int
    size: int
    kind: int
    rows: int


def is_folder(path: Path) -> bool:
    """Whether ``save_to_disk`` may have written this folder."""
    return any((path / name).exists() for name in (STATE, SPLITS))


def read(path: Path, wanted: Wanted) -> Content:
    """The column that ``key`` names or the only one of lists of numbers; ids from ``id_column``, else from ``id``."""
    import pyarrow as pa

    files = _files(path)
    walked = [_messages(file) for file in files]
    at = files[0]  # the file that is read when something goes wrong
    try:
        schema = pa.ipc.read_schema(_message(walked[0][0]))
        for at, messages in zip(files[1:], walked[1:], strict=True):
            if not pa.ipc.read_schema(_message(messages[0])).equals(schema):
                raise refusal(
                    at, found="columns unlike those of the first file", rule="all files need the same", remedy=_SAVE
                )
        column, names = vector_column(path, schema, wanted.key), id_column(path, schema, wanted.id_column)
        batches = [message for messages in walked for message in messages[1:]]
        n = sum(message.rows for message in batches)
        if not n:
            raise refusal(path, found="0 rows", rule="needs at least one")
        ids = None if names is None else PackedIds.writer(n)
        blocks = blocks_of(
            _batches(batches, schema, [column, *([] if names is None else [names])]), path, column, names, ids
        )
        return Content(rows_nd=unpacked(n, blocks), ids=None if ids is None else ids.ids())
    except VqbenchError:
        raise
    except (pa.ArrowException, OSError, ValueError, struct.error) as error:
        told = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise refusal(at, found=f"cannot be read as Arrow ({told})", rule="needs whole streams", remedy=_SAVE) from None


def _files(path: Path) -> list[Path]:
    """The files that state.json lists, each a plain file in the folder itself."""
    if not (path / STATE).exists():
        names = _json(path / SPLITS).get("splits")
        shown = ", ".join(str(x)[:40] for x in names[:9]) if isinstance(names, list) else "unknown"
        raise refusal(path, found=f"splits {shown}", rule="needs one", remedy=f"name its folder, as in {path}/SPLIT")
    state = _json(path / STATE)
    listed = state.get("_data_files")
    if not isinstance(listed, list) or not listed or not all(isinstance(x, dict) for x in listed):
        raise refusal(
            path / STATE, place="_data_files", found=repr(listed)[:80], rule="needs a list of files", remedy=_SAVE
        )
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise refusal(
            path / STATE,
            found="rows that are picked by a file of indices",
            rule="needs the rows themselves",
            remedy="call flatten_indices() and save again",
        )
    return [_inside(path, each.get("filename")) for each in listed]


def _inside(path: Path, name: object) -> Path:
    plain = isinstance(name, str) and name.isprintable() and not any(x in name for x in "/\\:")
    if not isinstance(name, str) or not plain or name in ("", ".", ".."):
        raise refusal(
            path / STATE, place="filename", found=repr(name)[:80], rule="must name a file of the folder", remedy=_SAVE
        )
    return _plain(path / name)


def _plain(path: Path) -> Path:
    """A file that is there and no link: a link could name any other file."""
    if path.is_symlink():
        raise refusal(path, found="is a link", rule="must lie in the folder", remedy="copy the folder with cp -rL")
    if not path.is_file():
        raise refusal(path, found="not there, or no file", rule=f"{STATE} lists it", remedy=_SAVE)
    return path


def _json(path: Path) -> dict[str, Any]:
    content = None
    if _plain(path).stat().st_size <= _STATE:
        with contextlib.suppress(ValueError, RecursionError):
            content = json.loads(path.read_text("utf-8"))
    if not isinstance(content, dict):
        raise refusal(path, found="no JSON object", rule=f"needs one, of up to {_STATE} bytes", remedy=_SAVE)
    return content


def _messages(path: Path) -> list[_Message]:
    """The messages of a stream: a schema, then batches; every byte of the file belongs to one."""
    found: list[_Message] = []
    size = path.stat().st_size
    with open(path, "rb") as file:
        while True:
            at = file.tell()
            try:
                message = _next(path, file, size)
            except (struct.error, ValueError) as error:
                raise refusal(
                    path,
                    place=f"byte {at}",
                    found=f"no message of Arrow ({error})",
                    rule="needs a whole stream",
                    remedy=_SAVE,
                ) from None
            if message is None:
                break
            found.append(message)
            file.seek(message.at + message.size)
        if file.tell() != size:
            raise refusal(
                path,
                place=f"byte {file.tell()}",
                found=f"the stream ends here, the file at {size}",
                rule="nothing may follow",
                remedy=_SAVE,
            )
    kinds = [message.kind for message in found]
    if not found or kinds[0] != _SCHEMA or any(kind != _BATCH for kind in kinds[1:]):
        what = "dictionaries" if _DICTIONARY in kinds else f"messages of kinds {sorted(set(kinds))}"
        raise refusal(path, found=what, rule="needs a schema and then batches of rows", remedy=_SAVE)
    return found


def _next(path: Path, file: BinaryIO, size: int) -> _Message | None:
    """The message at the file's place, None at the end of the stream. Raises ValueError, struct.error."""
    at = file.tell()
    mark, length = struct.unpack("<II", file.read(8))
    if mark != _NEXT:
        raise ValueError("its first four bytes are not FF")
    if length == 0:
        return None
    if length > min(_METADATA, size - at - 8):
        raise ValueError(f"metadata of {length} bytes")
    buffer = file.read(length)
    table = _at(buffer, 0, "I")
    kind, body = _field(buffer, table, 1, "B"), _field(buffer, table, 3, "q")
    total = 8 + length + body
    if body < 0 or total > min(_MESSAGE, size - at):
        raise ValueError(f"a body of {body} bytes, {size - at - 8 - length} follow, {_MESSAGE} are allowed")
    if kind != _BATCH:
        return _Message(path, at, total, kind, 0)
    batch = table + _slot(buffer, table, 2)
    batch += _at(buffer, batch, "I")
    rows = _field(buffer, batch, 0, "q")
    if not 0 <= rows <= body:  # each row takes a byte at least
        raise ValueError(f"{rows} rows in {body} bytes")
    if _slot(buffer, batch, 3):
        raise ValueError("compressed, which save_to_disk does not do")
    return _Message(path, at, total, kind, rows)


def _at(buffer: bytes, at: int, form: str) -> int:
    if at < 0:
        raise ValueError("an offset that leads out of it")
    return struct.unpack_from(f"<{form}", buffer, at)[0]


def _slot(buffer: bytes, table: int, number: int) -> int:
    """Where a field lies, counted from its flatbuffer table; 0: not there."""
    fields = table - _at(buffer, table, "i")
    return _at(buffer, fields + 4 + 2 * number, "H") if 4 + 2 * number < _at(buffer, fields, "H") else 0


def _field(buffer: bytes, table: int, number: int, form: str) -> int:
    slot = _slot(buffer, table, number)
    return _at(buffer, table + slot, form) if slot else 0


def _message(message: _Message) -> Any:
    """The message as pyarrow has it, which verifies its metadata."""
    import pyarrow as pa

    with open(message.path, "rb") as file:
        file.seek(message.at)
        content = file.read(message.size)
    if len(content) < message.size:
        raise ValueError("the file has become shorter")
    return pa.ipc.read_message(pa.py_buffer(content))


def _batches(messages: Sequence[_Message], schema: pa.Schema, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """One batch at a time, of the columns that are wanted; offsets within them are checked before they are used.

    Batches without a row are checked, too: a damaged one may say that it has none.
    """
    import pyarrow as pa

    for message in messages:
        try:
            batch = pa.ipc.read_record_batch(_message(message), schema).select(columns)
            batch.validate(full=True)
        except (pa.ArrowException, OSError, ValueError) as error:
            told = next(iter(str(error).splitlines()), type(error).__name__)[:200]
            raise refusal(
                message.path,
                place=f"byte {message.at}",
                found=f"a damaged batch ({told})",
                rule="needs a whole stream",
                remedy=_SAVE,
            ) from None
        if batch.num_rows != message.rows:
            raise refusal(
                message.path,
                place=f"byte {message.at}",
                found=f"{batch.num_rows} rows",
                rule=f"{message.rows} were announced",
                remedy=_SAVE,
            )
        if message.rows:
            yield batch
