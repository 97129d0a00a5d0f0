"""Columns of a table of text: pyarrow parses its blocks, some at a time.

pyarrow says little about where it fails. Then the block is read again by Python's csv, which finds the row and field.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.readers.base import refusal
from vqbench.datasets.text_blocks import LINE, blocks_of
from vqbench.datasets.text_dialect import MISSING, Dialect, is_missing, single_blanks

if TYPE_CHECKING:
    import pyarrow as pa

    _Parsed = tuple[bytes, pa.RecordBatch | None]

_THREADS = 4
_NULLS = [form for text in MISSING for form in (text, text.upper())]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some rows of some columns of numbers."""

    rows_nd: NDArray[np.float64]  #: NaN where a field is empty or n/a
    empty: Mapping[int, Sequence[int]]  #: rows of the block with such a field, by column of ``rows_nd``


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table of text, of which columns are read in blocks."""

    path: Path
    dialect: Dialect
    width: int  #: fields in each row
    lines: int = 0  #: before the first row of the table
    rows: int = 0  #: that those lines are, in messages
    sample: Sequence[Sequence[str]] = ()  #: the first rows
    #: Changes each block before it is parsed, such as the blanks between words and numbers.
    changed: Callable[[bytes], bytes] | None = None

    def numbers(self, columns: Sequence[int]) -> Iterator[Block]:
        """Yield columns of numbers. Raises VqbenchError for a field that is none and a row of another width."""
        import pyarrow as pa

        start = 1 + self.rows
        for text, batch in self._batches(columns, pa.float64()):
            if batch is None:
                block = self._slowly(text, start, columns)
            else:
                empty = {at: _nulls(column) for at, column in enumerate(batch.columns) if column.null_count}
                block = Block(rows_nd=batch.to_tensor(null_to_nan=True).to_numpy(), empty=empty)
            start += len(block.rows_nd)
            yield block

    def texts(self, column: int) -> Iterator[list[str]]:
        """Yield a column of texts. Raises VqbenchError for a row of another width."""
        import pyarrow as pa

        start = 1 + self.rows
        for text, batch in self._batches([column], pa.large_string()):
            texts = [row[column] for row in self._rows(text, start)] if batch is None else batch.column(0).to_pylist()
            start += len(texts)
            yield texts

    def filled(self, columns: Sequence[int], most: int) -> dict[int, list[str]]:
        """Return the first fields of columns that hold anything, wherever they stand; up to ``most`` of each."""
        import pyarrow as pa

        found, start = {column: list[str]() for column in columns}, 1 + self.rows
        for text, batch in self._batches(columns, pa.large_string()) if columns else ():
            rows = self._rows(text, start) if batch is None else []
            for place, column in enumerate(columns):
                fields = [row[column] for row in rows] if batch is None else batch.column(place).to_pylist()
                found[column] += [x for x in fields if not is_missing(x)][: most - len(found[column])]
            start += len(rows) if batch is None else batch.num_rows
            if all(len(fields) == most for fields in found.values()):
                break
        return found

    def _batches(self, columns: Sequence[int], kind: pa.DataType) -> Iterator[_Parsed]:
        """Each block as text and parsed, in order; None where pyarrow refuses it."""
        from pyarrow import csv as arrow

        names, dialect = [str(column) for column in range(self.width)], self.dialect
        read = arrow.ReadOptions(column_names=names, use_threads=False, block_size=2 * LINE)
        parse = arrow.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if dialect.quoted else False,
            newlines_in_values=dialect.quoted,
            ignore_empty_lines=False,
        )
        chosen = [names[column] for column in columns]
        convert = arrow.ConvertOptions(
            column_types=dict.fromkeys(chosen, kind),
            include_columns=chosen,
            null_values=_NULLS,
            strings_can_be_null=False,
            decimal_point=dialect.decimal,
            check_utf8=False,
        )

        def parsed(text: bytes) -> _Parsed:
            import pyarrow as pa

            text = self._plain(text)
            if dialect.quoted and text.count(b'"') % 2:  # the file may end within quotes, which pyarrow takes
                return text, None
            try:
                table = arrow.read_csv(pa.BufferReader(text), read, parse, convert)
            except (pa.ArrowInvalid, pa.ArrowKeyError):
                return text, None
            batch = table.combine_chunks().to_batches()[0]
            return text, None if _has_blank_line(text, batch) else batch

        return _in_order(parsed, self._blocks())

    def _blocks(self) -> Iterator[bytes]:
        """The blocks without the lines before the first row."""
        begun = False
        for text in blocks_of(self.path, quoted=self.dialect.quoted):
            if not begun and self.lines:
                text = b"\n".join(text.split(b"\n", self.lines)[self.lines :])
            begun = True
            if text:
                yield text

    def _plain(self, text: bytes) -> bytes:
        """The block with one blank between two fields, where blanks stand between them."""
        if self.changed:
            return self.changed(text)
        if self.dialect.delimiter == " ":
            return single_blanks(text.decode()).encode()
        return text

    def _slowly(self, text: bytes, start: int, columns: Sequence[int]) -> Block:
        """What pyarrow refuses and Python takes, such as +1.5; or the refusal that names the place."""
        rows, empty = self._rows(text, start), dict[int, list[int]]()
        rows_nd = np.empty((len(rows), len(columns)))
        for at, row in enumerate(rows):
            for place, column in enumerate(columns):
                field = row[column]
                if is_missing(field):
                    empty.setdefault(place, []).append(at)
                elif not self.dialect.is_number(field):
                    raise refusal(
                        self.path,
                        place=f"row {start + at}, field {column + 1}",
                        problem=repr(field[:40]),
                        rule="every field must be a number, except a header and columns of ids or text",
                        remedy="correct that row (row 1 is the first line, header included)",
                    )
                rows_nd[at, place] = self.dialect.number(field)
        return Block(rows_nd=rows_nd, empty=empty)

    def _rows(self, text: bytes, start: int) -> list[list[str]]:
        """The fields of each row of a block. Raises VqbenchError for a row of another width."""
        try:
            rows = self.dialect.rows(text.decode())
        except csv.Error as error:
            raise refusal(
                self.path,
                place=f"row {start} or after it",
                problem=f"its quotes cannot be read ({error})",
                rule="a quote within a field is doubled, and each is closed",
                remedy="write it again",
            ) from None
        for row, fields in enumerate(rows, start):
            if len(fields) != self.width:
                raise refusal(
                    self.path,
                    place=f"row {row}",
                    problem=f"{len(fields)} fields, the first row has {self.width}",
                    rule="all rows must have the same number",
                    remedy="correct that row (row 1 is the first line, header included)",
                )
        return rows


def _has_blank_line(text: bytes, batch: pa.RecordBatch) -> bool:
    """Whether a line may be blank, which pyarrow takes for a row of empty fields."""
    if not (b"\n\n" in text or b"\n\r\n" in text or text[:1] in (b"\n", b"\r")):
        return False
    return all(column.null_count for column in batch.columns)


def _nulls(column: Any) -> list[int]:
    return np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist()


def _in_order(work: Callable[[bytes], _Parsed], items: Iterator[bytes]) -> Iterator[_Parsed]:
    """The work on each item, some at a time in threads, in the order of the items."""
    first, second = next(items, None), next(items, None)
    if first is not None:
        yield work(first)
    if second is None:
        return
    threads = min(_THREADS, cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        pending = deque([pool.submit(work, second)])
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
