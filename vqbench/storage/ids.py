"""Ids of rows as sequences that do not hold a Python string for each row.

Ten million strings take a gigabyte. Numbered ids are made when they are asked for; others lie in a file, of
which memory holds only where each id begins, 8 bytes a row.
"""

from __future__ import annotations

import codecs
import os
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import overload

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Ints, blocks
from vqbench.numerics.draws import id_keys, named
from vqbench.storage.raw_rows import stamp_of
from vqbench.storage.scratch import Temporary

_READ = 1 << 20  # bytes of text at a time
_MANY = 1 << 14  # ids at a time
_HELD = 1 << 22  # bytes of texts in memory, and a batch
_DENSE = 8  # where so many ids are read for one that is wanted, reading them all is faster


class _Ids(Sequence[str]):
    """What the kinds of ids share: equal to any sequence of the same strings."""

    @abstractmethod
    def some(self, start: int, stop: int) -> list[str]:
        """Ids ``start`` to ``stop``."""

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: int | slice) -> str | list[str]:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            return self.some(start, max(start, stop)) if step == 1 else [self[i] for i in range(start, stop, step)]
        row = int(key) + (len(self) if key < 0 else 0)
        if not 0 <= row < len(self):
            raise IndexError(f"id {key} of {len(self)}")
        return self.some(row, row + 1)[0]

    def __iter__(self) -> Iterator[str]:
        for start, stop in blocks(len(self), _MANY):
            yield from self.some(start, stop)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


class Numbered(_Ids):
    """``prefix0``, ``prefix1``, ... for ``n`` rows that came without ids."""

    def __init__(self, n: int, prefix: str = ""):
        self._n, self._prefix = n, prefix

    def __len__(self) -> int:
        return self._n

    def some(self, start: int, stop: int) -> list[str]:
        return [f"{self._prefix}{row}" for row in range(start, stop)]


class PickedIds(_Ids):
    """Those of other ids that ``rows`` names, in that order."""

    def __init__(self, ids: Sequence[str], rows: Ints):
        self._ids, self._rows = ids, rows

    def __len__(self) -> int:
        return len(self._rows)

    def some(self, start: int, stop: int) -> list[str]:
        rows = self._rows[start:stop]
        first, last = (int(rows.min()), int(rows.max())) if len(rows) else (0, -1)
        if last - first < _DENSE * len(rows):  # near together: one read for all
            near = list(self._ids[first : last + 1])
            return [near[row - first] for row in rows.tolist()]
        return named(self._ids, rows)


