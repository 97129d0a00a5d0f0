"""Corpora and queries as they come, checked row by row before any work."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vqbench.datasets.numbers import SAMPLED, CodesKind, Facts, Numbers, look
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Ints, Keys, Table, block_rows, blocks, is_real
from vqbench.numerics.draws import content_keys, drawn, id_keys, named
from vqbench.storage.ids import PickedIds
from vqbench.storage.vectors import Vectors
from vqbench.text import shortened

_BLOCK = 8192  # rows at a time
_SHOWN = 5  # bad rows named in a message


@dataclass(frozen=True)
class Checked:
    """Rows that can be searched."""

    vectors: Vectors
    #: A 64-bit key for each row.
    keys_n: Keys
    #: SHA-256 of their float32 values.
    digest: str
    #: The numbers of the rows that were left out, since they cannot be searched.
    dropped: Ints
    #: The numbers of all others; None where no row was left out.
    kept: Ints | None = None
    #: What the numbers of the rows that were kept are.
    facts: Facts = field(default_factory=Facts, compare=False)

    def of(self, all_ids: Sequence[str]) -> Sequence[str]:
        """The ids of the rows that were kept."""
        return all_ids if self.kept is None else PickedIds(all_ids, self.kept)

    def look(self, dtype: np.dtype[Any], codes: CodesKind | None) -> Numbers:
        """Say what the numbers are, which are stored as ``dtype`` and were declared to be ``codes``."""
        sample = drawn(self.keys_n, block_rows(self.vectors.d, SAMPLED), 0, "numbers")
        return look(self.facts, self.vectors.take_raw(sample), dtype, codes)


@dataclass(frozen=True)
class Dropped:
    """Rows that cannot be searched and were left out, since the user said so: how many, and the first of their ids."""

    count: int
    first_ids: Sequence[str]

    @classmethod
    def of(cls, checked: Checked, all_ids: Sequence[str]) -> Dropped:
        return cls(len(checked.dropped), named(all_ids, checked.dropped[:_SHOWN]))

    def plain(self) -> dict[str, Any]:
        """As it stands in meta.json."""
        return {"rows": self.count, "first_ids": list(self.first_ids)}


def checked_rows(
    array_nd: Table,
    ids: Sequence[str] | None,
    place: str,
    normalize: bool,
    *,
    drop: bool = False,
    ids_file: str | None = None,
    gaps: Mapping[int, str] | None = None,
) -> Checked:
    """Read every row once: each must be finite and not zero, or is left out where ``drop`` says so.

    place: what messages call the rows; ids_file: the file whose lines are their ids, where there is one; gaps: rows
    that hold no vector in the file, and why.
    """
    _check_shape(array_nd, place)
    vectors, gaps = Vectors(array_nd, normalize=normalize), gaps or {}
    gap_rows = np.array(sorted(gaps), dtype=np.int64)
    keys_n = np.empty(vectors.n if ids is None else 0, dtype=np.uint64)
    digest, filled, facts = hashlib.sha256(), 0, Facts()
    not_finite, zero = list[Ints](), list[Ints]()
    with ThreadPoolExecutor(1) as pool:  # hashes a block while the next one is read
        hashed = pool.submit(digest.update, b"")
        for start, stop in blocks(vectors.n, block_rows(vectors.d, _BLOCK)):
            with np.errstate(over="ignore", invalid="ignore"):
                x_nd = vectors.raw(start, stop)
            held_n = ~np.isin(np.arange(start, stop), gap_rows)
            finite_n, some_n = np.all(np.isfinite(x_nd), axis=1), np.any(x_nd, axis=1)
            not_finite.append(start + np.flatnonzero(~finite_n & held_n))
            zero.append(start + np.flatnonzero(~some_n & held_n))
            good_n = finite_n & some_n & held_n
            x_nd = x_nd if good_n.all() else x_nd[good_n]
            hashed.result()
            hashed = pool.submit(digest.update, np.ascontiguousarray(x_nd, dtype="<f4").data)
            facts.add(x_nd)
            if ids is None:
                keys_n[filled : filled + len(x_nd)] = content_keys(x_nd)
            filled += len(x_nd)
    hashed.result()
    if not drop:
        _refuse(np.concatenate(not_finite), np.concatenate(zero), gaps, ids, place)
    if not filled:
        raise VqbenchError(
            f"{place}: all {vectors.n} rows are null, NaN, infinite, beyond float32 or zero: none is "
            "left; make the vectors again"
        )
    keys_n = keys_n[:filled] if ids is None else _checked_ids(ids, vectors.n, place, ids_file)
    dropped = np.sort(np.concatenate([*not_finite, *zero, gap_rows]))
    if not len(dropped):
        return Checked(vectors, keys_n, digest.hexdigest(), dropped, facts=facts)
    kept = np.delete(np.arange(vectors.n), dropped)
    keys_n = keys_n if ids is None else keys_n[kept]
    return Checked(vectors.only(kept), keys_n, digest.hexdigest(), dropped, kept, facts)


def _refuse(not_finite: Ints, zero: Ints, gaps: Mapping[int, str], ids: Sequence[str] | None, place: str) -> None:
    """Raise VqbenchError where there are rows of any kind, naming all: they are mended together."""
    bad, rules = list[str](), list[str]()
    if gaps:
        first = min(gaps)
        more = f" (and {len(gaps) - 1} more without a vector)" if len(gaps) > 1 else ""
        named = "" if ids is None or first >= len(ids) else f" (id {shortened(repr(ids[first]))})"
        bad.append(f"row {first}{named}: {gaps[first]}{more}")
        rules.append("each row must hold a vector")
    if len(not_finite):
        bad.append(f"{_rows_are(not_finite)} NaN, infinite or beyond float32")
        rules.append("every component must be a finite float32")
    if len(zero):
        bad.append(f"{_rows_are(zero)} all zero")
        rules.append("a zero vector has no cosine")
    if bad:
        raise VqbenchError(
            f"{place}: {', '.join(bad)}: {', and '.join(rules)}; repair or remove those rows; a run leaves them out "
            "with on_bad_rows=drop"
        )


def _rows_are(bad: Ints) -> str:
    """ "row 7 is" or "rows 1, 2, 3, 4, 5 and 12 more are"."""
    if len(bad) == 1:
        return f"row {bad[0]} is"
    more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return f"rows {', '.join(map(str, bad[:_SHOWN]))}{more} are"


def _check_shape(array_nd: Table, place: str) -> None:
    if not is_real(array_nd.dtype):
        raise VqbenchError(f"{place}: dtype {array_nd.dtype}: vectors must be real numbers (float, integer or bool)")
    if array_nd.ndim != 2 or 0 in array_nd.shape:
        raise VqbenchError(f"{place}: shape {array_nd.shape}: needs (n, d), at least one row and dimension")


def _checked_ids(ids: Sequence[str], n: int, place: str, file: str | None) -> Keys:
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
            where = f"{place}: id {i[:80]!r} occurs at rows {seen[i]} and {row}"
            if file is not None:
                where = f"{file}: id {i[:80]!r} occurs on lines {seen[i] + 1} and {row + 1}"
            raise VqbenchError(f"{where}: ids must be unique, since a query is left out of its own result by id")
        seen[i] = row
    return keys_n
