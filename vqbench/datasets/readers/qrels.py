"""Relevance judgements, one a line: ``query 0 document gain`` as TREC writes them, or ``query document gain`` (BEIR).

A first line may name the columns. Columns are separated by tabs, and ids may then hold blanks, or else by blanks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vqbench.datasets.compressed import plain_file
from vqbench.datasets.judgements import Judgement
from vqbench.datasets.readers.base import refusal
from vqbench.storage.ids import PackedIds

_SPACE = re.compile(r"[ \t\f\v]+")  # an id may hold any other character, a no-break space too
_BLANKS = " \f\v"
_GAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_RULE = "must be 'query 0 document gain' or 'query document gain'"
_ITERATIONS = {"0", "Q0"}  # what stands in the unused column
#: What files call the last column, in small letters.
_GAINS = ("score", "gain", "grade", "rel", "relevance", "relevancy", "relevant", "label", "judgment", "judgement")
_OF_QUERIES, _OF_DOCUMENTS = ("query", "qid", "topic"), ("doc", "corpus", "passage", "pid", "item")


@dataclass(frozen=True)
class _Columns:
    """What the first line shows: how columns are separated, and which is which."""

    #: Whether tabs separate them.
    tabs: bool
    #: How many there are.
    count: int
    #: Where the query stands, and the document.
    query: int
    document: int
    #: Whether the line names them and judges nothing.
    header: bool

    @classmethod
    def of(cls, line: str) -> _Columns:
        tabs = len(line.split("\t")) in (3, 4)
        fields = [name.strip().lower() for name in _split(line, tabs=tabs)]
        count = len(fields)
        header = count in (3, 4) and fields[-1] in _GAINS
        first, second = 0, count - 2
        if header and _names(fields[first], _OF_DOCUMENTS) and _names(fields[second], _OF_QUERIES):
            first, second = second, first
        return cls(tabs, count, first, second, header)


def read(path: Path) -> list[Judgement]:
    """Read every line of the file, plain or compressed (``.gz``, ``.zst``).

    A gain is a whole or decimal number; one below 0 is no mistake: it marks a document that is worse than useless.
    A pair that is judged again with the same gain is there as often.

    Raises:
        VqbenchError: a line is no judgement, or judges a pair again with another gain.
    """
    with plain_file(path) as (plain, _):
        return _judgements(plain, PackedIds.lines(plain))


def _judgements(path: Path, lines: Sequence[str]) -> list[Judgement]:
    judged: dict[tuple[str, str], tuple[float, int]] = {}
    judgements, columns = list[Judgement](), None
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix("\ufeff") if number == 1 else line
        if columns is None:
            columns = _Columns.of(text)
            if columns.header:
                continue
        fields = _split(text, tabs=columns.tabs)
        if len(fields) != columns.count or not _is_judgement(fields):
            raise refusal(
                path,
                place=f"line {number}",
                problem=repr(text[:80]),
                rule=_RULE,
                remedy=_remedy(fields, columns, number),
            )
        pair, gain = (fields[columns.query], fields[columns.document]), float(fields[-1])
        before, line_before = judged.setdefault(pair, (gain, number))
        if before != gain:
            raise refusal(
                path,
                place=f"line {number}",
                problem=f"query {pair[0]!r}, document {pair[1]!r}: gain {gain:g}, and {before:g} in line {line_before}",
                rule="a pair has one gain",
                remedy="remove one of them",
            )
        judgements.append((*pair, gain))
    if not judgements:
        raise refusal(path, problem="no judgement", rule=_RULE, remedy="name the file that holds them")
    if columns is not None and columns.count == 3 and {document for _, document in judged} <= _ITERATIONS:
        raise refusal(
            path,
            problem=f"the second of three columns is {judgements[0][1]} on every line: the gain is missing",
            rule=_RULE,
            remedy="write a 1 as the fourth column",
        )
    return judgements


def _is_judgement(fields: list[str]) -> bool:
    return len(fields) in (3, 4) and all(fields) and bool(_GAIN.fullmatch(fields[-1])) and len(fields[-1]) <= 300


def _remedy(fields: list[str], columns: _Columns, number: int) -> str:
    count = len(fields)
    if number == 1 and count in (3, 4) and not _GAIN.fullmatch(fields[-1]):
        return f"a line that names the columns ends in one of {', '.join(_GAINS)}"
    if count == 6 and not columns.tabs:
        return "lines of six columns are a ranking that a search wrote: name the file of judgements"
    if count > 4 and not columns.tabs:
        return f"it has {count} columns: separate the columns by tabs where ids hold blanks"
    if count in (3, 4) and count != columns.count:
        return f"the first line has {columns.count} columns, this one {count}: write all lines alike"
    return "correct or remove the line"


def _split(line: str, *, tabs: bool) -> list[str]:
    if tabs:
        return [field.strip(_BLANKS) for field in line.split("\t")]
    return [field for field in _SPACE.split(line) if field]


def _names(name: str, words: tuple[str, ...]) -> bool:
    return any(word in name for word in words)
