"""Vectors in one value: a list of numbers as text, float32 in base64, the bytes of floats, or of an ``.npy`` file."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.number_bytes import number_types
from vqbench.datasets.text_lists import numbers_in

#: How a value holds its numbers.
LIST, BASE64, BASE64_DOUBLE = "text of lists", "base64 of float32", "base64 of float64"
FLOAT32, FLOAT64 = "blobs of float32", "blobs of float64"
NPY = "blobs of .npy files"
_BYTES = {FLOAT32: np.dtype("<f4"), FLOAT64: np.dtype("<f8")}
_BASE64 = re.compile(r"[A-Za-z0-9+/]{20,}={0,2}")


def form_of(samples: Sequence[Any]) -> tuple[str, int] | None:
    """How these values hold vectors, and of how many numbers: all in one way; None where they hold something else.

    >>> form_of(["[1, 2.5]", "[3, 4]"]), form_of(["a text", "[3, 4]"])
    (('text of lists', 2), None)
    """
    for form in (LIST, BASE64, BASE64_DOUBLE, NPY, FLOAT32, FLOAT64):
        vectors = [numbers(value, form) for value in samples]
        if samples and all(row is not None for row in vectors):
            rows = [row for row in vectors if row is not None and len(row)]
            widths = [len(row) for row in rows]
            if rows and 2 * widths.count(max(widths, key=widths.count)) >= len(samples) and _plausible(samples, form):
                return form, max(widths, key=widths.count)
    return None


def numbers(value: Any, form: str) -> NDArray[np.float64] | None:
    """The numbers in a value of that form; None where it is not of that form."""
    if isinstance(value, str) and form == LIST:
        return numbers_in(value) if value[:1] in ("[", "{") else None
    if isinstance(value, str) and form in (BASE64, BASE64_DOUBLE):
        content = decoded(value)
        return None if content is None else numbers(content, FLOAT32 if form == BASE64 else FLOAT64)
    if isinstance(value, bytes) and form == NPY:
        return _saved(value)
    if isinstance(value, bytes) and form in _BYTES:
        dtype = _BYTES[form]
        return None if len(value) % dtype.itemsize else np.frombuffer(value, dtype).astype(np.float64)
    return None


def decoded(text: str) -> bytes | None:
    """The bytes that a text is in base64; None where it is something else."""
    if not _BASE64.fullmatch(text) or len(text) % 4:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def dtype_of(form: str) -> np.dtype[Any]:
    """The dtype that holds the numbers of a form as they are."""
    return np.dtype(np.float32 if form in (BASE64, FLOAT32) else np.float64)


def _saved(value: bytes) -> NDArray[np.float64] | None:
    """The row that ``numpy.save`` wrote; objects are never loaded."""
    if not value.startswith(b"\x93NUMPY"):
        return None
    try:
        row = np.lib.format.read_array(io.BytesIO(value), allow_pickle=False)
    except ValueError:
        return None
    return row.ravel().astype(np.float64) if row.dtype.kind in "fiu" else None


def _plausible(samples: Sequence[Any], form: str) -> bool:
    """Whether bytes are numbers of that form."""
    if form in (LIST, NPY):
        return True
    blobs = [decoded(value) if isinstance(value, str) else value for value in samples]
    return number_types([blob for blob in blobs if blob]) == (dtype_of(form).name,)
