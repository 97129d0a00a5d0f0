"""Codes as a provider of embeddings returns them: packed bits, or whole numbers of a byte each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from vqbench.datasets.numbers import CodesKind
from vqbench.datasets.readers.base import Content
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Codes, Floats, Ints, Table, block_rows, blocks
from vqbench.numerics.packing import expand_bits, pack_bits

_BLOCK = 8192  # rows at a time
_TELLING = 64  # bytes: so many that are all 0 or 1 are no packed bits
_PACK = "numpy.packbits(x > 0, axis=1) packs the bits of floats"


@dataclass(frozen=True)
class ByteRows:
    """Rows of bytes ``(n, b)`` uint8, as they are stored, read when they are asked for."""

    table_nb: Table
    #: Whether the bytes are packed bits as int8: the unsigned byte minus 128.
    shifted: bool = False
    #: Which rows; None: all.
    rows: Ints | None = field(default=None, compare=False)

    ndim = 2
    dtype = np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.table_nb) if self.rows is None else len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), self.table_nb.shape[1]

    def __getitem__(self, picked: slice | Ints) -> Codes:
        some_nb = self.table_nb[picked if self.rows is None else self.rows[picked]]
        bytes_nb = np.ascontiguousarray(some_nb).view(np.uint8)
        return bytes_nb ^ np.uint8(128) if self.shifted else bytes_nb

    def only(self, rows: Ints | None) -> ByteRows:
        """Some of the rows, in this order; None: all."""
        if rows is None:
            return self
        return replace(self, rows=rows if self.rows is None else self.rows[rows])

    def span(self, start: int, stop: int) -> ByteRows:
        """Rows ``start`` to ``stop``, not read yet."""
        return self.only(np.arange(start, stop))

    @property
    def lasting(self) -> bool:
        """Whether other processes can read the rows from a file."""
        return not isinstance(self.table_nb, np.ndarray) and self.table_nb.lasting


@dataclass(frozen=True)
class SignRows:
    """Packed bits as rows ``(n, 8 b)`` of -1 and 1, whose cosine orders as Hamming distance does."""

    bytes_nb: ByteRows

    ndim = 2
    dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self.bytes_nb)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), 8 * self.bytes_nb.shape[1]

    def __getitem__(self, picked: slice | Ints) -> Floats:
        return expand_bits(self.bytes_nb[picked], self.shape[1], -1.0, 1.0)

    def span(self, start: int, stop: int) -> SignRows:
        """Rows ``start`` to ``stop``, not read yet."""
        return SignRows(self.bytes_nb.span(start, stop))

    @property
    def lasting(self) -> bool:
        """Whether other processes can read the rows from a file."""
        return self.bytes_nb.lasting


@dataclass(frozen=True)
class ProvidedCodes:
    """The codes of the rows that are searched, by row."""

    kind: CodesKind
    corpus_nb: ByteRows
    #: Packed bits of the queries, where some are rows with codes of their own.
    queries_qb: Codes | None = None

    def only(self, rows: Ints | None) -> ProvidedCodes:
        """The codes of some rows of the corpus."""
        return replace(self, corpus_nb=self.corpus_nb.only(rows))

    def asked(self, queries_qd: Floats, own_q: Ints | None) -> ProvidedCodes:
        """The same with the bits of the queries: those of its own row, or ``x > 0`` where it has none (-1)."""
        if self.kind != "packed" or own_q is None:
            return self
        codes_qb, known_q = pack_bits(queries_qd > 0), own_q >= 0
        codes_qb[known_q] = self.corpus_nb[own_q[known_q]]
        return replace(self, queries_qb=codes_qb)

    @property
    def variant(self) -> str:
        """What tables call the variant that is made of these codes."""
        return variant_name(self.kind)

    @property
    def note(self) -> str:
        """What is done with them, in a sentence."""
        how = {
            "packed": "compared by Hamming distance with the queries' codes (x > 0 where a query has none)",
            "int8": "compared as they stand by cosine with float queries",
            "uint8": "decoded by the offset and scale that fit the vectors best, compared by cosine with float queries",
        }[self.kind]
        return f"{self.variant}: the provider's codes, {self.corpus_nb.shape[1]:,} bytes each, {how}."

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all bytes."""
        digest = hashlib.sha256()
        for start, stop in blocks(len(self.corpus_nb), block_rows(self.corpus_nb.shape[1], _BLOCK)):
            digest.update(self.corpus_nb[start:stop].data)
        digest.update(b"" if self.queries_qb is None else self.queries_qb.data)
        return digest.hexdigest()


def variant_name(kind: CodesKind) -> str:
    """Name the variant of codes of a kind."""
    return f"provided_{kind}"


def declared_rows(rows_nd: Table, kind: CodesKind, place: str) -> Table:
    """Rows that were declared to be codes, as vectors: bits as -1 and 1, whole numbers as they stand.

    Raises:
        VqbenchError: they are no such codes.
    """
    bytes_nb = _as_bytes(rows_nd, kind, place)
    return SignRows(bytes_nb) if kind == "packed" else bytes_nb.table_nb


