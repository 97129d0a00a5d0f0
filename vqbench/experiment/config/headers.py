"""The comments at the head of a config: what it is, and for a variant its family, bits and source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vqbench.errors import VqbenchError

_FIELDS = ("family", "bits", "source", "rescoring")
_TERM = re.compile(r"(\d+(?:\.\d+)?)(/d)?")


@dataclass(frozen=True)
class Header:
    """description: the first comment. bits: stored per vector and dimension, as ``a + b/d``."""

    description: str
    family: str = ""
    bits: str = ""
    source: str = ""
    rescoring: str = ""

    def bits_at(self, d: int) -> float:
        """Bits per dimension at ``d`` dimensions."""
        total = 0.0
        for term in self.bits.split("+"):
            found = _TERM.fullmatch(term.strip())
            if found is None:
                raise VqbenchError(f"bits: {self.bits}: must read a + b/d, as in '4 + 64/d'")
            total += float(found[1]) / (d if found[2] else 1)
        return total


def read_header(path: Path) -> Header:
    """Read the comments before the first key; a comment that begins with no field goes on with the last one."""
    found: dict[str, list[str]] = {"description": []}
    at = "description"
    for line in path.read_text("utf-8").splitlines():
        text = line.lstrip("#").strip()
        if not line.startswith("#"):
            break
        if text.startswith("@"):
            continue
        field, colon, rest = text.partition(":")
        if colon and field in _FIELDS:
            at, text = field, rest.strip()
        found.setdefault(at, []).append(text)
    return Header(**{field: " ".join(lines) for field, lines in found.items()})


def first_comment(path: Path) -> str:
    """The first comment line of a config that is not a Hydra directive."""
    for line in path.read_text("utf-8").splitlines():
        text = line.lstrip("#").strip()
        if line.startswith("#") and not text.startswith("@"):
            return text
    return ""
