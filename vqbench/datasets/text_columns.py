"""Which columns of a table of text are dimensions: by their names, and by what stands in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.choice import Kind, Part, wide_parts
from vqbench.datasets.part_names import is_id_name, words_of
from vqbench.datasets.readers.base import Wanted, refusal
from vqbench.datasets.text_dialect import Dialect, is_missing
from vqbench.datasets.text_lists import is_list, is_whole_list
from vqbench.errors import VqbenchError

#: Words in the names of columns that stand beside vectors.
_BESIDE = {
    *("label", "labels", "class", "classes", "target", "targets", "category", "cluster", "group", "split", "fold"),
    *("count", "counts", "freq", "frequency", "num", "number", "score", "scores", "rank", "rating", "weight", "votes"),
    *("price", "year", "month", "day", "date", "time", "timestamp", "created", "updated", "version", "age"),
    *("length", "len", "size", "tokens", "chars", "words", "index", "row", "rowid", "page", "chunk", "position"),
    *("offset", "start", "end", "lat", "latitude", "lon", "longitude", "lang", "language", "norm", "distance"),
}
#: What a column without any value is.
EMPTY = "empty"
_LARGE = 100  # times the usual root mean square: what CLIP's largest dimension has is 23
_RISING = 10  # rows that rise by chance in one of 3.6 million columns
_FIRST = 1024  # rows in which whole numbers are compared
_NUMBERS_HELD = 1 << 21  # numbers of them at most
_TELLING = 100  # rows of numbers that repeat, among which one column of differing ones is no chance
_REPEATED = 0.9  # share of different numbers up to which they repeat: random bytes have 0.83 in 100 rows
_BYTE = 255
_NUMBERS = (Kind.NUMBER, Kind.WHOLE)


def parts_of(dialect: Dialect, names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Part]:
    """Describe each column by its first rows."""
    columns = ([row[column] for row in rows if column < len(row)] for column in range(len(names)))
    return [part_of(dialect, name, fields) for name, fields in zip(names, columns, strict=True)]


def part_of(dialect: Dialect, name: str, fields: Sequence[str]) -> Part:
    """Describe a column by some fields; it holds numbers, or lists, if most of those that hold anything do."""
    fields = [field.strip() for field in fields if not is_missing(field)]
    numbers, lists = [x for x in fields if dialect.is_number(x)], [x for x in fields if is_list(x)]
    if not fields:
        return Part(name=name, kind=Kind.OTHER, what=EMPTY)
    if 2 * len(numbers) >= len(fields):
        whole = all(dialect.number(x) % 1 == 0 for x in numbers)
        kind = Kind.WHOLE if whole else Kind.NUMBER
        return Part(name=name, kind=kind, what="whole numbers" if whole else "numbers")
    if 2 * len(lists) >= len(fields):
        whole = all(map(is_whole_list, lists))
        kind, what = (Kind.WHOLES, "lists of whole numbers") if whole else (Kind.FLOATS, "lists of numbers")
        return Part(name=name, kind=kind, what=what)
    return Part(name=name, kind=Kind.TEXT, what="text")


def check_marks(path: Path, dialect: Dialect, parts: Sequence[Part], rows: Sequence[Sequence[str]]) -> None:
    """Raise VqbenchError where texts end in a number behind another mark: the first dimension would be lost in them."""
    for column, part in enumerate(parts):
        fields = [row[column] for row in rows if column < len(row)]
        if part.kind == Kind.TEXT and all(re.search(r"[\t;|, ] *[-+]?\d*\.\d+(e[-+]?\d+)?$", x) for x in fields):
            raise refusal(
                path,
                place=f"column {part.name!r}",
                problem=f"{fields[0][-40:]!r} ends in a number",
                rule=f"all fields need the same delimiter, here {dialect.delimiter!r}",
                remedy="write it again with commas between all fields, and texts in quotes",
            )


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of which no two are alike, as pandas changes them: ``Unnamed: 0`` for none, ``a.1`` for a second."""
    distinct, counts = dict[str, None](), dict[str, int]()
    for column, written in enumerate(names):
        name = unique = written.strip() or f"Unnamed: {column}"
        while unique in distinct:
            counts[name] = counts.get(name, 0) + 1
            unique = f"{name}.{counts[name]}"
        distinct[unique] = None
    return tuple(distinct)


