"""The bytes of a variant, item by item.

Bytes are counted by arithmetic, never measured. Two scopes: ``vector`` items are paid for every
stored vector, ``once`` items a single time (thresholds, codebooks, rotations). Ids and the index
around the codes cost the same for every variant and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Scope = Literal["vector", "once"]


@dataclass(frozen=True)
class Item:
    """One line of a ledger: ``bytes`` for each vector, or once for all of them."""

    name: str
    scope: Scope
    bytes: float


@dataclass(frozen=True)
class Ledger:
    """What a codec stores, item by item."""

    items: tuple[Item, ...]

    @classmethod
    def of_bits(cls, *, bits: int, once: Iterable[Item] = (), word: int = 8) -> Ledger:
        """Ledger of a code of ``bits`` bits per vector; what fills up the last word of ``word`` bits is ``padding``."""
        padding = -bits % word
        items = [Item("code", "vector", bits / 8)]
        if padding:
            items.append(Item("padding", "vector", padding / 8))
        return cls((*items, *once))

    def total(self, scope: Scope) -> float:
        """Bytes of all items of ``scope``: bytes per vector, or bytes once."""
        return sum(item.bytes for item in self.items if item.scope == scope)

    def ratio(self, *, n: int, d: int, float_bytes: int) -> float:
        """How many times smaller than ``n`` float vectors of ``d`` components of ``float_bytes`` bytes.

        What is stored once counts in full, so the ratio grows with ``n``.
        """
        return n * d * float_bytes / (n * self.total("vector") + self.total("once"))
