"""The vectors, ids and texts of JSON, row by row, once it is chosen which fields they are."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from vqbench.datasets.choice import Choice, Part, choose
from vqbench.datasets.json_fields import KEYS, Field, Path, Step, Survey
from vqbench.datasets.readers.base import Wanted, refusal
from vqbench.datasets.vector_texts import numbers
from vqbench.numerics.arrays import Table
from vqbench.storage.growing import GrowingRows
from vqbench.storage.ids import Packing

_BLOCK = 1 << 24  # bytes of numbers at a time
_NUMBERS = {int, float}
_SHOWN = 80  # characters of an error that a file tells
_DEPTH = 4  # objects within each other that are searched for an error
_INDEX = "index"  # by which APIs number the answers to a list


def aligned(nodes: Sequence[Any], paths: Sequence[Path]) -> Iterator[list[Any]]:
    """The values of several fields, row by row of the first one.

    What stands above its rows is repeated for each; lists and objects beside its own are gone through with it, and
    must be as long. Where there is no list, there is one row without a value.

    Raises LookupError where they differ in length, or where a field has several values in a row.
    """
    ends = [_descended(node, path) for node, path in zip(nodes, paths, strict=True)]
    if not ends[0][1]:
        if any(rest for _, rest in ends):
            raise LookupError("several values for a vector")
        yield [node for node, _ in ends]
        return
    rows, rests = [], []
    for node, rest in ends:
        rows.append(_children(node, rest[0]) if rest and isinstance(rest[0], Step) else repeat(node))
        rests.append(rest[1:])
    lengths = {len(row) for row in rows if isinstance(row, list)}
    if len(lengths) > 1:
        raise LookupError(f"{' and '.join(map(str, sorted(lengths)))} values")
    for row in zip(*(x if isinstance(x, repeat) else x for x in rows), strict=False):
        yield from aligned(row, rests)


def _descended(node: Any, path: Path) -> tuple[Any, Path]:
    """Where the names of a path lead, up to its next list; null where there is no such member."""
    for place, name in enumerate(path):
        if isinstance(name, Step):
            return node, path[place:]
        node = node.get(name) if type(node) is dict else None
    return node, ()


def _children(node: Any, step: Step) -> list[Any]:
    if type(node) is dict and node:
        return list(node) if step is KEYS else list(node.values())
    return _in_order(node) if type(node) is list and node else [None]


def _in_order(records: list[Any]) -> list[Any]:
    """By their ``index``, where each has another one."""
    numbered = [x[_INDEX] for x in records if type(x) is dict and type(x.get(_INDEX)) is int]
    if len(set(numbered)) != len(records):
        return records
    return sorted(records, key=lambda record: record[_INDEX])


@dataclass(frozen=True, kw_only=True)
class Side:
    """The fields of a corpus or of queries."""

    vectors: Field
    ids: Field | None = None
    texts: Field | None = None
    labels: Field | None = None


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What is read."""

    choice: Choice
    fields: Mapping[str, Field]  #: all of them, by name
    sides: Sequence[Side]  #: the corpus, and the queries, if there are any

    @classmethod
    def of(cls, path: FilePath, survey: Survey, wanted: Wanted) -> Chosen:
        """What is read of the fields that a survey saw. Raises VqbenchError as ``choose`` does."""
        fields = {one.part.name: one for one in survey.fields()}
        choice = choose(path, [one.part for one in fields.values()], wanted, noun="field")

        def of(part: Part | None) -> Field | None:
            return None if part is None else fields[part.name]

        corpus = Side(
            vectors=fields[choice.vectors.name], ids=of(choice.ids), texts=of(choice.texts), labels=of(choice.labels)
        )
        queries = of(choice.queries)
        sides = [corpus] if queries is None else [corpus, Side(vectors=queries, ids=of(choice.query_ids))]
        return cls(choice=choice, fields=fields, sides=sides)

    @property
    def plan(self) -> list[Any]:
        """All that decides how documents are read."""
        plan = []
        for side in self.sides:
            plan += [None if x is None else x.path for x in (side.vectors, side.ids, side.texts, side.labels)]
            plan += [side.vectors.width, side.vectors.dtype, side.vectors.form]
        return plan