def wide(parts: Sequence[Part], wanted: Wanted, *, header: bool) -> list[Part]:
    """Return what the columns of numbers can be together: the vectors, or several that could be.

    Columns that are called alike and numbered go together. Where there are none, and no lists, all columns of numbers
    do but those whose names say that they hold something else. One column alone is no vector unless a key names it.
    """
    taken = {wanted.id_column, wanted.query_id_column, wanted.texts, wanted.labels}
    free = [part for part in parts if part.kind in _NUMBERS and part.name not in taken]
    groups = wide_parts(free)
    keys = [key for key in (wanted.key, wanted.queries_key) if key and key not in [part.name for part in parts]]
    if keys:
        named = [part for key in keys if (part := _named(key, parts, groups))]
        if len(named) == len(keys):
            return named
    groups = [group for group in groups if not is_beside(group.members[0])] or groups
    if all(group.kind == Kind.WHOLES for group in groups):
        groups = [replace(group, kind=Kind.FLOATS) for group in groups]
    groups = [replace(group, name=expression(group.members, parts)) for group in groups]
    members = {name for group in groups for name in group.members}
    free = [part for part in free if not header or not _is_named_otherwise(part.name)]
    lists = any(part.kind == Kind.FLOATS for part in parts)
    if len(free) < 2 or (groups and len(free) <= 2 * len(members)) or (lists and not groups):
        return groups
    names = [part.name for part in free]
    return [*groups, Part(name=expression(names, parts), kind=Kind.FLOATS, what="", members=tuple(names))]


def is_index(name: str) -> bool:
    """Whether a column is called as pandas calls an index without a name."""
    return name in ("index", "level_0") or name.startswith("Unnamed: ")


def is_beside(name: str) -> bool:
    """Whether a column is called like labels, counts and other things that stand beside vectors."""
    return bool(_BESIDE & set(words_of(name)))


def is_group(part: Part, parts: Sequence[Part]) -> bool:
    """Whether the columns of a part are called alike by letters, and numbered."""
    groups = wide_parts([each for each in parts if each.name in part.members])
    return len(groups) == 1 and set(groups[0].members) == set(part.members) and not part.members[0][0].isdecimal()


def _is_named_otherwise(name: str) -> bool:
    return is_beside(name) or is_index(name) or is_id_name(name)


def expression(names: Sequence[str], parts: Sequence[Part]) -> str:
    """Name several columns so that ``dataset.key`` can: ``d0-d15``, ``a+c-e``."""
    chosen, runs = set(names), list[list[str]]()
    for part, before in zip(parts, [None, *parts], strict=False):
        if part.name in chosen:
            if before is not None and before.name in chosen:
                runs[-1].append(part.name)
            else:
                runs.append([part.name])
    return "+".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _named(key: str, parts: Sequence[Part], groups: Sequence[Part]) -> Part | None:
    """The columns that a key names: names, patterns and ranges with ``+`` between them."""
    members = dict[str, None]()
    for term in key.split("+"):
        terms = _of_term(term, parts)
        if not terms:
            return None
        members |= dict.fromkeys(terms)
    order = next((group.members for group in groups if set(group.members) == set(members)), tuple(members))
    return Part(name=key, kind=Kind.FLOATS, what="", members=order)


def _of_term(term: str, parts: Sequence[Part]) -> list[str]:
    names = [part.name for part in parts]
    if term in names:
        return [term]
    numbers = [part.name for part in parts if part.kind in _NUMBERS]
    for split in (at for at, char in enumerate(term) if char == "-"):
        first, last = term[:split], term[split + 1 :]
        if first in names and last in names:
            between = names[names.index(first) : names.index(last) + 1]
            return [name for name in between if name in numbers]
    return [name for name in numbers if fnmatchcase(name, term)]


