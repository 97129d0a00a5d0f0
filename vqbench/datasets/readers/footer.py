"""What the footer of a Parquet file says of its columns' sizes, read without decoding any of them.

pyarrow ends the process where it is asked for the sizes of a column whose entry is damaged (seen with 26.0), so they
are read here. The footer is a struct of Thrift's compact protocol, with field numbers of the Parquet format:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

_MOST = 1 << 24  # bytes of a footer: 10,000 groups of rows have a few million
_DEPTH = 20
_VALUES = 1_000_000  # in a footer: 10,000 pieces of columns have a fifth of that


@dataclass(frozen=True)
class Part:
    """A column's piece in one group of rows: how many numbers, and bytes unpacked and packed."""

    column: tuple[str, ...]
    numbers: int
    unpacked: int
    packed: int


def parts(path: Path) -> list[Part]:
    """The pieces of all columns. Raises ValueError where the footer is damaged, or names another file."""
    with open(path, "rb") as file:
        return parts_of(file)


def parts_of(file: BinaryIO) -> list[Part]:
    """The same of an open file."""
    end = file.seek(0, 2)
    file.seek(max(0, end - 8))
    size = int.from_bytes(file.read(4), "little")
    if not 0 < size <= min(_MOST, end - 8):
        raise ValueError(f"a footer of {size} bytes, where up to {_MOST} are read")
    file.seek(end - 8 - size)
    reader = _Compact(file.read(size))
    try:
        return [_part(chunk) for group in reader.struct()[4] for chunk in group[1]]
    except (KeyError, IndexError, TypeError, AttributeError):
        raise ValueError("its footer is damaged") from None


def _part(chunk: dict[int, Any]) -> Part:
    if 1 in chunk:
        raise ValueError("a column lies in another file")
    about = chunk[3]
    sizes = tuple(about[at] for at in (5, 6, 7))
    if any(type(x) is not int or x < 0 for x in sizes):
        raise ValueError("its footer is damaged")
    return Part(tuple(name.decode("utf-8", "replace") for name in about[3]), *sizes)


class _Compact:
    """Structs as dicts of field numbers; lists as lists; texts as bytes. IndexError behind the end."""

    def __init__(self, content: bytes):
        self._content, self._at, self._left = content, 0, _VALUES

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > _DEPTH:
            raise IndexError
        found: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            step, kind = head >> 4, head & 15
            field = field + step if step else self._signed()
            found[field] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        self._left -= 1
        if not self._left:
            raise ValueError(f"a footer of more than {_VALUES:,} values")
        if kind == 8:
            return self._bytes(self._varint())
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 12:
            return self.struct(depth + 1)
        if kind in (9, 10):
            head = self._byte()
            size, inner = head >> 4, head & 15
            size = self._varint() if size == 15 else size
            if depth > _DEPTH or size > len(self._content) - self._at:  # each takes a byte at least
                raise IndexError
            return [self._value(inner, depth + 1) for _ in range(size)]
        if kind in (1, 2, 3):
            return self._byte()
        if kind == 7:
            return self._bytes(8)
        raise IndexError  # maps and what else there is do not stand in a footer

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _bytes(self, size: int) -> bytes:
        if size > len(self._content) - self._at:
            raise IndexError
        self._at += size
        return self._content[self._at - size : self._at]

    def _varint(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
        raise IndexError

    def _signed(self) -> int:
        """Zigzag: 0, -1, 1, -2, ... as 0, 1, 2, 3, ..."""
        found = self._varint()
        return (found >> 1) ^ -(found & 1)
