"""Arrays as parts of a file: what ``.npz``, HDF5 and safetensors have in common. No reader: it declares no endings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.choice import NAMES, NO_IDS, VECTORS, Choice, Kind, Part
from vqbench.datasets.part_names import words_of
from vqbench.datasets.readers.base import Content, refusal
from vqbench.datasets.unpacking import Sheet
from vqbench.numerics.arrays import BFLOAT16, is_real
from vqbench.storage.ids import PackedIds
from vqbench.storage.raw_rows import RawRows
from vqbench.text import python_command

_FIELDS = 5  # of a structured array, in a message
_DISTANCES = {"dist", "dists", "distance", "distances", "score", "scores", "similarity", "similarities"}
_SCALAR = {Kind.FLOATS: Kind.NUMBER, Kind.BYTES: Kind.WHOLE, Kind.WHOLES: Kind.WHOLE}


@dataclass(frozen=True)
class Array:
    """What a file says of an array, before it is read."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    what: str = ""  #: what it holds, where the dtype does not say so

    @property
    def extent(self) -> str:
        return " x ".join(map(str, self.shape)) or "one value"

    @property
    def part(self) -> Part:
        """What it may be."""
        what = self.what or f"{described(self.dtype)}, {self.extent}"
        return Part(name=self.name, kind=self._kind(), what=what, n=self.shape[0] if self.shape else None)

    def _kind(self) -> Kind:
        whole, real = self.dtype.kind in "iu", is_real(self.dtype)
        if self.what or 0 in self.shape:
            return Kind.OTHER
        if rows_shape(self.shape) is not None and real:
            if self.dtype.kind == "b" or (whole and self.dtype.itemsize == 1):
                return Kind.BYTES
            return Kind.WHOLES if whole else Kind.FLOATS
        if len(self.shape) == 1:
            return (
                Kind.TEXT if self.dtype.kind in "US" else Kind.WHOLE if whole else Kind.NUMBER if real else Kind.OTHER
            )
        return Kind.OTHER


def rows_shape(shape: Sequence[int]) -> tuple[int, int] | None:
    """``(n, d)`` of vectors, also of ``(n, 1, d)``, which can be meant in one way only; None of any other shape."""
    if len(shape) == 3 and shape[1] == 1:
        shape = (shape[0], shape[2])
    return (shape[0], shape[1]) if len(shape) == 2 and 0 not in shape else None