class PackedIds(_Ids):
    """UTF-8 texts one after the other in a file, id i from byte ``starts[i]`` to ``starts[i + 1]``.

    ``strip``: line ends, which are no part of an id. stamp: as in ``RawRows``: a file that has changed is refused.
    """

    def __init__(
        self, path: Path, starts: Ints, *, strip: str = "", owner: object = None, stamp: tuple[int, int] | None = None
    ):
        self.path, self.starts, self._strip, self.owner, self._stamp = path, starts, strip, owner, stamp

    def __len__(self) -> int:
        return len(self.starts) - 1

    def some(self, start: int, stop: int) -> list[str]:
        edges = self.starts[start : stop + 1]
        if stop <= start:
            return []
        with open(self.path, "rb", buffering=0) as file:
            if self._stamp not in (None, stamp_of(os.fstat(file.fileno()))):
                raise self._changed()
            file.seek(int(edges[0]))
            content = file.read(int(edges[-1] - edges[0]))
        offsets = (edges - edges[0]).tolist()
        try:
            ids = [content[a:b].decode() for a, b in pairwise(offsets)]
        except UnicodeDecodeError:
            raise self._changed() from None
        return [i.rstrip(self._strip) for i in ids] if self._strip else ids

    def owned(self, owner: object) -> PackedIds:
        """The same texts, which keep ``owner`` alive: the scratch file that they lie in."""
        return PackedIds(self.path, self.starts, strip=self._strip, owner=owner, stamp=self._stamp)

    def first(self, n: int) -> PackedIds:
        """The first ``n`` of the texts."""
        return PackedIds(self.path, self.starts[: n + 1], strip=self._strip, owner=self.owner, stamp=self._stamp)

    def _changed(self) -> VqbenchError:
        return VqbenchError(f"{self.path}: has changed since it was opened: do not write to it meanwhile")

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "owner": None}

    @classmethod
    def lines(cls, path: Path) -> PackedIds:
        """The lines of a text file, with ends of any kind. Raises VqbenchError if it is no UTF-8 or holds a NUL."""
        decoder, begun, last = codecs.getincrementaldecoder("utf-8")(), 0, 0
        with open(path, "rb") as file:
            stamp = stamp_of(os.fstat(file.fileno()))
            # Editors may begin a file with a mark that it is UTF-8, which is no part of the first id.
            begun = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
            file.seek(begun)
            starts = [np.array([begun], np.int64)]
            while chunk := file.read(_READ):
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError as error:
                    raise _not_text(path, error) from None
                if b"\0" in chunk:
                    raise _not_text(path, f"byte {begun + chunk.index(0)} is 0")
                # A line begins behind \n, and behind a \r that no \n follows.
                bytes_b = np.frombuffer(bytes([last]) + chunk, np.uint8)
                before_b, here_b = bytes_b[:-1], bytes_b[1:]
                begins_b = (before_b == 10) | ((before_b == 13) & (here_b != 10))
                starts.append(begun + np.flatnonzero(begins_b))
                begun, last = begun + len(chunk), chunk[-1]
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise _not_text(path, error) from None
        return cls(path, np.concatenate([*starts, np.array([begun])]), strip="\r\n", stamp=stamp)


class Packing:
    """Texts that are added to a scratch file of their own, a batch in memory at a time.

    Example:
        >>> packing = Packing()
        >>> packing.add(["a", "b"])
        >>> list(packing.packed())
        ['a', 'b']
    """

    def __init__(self) -> None:
        self._scratch, self._starts = Temporary(".ids"), [np.zeros(1, np.int64)]
        self._held, self._size = list[bytes](), 0

    def add(self, texts: Iterable[str]) -> None:
        """Add texts. Raises UnicodeEncodeError for one that UTF-8 cannot hold, VqbenchError where the disk is full."""
        texts = iter(texts)
        while some := [text.encode() for text in islice(texts, _MANY)]:
            self._held += some
            self._size += sum(map(len, some))
            if self._size > _HELD or len(self._held) >= _MANY:
                self._write()

    def _write(self) -> None:
        self._scratch.write(b"".join(self._held))
        self._starts.append(self._starts[-1][-1] + np.cumsum([len(text) for text in self._held], dtype=np.int64))
        self._held, self._size = [], 0

    def packed(self) -> PackedIds:
        """What was added; the file lives as long as these texts do."""
        self._write()
        self._scratch.file.close()
        return PackedIds(self._scratch.path, np.concatenate(self._starts), owner=self._scratch)


def _not_text(path: Path, error: UnicodeDecodeError | str) -> VqbenchError:
    return VqbenchError(f"{path}: is not UTF-8 text ({error}): give one id a line")


def first_repeated(ids: Sequence[str]) -> tuple[int, int] | None:
    """The first row whose id stood in an earlier row, after that row; None where all ids differ."""
    keys_n = id_keys(ids)
    order_n = np.argsort(keys_n, kind="stable")
    repeats_n = keys_n[order_n[1:]] == keys_n[order_n[:-1]]
    if not repeats_n.any():
        return None
    row = int(order_n[1:][repeats_n].min())
    return int(np.flatnonzero(keys_n == keys_n[row])[0]), row


def positions(ids: Sequence[str], wanted: Collection[str]) -> dict[str, int]:
    """The row of each wanted id that is among ``ids``; one pass, without an index of all."""
    wanted = set(wanted)
    row_of: dict[str, int] = {}
    if wanted:
        for row, i in enumerate(ids):
            if i in wanted:
                row_of.setdefault(i, row)
    return row_of