class Measured:
    """What ``d`` columns of numbers hold, over all rows."""

    def __init__(self, d: int):
        self.n = 0
        self._whole_d, self._rising_d = np.ones(d, bool), np.ones(d, bool)
        self._squares_d, self._last_d = np.zeros(d), np.full(d, -np.inf)
        self._most = min(_FIRST, max(1, _NUMBERS_HELD // d))
        self._first = list[NDArray[np.float64]]()  # rows that whole numbers are compared in

    def add(self, rows_nd: NDArray[np.float64]) -> None:
        """Look at more rows, at least one."""
        with np.errstate(invalid="ignore", over="ignore"):
            squares_nd = rows_nd * rows_nd
            sums_d = squares_nd.sum(axis=0)
            if not np.isfinite(sums_d).all():  # such rows are refused later, with their numbers
                sums_d = np.where(np.isfinite(squares_nd), squares_nd, 0).sum(axis=0)
            self._squares_d += sums_d
            if self._whole_d.all() and self.n < self._most:
                self._first.append(rows_nd[: self._most - self.n].copy())
            for column in np.flatnonzero(self._whole_d):
                x_n = rows_nd[:, column]
                self._whole_d[column] = ((np.floor(x_n) == x_n) | np.isnan(x_n)).all()
                self._rising_d[column] &= (np.diff(x_n, prepend=self._last_d[column]) > 0).all()
        self._last_d = rows_nd[-1]
        self.n += len(rows_nd)

    def is_whole(self, column: int) -> bool:
        """Whether a column holds whole numbers only."""
        return bool(self._whole_d[column])

    def unlike(self, *, sizes: bool) -> dict[int, str]:
        """Return the columns that are unlike the others, and how; ``sizes``: also those of another size.

        Zeros only are a dimension that is not used, as in a few of MiniLM's.
        """
        if len(self._whole_d) == 1:
            return {}
        zero_d = self._squares_d == 0
        odd = dict[int, str]()
        if not self._whole_d.all() and self.n > 1:
            odd = dict.fromkeys(np.flatnonzero(self._whole_d & ~zero_d).tolist(), "whole numbers beside decimals")
        elif self._whole_d.all() and self.n >= _RISING:
            odd = dict.fromkeys(np.flatnonzero(self._rising_d).tolist(), "whole numbers that rise from row to row")
            if sizes:
                odd |= dict.fromkeys(self._differing(), "whole numbers that all differ, beside some that repeat")
        if sizes and not zero_d.all():
            usual = float(np.median(self._squares_d[~zero_d]))
            for column in np.flatnonzero(self._squares_d > _LARGE**2 * usual).tolist():
                times = np.sqrt(self._squares_d[column] / usual)
                odd.setdefault(column, f"numbers {times:,.0f} times as large as the others")
        return odd

    def _differing(self) -> list[int]:
        """Columns of whole numbers that all differ while those of the others repeat.

        Among a hundred rows that says enough; among fewer, the column must exceed a byte while all others are bytes.
        """
        first_nd = np.concatenate(self._first)
        n = len(first_nd)
        sorted_nd = np.sort(first_nd, axis=0)
        distinct_d = 1 + (np.diff(sorted_nd, axis=0) > 0).sum(axis=0)
        low_d, high_d = sorted_nd[0], sorted_nd[-1]
        wide_d = (high_d > _BYTE) | (low_d < -(_BYTE // 2) - 1) | ((low_d < 0) & (high_d > _BYTE // 2))
        if n >= _TELLING and np.median(distinct_d) <= _REPEATED * n:
            return np.flatnonzero(distinct_d == n).tolist()
        columns = np.flatnonzero((distinct_d == n) & wide_d)
        return columns.tolist() if wide_d.sum() == len(columns) == 1 else []


def refused(path: Path, parts: Sequence[Part], members: Sequence[str], odd: dict[int, str]) -> VqbenchError:
    """The refusal of columns that may be no dimensions, with the settings that decide."""
    names, first = [members[column] for column in odd], next(iter(odd))
    rest = [name for name in members if name not in names]
    ways = [f"{setting('key', expression(members, parts))} takes all columns as dimensions"]
    if rest:
        ways.insert(0, f"{setting('key', expression(rest, parts))} leaves {'it' if len(odd) == 1 else 'them'} out")
    more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
    return refusal(
        path,
        place=f"column {members[first]!r}{more}",
        problem=odd[first],
        rule="may be ids, labels or counts",
        remedy=", ".join(ways),
    )


def setting(name: str, value: str) -> str:
    """A setting as it is pasted into a shell."""
    plain = re.fullmatch(r"[\w.+*@-]+", value, re.ASCII) and not Dialect(delimiter=",").is_number(value)
    return f"dataset.{name}={value}" if plain else f"'dataset.{name}=\"{value}\"'"
