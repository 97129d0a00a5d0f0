"""Corpora and queries as they come, checked row by row before any work."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vqbench.arrays import Bools, Keys, Table, Vectors, block_rows, blocks, content_keys, id_keys
from vqbench.errors import VqbenchError

_BLOCK = 8192  # rows at a time
_SHOWN = 5  # bad rows named in a message


def checked_rows(array_nd: Table, ids: Sequence[str] | None, place: str, normalize: bool) -> tuple[Vectors, Keys, str]:
    """Read every row once: finite, not zero; a key for each; SHA-256 of the float32 values."""
    _check_shape(array_nd, place)
    vectors = Vectors(array_nd, normalize=normalize)
    keys_n = np.empty(vectors.n if ids is None else 0, dtype=np.uint64)
    digest, not_finite, zero = hashlib.sha256(), _Bad(), _Bad()
    with ThreadPoolExecutor(1) as pool:
        for start, stop in blocks(vectors.n, block_rows(vectors.d, _BLOCK)):
            with np.errstate(over="ignore", invalid="ignore"):
                x_nd = vectors.raw(start, stop)
            hashed = pool.submit(digest.update, np.ascontiguousarray(x_nd, dtype="<f4").data)
            not_finite.note(start, ~np.all(np.isfinite(x_nd), axis=1))
            zero.note(start, ~np.any(x_nd, axis=1))
            if ids is None:
                keys_n[start:stop] = content_keys(x_nd)
            hashed.result()
    if not_finite.count:
        raise VqbenchError(
            f"{place}: {not_finite} NaN, infinite or beyond float32: "
            "every component must be a finite float32; repair or remove those rows"
        )
    if zero.count:
        raise VqbenchError(f"{place}: {zero} all zero: a zero vector has no cosine; remove those rows")
    return vectors, keys_n if ids is None else _checked_ids(ids, vectors.n, place), digest.hexdigest()


class _Bad:
    """Rows that are refused: how many, and the first of them by number."""

    def __init__(self) -> None:
        self.count, self._first = 0, list[int]()

    def note(self, start: int, bad_n: Bools) -> None:
        rows = np.flatnonzero(bad_n)
        self.count += len(rows)
        self._first += (start + rows[: _SHOWN - len(self._first)]).tolist()

    def __str__(self) -> str:
        """ "row 7 is" or "rows 1, 2, 3, 4, 5 and 12 more are"."""
        if self.count == 1:
            return f"row {self._first[0]} is"
        more = f" and {self.count - _SHOWN} more" if self.count > _SHOWN else ""
        return f"rows {', '.join(map(str, self._first))}{more} are"


def _check_shape(array_nd: Table, place: str) -> None:
    if array_nd.dtype.kind not in "fiu":
        raise VqbenchError(f"{place}: dtype {array_nd.dtype}: vectors must be real numbers (float or integer)")
    if array_nd.ndim != 2 or 0 in array_nd.shape:
        raise VqbenchError(f"{place}: shape {array_nd.shape}: needs (n, d), at least one row and dimension")


def _checked_ids(ids: Sequence[str], n: int, place: str) -> Keys:
    """The keys of the ids, which must be as many as the rows and all different."""
    if len(ids) != n:
        raise VqbenchError(f"{place}: {len(ids)} ids for {n} rows: give one id a row")
    keys_n = id_keys(ids)
    order_n = np.argsort(keys_n, kind="stable")
    equal_n = np.flatnonzero(keys_n[order_n[1:]] == keys_n[order_n[:-1]])
    seen: dict[str, int] = {}
    for row in np.unique(np.concatenate([order_n[equal_n], order_n[equal_n + 1]])).tolist():
        i = str(ids[row])
        if i in seen:
            raise VqbenchError(
                f"{place}: id {i!r} stands at rows {seen[i]} and {row}: ids must be unique, "
                "since a query is left out of its own result by id"
            )
        seen[i] = row
    return keys_n