class Taker:
    """Takes one side from documents, one after the other."""

    def __init__(self, path: FilePath, side: Side):
        self._file, self._field, self.gaps = path, side.vectors, dict[int, str]()
        beside = {"ids": side.ids, "texts": side.texts, "labels": side.labels}
        self._beside = {role: (one, Packing()) for role, one in beside.items() if one is not None}
        self._paths = [side.vectors.path, *(one.path for one, _ in self._beside.values())]
        self._rows = GrowingRows(side.vectors.width, side.vectors.dtype)
        self._block, self._n, self._finished = array("d"), 0, 0

    def take(self, document: Any, place: str) -> None:
        """Take the rows of a document. Raises VqbenchError where a value is none of its kind."""
        try:
            for vector, *values in aligned([document] * len(self._paths), self._paths):
                for value, (role, (_, texts)) in zip(values, self._beside.items(), strict=True):
                    self._add_text(role, texts, value, place)
                where = f"id {str(values[0])[:80]!r}" if self._paths[1:] and self._paths[1][-1:] == (KEYS,) else place
                self._add(vector, where, document)
        except LookupError as error:
            names = [one.part.name for one in (self._field, *(one for one, _ in self._beside.values()))]
            rule = "each row needs one value of each"
            raise refusal(self._file, place=place, problem=f"{', '.join(names)}: {error}", rule=rule) from None

    def _add_text(self, role: str, texts: Packing, value: Any, place: str) -> None:
        if role == "ids" and (value is None or isinstance(value, list | dict)):
            raise refusal(
                self._file,
                place=f"{place}, {self._beside[role][0].part.name}",
                problem=json.dumps(value)[:40],
                rule="each row needs an id",
                remedy="name another field with dataset.id_column, or number the rows with dataset.id_column=none",
            )
        try:
            texts.add(["" if value is None else as_text(value)])
        except UnicodeEncodeError:
            raise refusal(
                self._file,
                place=f"id {str(value)[:80]!r}" if role == "ids" else place,
                problem="half of a surrogate pair",
                rule=f"{role} must be text that UTF-8 can hold",
                remedy="correct that text",
            ) from None

    def _add(self, value: Any, place: str, document: Any) -> None:
        """One vector, or a gap."""
        row = numbers(value, self._field.form) if self._field.form else value
        try:
            if isinstance(row, np.ndarray) and len(row) == self._field.width:
                self._block.frombytes(row.tobytes())
            elif type(row) is list and len(row) == self._field.width and set(map(type, row)) <= _NUMBERS:
                self._block.fromlist(row)
            else:
                self.gaps[self._n] = self._gap(value if row is None else row, place, document)
                self._block.extend(repeat(np.nan if self._field.dtype.kind == "f" else 0, self._field.width))
        except OverflowError:
            raise self._too_large(place) from None
        self._n += 1
        if len(self._block) * self._block.itemsize >= _BLOCK:
            self._finish_block()

    def _gap(self, value: Any, place: str, document: Any) -> str:
        """Why there is no vector here. Raises VqbenchError where there is something else."""
        if value is None:
            return "null or missing" + _told(document)
        if isinstance(value, np.ndarray):
            value = value.tolist()
        wrong = [x for x in value if x is not None and type(x) not in _NUMBERS] if type(value) is list else [value]
        if wrong:
            raise refusal(
                self._file,
                place=place,
                problem=json.dumps(wrong[0])[:40],
                rule="the value must be a list of numbers",
                remedy="correct or remove it",
            )
        if len(value) == self._field.width:
            return "null among its numbers"
        return (
            f"{len(value)} number{'s' * (len(value) > 1)}, others have {self._field.width}"
            if value
            else "an empty list"
        )

    def _too_large(self, place: str) -> Exception:
        return refusal(
            self._file,
            place=place,
            problem="a number that no float can represent",
            rule="every component must be a finite number",
            remedy="correct or remove it",
        )

    def _finish_block(self) -> None:
        block_nd = np.frombuffer(self._block, np.float64).reshape(-1, self._field.width)
        finite_n = np.isfinite(block_nd).all(axis=1)
        for row in (self._finished + np.flatnonzero(~finite_n)).tolist():
            if row not in self.gaps:
                raise self._too_large(f"row {row}")
        with np.errstate(invalid="ignore", over="ignore"):
            self._rows.add(block_nd.astype(self._field.dtype))
        self._finished, self._block = self._n, array("d")

    def finish(self) -> tuple[Table, dict[str, Sequence[str]]]:
        """All rows, and the texts of each role."""
        self._finish_block()
        return self._rows.finish(), {role: texts.packed() for role, (_, texts) in self._beside.items()}


def _told(document: Any, depth: int = _DEPTH) -> str:
    """The error that a document tells of, where it does."""
    if type(document) is not dict:
        return ""
    for name, value in document.items():
        if name.lower() in ("error", "errors") and value:
            said = value.get("message", value) if type(value) is dict else value
            return f" (error: {str(said)[:_SHOWN]})"
    below = (_told(value, depth - 1) for value in document.values() if depth and type(value) is dict)
    return next(filter(None, below), "")


def values_of(documents: Iterable[Any], vectors: Field, other: Field) -> Iterator[list[str]]:
    """The values of a field for each row of the vectors, as texts, a document at a time."""
    for document in documents:
        rows = aligned([document, document], [vectors.path, other.path])
        yield [as_text(x) for _, x in rows]


def as_text(value: Any) -> str:
    """A value as an id, a text or a label; whole numbers that were written as decimals are whole numbers."""
    if isinstance(value, str):
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else json.dumps(value)
