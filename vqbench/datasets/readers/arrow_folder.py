"""Folders that ``Dataset.save_to_disk`` of Hugging Face ``datasets`` writes: Arrow streams that state.json lists."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqbench.datasets.readers.arrow_ipc import opened, stream_batches, stream_schema
from vqbench.datasets.readers.base import FOLDER, Content, Wanted, refusal
from vqbench.datasets.readers.column_kinds import Column
from vqbench.datasets.readers.columns import TABLE_IMPORTS, TABLE_USES, Columns
from vqbench.datasets.unpacking import Sheet

if TYPE_CHECKING:
    import pyarrow as pa

_SAVE = "save it again with Dataset.save_to_disk"
ENDINGS = (FOLDER,)
NEEDS = ("needs whole streams", _SAVE)
USES = TABLE_USES
IMPORTS = TABLE_IMPORTS
STATE, SPLITS = "state.json", "dataset_dict.json"
_STATE = 1 << 20  # bytes of state.json at most
_ALL = 1 << 62  # rows of a batch at most


def is_folder(path: Path) -> bool:
    """Whether ``save_to_disk`` may have written this folder."""
    return any((path / name).exists() for name in (STATE, SPLITS))


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the columns that are meant: see ``vqbench.datasets.choice``."""
    files = _files(path)
    schema = _schema(files[0])
    for file in files[1:]:
        if not _schema(file).equals(schema):
            raise refusal(
                file, problem="columns unlike those of the first file", rule="all files need the same", remedy=_SAVE
            )

    def batches(columns: Sequence[Column], most: int) -> Iterator[pa.RecordBatch]:
        for file in files:
            with opened(file, _SAVE) as source:
                yield from stream_batches(source, schema, columns, most)

    n = sum(batch.num_rows for batch in batches([], _ALL))
    return Columns(path=path, schema=schema, n=n, batches=batches).content(wanted, sheet)


def _schema(file: Path) -> pa.Schema:
    with opened(file, _SAVE) as source:
        return stream_schema(source)


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
