"""Rows and ids that a reader in the limited child puts into a scratch file, and that this process then reads there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets import readers
from vqbench.datasets.choice import NO_IDS, Choice, pasted
from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.stated_neighbours import StatedNeighbours
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import BFLOAT16, Table
from vqbench.storage.ids import PackedIds, first_repeated
from vqbench.storage.limited import call
from vqbench.storage.limited_child import Job
from vqbench.storage.raw_rows import RawRows, stamp_of
from vqbench.storage.scratch import Temporary, check_room

#: Bytes of rows that are read into memory at once; more stay in the scratch file.
KEPT = 64 * 2**20
_FREE = 64 * 2**20  # bytes that anything may unpack to
_FACTOR = 100  # times its size that more may: vectors shrink to a fifth at best, bombs to a thousandth and less


def unpacked(path: Path, wanted: Wanted, reader: ModuleType, scratch: Temporary | None = None) -> Content:
    """What ``reader.unpack`` finds in the file, called in the limited child.

    scratch: a file that several are unpacked to, one after the other; then all rows stay in it.

    Raises VqbenchError, and ``storage.limited.Unreadable`` where a library fails or takes too much.
    """
    alone = scratch is None
    scratch = scratch or Temporary(".rows")
    files = [x for x in path.iterdir() if x.is_file() and not x.is_symlink()] if path.is_dir() else [path]
    size = sum(x.stat().st_size for x in files)
    answer = call(
        "vqbench.datasets.unpacking:unpack",
        scratch,
        size,
        getattr(reader, "IMPORTS", ()),
        reader=reader.__name__,
        folder=os.path.dirname(reader.__file__ or ""),
        path=str(path),
        wanted=asdict(wanted),
    )
    tables = {name: _table(scratch, alone, *place) for name, place in answer["tables"].items()}
    texts = {name: _texts(scratch, *place) for name, place in answer["texts"].items()}
    stated, words = None, answer["stated"]
    if words is not None:
        rows_qk, distances_qk = tables.get("neighbours_qk"), tables.get("distances_qk")
        stated = StatedNeighbours(neighbours_qk=rows_qk, distances_qk=distances_qk, **words)
    return Content(
        rows_nd=tables["rows_nd"],
        queries_qd=tables.get("queries_qd"),
        stated_neighbours=stated,
        gaps=dict(answer["gaps"]),
        query_gaps=dict(answer["query_gaps"]),
        distance=answer["distance"],
        taken=answer["taken"],
        ids=texts.get("ids"),
        query_ids=texts.get("query_ids"),
        texts=texts.get("texts"),
        labels=texts.get("labels"),
    )


def _texts(scratch: Temporary, offset: int, count: int) -> PackedIds:
    """Texts that lie in the scratch file, one after the other; where each begins stands at ``offset``."""
    return PackedIds(scratch.path, np.fromfile(scratch.path, np.int64, count, offset=offset), owner=scratch)


def _table(
    scratch: Temporary, alone: bool, path: str, offset: int, shape: list[int], dtype: str, stamp: list[int] | None
) -> Table:
    """Rows that lie in the scratch file, or plainly in the file itself (``stamp``)."""
    place = {"path": Path(path), "offset": offset, "shape": (shape[0], shape[1]), "dtype": np.dtype(dtype)}
    if stamp is not None:
        return RawRows(**place, stamp=(stamp[0], stamp[1]))
    if not alone:
        return RawRows(**place, owner=scratch)  # without a stamp: the file grows
    rows = RawRows(**place, stamp=stamp_of(scratch.path.stat()), owner=scratch)
    return rows if len(rows) * rows.stride > KEPT else rows[:]


def unpack(job: Job, reader: str, folder: str, path: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """In the child: let the reader of that name unpack a file, and say where in which file its rows lie."""
    if folder not in readers.__path__:
        readers.__path__.append(folder)
    sheet = Sheet(Path(path), job)
    content = import_module(reader).unpack(Path(path), Wanted(**wanted), sheet)
    stated = content.stated_neighbours
    tables = {**vars(content), **(vars(stated) if stated else {})}
    return {
        "tables": {
            name: (str(x.path), x.offset, x.shape, _spelled(x.dtype), x.stamp)
            for name, x in tables.items()
            if isinstance(x, RawRows)
        },
        "texts": {name: sheet.starts(x) for name, x in vars(content).items() if isinstance(x, PackedIds)},
        "gaps": list(content.gaps.items()),
        "query_gaps": list(content.query_gaps.items()),
        "stated": stated and {name: x for name, x in vars(stated).items() if isinstance(x, str)},
        "distance": content.distance,
        "taken": content.taken,
    }


def check_unique(
    path: Path,
    ids: Sequence[str],
    choice: Choice,
    texts_of: Callable[[str], Iterable[list[str]]],
    *,
    of_queries: bool = False,
    setting: str = "id_column",
) -> None:
    """Raise VqbenchError where ids repeat, naming a part whose values all differ, if there is one.

    Args:
        path: of the file, for the message.
        ids: of all rows.
        choice: what was chosen.
        texts_of: the values of a part, in batches.
        of_queries: whether they are those of the queries.
        setting: what chooses another part.
    """
    part, repeated = choice.query_ids if of_queries else choice.ids, first_repeated(ids)
    if part is None or repeated is None:
        return
    other = next((name for name in choice.id_choices if name != part.name and _all_differ(texts_of(name))), None)
    ways = [f"{pasted(setting, other)} names values that all differ"] if other else []
    raise refusal(
        path,
        place=f"ids from {part.name!r}",
        problem=f"{ids[repeated[1]][:80]!r} occurs in rows {repeated[0]} and {repeated[1]}",
        rule="ids must be unique",
        remedy=", or ".join([*ways, f"dataset.{setting}={NO_IDS} numbers the rows"]),
    )


def _spelled(dtype: np.dtype[Any]) -> str:
    """What ``np.dtype`` makes a dtype of again; the short form of bfloat16 stands for raw bytes."""
    return BFLOAT16.name if dtype == BFLOAT16 else dtype.str


class Sheet:
    """Rows and ids that are added to the scratch file of a job; the limits grow with what is to come."""

    def __init__(self, path: Path, job: Job):
        self._path, self._job, self._file = path, job, job.scratch

    def table(self, n: int | None, blocks_nd: Iterator[NDArray[Any]]) -> RawRows:
        """``n`` rows in all, at least one, from blocks that have as many columns and the same dtype each.

        n: None where only the end of the file tells.

        Raises ValueError where there are more rows or fewer, VqbenchError where they take far more than their file.
        """
        first_nd = next(blocks_nd, None)
        if first_nd is None:
            raise ValueError(f"0 rows where {n} were declared")
        if n is not None:
            self._declare(n * first_nd[:1].nbytes)
        offset, count, block_nd = self._file.tell(), 0, first_nd
        while block_nd is not None and (n is None or count <= n):
            count += len(block_nd)
            if n is None:
                self._declare(block_nd.nbytes)
            self._file.write(np.ascontiguousarray(block_nd, first_nd.dtype).view(np.uint8).data)
            block_nd = next(blocks_nd, None)
        if n is not None and count != n:
            raise ValueError(f"{count} rows {'and more ' if count > n else ''}where {n} were declared")
        self._file.flush()
        shape = (count, first_nd.shape[1])
        return RawRows(path=Path(self._file.name), offset=offset, shape=shape, dtype=first_nd.dtype)

    def unique_ids(
        self,
        n: int,
        choice: Choice,
        texts_of: Callable[[str], Iterable[list[str]]],
        *,
        of_queries: bool = False,
        setting: str = "id_column",
    ) -> PackedIds | None:
        """The chosen ids of ``n`` rows, all different.

        Args:
            n: how many there must be.
            choice: what was chosen; where its ids repeat, the refusal names a part whose values all differ.
            texts_of: the values of a part, in batches.
            of_queries: whether the ids of the queries are meant.
            setting: what chooses another part.
        """
        part = choice.query_ids if of_queries else choice.ids
        if part is None:
            return None
        differ = _Differ(texts_of(part.name))
        ids = self.texts(n, differ)
        if not differ:
            check_unique(self._path, ids, choice, texts_of, of_queries=of_queries, setting=setting)
        return ids

    def texts(self, n: int | None, batches: Iterable[list[str]]) -> PackedIds:
        """``n`` texts, one batch after the other. Raises as ``table`` does."""
        starts = [np.array([self._file.tell()])]
        for batch in batches:
            encoded = [text.encode() for text in batch]
            joined = b"".join(encoded)
            self._declare(len(joined))
            starts.append(starts[-1][-1] + np.cumsum([len(text) for text in encoded], dtype=np.int64))
            self._file.write(joined)
        self._file.flush()
        ids = PackedIds(Path(self._file.name), np.concatenate(starts))
        if n is not None and len(ids) != n:
            raise ValueError(f"{len(ids)} texts where {n} were declared")
        return ids

    def plain(self, blocks: Iterable[bytes]) -> None:
        """Bytes as they are. Raises VqbenchError where they are far more than their file."""
        for block in blocks:
            self._declare(len(block))
            self._file.write(block)

    def starts(self, texts: PackedIds) -> tuple[int, int]:
        """Where the file says where each text begins, once that was added: byte, and how many numbers."""
        offset = self._file.tell()
        self._file.write(texts.starts.tobytes())
        return offset, len(texts.starts)

    def check(self, more: int) -> None:
        """Raise VqbenchError where so many bytes more are far more than what a file of this size holds."""
        total = self._job.declared + more
        if total > max(_FREE, _FACTOR * self._job.size):
            raise refusal(
                self._path,
                problem=f"{self._job.size} bytes that unpack to {total}",
                rule=f"a file may unpack to {_FREE >> 20} MiB, or to {_FACTOR} times its size",
                remedy="if it is what you expect, unpack it yourself and save it with numpy.save",
            )

    def _declare(self, rows: int) -> None:
        self.check(rows)
        check_room(rows)
        self._job.declare(rows)


class _Differ:
    """Batches of texts as they pass, and then whether all differed: by their hashes, since texts may be long."""

    def __init__(self, batches: Iterable[list[str]]):
        self._batches, self._hashes = batches, [np.empty(0, np.int64)]

    def __iter__(self) -> Iterator[list[str]]:
        for batch in self._batches:
            self._hashes.append(np.fromiter(map(hash, batch), np.int64, len(batch)))
            yield batch

    def __bool__(self) -> bool:
        hashes_n = np.sort(np.concatenate(self._hashes))
        return not (hashes_n[1:] == hashes_n[:-1]).any()


def _all_differ(batches: Iterable[list[str]]) -> bool:
    """Whether all texts differ; False where one is no id."""
    differ = _Differ(batches)
    with suppress(VqbenchError):
        for _ in differ:
            pass
        return bool(differ)
    return False
