"""What a variant says about itself: the ``about`` of its YAML."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vqbench.errors import VqbenchError

_TERM = re.compile(r"(\d+(?:\.\d+)?)(/d)?")


@dataclass(frozen=True, kw_only=True)
class About:
    """Describe a variant, for ``vqbench list``.

    >>> About(bits="4 + 64/d").bits_at(128)
    4.5
    """

    what: str = ""  # one line
    family: str = ""  # as in "binary", or "preset Qdrant" for a product's own setting
    bits: str | int | float = ""  # stored per dimension, as in "4 + 64/d": 4 for each, and 64 for each vector
    source: str = ""  # paper, standard or documentation
    rescoring: str = ""  # what the product does by default, in a few words before the first semicolon

    def bits_at(self, d: int) -> float:
        """Return the bits per dimension at ``d`` dimensions. Raises VqbenchError where they can't be read."""
        total = 0.0
        for term in str(self.bits).split("+"):
            match = _TERM.fullmatch(term.strip())
            if match is None:
                raise VqbenchError(f"bits = {self.bits}: must read a + b/d, as in '4 + 64/d'")
            total += float(match[1]) / (d if match[2] else 1)
        return total
