"""How a query meets the codes: what either side looks like as rows, and how two rows are scored."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, get_args

import numpy as np

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import Codes, Floats, Ints, Numbers, Stored, blocks, row_norms
from vqbench.numerics.kernels.choice import shared
from vqbench.quantizers.base import Codec, Similarity, TwoValued, decode_checked, encode_checked
from vqbench.search.bit_planes import Planes
from vqbench.search.exact_dots import rough_norms
from vqbench.search.scorers import Cosine, Inner, Measure, PackedHamming

_BLOCK = 8192


class CodeBlocks(Protocol):
    """Codes that can be read block by block or row by row."""

    @property
    def n(self) -> int: ...
    def block(self, start: int, stop: int) -> Codes: ...
    def take(self, rows: Ints) -> Codes: ...
    def span(self, start: int, stop: int) -> CodeBlocks: ...


@dataclass(frozen=True)
class CodeArray:
    """Codes ``(n, code_bytes)`` in memory, or stored where they can be indexed like an array."""

    codes_nb: Codes | Stored

    @property
    def n(self) -> int:
        return len(self.codes_nb)

    def block(self, start: int, stop: int) -> Codes:
        return self.codes_nb[start:stop]

    def take(self, rows: Ints) -> Codes:
        return self.codes_nb[rows]

    def span(self, start: int, stop: int) -> CodeBlocks:
        """Codes ``start`` to ``stop`` as codes of their own."""
        return CodeArray(self.codes_nb[start:stop])


@dataclass(frozen=True)
class CodeRows:
    """Codes seen as rows of numbers, a block at a time.

    quick: the same rows in float32, each number rounded once, where that is faster. short: the same rows as bits
    and a few numbers, or None for codes that are no bits.
    """

    codes: CodeBlocks
    view: Callable[[Codes], Numbers]
    d: int
    quick: Callable[[Codes], Floats] | None = None
    short: Callable[[Codes], TwoValued | None] | None = None

    @property
    def n(self) -> int:
        return self.codes.n

    def block(self, start: int, stop: int) -> Floats:
        return self.view(self.codes.block(start, stop))

    def take(self, rows: Ints) -> Floats:
        return self.view(self.codes.take(rows))

    def rough(self, start: int, stop: int) -> Floats:
        """A block for products that only nominate."""
        return (self.quick or self.view)(self.codes.block(start, stop))

    def two_valued(self, start: int, stop: int) -> TwoValued | None:
        """A block as bits."""
        return self.short(self.codes.block(start, stop)) if self.short else None

    def planes(self, prepared_qw: Floats) -> Planes | None:
        """Prepared queries as bits to meet a block of bits with, where both can be had."""
        first = self.two_valued(0, 1)
        return None if first is None else Planes.of(prepared_qw, first.shift_d, self.n)

    def span(self, start: int, stop: int) -> CodeRows:
        """Rows ``start`` to ``stop`` as rows of their own."""
        return replace(self, codes=self.codes.span(start, stop))


@dataclass(frozen=True)
class Sides:
    """Both sides of a search: the queries as rows, the codes as rows, the measure between them."""

    queries_qd: Numbers
    rows: CodeRows
    measure: Measure


def meet(codec: Codec, queries_qd: Floats, codes: CodeBlocks, similarity: Similarity) -> Sides:
    """Queries ``(q, d)`` float32 and codes under one similarity.

    Where the vectors are: ``decoded``: cosine of the float query with the decoded code, and
    ``symmetric``: both sides coded and decoded. Where the codes are, the query transformed as the
    documents were (and coarsened, where the variant says how): ``asymmetric``: its cosine with what the
    code stands for there; ``estimate``: the inner product that the code itself estimates;
    ``hamming``: both sides coded, differing bits counted; ``raw``: cosine of the stored integers.
    """
    if similarity not in get_args(Similarity):
        raise VqbenchError(f"similarity = {similarity!r}: must be one of {', '.join(get_args(Similarity))}")
    core = codec.core
    if similarity == "decoded":
        return Sides(queries_qd, CodeRows(codes, partial(decode_checked, codec), codec.d), Cosine())
    if similarity == "asymmetric":
        return Sides(codec.core_queries(queries_qd), CodeRows(codes, partial(decode_checked, core), core.d), Cosine())
    if similarity == "estimate":
        return _estimated(core, codec.core_queries(queries_qd), codes)
    query_codes_qb = encode_checked(codec, queries_qd)
    if similarity == "symmetric":
        return Sides(
            decode_checked(codec, query_codes_qb), CodeRows(codes, partial(decode_checked, codec), codec.d), Cosine()
        )
    if similarity == "raw":
        rows = CodeRows(codes, lambda codes_nb: core.integers(codes_nb).astype(np.float64), core.d)
        return Sides(rows.view(query_codes_qb), rows, Cosine(np.float64))
    if not core.is_binary:
        raise NotApplicableError(f"{type(core).__name__} is no 1-bit code, so it has no Hamming distance")
    return hamming_sides(query_codes_qb, codes, core.code_bits)


def _estimated(core: Codec, met_qd: Floats, codes: CodeBlocks) -> Sides:
    """Rows as the codec's own estimate takes them; one pass finds the longest."""
    queries_qw = core.estimate_queries(met_qd)
    rows = CodeRows(codes, core.estimate_rows, queries_qw.shape[1], core.rough_rows, core.two_valued)

    def longer(found: list[tuple[float, float]], start: int, stop: int) -> None:
        short = rows.two_valued(start, stop)
        norms_n = rough_norms(rows.rough(start, stop)) if short is None else short.norms()
        found.append((float(norms_n.max()), 0.0 if short is None else short.magnitude))

    with np.errstate(over="ignore", invalid="ignore"):
        longest, magnitude = map(max, zip(*itertools.chain(*shared(codes.n, _BLOCK, list, longer)), strict=True))
    # As they are in float32, and a little more.
    longest, asking = 1.00001 * longest, 1.00001 * float(row_norms(queries_qw).max())
    if Inner.fits_float32(longest, asking):
        short = rows.short if _counts(rows, magnitude, longest, asking) else None
        return Sides(queries_qw, replace(rows, short=short), Inner(longest * asking, np.float32))
    longest = max(float(row_norms(rows.block(start, stop)).max()) for start, stop in blocks(codes.n, _BLOCK))
    return Sides(queries_qw, replace(rows, quick=None, short=None), Inner(longest * asking))


def _counts(rows: CodeRows, magnitude: float, longest: float, asking: float) -> bool:
    """Whether products may be found by counting bits: the terms that are added up for that, in float64, must not be
    so much larger than any product that their rounding (2^-53) shows beside the bound for float32 (2^-24).

    magnitude: as of ``TwoValued``; longest, asking: at least the norms of rows and queries, the shift taken away.
    """
    first = rows.two_valued(0, 1)
    return first is not None and magnitude * (asking + float(np.linalg.norm(first.shift_d))) <= 2**20 * longest * asking


def hamming_sides(query_codes_qb: Codes, codes: CodeBlocks, bits: int) -> Sides:
    """Packed bits on both sides."""
    return Sides(query_codes_qb, CodeRows(codes, lambda codes_nb: codes_nb, bits), PackedHamming(bits))
