"""Folders that ``Dataset.save_to_disk`` of Hugging Face ``datasets`` writes: Arrow streams that state.json lists."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqbench.datasets.readers.base import FOLDER, Content, Wanted, refusal
from vqbench.datasets.readers.columns import id_column, texts, vector_column, vectors
from vqbench.datasets.unpacking import Sheet

if TYPE_CHECKING:
    import pyarrow as pa

_SAVE = "save it again with Dataset.save_to_disk"
ENDINGS = (FOLDER,)
NEEDS = ("needs whole streams", _SAVE)
USES = ("key", "id_column")
IMPORTS = ("pyarrow", "pyarrow.compute")
STATE, SPLITS = "state.json", "dataset_dict.json"
_STATE = 1 << 20  # bytes of state.json at most
_END = b"\xff\xff\xff\xff\0\0\0\0"  # of a stream that is whole


def is_folder(path: Path) -> bool:
    """Whether ``save_to_disk`` may have written this folder."""
    return any((path / name).exists() for name in (STATE, SPLITS))


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the column that ``key`` names or the only one of lists of numbers; ids from ``id_column``, else ``id``."""
    files = _files(path)
    schema = _schema(files[0])
    for file in files[1:]:
        if not _schema(file).equals(schema):
            raise refusal(
                file, problem="columns unlike those of the first file", rule="all files need the same", remedy=_SAVE
            )
    column, names = vector_column(path, schema, wanted.key), id_column(path, schema, wanted.id_column)
    n = sum(batch.num_rows for file in files for batch in _batches(file))
    if not n:
        raise refusal(path, problem="0 rows", rule="needs at least one")

    def batches(name: str) -> Iterator[pa.RecordBatch]:
        return (batch for file in files for batch in _batches(file, name))

    return Content(
        rows_nd=sheet.table(n, vectors(path, batches(column), column)),
        ids=None if names is None else sheet.texts(n, texts(path, batches(names), names)),
    )


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[tuple[pa.MemoryMappedFile, pa.RecordBatchReader]]:
    """The file and its stream. What pyarrow says of a damaged one names the file."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
            yield source, stream
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        said = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise refusal(file, problem=f"no Arrow stream ({said})", rule="needs a whole one", remedy=_SAVE) from None


def _schema(file: Path) -> pa.Schema:
    with _opened(file) as (_, stream):
        return stream.schema


def _batches(file: Path, column: str | None = None) -> Iterator[pa.RecordBatch]:
    """The batches of a stream, of one column checked, or all as they are.

    The stream must end where its file does: pyarrow takes one that was cut between batches for a whole one.
    """
    with _opened(file) as (source, stream):
        for batch in stream:
            if column is not None:
                batch = batch.select([column])
                batch.validate(full=True)  # offsets that lead out of it, a number of rows that is not true
            yield batch
        end, size = source.tell(), source.size()
        source.seek(max(0, size - len(_END)))
        if end != size or source.read() != _END:
            raise ValueError(f"it ends at byte {end} of {size}, and must end there with FF FF FF FF 00 00 00 00")


def _files(path: Path) -> list[Path]:
    """The files that state.json lists, each a plain file in the folder itself."""
    if not (path / STATE).exists():
        splits = _json(path / SPLITS).get("splits")
        names = ", ".join(str(x)[:40] for x in splits[:9]) if isinstance(splits, list) else "unknown"
        raise refusal(path, problem=f"splits {names}", rule="needs one", remedy=f"name its folder, as in {path}/SPLIT")
    state = _json(path / STATE)
    listed = state.get("_data_files")
    if not isinstance(listed, list) or not listed or not all(isinstance(x, dict) for x in listed):
        raise refusal(
            path / STATE, place="_data_files", problem=repr(listed)[:80], rule="needs a list of files", remedy=_SAVE
        )
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise refusal(
            path / STATE,
            problem="rows that are picked by a file of indices",
            rule="needs the rows themselves",
            remedy="call flatten_indices() and save again",
        )
    return [_inside(path, each.get("filename")) for each in listed]


def _inside(path: Path, name: object) -> Path:
    plain = isinstance(name, str) and name.isprintable() and not any(x in name for x in "/\\:")
    if not isinstance(name, str) or not plain or name in ("", ".", ".."):
        raise refusal(
            path / STATE, place="filename", problem=repr(name)[:80], rule="must name a file of the folder", remedy=_SAVE
        )
    return _plain(path / name)


def _plain(path: Path) -> Path:
    """A file that is there and no link: a link could name any other file."""
    if path.is_symlink():
        raise refusal(path, problem="is a link", rule="must lie in the folder", remedy="copy the folder with cp -rL")
    if not path.is_file():
        raise refusal(path, problem="not there, or no file", rule=f"{STATE} lists it", remedy=_SAVE)
    return path


def _json(path: Path) -> dict[str, Any]:
    content = None
    if _plain(path).stat().st_size <= _STATE:
        with contextlib.suppress(ValueError, RecursionError):
            content = json.loads(path.read_text("utf-8"))
    if not isinstance(content, dict):
        raise refusal(path, problem="no JSON object", rule=f"needs one, of up to {_STATE} bytes", remedy=_SAVE)
    return content
