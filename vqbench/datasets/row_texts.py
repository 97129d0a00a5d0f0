"""A text for each row from a file of its own (ids, groups, texts, labels): lines, an array, a list or a column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vqbench.datasets.compressed import inner_name, plain_file
from vqbench.datasets.readers.base import check_whole
from vqbench.datasets.readers.npy import header
from vqbench.datasets.refused import check_known
from vqbench.datasets.row_columns import COLUMNS, Role, column_texts, encodable, is_heading
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import blocks
from vqbench.storage.ids import PackedIds, Packing
from vqbench.text import shortened

_NOT_READ = (".npz", ".hdf5", ".h5", ".sqlite", ".sqlite3", ".db", ".safetensors", ".fvecs", ".fbin")
_BLOCK = 1 << 14  # values of an array at a time


@dataclass(frozen=True, kw_only=True)
class RowTexts:
    """The texts of a file."""

    texts: PackedIds
    #: What was taken, in one line.
    taken: str


def read_texts(path: Path, role: Role, column: str | None = None, count: int | None = None) -> RowTexts:
    """Read a text for each row.

    Args:
        path: of any ending: ``.npy``, ``.json`` and tables are read as such, all others as lines of text; a file that
            is compressed is unpacked first.
        role: what the texts are.
        column: the column of a table that holds them; None: the one that must be meant.
        count: how many rows there are, where it is known.

    Raises:
        VqbenchError: the file holds something else, or in a table no column or several can be meant.
    """
    with plain_file(path) as (plain, scratch):
        read = _read(plain, role, column, count)
    if scratch is None:
        return read
    own = read.texts.path == scratch.path
    texts = read.texts.owned(scratch) if own else read.texts
    return RowTexts(texts=texts, taken=read.taken.replace(scratch.path.name, path.name))


def _read(path: Path, role: Role, column: str | None, count: int | None) -> RowTexts:
    check_known(path)
    ending = Path(inner_name(path)).suffix.lower()
    if ending in COLUMNS:
        name, texts = column_texts(path, role, column, count)
        of = f" from {shortened(name)!r}" if name else ""
        return RowTexts(texts=texts, taken=f"{path.name}: {len(texts):,} {role.plural}{of}")
    if ending in _NOT_READ:
        raise VqbenchError(
            f"{path}: {role.plural} are not read from {ending}; write them one a line to a .txt file, or as one of "
            f".npy, .json, {', '.join(COLUMNS)}"
        )
    if column is not None:
        raise VqbenchError(
            f"{role.way(path, column)}: has no effect, since {path.name} has no columns; leave the column out"
        )
    if ending == ".npy":
        texts = _of_array(path)
    else:
        texts = _of_list(path) if ending == ".json" else _of_lines(path, role, count)
    return RowTexts(texts=texts, taken=f"{path.name}: {len(texts):,} {role.plural}")


def _of_lines(path: Path, role: Role, count: int | None) -> PackedIds:
    """A text a line. Ids and groups are on all lines but blank ones at the end, and no line names them."""
    texts = PackedIds.lines(path)
    if role.optional:
        return texts
    filled = len(texts)
    while filled and not texts[filled - 1]:
        filled -= 1
    texts = texts.first(filled)
    short = np.flatnonzero(np.diff(texts.starts) <= len("\r\n")).tolist()
    blank = next((row for row in short if not texts[row]), None)
    if blank is not None:
        raise VqbenchError(
            f"{path}: line {blank + 1}: is empty; each line needs one of the {role.plural}, correct or delete it"
        )
    if count == len(texts) and is_heading(role, texts[0], (texts[row] for row in range(1, len(texts)))):
        raise VqbenchError(
            f"{path}: line 1: {texts[0]!r} is the name of a column, and {len(texts) - 1:,} {role.plural} for {count:,} "
            f"rows are below it; write {count:,} lines, one for each row, and none that names them"
        )
    return texts


def _of_array(path: Path) -> PackedIds:
    """The values of a one-dimensional array of texts or whole numbers."""
    try:
        with path.open("rb") as file:
            header(file)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        said = "it holds Python objects" if "pickle" in str(error) or "object" in str(error) else str(error)
        raise VqbenchError(
            f"{path}: cannot be read as .npy ({shortened(said, 200)}); save texts as numpy.save(file, numpy.array(ids, "
            "dtype=str))"
        ) from None
    shape, kind = np.shape(array), np.asarray(array[:0]).dtype.kind if np.ndim(array) else ""
    if len([x for x in shape if x != 1]) > 1 or kind not in "USiu" or not shape:
        raise VqbenchError(
            f"{path}: shape {shape} of {getattr(array, 'dtype', type(array).__name__)}: needs one text or whole number "
            "a row; save them as numpy.array(ids, dtype=str)"
        )
    flat = array.reshape(-1)
    packing = Packing()
    for start, stop in blocks(len(flat), _BLOCK):
        values = np.asarray(flat[start:stop])
        try:
            packing.add(x.decode() if isinstance(x, bytes) else str(x) for x in values.tolist())
        except UnicodeError:
            raise VqbenchError(f"{path}: row {start} or one soon after it is not UTF-8; save it again as str") from None
    return packing.packed()


def _of_list(path: Path) -> PackedIds:
    """The texts and numbers of a list; of an object, those of its only list."""
    check_whole(path)
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise VqbenchError(f"{path}: cannot be read as .json ({shortened(error, 200)}); write it again") from None
    if isinstance(content, dict):
        lists = {name: each for name, each in content.items() if isinstance(each, list)}
        content = next(iter(lists.values())) if len(lists) == 1 else content
    if not isinstance(content, list):
        raise VqbenchError(f"{path}: holds no list of texts; write it as a list, as in json.dump(ids, file)")
    return _packed(_checked(path, content))


def _checked(path: Path, values: Iterable[Any]) -> Iterator[str]:
    for row, value in enumerate(values):
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise VqbenchError(
                f"{path}: entry {row} is {shortened(json.dumps(value))}: needs a text or a whole number; correct it"
            )
        yield encodable(path, f"entry {row}", str(value))


def _packed(texts: Iterable[str]) -> PackedIds:
    packing = Packing()
    packing.add(texts)
    return packing.packed()
