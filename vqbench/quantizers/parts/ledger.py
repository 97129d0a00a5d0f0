"""The bytes of a variant, item by item.

Bytes are counted by arithmetic, never measured. There are two scopes: ``vector`` items are paid for every stored
vector, ``once`` items a single time (thresholds, codebooks, rotations). Ids and the index around the codes cost the
same for every variant and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Scope = Literal["vector", "once"]


@dataclass(frozen=True)
class Item:
    """One line of a ledger."""

    name: str
    scope: Scope
    bytes: float  #: for each vector, or once for all of them


@dataclass(frozen=True)
class Ledger:
    """What a codec stores, item by item.

    >>> ledger = Ledger.of_bits(bits=12, once=[Item("thresholds", "once", 48.0)])
    >>> ledger.total("vector"), ledger.bytes_per_vector(n=100)
    (2.0, 2.48)
    """

    items: tuple[Item, ...]

    @classmethod
    def of_bits(cls, *, bits: int, once: Iterable[Item] = (), word: int = 8) -> Ledger:
        """Return the ledger of a code of ``bits`` bits per vector, padded to whole words of ``word`` bits."""
        padding = -bits % word
        items = [Item("code", "vector", bits / 8)]
        if padding:
            items.append(Item("padding", "vector", padding / 8))
        return cls((*items, *once))

    def total(self, scope: Scope) -> float:
        """Sum the bytes of all items of ``scope``."""
        return sum(item.bytes for item in self.items if item.scope == scope)

    def bytes_per_vector(self, n: int) -> float:
        """Return what one of ``n`` vectors takes: its own items, and its share of what is stored once."""
        return self.total("vector") + self.total("once") / n
