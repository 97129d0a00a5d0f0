"""Draws that do not depend on the order of rows: by a key for each row, a seed and a purpose."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from vqbench.numerics.arrays import Floats, Ints, Keys, blocks

_AT_ONCE = 1 << 15  # keys that are made at a time


def mixed(keys_n: Keys, seed: int) -> Keys:
    """Return keys scrambled by a seed (the finaliser of splitmix64, Steele et al., OOPSLA 2014)."""
    mixed_n = np.empty(len(keys_n), dtype=np.uint64)
    added = np.uint64((seed * 0x9E3779B97F4A7C15 + 1) % 2**64)
    for start, stop in blocks(len(keys_n), _AT_ONCE):  # no copies of all keys on the way
        z = np.asarray(keys_n[start:stop], dtype=np.uint64) + added
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed_n[start:stop] = z ^ (z >> np.uint64(31))
    return mixed_n


def id_keys(ids: Sequence[str]) -> Keys:
    """Return a 64-bit key for each id, the same wherever the row stands."""
    return _keys(len(ids), (i.encode() for i in ids))


def content_keys(x_nd: Floats) -> Keys:
    """Return a 64-bit key for each float32 row, from its bytes."""
    rows = np.ascontiguousarray(x_nd, dtype="<f4")
    return _keys(len(rows), (row.data for row in rows))


def _keys(n: int, contents: Iterable[bytes | memoryview]) -> Keys:
    digests = (hashlib.blake2b(content, digest_size=8).digest() for content in contents)
    return np.fromiter((int.from_bytes(digest, "little") for digest in digests), np.uint64, count=n)


def named(ids: Sequence[str], rows: Ints) -> list[str]:
    """Return the ids of some rows."""
    return [ids[int(row)] for row in rows]


def draw_keys(keys_n: Keys, seed: int, purpose: str) -> Keys:
    """Return the keys whose order is the order of a draw; they depend on keys, seed and purpose alone.

    The purpose keeps draws apart: queries must not be the same rows as the calibration sample.
    """
    salted = int.from_bytes(hashlib.blake2b(f"{purpose} {seed}".encode(), digest_size=8).digest(), "little")
    return mixed(keys_n, salted)


def drawn(keys_n: Keys, count: int, seed: int, purpose: str) -> Ints:
    """Draw ``count`` positions by key, seed and purpose alone, in an order that does not depend on row order.

    >>> ids = ["a", "b", "c", "d"]
    >>> first = [ids[i] for i in drawn(id_keys(ids), 2, seed=0, purpose="queries")]
    >>> first == [ids[::-1][i] for i in drawn(id_keys(ids[::-1]), 2, seed=0, purpose="queries")]
    True
    """
    mixed_n = draw_keys(keys_n, seed, purpose)
    if count >= len(mixed_n):
        return np.argsort(mixed_n, kind="stable")
    # Few of many: only those up to the count-th smallest need be put in order.
    few = np.flatnonzero(mixed_n <= np.partition(mixed_n, count)[count])
    return few[np.argsort(mixed_n[few], kind="stable")][:count]
