"""Lists of numbers that stand as text in a field: what pandas, PostgreSQL and numpy write of a vector."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

_BRACKETS = {"[": "]", "{": "}", "(": ")"}
_NUMBERS = re.compile(r"[-+0-9.eE,\s]+")
_SCALAR = re.compile(r"np\.float\d+\(([^()]*)\)")


def parse_numbers(text: str) -> NDArray[np.float64] | None:
    """Return the numbers of a list that is written as text, or None where it is none.

    ``[0.1, 0.2]`` is JSON, pandas and pgvector, ``{0.1,0.2}`` an array of PostgreSQL, ``[0.1 0.2]`` numpy, and
    ``[np.float32(0.1)]`` a Python list of numbers of numpy. NaN and shortened lists (``...``) are none.

    Example:
        >>> parse_numbers("[0.5, 2e-3]").tolist()
        [0.5, 0.002]
    """
    text = text.strip()
    if len(text) < 2 or _BRACKETS.get(text[0]) != text[-1]:
        return None
    inner = text[1:-1].strip()
    if "np." in inner:
        inner = _SCALAR.sub(r"\1", inner)
    if not inner:
        return np.empty(0)
    if not _NUMBERS.fullmatch(inner):
        return None
    try:
        return np.array([float(x) for x in (inner.split(",") if "," in inner else inner.split())])
    except ValueError:
        return None


def is_whole(text: str) -> bool:
    """Whether a list of numbers is written without points and exponents, as token ids are."""
    return not re.search(r"[.eE]", _SCALAR.sub(r"\1.", text))
