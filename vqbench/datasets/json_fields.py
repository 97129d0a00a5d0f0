"""Which fields JSON has: values that stand at the same place of every record, whoever wrote it.

A place is a path: names of members, and a step ``EACH`` through the elements of a list (or the values of an object
whose members are rows, ``{id: vector}``). ``data.embedding`` of ``{"data": [{"embedding": [...]}, ...]}`` is
``("data", EACH, "embedding")``. Lines of a file, and elements of a list at the top, are *documents*: each has the same
fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np

from vqbench.datasets.choice import FILE, Kind, Part
from vqbench.datasets.number_bytes import as_float32, of_16_bits
from vqbench.datasets.sparse import SPARSE, sparse_pair
from vqbench.datasets.vector_texts import decoded, dtype_of, form_of


class Step(Enum):
    """A step of a path that is no name."""

    EACH = 1  #: every element of a list, every value of an object
    KEYS = 2  #: every key of an object


EACH, KEYS = Step.EACH, Step.KEYS
Path = tuple[str | Step, ...]
_MOST = 1000  # members that are told apart in one object
_MOST_NODES = 20_000  # in all
_SAMPLES = 8  # texts that are looked into
_WIDTHS = 1000  # lengths of lists that are told apart
_DEPTH = 6  # objects within each other that are searched for a vector


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field, and how to read it."""

    part: Part
    path: Path
    width: int = 0  #: numbers in most of its vectors
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float64))
    form: str = ""  #: how its texts hold vectors; empty: they are lists
    several: bool = False  #: whether each row holds several vectors, as of tokens


class Survey:
    """What stands where, in all documents that were looked at.

    lone: whether there is one document, an object whose members may be rows or columns.
    listed: whether documents are the elements of one list.
    index: the name of the field that is the index of a table of pandas; empty where there is none.
    """

    def __init__(self, *, lone: bool, listed: bool = False, index: str = ""):
        self._lone, self._listed, self._root, self._documents = lone, listed, _Node(), 0
        self.nodes, self.index = 0, index

    def look(self, document: Any) -> None:
        self._documents += 1
        self._root.look(document, self, self._lone)

    def fields(self) -> list[Field]:
        """All fields, in the order in which they were first seen."""
        found: dict[str, Field] = {}
        for one in self._root.fields_below((), "", self._documents, "", self._listed):
            if one.part.name == self.index:
                one = replace(one, part=replace(one.part, is_index=True))
            found.setdefault(one.part.name, one)
        return _columns(list(found.values()))


