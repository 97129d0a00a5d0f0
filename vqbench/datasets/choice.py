"""Which column, array or tensor of a file holds the vectors, the ids and the queries: one set of rules for all formats.

What can be meant in one way only is taken, and said. What could be meant in two ways is refused, with the names and
the setting that chooses. Floating-point numbers come before bytes; longer whole numbers (token ids, labels, counts)
are vectors only where the user names them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fnmatch import fnmatchcase
from os.path import commonprefix
from pathlib import Path

from vqbench.datasets.part_names import ID_NAMES, INDEX, is_beside_name, is_id_name, side, without_side
from vqbench.datasets.readers.base import Wanted, refusal
from vqbench.text import did_you_mean, python_command, shortened

#: Stands for the path of a file in Python code: names are in it as ``repr`` writes them, without such a sign.
FILE = "\0file\0"


class Kind(IntEnum):
    """What a part of a file holds for each row; of the first three, the smaller is the likelier vector."""

    FLOATS = 1  #: floating-point numbers, as many in each row
    BYTES = 2  #: int8, uint8 or bool, as many in each row
    WHOLES = 3  #: longer whole numbers, or lists of varying length
    TEXT = 4  #: one text
    WHOLE = 5  #: one whole number
    NUMBER = 6  #: one number that need not be whole
    OTHER = 7  #: anything else


VECTORS = (Kind.FLOATS, Kind.BYTES, Kind.WHOLES)
#: What can name a row.
NAMES = (Kind.TEXT, Kind.WHOLE, Kind.NUMBER)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A column, array or tensor of a file."""

    name: str
    kind: Kind
    what: str  #: in words: "float32, 300 x 24", "lists of int64", "text"
    n: int | None = None  #: rows, where they are known and may differ between the parts
    table: str = ""  #: the table whose rows it belongs to; empty: any that is as long
    members: tuple[str, ...] = ()  #: the columns of a wide table that make one part, in order
    remedy: str = ""  #: the Python that writes it as float32, with ``FILE`` for the path, where it is no vector yet
    is_index: bool = False  #: whether the writer marked it as the index of its table, as pandas does

    @property
    def setting(self) -> str:
        """What names it in a setting: of a wide table a pattern."""
        return f"{commonprefix(self.members)}*" if self.members else self.name

    @property
    def is_small(self) -> bool:
        """Whether it is a wide table of few columns, which may be scores or coordinates."""
        return 0 < len(self.members) < _FEW


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is read from a file."""

    vectors: Part
    ids: Part | None = None
    queries: Part | None = None
    query_ids: Part | None = None
    texts: Part | None = None
    labels: Part | None = None
    unused: tuple[Part, ...] = ()
    id_choices: tuple[str, ...] = ()  #: other parts that could name the rows

    def sentence(self, path: Path, noun: str) -> str:
        """What was taken and what was not, in one line."""
        words = f"{path.name}: {noun} {shortened(self.vectors.name)!r} ({self.vectors.what})"
        named = {"ids": self.ids, "texts": self.texts, "labels": self.labels, "queries": self.queries}
        named["query ids"] = self.query_ids
        parts = [f"{role} from {shortened(part.name)!r}" for role, part in named.items() if part is not None]
        words = ", ".join([words, *parts])
        if self.unused:
            words += f"; not used: {_listed(self.unused)}"
        return words


#: ``id_column=none`` numbers the rows, whatever the file has.
NO_IDS = "none"
_LISTED = 8  # parts in a sentence
_FEW = 8  # columns of a wide table that give way to a column of lists


def pair(parts: Sequence[Part]) -> tuple[Part, Part] | None:
    """Corpus and queries, where two parts are called like a usual pair: train/test, passage_x/query_x; else None."""
    if len(parts) != 2:
        return None
    by_side = {side(part.name): part for part in parts}
    rest = [without_side(part.name) for part in parts]
    if set(by_side) != {"corpus", "queries"} or rest[0] != rest[1]:
        return None
    return by_side["corpus"], by_side["queries"]


def choose(path: Path, parts: Sequence[Part], wanted: Wanted, *, noun: str = "column") -> Choice:
    """Choose what is read.

    Args:
        path: of the file, for messages.
        parts: all that the file holds, in its order.
        wanted: what the user asked for.
        noun: what a part is called: column, array, dataset, tensor, field.

    Raises:
        VqbenchError: nothing can be meant, or two parts can; a name is not there.
    """
    vectors, queries = _vectors(path, parts, wanted, noun)
    if wanted.queries and queries is not None and wanted.key is None:
        vectors, queries = queries, None
    ids, others = _ids(path, parts, wanted, noun, vectors, queries)
    query_ids = _query_ids(path, parts, wanted, noun, queries, ids)
    fits = [part for part in parts if _as_long(part, vectors)]
    shown = [None if x is None else _named(path, fits, x, key, noun, parts) for x, key in _shown(wanted)]
    taken = {id(part) for part in (vectors, queries, ids, query_ids, *shown) if part is not None}
    members = {name for part in (vectors, queries) if part is not None for name in part.members}
    return Choice(
        vectors=vectors,
        ids=ids,
        queries=queries,
        query_ids=query_ids,
        texts=shown[0],
        labels=shown[1],
        unused=tuple(part for part in parts if id(part) not in taken and part.name not in members),
        id_choices=_id_choices(others, parts),
    )


def _id_choices(others: Sequence[Part], parts: Sequence[Part]) -> tuple[str, ...]:
    """Other parts that could name the rows, the likeliest first; numbers that are measured name none."""
    members = {name for part in parts for name in part.members}
    named = [x for x in others if x.name not in members and (x.kind != Kind.NUMBER or is_id_name(x.name))]
    return tuple(part.name for part in sorted(named, key=lambda part: not is_id_name(part.name)))


def pasted(setting: str, name: str | Path) -> str:
    """Return a setting of the dataset as a shell takes it.

    >>> pasted("key", "emb"), pasted("key", "e (v2)")
    ('dataset.key=emb', "'dataset.key=e (v2)'")
    """
    return shlex.quote(f"dataset.{setting}={name}")


def wide_parts(parts: Sequence[Part]) -> list[Part]:
    """Columns of numbers that are called alike and numbered (``dim_0``, ``dim_1``, ...) as one part each, in order."""
    groups: dict[str, list[tuple[int, Part]]] = {}
    for part in parts:
        match = re.fullmatch(r"(.*?)([0-9]{1,9})", part.name)
        if match:
            groups.setdefault(match[1], []).append((int(match[2]), part))
    wide = []
    for numbered in groups.values():
        order = sorted(number for number, _ in numbered)
        whole = len(order) > 1 and order[0] in (0, 1) and order == list(range(order[0], order[0] + len(order)))
        if whole and all(part.kind in (Kind.NUMBER, Kind.WHOLE) for _, part in numbered):
            members = [part for _, part in sorted(numbered, key=lambda pair: pair[0])]
            kinds = list(dict.fromkeys(part.what for part in members))
            kind = Kind.FLOATS if any(part.kind == Kind.NUMBER for part in members) else Kind.WHOLES
            kind = Kind.BYTES if set(kinds) <= {"int8", "uint8"} else kind
            name = f"{members[0].name} ... {members[-1].name}"
            what = f"{len(members)} columns, {', '.join(kinds)}"
            wide.append(Part(name=name, kind=kind, what=what, members=tuple(part.name for part in members)))
    return wide


def _shown(wanted: Wanted) -> Iterable[tuple[str | None, str]]:
    return ((wanted.texts, "texts"), (wanted.labels, "labels"))


def _vectors(path: Path, parts: Sequence[Part], wanted: Wanted, noun: str) -> tuple[Part, Part | None]:
    """The part with the vectors, and the one with queries."""
    possible = [part for part in parts if part.kind in VECTORS]
    queries = None
    if wanted.queries_key is not None and not wanted.queries:
        queries = _named(path, possible, wanted.queries_key, "queries_key", noun, parts)
    if wanted.key is not None:
        return _named(path, possible, wanted.key, wanted.setting("key"), noun, parts), queries
    rest = [part for part in possible if part is not queries]
    likely, beside = _likely(rest)
    both = pair(likely) if queries is None and not beside else None
    if both is not None:
        return both
    if len(likely) == 1 and not beside and likely[0].kind != Kind.WHOLES:
        return likely[0], queries
    if not likely:
        raise refusal(
            path,
            problem=f"{noun}s with vectors: none; it has {_listed(parts) or 'nothing'}",
            rule="needs rows of numbers",
            remedy=_converted(path, parts) or f"store each vector as a list of floats in one {noun}",
        )
    setting = wanted.setting("key")
    own = "queries" if wanted.queries else "corpus"
    order = sorted(likely, key=lambda part: (own, "", *{"corpus", "queries"} - {own}).index(side(part.name)))
    way = pasted(setting, order[0].setting)
    if len(likely) > 1 and not wanted.queries and queries is None and side(order[-1].name) == "queries":
        way += f" and {pasted('queries_key', order[-1].setting)} for queries"
    rule = f"more than one {noun} could hold the vectors" if len(likely) > 1 else "whole numbers may be token ids"
    if beside:
        rule = f"names like {shortened(beside[0].name)!r} are usual for labels, scores and masks"
    raise refusal(
        path,
        problem=f"{noun}{'s' * (len(likely) > 1)} {_listed(likely)}",
        rule=rule,
        remedy=f"choose with dataset.{setting}=NAME, as in {way}",
    )


def _likely(parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """The parts that are likely vectors, and those of them whose names speak against it, where these make a doubt."""
    beside = [part for part in parts if is_beside_name(part.name)]
    likely = [part for part in parts if part not in beside]
    likely = [part for part in likely if part.kind == min(part.kind for part in likely)]
    likely = [part for part in likely if not part.is_small] or likely
    best = likely[0].kind if likely else Kind.OTHER
    doubtful = [part for part in beside if part.kind <= best] if best != Kind.FLOATS else []
    return [*likely, *doubtful], doubtful


def _ids(
    path: Path, parts: Sequence[Part], wanted: Wanted, noun: str, vectors: Part, queries: Part | None
) -> tuple[Part | None, list[Part]]:
    """The part with the rows' ids, if there is one, and others that could name rows."""
    fits = _that_name(parts, vectors)
    if wanted.id_column == NO_IDS and all(part.name != NO_IDS for part in fits):
        return None, fits
    if wanted.id_column is not None:
        ids = _named(path, fits, wanted.id_column, wanted.setting("id_column"), noun, parts)
        return ids, [part for part in fits if part is not ids]
    order = {"queries": 0, "": 1, "corpus": 2} if wanted.queries else {"": 0, "corpus": 0, "queries": 1}
    usual = [part for part in fits if part.is_index or is_id_name(part.name)]
    # Those of the other side name rows of this one only where there is nothing else.
    usual.sort(key=lambda part: (order[side(part.name)], _rank(part)))
    if queries is not None and len(fits) > 1:
        usual = [part for part in usual if side(part.name) != "queries"]
    ids = next(iter(usual), None)
    return ids, [part for part in fits if part is not ids]


