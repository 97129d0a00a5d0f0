"""A table of text, read in blocks in the limited child.

Which columns are dimensions is decided by names and first rows, and checked when all rows were seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.choice import NO_IDS, Choice, Kind, Part, choose
from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.text_blocks import blocks_of
from vqbench.datasets.text_columns import (
    EMPTY,
    Measured,
    check_marks,
    distinct_names,
    expression,
    is_beside,
    is_group,
    is_index,
    part_of,
    parts_of,
    refused,
    wide,
)
from vqbench.datasets.text_dialect import Dialect, described, dialect_of, single_blanks
from vqbench.datasets.text_header import has_header
from vqbench.datasets.text_lists import parsed, width_of
from vqbench.datasets.text_table import TextTable
from vqbench.datasets.unpacking import Sheet
from vqbench.storage.ids import PackedIds, first_repeated
from vqbench.storage.raw_rows import RawRows

_SAMPLE = 200  # rows by which columns are told apart
_WIDEST = 1 << 17  # fields of a line at most
#: The fields of ``Wanted`` that choose something in a table.
USES = ("key", "queries_key", "id_column", "query_id_column", "texts", "labels")
IMPORTS = ("pyarrow.csv",)


def unpack_table(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the columns that can be dimensions only, or a column of lists; ids from a column that is called so.

    Ids are also a first column of texts, or of whole numbers beside decimals, that all differ.
    """
    table, names, header = opened(path)
    parts = parts_of(table.dialect, names, table.sample)
    empty = [column for column, part in enumerate(parts) if part.what == EMPTY]
    for column, fields in table.filled(empty, _SAMPLE).items():
        if fields:
            parts[column] = part_of(table.dialect, names[column], fields)
        elif any(row[column].strip() for row in table.sample if column < len(row)):
            parts[column] = replace(parts[column], kind=Kind.TEXT, what="text")  # such as NA, and nothing else
    if not header:
        check_marks(path, table.dialect, parts, table.sample)
    reading = _Reading(path=path, table=table, parts=parts, wanted=wanted, sheet=sheet, header=header)
    return reading.content()


def opened(path: Path) -> tuple[TextTable, tuple[str, ...], bool]:
    """Return the table, the names of its columns and whether they stand in the file."""
    text = next(blocks_of(path, quoted=True), b"").decode()
    lines, comment = 0, ""
    # As numpy.savetxt writes a header, and spreadsheets the mark between fields.
    while (text.startswith("#") and not _is_row(text)) or text[:4].lower() == "sep=":
        line, _, text = text.partition("\n")
        comment = line[1:] if line[0] == "#" else ""
        lines += 1
    dialect = dialect_of(path, text)
    if dialect.delimiter == " ":
        text = single_blanks("\n".join(text.split("\n")[: _SAMPLE + 1]))
    rows = dialect.rows(text, _SAMPLE + 1)
    width = len(rows[0])
    if width > _WIDEST:
        raise refusal(
            path,
            place="row 1",
            problem=f"{width:,} fields",
            rule=f"a row has up to {_WIDEST:,}",
            remedy="write one row for each vector, or save them as .npy",
        )
    header = has_header(path, dialect, rows, before=lines)
    names = distinct_names(rows[0]) if header else tuple(f"c{column + 1}" for column in range(width))
    above = dialect.rows(comment.strip() + "\n")
    if comment and not header and above and len(above[0]) == width:
        names, header = distinct_names(above[0]), True
    elif header:
        rows, lines = rows[1:], lines + sum(name.count("\n") for name in rows[0]) + 1
    if not rows:
        raise refusal(
            path,
            problem="a header, and no row of numbers",
            rule="needs at least one",
            remedy="write one row for each vector",
        )
    table = TextTable(path=path, dialect=dialect, width=width, lines=lines, rows=lines, sample=rows)
    return table, names, header