class _Node:
    """All values that stand at one place."""

    __slots__ = ("decimals", "each", "elements", "filled", "high", "keyed", "low", "members", "others", "reals",
                 "samples", "texts", "total", "vectors", "wholes", "widths")  # fmt: skip

    def __init__(self) -> None:
        self.members: dict[str, _Node] = {}
        self.each: _Node | None = None
        self.keyed = False  # whether the elements are the values of an object
        self.filled = self.elements = 0  # lists and such objects that have elements, and how many
        self.texts = self.wholes = self.reals = self.others = 0
        self.samples: list[str] = []
        self.vectors = self.total = 0  # lists of numbers, and how many numbers
        self.widths: Counter[int] = Counter()
        self.decimals, self.low, self.high = False, 0, 0

    def look(self, value: Any, survey: Survey, lone: bool) -> None:
        kind = type(value)
        if kind is dict:
            self._object(value, survey, lone)
        elif kind is list:
            self._list(value, survey)
        elif kind is str:
            self.texts += 1
            if len(self.samples) < _SAMPLES and value:
                self.samples.append(value)
        elif kind is int:
            self.wholes += 1
        elif kind is float:
            self.reals += 1
        elif value is not None:
            self.others += 1

    def _object(self, value: dict[str, Any], survey: Survey, lone: bool) -> None:
        if lone and is_map(value):
            self._elements(value.values(), len(value), survey)
            self.keyed = True
            return
        keys = {tuple(x) for x in value.values() if lone and type(x) is dict and is_map(x)}
        for name, member in value.items():
            node = self.members.get(name)
            if node is None:
                if len(self.members) >= _MOST or survey.nodes >= _MOST_NODES:
                    self.others += 1
                    continue
                survey.nodes += 1
                node = self.members[name] = _Node()
            if keys and type(member) is dict and tuple(member) in keys:  # a column beside one of vectors
                node._elements(member.values(), len(member), survey)
                node.keyed = True
            else:
                node.look(member, survey, lone)

    def _list(self, value: list[Any], survey: Survey) -> None:
        first = first_of(value)
        if type(first) is float:
            self.decimals = True
        elif type(first) is int:
            whole = [x for x in value if type(x) is int]
            self.decimals = self.decimals or any(type(x) is float for x in value)
            self.low, self.high = min(self.low, *whole), max(self.high, *whole)
        elif first is not None:
            self._elements(value, len(value), survey)
            return
        if first is not None:
            self.vectors += 1
            self.total += len(value)
            if len(self.widths) < _WIDTHS or len(value) in self.widths:
                self.widths[len(value)] += 1

    def _elements(self, values: Iterable[Any], count: int, survey: Survey) -> None:
        self.each = self.each or _Node()
        self.filled += count > 0
        self.elements += count
        for value in values:
            self.each.look(value, survey, False)

    def fields_below(self, path: Path, name: str, n: int, table: str, listed: bool = False) -> Iterator[Field]:
        """Those of this place and of all below it.

        n: how often it stands there; table: whose rows these are; listed: whether it is an element of a list.
        """
        if self.texts + self.wholes + self.reals + self.others + self.vectors:
            yield self._field(path, name, n, table)
        sparse = self._sparse() if path else set()
        for member, node in self.members.items():
            for one in node.fields_below((*path, member), f"{name}.{member}" if name else member, n, table):
                hidden = member in sparse and one.path == (*path, member)
                yield replace(one, part=replace(one.part, kind=Kind.OTHER, what=SPARSE), width=0) if hidden else one
        if self.each is not None:
            rows = self.elements + n - self.filled
            inner = (name or "records") if self.each.has_vectors() and self.each.members else table
            for one in self.each.fields_below((*path, EACH), name, rows, inner, listed=True):
                if (
                    listed
                    and self.filled > 1
                    and self.elements > self.filled
                    and one.width
                    and len(one.path) == len(path) + 1
                ):
                    what = f"{self.elements:,} vectors in {n:,} lists"
                    one = replace(one, part=replace(one.part, kind=Kind.OTHER, what=what), several=True)
                yield one
            if self.keyed:
                part = Part(name=f"{name}.keys" if name else "keys", kind=Kind.TEXT, what="text", n=rows, table=inner)
                yield Field(part=part, path=(*path, KEYS))

    def _sparse(self) -> set[str]:
        """The members that together hold a sparse vector: lists of the same lengths, one of places."""
        lists = {name: node for name, node in self.members.items() if node.vectors and not node.each}
        names = sparse_pair({name: Kind.FLOATS if x.decimals else Kind.WHOLES for name, x in lists.items()})
        return names if len({(x.total, x.vectors) for x in map(lists.__getitem__, names)}) == 1 else set()

    def has_vectors(self) -> bool:
        """Whether a record of this kind holds a vector."""
        here = self.vectors or (self.samples and form_of(self.samples))
        return bool(here) or any(node.has_vectors() for node in self.members.values())

    def _field(self, path: Path, name: str, n: int, table: str) -> Field:
        form, width, dtype, remedy = "", 0, np.dtype(np.float64), ""
        others = self.wholes + self.reals + self.others
        of_text = form_of(self.samples) if self.texts > others + self.vectors else None
        if self.vectors >= others + self.texts and self.vectors:
            width, most = self.widths.most_common(1)[0]
            kind = Kind.FLOATS if 2 * most >= self.vectors else Kind.WHOLES
            if not self.decimals and name:
                low, high = self.low, self.high
                fits = low >= -128 and high <= 127 if low < 0 else high <= 255
                dtype = np.dtype(np.int8 if low < 0 else np.uint8) if fits else dtype
                kind = Kind.BYTES if fits and kind == Kind.FLOATS else Kind.WHOLES
            numbers = dtype.name if self.decimals or dtype.itemsize == 1 else "whole numbers"
            what = f"{numbers}, {n:,} x {width:,}" if 2 * most >= self.vectors else f"lists of {numbers}"
        elif of_text is not None:
            form, width = of_text
            kind, dtype, what = Kind.FLOATS, dtype_of(form), f"{form}, {n:,} x {width:,}"
        elif self.texts and (of_bits := self._of_16_bits())[0]:
            (what, remedy), kind = of_bits, Kind.OTHER
        elif self.texts:
            kind, what = (Kind.OTHER, "mixed") if self.others or self.vectors else (Kind.TEXT, "text")
        elif self.reals + self.wholes and not self.others:
            kind, what = (Kind.NUMBER, "numbers") if self.reals else (Kind.WHOLE, "whole numbers")
        else:
            kind, what = Kind.OTHER, "true or false" if self.others and not others - self.others else "mixed"
        part = Part(name=name or "values", kind=kind, what=what, n=n, table=table, remedy=remedy)
        return Field(part=part, path=path, width=width, dtype=dtype, form=form)

    def _of_16_bits(self) -> tuple[str, str]:
        """What base64 of 16-bit numbers is, in words, and the code that makes float32 of it; else nothing."""
        blobs = [content for text in self.samples if (content := decoded(text))]
        types, what = of_16_bits(blobs) if len(blobs) == len(self.samples) else ((), "")
        if not types:
            return "", ""
        length = max(map(len, (text.rstrip("=") for text in self.samples)))
        return f"base64: {what}", (
            f"import base64 as b,re,numpy as np;s=open({FILE}).read();"
            f"open('float32'+{FILE}[{FILE}.rindex('.'):],'w').write("
            f"re.sub('[A-Za-z0-9+/]{{{length}}}=*',lambda m:b.b64encode({as_float32(types, 'b.b64decode(m[0])')})"
            ".decode(),s))"
        )