def _query_ids(
    path: Path, parts: Sequence[Part], wanted: Wanted, noun: str, queries: Part | None, ids: Part | None
) -> Part | None:
    """The part with the queries' ids, where the file has queries."""
    if queries is None:
        if wanted.query_id_column is not None:
            raise refusal(
                path,
                place=f"dataset.query_id_column={wanted.query_id_column}",
                problem="has no effect",
                rule=f"no {noun} of this file is taken for queries",
                remedy="name one with dataset.queries_key=NAME, or leave it out",
            )
        return None
    fits = _that_name(parts, queries)
    if wanted.query_id_column == NO_IDS and all(part.name != NO_IDS for part in fits):
        return None
    if wanted.query_id_column is not None:
        return _named(path, fits, wanted.query_id_column, "query_id_column", noun, parts)
    usual = sorted((part for part in fits if is_id_name(part.name)), key=_rank)
    own = [part for part in usual if side(part.name) == "queries"]
    if queries.n is None:  # columns of one table: a row is a pair, and its id names both
        return next(iter(own), ids)
    return next(iter(own), None)


def _that_name(parts: Sequence[Part], rows: Part) -> list[Part]:
    """The parts that can name some rows."""
    return [part for part in parts if part.kind in NAMES and _as_long(part, rows) and part.name not in rows.members]