def _is_row(text: str) -> bool:
    """Whether the first line holds numbers, though it begins as a comment does."""
    fields = re.split(r"[,;|\s]+", text.split("\n", 1)[0])[1:]
    return 2 * sum(map(Dialect(delimiter=",").is_number, fields)) > len(fields)


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """One table and what is wanted of it."""

    path: Path
    table: TextTable
    parts: Sequence[Part]
    wanted: Wanted
    sheet: Sheet
    header: bool

    def content(self) -> Content:
        """What is taken from the file."""
        possible = wide(self.parts, self.wanted, header=self.header)
        choice = choose(self.path, [*possible, *self.parts], self.wanted)
        gaps, query_gaps = dict[int, str](), dict[int, str]()
        place = self.parts[0] if self._may_name(choice) else None
        rows_nd, members = self._vectors(choice.vectors, place, gaps)
        n, left_out = len(rows_nd), set(choice.vectors.members) - set(members)
        choice = replace(choice, vectors=self._described(choice.vectors, rows_nd, members))
        ids = self.sheet.unique_ids(n, choice, self._ids, setting=self.wanted.setting("id_column"))
        if ids is None and place is not None and place.name not in members:
            ids = self._first_column(place, left_out=bool(left_out))
            choice = choice if ids is None else replace(choice, ids=place)
        queries_qd = None if choice.queries is None else self._vectors(choice.queries, None, query_gaps)[0]
        used = {id(x) for x in (choice.ids, choice.query_ids, choice.texts, choice.labels)}
        query_members = () if choice.queries is None else choice.queries.members
        dropped = {*members, *query_members, choice.vectors.name}
        unused = [x for x in self.parts if id(x) not in used and x is not choice.queries and x.name not in dropped]
        return Content(
            rows_nd=rows_nd,
            ids=ids,
            queries_qd=queries_qd,
            query_ids=self.sheet.unique_ids(n, choice, self._ids, of_queries=True, setting="query_id_column"),
            texts=self._of(choice.texts, n),
            labels=self._of(choice.labels, n),
            gaps=gaps,
            query_gaps=query_gaps,
            taken=replace(choice, unused=tuple(unused)).sentence(self.path, "columns" if members else "column"),
        )

    def _may_name(self, choice: Choice) -> bool:
        """Whether the first column may hold ids though it is not called so: the only one of texts, or whole numbers."""
        first = self.parts[0]
        if choice.ids is not None or self.wanted.id_column not in (None, NO_IDS):
            return False
        if any(first is other for other in (choice.texts, choice.labels, choice.vectors, choice.queries)):
            return False
        only_text = first.kind == Kind.TEXT and sum(part.kind == Kind.TEXT for part in self.parts) == 1
        return only_text or is_index(first.name) or (first.kind == Kind.WHOLE and not is_beside(first.name))

    def _vectors(self, part: Part, place: Part | None, gaps: dict[int, str]) -> tuple[RawRows, tuple[str, ...]]:
        """The rows of a part, and the columns that they are from."""
        if not part.members:
            column = self.parts.index(part)
            d = width_of(row[column] for row in self.table.sample)
            return self.sheet.table(None, parsed(self.path, part.name, self.table.texts(column), d, gaps)), ()
        return self._dimensions(part, place, gaps)

    def _dimensions(self, part: Part, place: Part | None, gaps: dict[int, str]) -> tuple[RawRows, tuple[str, ...]]:
        """Rows of several columns; the first of them is left out if it holds what names rows (``place``)."""
        members, measured = part.members, Measured(len(part.members))
        leads = place is not None and len(members) > 1 and place.name in members
        decimals = any(each.kind == Kind.NUMBER for each in self.parts if each.name in members)
        left_out = leads and decimals and self.parts[0].kind == Kind.WHOLE
        rows_nd = self._write(members, left_out, gaps, measured)
        odd = (
            {}
            if self.wanted.key == part.name
            else measured.unlike(sizes=not self.header or not is_group(part, self.parts))
        )
        ids = leads and 0 in odd and measured.is_whole(0)
        rest = dict(odd) if not ids else {column - 1: words for column, words in odd.items() if column}
        kept = members[1:] if ids else members
        if rest:
            raise refused(self.path, self.parts, kept, rest)
        if ids != left_out:
            gaps.clear()
            rows_nd = self._write(members, ids, gaps, Measured(len(members)))
        return rows_nd, tuple(kept)

    def _write(self, members: Sequence[str], left_out: bool, gaps: dict[int, str], measured: Measured) -> RawRows:
        """The columns on the sheet, the first of them only if it is not left out; all are measured."""
        columns = [self._column(name) for name in members]

        def blocks() -> Iterator[NDArray[np.float64]]:
            for block in self.table.numbers(columns):
                for place, rows in block.empty.items():
                    if place or not left_out:
                        gaps.update({measured.n + row: f"field {columns[place] + 1} holds no number" for row in rows})
                measured.add(block.rows_nd)
                yield block.rows_nd[:, left_out:]

        return self.sheet.table(None, blocks())

    def _first_column(self, place: Part, *, left_out: bool) -> PackedIds | None:
        """The first column as ids, if all differ. Raises VqbenchError where it could be a dimension."""
        if self.wanted.id_column == NO_IDS:
            return None
        ids = self.sheet.texts(None, self._ids(place.name))
        if first_repeated(ids) is None:
            return ids
        if left_out:
            members = [part.name for part in self.parts if part.kind in (Kind.NUMBER, Kind.WHOLE)]
            raise refused(self.path, self.parts, members, {0: "whole numbers that repeat"})
        return None

    def _described(self, part: Part, rows_nd: RawRows, members: tuple[str, ...]) -> Part:
        n, d = rows_nd.shape
        name = expression(members, self.parts) if members and self.wanted.key != part.name else part.name
        what = ", ".join([f"{rows_nd.dtype}, {n:,} x {d:,}", *described(self.table.dialect)])
        return replace(part, name=name, what=what if members else f"lists of numbers, {n:,} x {d:,}", members=members)

    def _column(self, name: str) -> int:
        return next(column for column, part in enumerate(self.parts) if part.name == name)

    def _texts(self, name: str) -> Iterator[list[str]]:
        return self.table.texts(self._column(name))

    def _ids(self, name: str) -> Iterator[list[str]]:
        """A column as ids: as they are written, without blanks around them."""
        for texts in self._texts(name):
            yield [text.strip(" ") for text in texts]

    def _of(self, part: Part | None, n: int) -> PackedIds | None:
        return None if part is None else self.sheet.texts(n, self._texts(part.name))