def first_of(value: list[Any]) -> Any:
    """The first element that is not null."""
    first = value[0] if value else None
    return next((x for x in value if x is not None), None) if first is None else first


def is_map(value: dict[str, Any]) -> bool:
    """Whether the members of an object are rows: most are vectors, or all are records with a vector at one place."""
    kinds = Counter(_looks(member) for member in value.values() if member is not None)
    if kinds["table"] or (kinds["object"] and kinds["vector"]):
        return False
    if kinds["vector"]:
        return 2 * kinds["vector"] > kinds.total()
    records = [member for member in value.values() if type(member) is dict]
    if len(records) < 2 or kinds["object"] < kinds.total():
        return False
    return bool(set.intersection(*(set(_vector_paths(record, _DEPTH)) for record in records)))


def _looks(value: Any) -> str:
    if type(value) is dict:
        return "object"
    if type(value) is not list:
        return "other"
    return "vector" if type(first_of(value)) in (int, float) else "table" if value else "empty"


def _vector_paths(record: dict[str, Any], depth: int) -> Iterator[tuple[str, ...]]:
    for name, value in record.items():
        if _looks(value) == "vector" or (type(value) is str and form_of([value])):
            yield (name,)
        elif type(value) is dict and depth:
            yield from ((name, *rest) for rest in _vector_paths(value, depth - 1))


def _columns(fields: Sequence[Field]) -> list[Field]:
    """A list of numbers beside a table that is as long is a column of it; what stands once beside a table is none."""
    tables = [one for one in fields if one.width and EACH in one.path]
    lengths = {(one.path.count(EACH), one.part.n) for one in tables}
    most = max((one.part.n or 0 for one in fields if one.width), default=0)
    finished = []
    for one in fields:
        n, total = one.part.n or 0, one.width * (one.part.n or 0)
        if one.width and not one.form and one.path[-1:] != (EACH,) and (one.path.count(EACH) + 1, total) in lengths:
            whole = one.part.what.startswith(("whole", "int8", "uint8"))
            kind, what = (Kind.WHOLE, "whole numbers") if whole else (Kind.NUMBER, "numbers")
            part = replace(one.part, kind=kind, what=what, n=total)
            one = Field(part=part, path=(*one.path, EACH))
        elif one.width and n == 1 < most:
            one = replace(one, part=replace(one.part, kind=Kind.OTHER))
        elif n == 1 < most:
            continue  # a value of the whole file, such as the model's name
        finished.append(one)
    return finished