def _rank(part: Part) -> tuple[bool, int, int]:
    """The likeliest ids first: no index of numbers, the least nested, exact names before others."""
    *above, last = re.split(r"[./]", part.name.strip())
    place = ID_NAMES.index(last.lower()) if last.lower() in ID_NAMES else len(ID_NAMES)
    is_index = part.name == INDEX or (part.is_index and not is_id_name(part.name))
    return is_index and part.kind != Kind.TEXT, len(above), place


def _as_long(part: Part, rows: Part) -> bool:
    """Whether a part has a value for each row of another: it is of that table, or of none, and as long."""
    return part.table in ("", rows.table) and (part.n is None or rows.n is None or part.n == rows.n)


def _named(
    path: Path, parts: Sequence[Part], name: str, setting: str, noun: str, everything: Sequence[Part] = ()
) -> Part:
    """The part that a setting names; for columns of a wide table also a pattern, as in ``dim_*``.

    everything: all parts of the file, where only ``parts`` can be meant.
    """
    for part in parts:
        if part.name == name:
            return part
    matched = [part for part in parts if part.members and any(fnmatchcase(x, name) for x in part.members)]
    if len(matched) == 1 and "*" in name:
        return matched[0]
    elsewhere = "" if setting.endswith("key") else " of another table"
    whats = [f"{part.what}{elsewhere if part.table else ''}" for part in everything if part.name == name]
    hint = did_you_mean(name, [part.name for part in parts], "")
    raise refusal(
        path,
        place=f"dataset.{setting}={name}",
        problem=f"this {noun} is {whats[0]}" if whats else f"no such {noun}",
        rule=f"it could be: {_listed(parts) or 'none'}",
        remedy=_converted(path, [part for part in everything if part.name == name])
        or (hint if hint.startswith("did") and not whats else ""),
    )


def _converted(path: Path, parts: Sequence[Part]) -> str:
    """The line that converts the first part that needs it, where one does."""
    code = next((part.remedy for part in parts if part.remedy), "").replace(FILE, repr(str(path)))
    return f"convert them: {python_command(code)}" if code else ""


def _listed(parts: Sequence[Part]) -> str:
    members = {name for part in parts for name in part.members}
    parts = [part for part in parts if part.name not in members]
    listed = [shortened(x.name) + (f" ({x.what})" if x.name != x.what else "") for x in parts[:_LISTED]]
    return ", ".join(listed) + (f" and {len(parts) - _LISTED} more" if len(parts) > _LISTED else "")