def declared_queries(queries_qd: Table, kind: CodesKind, width: int, place: str) -> Table:
    """Queries of declared codes of ``width`` bytes: codes too, or floats of as many dimensions."""
    if queries_qd.dtype.kind == "f" and queries_qd.shape[1] == (8 * width if kind == "packed" else width):
        return queries_qd
    return declared_rows(queries_qd, kind, place)


def provided_codes(content: Content, kind: CodesKind, floats: Content, *, place: str, corpus: str) -> ProvidedCodes:
    """The codes that a file holds of the rows of another.

    Raises:
        VqbenchError: they are not of this kind, or not of these rows.
    """
    n, d = floats.rows_nd.shape
    bytes_nb = _as_bytes(content.rows_nd, kind, place)
    width = -(-d // 8) if kind == "packed" else d
    if len(bytes_nb) != n:
        raise VqbenchError(
            f"{place}: {len(bytes_nb):,} rows of codes, but {corpus} has {n:,} vectors: dataset.codes_path needs the "
            "code of each row, in the same order"
        )
    if bytes_nb.shape[1] != width:
        raise VqbenchError(
            f"{place}: codes of {bytes_nb.shape[1]:,} bytes, but {kind} codes of {d:,} dimensions ({corpus}) have "
            f"{width:,}: check dataset.codes and that both come from the same model"
        )
    if more := sorted(set(content.gaps) - set(floats.gaps)):
        raise VqbenchError(
            f"{place}: row {more[0]}: {content.gaps[more[0]]}: each vector of {corpus} needs a code; remove the row "
            "from both files"
        )
    _check_same_ids(content.ids, floats.ids, place, corpus)
    return ProvidedCodes(kind, bytes_nb)


def _check_same_ids(ids: Sequence[str] | None, others: Sequence[str] | None, place: str, corpus: str) -> None:
    """Where both files have ids, these must be the same, in the same order."""
    if ids is None or others is None:
        return
    for row, (one, other) in enumerate(zip(ids, others, strict=True)):
        if one != other:
            raise VqbenchError(
                f"{place}: row {row} has the id {one[:80]!r}, in {corpus} it has {other[:80]!r}: codes and vectors "
                "must stand in the same order"
            )


def _as_bytes(rows_nd: Table, kind: CodesKind, place: str) -> ByteRows:
    """Rows as the bytes of codes; whole numbers of another type, as JSON has them, become bytes."""
    dtype = rows_nd.dtype
    fits = ("uint8", "int8") if kind == "packed" else (kind,)
    if dtype.name not in fits and (dtype.kind not in "fiu" or dtype.itemsize == 1):
        raise _no_codes(place, kind, f"dtype {dtype}")
    if dtype.name not in fits:
        rows_nd = _narrowed(rows_nd, kind, place)
    first_nb = np.asarray(rows_nd[0 : min(len(rows_nd), block_rows(rows_nd.shape[1], _BLOCK))])
    if kind == "packed" and first_nb.size >= _TELLING and first_nb.min() >= 0 and first_nb.max() <= 1:
        raise _no_codes(place, kind, "numbers that are all 0 or 1, bits that are not packed")
    return ByteRows(rows_nd, shifted=kind == "packed" and rows_nd.dtype == np.int8)


def _narrowed(rows_nd: Table, kind: CodesKind, place: str) -> Codes:
    """Whole numbers that fit into bytes, as such: for bits int8 where any is negative."""
    low, high = np.inf, -np.inf
    narrow_nb = np.empty(rows_nd.shape, np.int16)
    for start, stop in blocks(len(rows_nd), block_rows(rows_nd.shape[1], _BLOCK)):
        x_nd: Any = rows_nd[start:stop]
        low, high = min(low, float(x_nd.min())), max(high, float(x_nd.max()))
        if not (low >= -128 and high <= 255 and (x_nd == np.rint(x_nd)).all()):  # not: NaN too
            raise _no_codes(place, kind, f"{rows_nd.dtype} from {low:.3g} to {high:.3g}")
        narrow_nb[start:stop] = x_nd
    signed = kind == "int8" or (kind == "packed" and low < 0)
    least, most = (-128, 127) if signed else (0, 255)
    if low < least or high > most:
        raise _no_codes(place, kind, f"whole numbers from {low:.0f} to {high:.0f}")
    return narrow_nb.astype(np.int8 if signed else np.uint8)  # pyright: ignore[reportReturnType]


def _no_codes(place: str, kind: CodesKind, seen: str) -> VqbenchError:
    if kind == "packed":
        return VqbenchError(f"{place}: dataset.codes=packed needs bytes that hold 8 bits each, but has {seen}; {_PACK}")
    return VqbenchError(f"{place}: dataset.codes={kind} needs whole numbers of that range, but has {seen}")
