"""The lists of JSON whose elements are rows: gone through side by side, in the order that answers state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import repeat
from typing import Any

from vqbench.datasets.json_fields import KEYS, Path, Step

INDEX = "index"  # by which APIs number the answers to a list


class Order(Enum):
    """What the ``index`` of records says."""

    ANSWERS = 1  #: the place of each among all: one that is missing is a row without a vector
    OWN_IDS = 2  #: their order; each has an id of its own, so a missing one shifts no other
    NONE = 3  #: nothing: it is an id, or the index of a table


@dataclass(frozen=True)
class Absent:
    """Stands for a record that is missing by the ``index`` of the others."""

    index: int


class OrderError(LookupError):
    """The ``index`` of records gives no order. way: how its records can be read."""

    def __init__(self, problem: str, way: str):
        super().__init__(problem)
        self.way = way


class Lists:
    """Goes through lists, and remembers those that are missing: how many rows these held is not known."""

    def __init__(self, order: Order = Order.OWN_IDS):
        self.order = order
        self.sizes = dict[int, tuple[int, int]]()  #: elements at least and at most, by how deep the list lies
        self.missing = dict[int, Any]()  #: what stands in place of a list, or an empty one

    def elements(self, node: Any, step: Step, depth: int) -> list[Any]:
        """The elements of a list or object, of which there is one without a value where it is missing."""
        if type(node) not in (dict, list) or not node:
            self.missing[depth] = node
            return [None]
        least, most = self.sizes.get(depth, (len(node), 0))
        self.sizes[depth] = min(least, len(node)), max(most, len(node))
        if type(node) is dict:
            return list(node) if step is KEYS else list(node.values())
        return self._in_order(node)

    def _in_order(self, records: list[Any]) -> list[Any]:
        """By their ``index``, where each has one."""
        numbered = [x[INDEX] for x in records if type(x) is dict and type(x.get(INDEX)) is int]
        if self.order == Order.NONE or len(records) < 2 or len(numbered) < len(records) or min(numbered) < 0:
            return records
        by_index = dict(zip(numbered, records, strict=True))
        if self.order == Order.OWN_IDS:
            return records if len(by_index) < len(records) else [by_index[at] for at in sorted(by_index)]
        if len(by_index) < len(records):
            twice = next(x for x, count in Counter(numbered).items() if count > 1)
            raise OrderError(f"{INDEX} {twice} occurs twice in one list", "delete")
        last = max(numbered)
        if last >= 2 * len(records):
            raise OrderError(f"{INDEX} {last} in a list of {len(records)}", "name")
        return [by_index.get(at, Absent(at)) for at in range(last + 1)]


def aligned(nodes: Sequence[Any], paths: Sequence[Path], lists: Lists | None = None) -> Iterator[list[Any]]:
    """The values of several fields, row by row of the first one.

    What stands above its rows is repeated for each; lists and objects beside its own are gone through with it, and
    must be as long. Where there is no list, there is one row without a value.

    Args:
        nodes: where each path begins.
        paths: those of the fields.
        lists: goes through lists, and is told of those of the first field.

    Raises LookupError where they differ in length, where a field has several values in a row, or where an ``index``
    gives no order.
    """
    lists = lists or Lists()
    ends = [_descended(node, path) for node, path in zip(nodes, paths, strict=True)]
    if not ends[0][1]:
        if any(rest for _, rest in ends):
            raise LookupError("several values for a vector")
        yield [node for node, _ in ends]
        return
    beside = Lists(lists.order)
    rows, rests = [], []
    for at, (node, rest) in enumerate(ends):
        inner = lists if at == 0 else beside
        step = rest[0] if rest else None
        rows.append(inner.elements(node, step, len(rest)) if isinstance(step, Step) else repeat(node))
        rests.append(rest[1:])
    lengths = {len(row) for row in rows if isinstance(row, list)}
    if len(lengths) > 1:
        raise LookupError(f"{' and '.join(map(str, sorted(lengths)))} values")
    for row in zip(*(x if isinstance(x, repeat) else x for x in rows), strict=False):
        yield from aligned(row, rests, lists)


def _descended(node: Any, path: Path) -> tuple[Any, Path]:
    """Where the names of a path lead, up to its next list; null where there is no such member."""
    for place, name in enumerate(path):
        if isinstance(node, Absent):
            return node, ()
        if isinstance(name, Step):
            return node, path[place:]
        node = node.get(name) if type(node) is dict else None
    return node, ()