def named_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype, or bfloat16 where a library calls that two raw bytes: no other type is written so."""
    plain = dtype.kind == "V" and dtype.names is None and dtype.subdtype is None
    return BFLOAT16 if plain and dtype.itemsize == BFLOAT16.itemsize else dtype


def described(dtype: np.dtype[Any]) -> str:
    """A dtype in words."""
    if dtype.names is not None:
        return f"records of {', '.join(dtype.names[:_FIELDS])}{' ...' if len(dtype.names) > _FIELDS else ''}"
    if dtype.kind == "V" and not is_real(dtype):
        return "1-byte values such as float8 or int4" if dtype.itemsize == 1 else f"raw bytes ({dtype.str})"
    return {"U": "text", "S": "text", "O": "Python objects"}.get(dtype.kind, str(dtype))


def parts_of(arrays: Iterable[Array]) -> list[Part]:
    """The arrays as parts.

    Where there are wider tables, one of a single column holds a number for each row. Distances beside as many
    neighbours are no vectors.
    """
    arrays = list(arrays)
    parts = [array.part for array in arrays]
    widths = [(rows_shape(array.shape) or (0, 0))[1] for array in arrays]
    wide = any(part.kind in VECTORS and d > 1 for part, d in zip(parts, widths, strict=True))
    lists = {array.shape for array in arrays if array.part.kind == Kind.WHOLES}
    for at, (array, part) in enumerate(zip(arrays, parts, strict=True)):
        if wide and widths[at] == 1 and part.kind in _SCALAR:
            parts[at] = replace(part, kind=_SCALAR[part.kind])
        elif part.kind == Kind.FLOATS and array.shape in lists and _DISTANCES & {*words_of(array.name)}:
            parts[at] = replace(part, kind=Kind.OTHER)
    return parts


def check_together(path: Path, arrays: Collection[Array], noun: str, command: str) -> None:
    """Raise VqbenchError where each array may be a vector of its own, or a column; ``command`` puts them together."""
    shapes = {array.shape for array in arrays}
    if len(arrays) > 1 and len(shapes) == 1 and all(array.part.kind in (Kind.NUMBER, Kind.WHOLE) for array in arrays):
        raise refusal(
            path,
            problem=f"{len(arrays):,} {noun}s of {next(iter(shapes))[0]:,} numbers each",
            rule=f"needs all vectors in one {noun}",
            remedy=f"{python_command(f'import numpy as np{command}')} if each of them is a vector",
        )


@dataclass(frozen=True)
class Opened:
    """The arrays of a file that is open, and how its format reads them."""

    path: Path
    sheet: Sheet
    noun: str  #: what an array is called
    rows: Callable[[str], RawRows]  #: a table of that name
    values: Callable[[str], Iterator[NDArray[Any]]]  #: an array of that name, in blocks: numbers, text, UTF-8

    def content(self, choice: Choice) -> Content:
        """Read what was chosen."""
        rows_nd = self.rows(choice.vectors.name)
        queries_qd = None if choice.queries is None else self.rows(choice.queries.name)
        query_ids = None
        if queries_qd is not None and choice.query_ids is not None:
            query_ids = self.sheet.unique_ids(
                len(queries_qd), choice, self._names, of_queries=True, setting="query_id_column"
            )
        return Content(
            rows_nd=rows_nd,
            ids=self.sheet.unique_ids(len(rows_nd), choice, self._names),
            queries_qd=queries_qd,
            query_ids=query_ids,
            texts=self._shown(choice.texts, "texts", len(rows_nd)),
            labels=self._shown(choice.labels, "labels", len(rows_nd)),
            taken=choice.sentence(self.path, self.noun),
        )

    def _shown(self, part: Part | None, role: str, n: int) -> PackedIds | None:
        if part is None:
            return None
        if part.kind not in NAMES or part.n != n:
            raise refusal(
                self.path,
                place=f"dataset.{role}={part.name}",
                problem=part.what,
                rule=f"needs one value for each of the {n} rows",
                remedy=f"name another {self.noun}, or a text file with one line a row",
            )
        return self.sheet.texts(n, map(_written, self.values(part.name)))

    def _names(self, name: str) -> Iterator[list[str]]:
        """The ids in an array. Raises VqbenchError for a number that is not whole."""
        start = 0
        for block in self.values(name):
            if block.dtype.kind in "fV":
                block = block.astype(np.float64)
                broken = np.flatnonzero(~np.isfinite(block) | (block != np.rint(block)))
                if len(broken):
                    raise refusal(
                        self.path,
                        place=f"{self.noun} {name}, row {start + broken[0]}",
                        problem=str(block[broken[0]]),
                        rule="ids must be texts or whole numbers",
                        remedy=f"name another {self.noun} with dataset.id_column=NAME; dataset.id_column={NO_IDS} "
                        "numbers the rows",
                    )
                yield [str(int(x)) for x in block.tolist()]
            else:
                yield _written(block)
            start += len(block)


def _written(block: NDArray[Any]) -> list[str]:
    """Values as texts. Raises ValueError for what is no Unicode, of which numpy makes strings all the same."""
    if block.dtype.kind == "U" and (block.view(f"{block.dtype.str[0]}u4") > sys.maxunicode).any():
        raise ValueError("a text that is no Unicode")
    return [x.decode() if isinstance(x, bytes) else str(x) for x in block.tolist()]
