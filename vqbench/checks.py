"""Corpora and queries as they come, checked row by row before any work."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqbench.arrays import Keys, Vectors, blocks, content_keys, id_keys
from vqbench.errors import VqbenchError

_BLOCK = 8192
_SHOWN = 5  # bad rows named in a message


def checked_rows(
    array_nd: NDArray[np.generic], ids: Sequence[str] | None, place: str, normalize: bool
) -> tuple[Vectors, Keys, str]:
    """Read every row once: finite, not zero; a key for each; SHA-256 of the float32 values."""
    _check_shape(array_nd, place)
    vectors = Vectors(array_nd, normalize=normalize)
    digest, keys, not_finite, zero = hashlib.sha256(), [], [], []
    for start, stop in blocks(vectors.n, _BLOCK):
        with np.errstate(over="ignore"):
            x_nd = vectors.raw(start, stop)
        digest.update(np.ascontiguousarray(x_nd, dtype="<f4").data)
        not_finite.extend((start + np.flatnonzero(~np.isfinite(x_nd).all(axis=1))).tolist())
        zero.extend((start + np.flatnonzero(~x_nd.any(axis=1))).tolist())
        if ids is None:
            keys.append(content_keys(x_nd))
    if not_finite:
        raise VqbenchError(
            f"{place}: {_rows(not_finite)} NaN, infinite or beyond float32: "
            "every component must be a finite float32; repair or remove those rows"
        )
    if zero:
        raise VqbenchError(f"{place}: {_rows(zero)} all zero: a zero vector has no cosine; remove those rows")
    _check_ids(ids, vectors.n, place)
    return vectors, np.concatenate(keys) if ids is None else id_keys(ids), digest.hexdigest()


def _check_shape(array_nd: NDArray[np.generic], place: str) -> None:
    if array_nd.dtype.kind not in "fiu":
        raise VqbenchError(f"{place}: dtype {array_nd.dtype}: vectors must be real numbers (float or integer)")
    if array_nd.ndim != 2 or 0 in array_nd.shape:
        raise VqbenchError(f"{place}: shape {array_nd.shape}: needs (n, d), at least one row and dimension")


def _check_ids(ids: Sequence[str] | None, n: int, place: str) -> None:
    if ids is None:
        return
    if len(ids) != n:
        raise VqbenchError(f"{place}: {len(ids)} ids for {n} rows: give one id a row")
    if len(set(ids)) < n:
        seen: dict[str, int] = {}
        for row, i in enumerate(ids):
            if i in seen:
                raise VqbenchError(
                    f"{place}: id {i!r} stands at rows {seen[i]} and {row}: ids must be unique, "
                    "since a query is left out of its own result by id"
                )
            seen[i] = row


def _rows(rows: list[int]) -> str:
    """ "row 7 is" or "rows 1, 2, 3, 4, 5 and 12 more are"."""
    if len(rows) == 1:
        return f"row {rows[0]} is"
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return f"rows {', '.join(map(str, rows[:_SHOWN]))}{more} are"
