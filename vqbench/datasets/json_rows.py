"""The vectors, ids and texts of JSON, row by row, once it is chosen which fields they are."""

from __future__ import annotations

import json
import shlex
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from vqbench.datasets.choice import pasted
from vqbench.datasets.json_choice import Side
from vqbench.datasets.json_fields import EACH, KEYS, Field
from vqbench.datasets.json_lists import INDEX, Absent, Lists, Order, OrderError, aligned
from vqbench.datasets.readers.base import refusal
from vqbench.datasets.vector_texts import numbers
from vqbench.numerics.arrays import Table
from vqbench.storage.growing import GrowingRows
from vqbench.storage.ids import Packing

_BLOCK = 1 << 24  # bytes of numbers at a time
_NUMBERS = {int, float}
_SHOWN = 80  # characters of an error that a file tells
_DEPTH = 4  # objects within each other that are searched for an error


class Taker:
    """Takes one side from documents, one after the other."""

    def __init__(self, path: FilePath, side: Side):
        self._file, self._field, self.gaps = path, side.vectors, dict[int, str]()
        self._lists, self._failed = Lists(side.order), dict[int, tuple[str, str]]()
        beside = {"ids": side.ids, "texts": side.texts, "labels": side.labels}
        self._beside = {role: (one, Packing()) for role, one in beside.items() if one is not None}
        self._paths = [side.vectors.path, *(one.path for one, _ in self._beside.values())]
        self._rows = GrowingRows(side.vectors.width, side.vectors.dtype)
        self._block, self._n, self._finished = array("d"), 0, 0

    def take(self, document: Any, place: str) -> None:
        """Take the rows of a document. Raises VqbenchError where a value is none of its kind."""
        try:
            for vector, *values in aligned([document] * len(self._paths), self._paths, self._lists):
                for value, (role, (_, texts)) in zip(values, self._beside.items(), strict=True):
                    nameless = role == "ids" and value is None and self._lists.missing
                    self._add_text(role, texts, f"nothing at {place}" if nameless else value, place)
                where = f"id {str(values[0])[:80]!r}" if self._paths[1:] and self._paths[1][-1:] == (KEYS,) else place
                self._add(vector, where, document)
        except OrderError as error:
            rule = f"{INDEX} must number the answers to one request from 0"
            raise refusal(
                self._file, place=place, problem=str(error), rule=rule, remedy=self._way(error, place)
            ) from None
        except LookupError as error:
            names = [one.part.name for one in (self._field, *(one for one, _ in self._beside.values()))]
            rule = "each row needs one value of each"
            raise refusal(self._file, place=place, problem=f"{', '.join(names)}: {error}", rule=rule) from None

        for depth, node in self._lists.missing.items():
            what = "an empty list" if node == [] else f"a failed request{_told(document)}"
            self._failed.setdefault(depth, (place, what))
        self._lists.missing.clear()

    def _way(self, error: OrderError, place: str) -> str:
        """How records are read whose ``index`` gives no order."""
        path = self._field.path
        path = path[: max(at for at, step in enumerate(path) if step is EACH) + 1]
        if error.way == "name":
            name = ".".join(step for step in (*path, INDEX) if isinstance(step, str))
            return f"if it is an id, {pasted('id_column', name)}"
        steps = "".join("[]" if step is EACH else f"[{json.dumps(step)}]" for step in path)
        program = f"del(.{'[]' * place.startswith('row')}{steps}.{INDEX})"
        return f"to read them as they stand: {self._command('jq -c', program)}"

    def _command(self, tool: str, program: str) -> str:
        target = self._file.with_name(f"{self._file.stem}_new{self._file.suffix}")
        return f"{tool} {shlex.quote(program)} {shlex.quote(str(self._file))} > {shlex.quote(str(target))}"

    def _check_failed(self) -> None:
        """Raise VqbenchError where a list is missing that may have held several rows: all later ones would shift."""
        for depth, (place, what) in self._failed.items():
            least, most = self._lists.sizes.get(depth, (0, 0))
            if most < 2 or self._lists.order == Order.OWN_IDS:
                continue
            word, _, number = place.partition(" ")
            leave_out = {"line": ("sed", f"{number}d"), "row": ("jq -c", f"del(.[{number}])")}.get(word)
            raise refusal(
                self._file,
                place=place,
                problem=f"{what} where others hold {'up to ' * (least < most)}{most} vectors",
                rule="how many rows it stands for is unknown",
                remedy="send it again" + (f", or leave it out: {self._command(*leave_out)}" if leave_out else ""),
            )

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
            texts.add(["" if value is None or isinstance(value, Absent) else as_text(value)])
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
        if isinstance(value, Absent):
            return f"no answer has {INDEX} {value.index}"
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
        """All rows, and the texts of each role. Raises VqbenchError where it is not known which rows they are."""
        self._check_failed()
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
