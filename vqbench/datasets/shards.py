"""A corpus in several files, read as one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np

from vqbench.datasets.choice import NO_IDS
from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.datasets.series import lacking, order_of
from vqbench.datasets.unpacking import KEPT
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Table, blocks
from vqbench.storage.ids import Packing, first_repeated
from vqbench.storage.joined import JoinedRows
from vqbench.storage.raw_rows import RawRows, stamp_of
from vqbench.storage.scratch import Temporary
from vqbench.text import shortened

_BLOCK = 1 << 13  # rows that are copied at a time
_TEXTS = ("ids", "query_ids", "texts", "labels")


def read_files(files: Sequence[Path], wanted: Wanted) -> Content:
    """Read files one below the other. Rows stay in their files where they can; others go to one scratch file.

    Raises:
        VqbenchError: a file cannot be read, or is unlike the first one.
    """
    if len(files) == 1:
        return read(files[0], wanted)
    parts, room, texts = list[Content](), _Room(), dict[str, Packing]()
    for path in files:
        before = sum(len(x.rows_nd) for x in parts) if not parts or parts[0].ids is None else None
        part = read(path, replace(wanted, rows_before=before), room.scratch)
        if parts:
            _check_alike(files[0], parts[0], path, part)
        for name in _TEXTS:
            if (some := getattr(part, name)) is not None:
                texts.setdefault(name, Packing()).add(some)
        bare = dict.fromkeys(_TEXTS) if parts else {}  # the first one tells what all of them have
        parts.append(replace(part, rows_nd=room.kept(part.rows_nd), queries_qd=room.kept(part.queries_qd), **bare))
    packed = {name: some.packed() for name, some in texts.items()}
    if "ids" in packed:
        _check_ids(files, parts, packed["ids"])
    queries = [part.queries_qd for part in parts if part.queries_qd is not None]
    return Content(
        rows_nd=room.joined([part.rows_nd for part in parts]),
        queries_qd=room.joined(queries) if queries else None,
        ids=packed.get("ids"),
        query_ids=packed.get("query_ids"),
        texts=packed.get("texts"),
        labels=packed.get("labels"),
        distance=parts[0].distance if len({part.distance for part in parts}) == 1 else "",
        gaps=_shifted(parts, "gaps", [len(part.rows_nd) for part in parts]),
        query_gaps=_shifted(parts, "query_gaps", [len(x) for x in queries]),
        taken=_sentence(files, parts),
    )


class _Room:
    """One scratch file for all that cannot stay where it is, so that thousands of parts need no open file each."""

    def __init__(self) -> None:
        self.scratch = Temporary(".rows")
        self._kept = 0  # bytes of arrays in memory

    @overload
    def kept(self, table: Table) -> Table: ...
    @overload
    def kept(self, table: None) -> None: ...
    def kept(self, table: Table | None) -> Table | None:
        """A table in its own file, in the scratch file or, while there are few rows, in memory."""
        if table is None or (isinstance(table, RawRows) and (table.owner is None or table.owner is self.scratch)):
            return table
        if isinstance(table, np.ndarray) and self._kept + table.nbytes <= KEPT:
            self._kept += table.nbytes
            return table
        offset = self.scratch.file.seek(0, 2)  # to the end: the child adds to the file, too
        for start, stop in blocks(len(table), _BLOCK):
            self.scratch.write(np.ascontiguousarray(table[start:stop]).data)
        self.scratch.file.flush()
        shape = (len(table), table.shape[1])
        return RawRows(path=self.scratch.path, offset=offset, shape=shape, dtype=table.dtype, owner=self.scratch)

    def joined(self, tables: Sequence[Table]) -> Table:
        """Tables as one: an array where they are small, else each where it lies."""
        if sum(len(x) * x.shape[1] * x.dtype.itemsize for x in tables) <= KEPT:
            return np.concatenate([x[:] for x in tables])
        stamp = stamp_of(self.scratch.path.stat())
        return JoinedRows(
            [replace(x, stamp=stamp) if isinstance(x, RawRows) and x.owner is self.scratch else x for x in tables]
        )


def _check_alike(first: Path, one: Content, path: Path, other: Content) -> None:
    """Raise VqbenchError where a part is unlike the first one."""
    differences = [
        ("numbers a row", one.rows_nd.shape[1], other.rows_nd.shape[1]),
        ("dtype", one.rows_nd.dtype, other.rows_nd.dtype),
        *(
            (name.replace("_qd", ""), *("there" if getattr(x, name) is not None else "none" for x in (one, other)))
            for name in ("ids", "queries_qd", "query_ids", "texts", "labels")
        ),
        ("part of the file", ", ".join(_named(one)), ", ".join(_named(other))),
    ]
    for what, here, there in differences:
        if here != there:
            way = f"dataset.id_column={NO_IDS} numbers all rows" if what == "ids" else "write them again"
            raise VqbenchError(
                f"{path}: {what}: {there}, in {first}: {here}; the parts of one corpus must be alike: {way}, or "
                "leave one out"
            )


def _named(content: Content) -> list[str]:
    """The parts of a file that were taken, as its sentence names them."""
    return re.findall(r"(?:^|[ :])'((?:[^'\\]|\\.)*)'", content.taken.partition("; not used")[0])


def _check_ids(files: Sequence[Path], parts: Sequence[Content], ids: Sequence[str]) -> None:
    """Raise VqbenchError where two parts share an id, as parts do that number their rows from 0 each."""
    repeated = first_repeated(ids)
    if repeated is None:
        return
    starts = np.cumsum([0, *(len(part.rows_nd) for part in parts)])
    names = [files[int(np.searchsorted(starts, row, side="right")) - 1].name for row in repeated]
    places = f"both {names[0]} and {names[1]}" if names[0] != names[1] else f"{names[0]} twice"
    raise VqbenchError(
        f"{files[0].parent}: id {shortened(ids[repeated[1]])!r} occurs in {places}: ids must be unique; "
        f"dataset.id_column={NO_IDS} numbers the rows of all parts"
    )


def _shifted(parts: Sequence[Content], name: str, lengths: Sequence[int]) -> dict[int, str]:
    """Rows with their reasons, numbered through all parts."""
    starts = np.cumsum([0, *lengths]).tolist()
    return {
        start + row: reason
        for start, part in zip(starts, parts, strict=False)
        for row, reason in getattr(part, name).items()
    }


def _sentence(files: Sequence[Path], parts: Sequence[Content]) -> str:
    """What was taken from all parts, in one line: their shape together, and the first one's words."""
    n, d = sum(len(part.rows_nd) for part in parts), parts[0].rows_nd.shape[1]
    words = parts[0].taken.removeprefix(f"{files[0].name}: ")
    missing = lacking(files)
    order = f"{order_of(files)}{f' (number {missing} is missing)' if missing else ''}"
    names = f"{files[0].name} to {files[-1].name}"
    return f"{len(files):,} files, {names}, {order}: {n:,} x {d:,} in all; the first: {words}"
