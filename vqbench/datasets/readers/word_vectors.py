"""Word vectors as text: a word and its numbers a line, with blanks between them, as GloVe, word2vec and fastText do.

A first line of two whole numbers says how many words and dimensions follow; GloVe has none. A word may hold blanks,
quotes and commas: the last ``d`` fields of a line are its numbers. A ``.txt`` file of another kind is read as a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets import text_reading
from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.text_blocks import blocks_of
from vqbench.datasets.text_columns import Measured
from vqbench.datasets.text_dialect import Dialect
from vqbench.datasets.text_header import has_header
from vqbench.datasets.text_reading import unpack_table
from vqbench.datasets.text_table import TextTable
from vqbench.datasets.unpacking import Sheet
from vqbench.datasets.words import content_of

ENDINGS = (".vec", ".txt")
NEEDS = ("needs word vectors or a table of numbers, as text", "write it again")
USES = text_reading.USES
IMPORTS = text_reading.IMPORTS
_SAMPLE = 200  # lines by which word vectors are told from a table
_LEAST = 2  # numbers behind a word
_DIALECT = Dialect(delimiter=" ", quoted=False)


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read words as ids, and their numbers; or a table, where that is what the lines are."""
    lines = next(blocks_of(path, quoted=False), b"").decode().split("\n")[:_SAMPLE]
    header = re.fullmatch(r"\s*(\d+)[ \t]+(\d+)\s*", lines[0])
    after = len(lines[1].split()) if len(lines) > 1 else 0
    declared = (int(header[1]), int(header[2])) if header and after > len(header.groups()) else None
    d = declared[1] if declared else _dimensions(lines)
    if not d or (not declared and _has_names(path, lines, d)) or (not declared and (wanted.key or wanted.queries_key)):
        return unpack_table(path, wanted, sheet)
    words, measured = _Words(path=path, d=d, lines=int(declared is not None)), Measured(d)
    rows_nd = sheet.table(None, words.numbers(measured))
    if declared and len(rows_nd) != declared[0]:
        raise refusal(
            path,
            place="row 1",
            problem=f"{declared[0]:,} words declared, {len(rows_nd):,} are there",
            rule="the first line is the number of words and of dimensions",
            remedy="get the file again if it was cut off, or correct that line",
        )
    if not declared and measured.unlike(sizes=True):
        return unpack_table(path, wanted, sheet)  # numbers that are no dimensions: a table, whose columns have names
    return content_of(path, rows_nd, words.words, wanted, sheet)


def _dimensions(lines: Sequence[str]) -> int:
    """How many numbers follow each word; 0 where the lines are no words with numbers."""
    most, numeric = 0, True
    for line in filter(str.strip, lines):
        fields = line.split()
        numbers = 0
        while numbers < len(fields) and _DIALECT.is_number(fields[-1 - numbers]):
            numbers += 1
        most = min(most or numbers, numbers)
        numeric &= numbers == len(fields)
        mixed = len(line.split("\t")) > 1 and len(line.split("\t")[1].split()) != numbers
        if most < _LEAST or mixed:  # with tabs between its numbers, it is a table
            return 0
    return 0 if numeric else most


def _has_names(path: Path, lines: Sequence[str], d: int) -> bool:
    """Whether the first line names columns by numbers. Raises VqbenchError where it may be a word and its numbers."""
    rows = [line.rsplit(None, d) for line in lines if line.strip()]
    return has_header(path, _DIALECT, rows)


@dataclass(frozen=True, kw_only=True)
class _Words:
    """Lines of words with ``d`` numbers each."""

    path: Path
    d: int
    lines: int  #: before the first word

    def numbers(self, measured: Measured) -> Iterator[NDArray[np.float64]]:
        """The numbers of each word, in blocks."""
        table = TextTable(
            path=self.path, dialect=_DIALECT, width=self.d, lines=self.lines, rows=self.lines, changed=self._numbers
        )
        for block in table.numbers(range(self.d)):
            measured.add(block.rows_nd)
            yield block.rows_nd

    def words(self) -> Iterator[list[str]]:
        """The words, in blocks. Raises VqbenchError where there is none before the numbers."""
        row, skip = 1, self.lines
        for text in blocks_of(self.path, quoted=False):
            words = [self._split(line)[0].decode() for line in text.removesuffix(b"\n").split(b"\n")]
            if not all(words[skip:]):
                raise refusal(
                    self.path,
                    place=f"row {row + words.index('', skip)}",
                    problem=f"{self.d} numbers and no word",
                    rule="each line begins with a word",
                    remedy="correct that row (row 1 is the first line)",
                )
            row += len(words)
            yield words[skip:]
            skip = 0

    def _numbers(self, text: bytes) -> bytes:
        """The lines without their words."""
        return b"\n".join(self._split(line)[1] for line in text.removesuffix(b"\n").split(b"\n")) + b"\n"

    def _split(self, line: bytes) -> tuple[bytes, bytes]:
        """A word, and the last ``d`` fields with a blank between them."""
        line = line.strip()
        word, _, numbers = line.partition(b" ")
        if word and numbers.count(b" ") == self.d - 1 and b"  " not in numbers and b"\t" not in line:
            return word, numbers
        fields = line.rsplit(None, self.d)
        return (fields[0], b" ".join(fields[1:])) if len(fields) > self.d else (b"", b" ".join(fields))
