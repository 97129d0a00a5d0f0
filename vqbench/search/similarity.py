"""How a query is compared with the codes: what either side looks like as rows, and how two rows are scored."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, get_args

import numpy as np

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import Codes, Floats, Ints, Numbers, Stored, blocks, row_norms
from vqbench.numerics.thread_pool import share_blocks
from vqbench.quantizers.base import Codec, Similarity, TwoValued, decode_checked, encode_checked
from vqbench.search.bit_planes import Planes
from vqbench.search.exact_dots import rough_norms
from vqbench.search.scorers import Cosine, Hamming, Inner
from vqbench.search.topk import Search

_BLOCK = 8192


class CodeBlocks(Protocol):
    """Codes that can be read block by block or row by row."""

    @property
    def n(self) -> int: ...
    def block(self, start: int, stop: int) -> Codes: ...
    def take(self, rows: Ints) -> Codes: ...
    def span(self, start: int, stop: int) -> CodeBlocks: ...  # as codes of their own


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
    """Codes seen as rows of numbers, a block at a time."""

    codes: CodeBlocks
    view: Callable[[Codes], Numbers]
    d: int
    #: The same rows in float32, each number rounded once, where that is faster.
    rough_view: Callable[[Codes], Floats] | None = None
    #: The same rows as bits and a few numbers; of codes that are no bits it returns None.
    bits_view: Callable[[Codes], TwoValued | None] | None = None

    @property
    def n(self) -> int:
        return self.codes.n

    def block(self, start: int, stop: int) -> Numbers:
        return self.view(self.codes.block(start, stop))

    def take(self, rows: Ints) -> Numbers:
        return self.view(self.codes.take(rows))

    def rough(self, start: int, stop: int) -> Numbers:
        """Return a block for products that only nominate."""
        return (self.rough_view or self.view)(self.codes.block(start, stop))

    def two_valued(self, start: int, stop: int) -> TwoValued | None:
        """Return a block as bits."""
        return self.bits_view(self.codes.block(start, stop)) if self.bits_view else None

    def planes(self, prepared_qw: Floats) -> Planes | None:
        """Return prepared queries as bits, to compare with a block of bits, where both can be had."""
        first = self.two_valued(0, 1)
        return None if first is None else Planes.of(prepared_qw, first.shift_d, self.n)

    def span(self, start: int, stop: int) -> CodeRows:
        """Return rows ``start`` to ``stop`` as rows of their own."""
        return replace(self, codes=self.codes.span(start, stop))


def code_search(
    codec: Codec, queries_qd: Floats, codes: CodeBlocks, similarity: Similarity, own_qb: Codes | None = None
) -> Search:
    """Make the search of codes for queries ``(q, d)`` float32 under one similarity; ``own_qb``: their codes, if known.

    Where the vectors are: ``decoded``: cosine of the float query with the decoded code, and
    ``symmetric``: both sides coded and decoded. Where the codes are, the query transformed as the
    documents were (and coarsened, where the variant says how): ``asymmetric``: its cosine with what the
    code stands for there; ``estimate``: the inner product that the code itself estimates;
    ``hamming``: both sides coded, differing bits counted; ``raw``: cosine of the stored integers.

    Raises:
        VqbenchError: there is no such similarity.
        NotApplicableError: the codes have no such similarity.
    """
    if similarity not in get_args(Similarity):
        raise VqbenchError(f"similarity = {similarity!r}: must be one of {', '.join(get_args(Similarity))}")
    core = codec.core
    if similarity == "decoded":
        return Search(queries_qd, CodeRows(codes, partial(decode_checked, codec), codec.d), Cosine())
    if similarity == "asymmetric":
        return Search(codec.core_queries(queries_qd), CodeRows(codes, partial(decode_checked, core), core.d), Cosine())
    if similarity == "estimate":
        return _estimate_search(core, core.estimate_queries(codec.core_queries(queries_qd)), codes)
    query_codes_qb = encode_checked(codec, queries_qd) if own_qb is None else own_qb
    if similarity == "symmetric":
        rows = CodeRows(codes, partial(decode_checked, codec), codec.d)
        return Search(rows.view(query_codes_qb), rows, Cosine())
    if similarity == "raw":
        rows = CodeRows(codes, lambda codes_nb: core.integers(codes_nb).astype(np.float64), core.d)
        return Search(rows.view(query_codes_qb), rows, Cosine(np.float64))
    if not core.is_binary:
        raise NotApplicableError(f"{type(core).__name__} is no 1-bit code, so it has no Hamming distance")
    return hamming_search(query_codes_qb, codes, core.code_bits)


def hamming_search(query_codes_qb: Codes, codes: CodeBlocks, bits: int) -> Search:
    """Make the search of packed bits by packed bits, of which the first ``bits`` count."""
    return Search(query_codes_qb, CodeRows(codes, np.asarray, bits), Hamming(bits))


def _estimate_search(core: Codec, queries_qw: Floats, codes: CodeBlocks) -> Search:
    """Rows as the codec's own estimate takes them; one pass finds the longest."""
    rows = CodeRows(codes, core.estimate_rows, queries_qw.shape[1], core.rough_rows, core.two_valued)

    def measure(measured: list[tuple[float, float]], start: int, stop: int) -> None:
        bits = rows.two_valued(start, stop)
        norms_n = rough_norms(rows.rough(start, stop)) if bits is None else bits.norms()
        measured.append((float(norms_n.max()), 0.0 if bits is None else bits.magnitude))

    with np.errstate(over="ignore", invalid="ignore"):
        longest, magnitude = map(max, zip(*itertools.chain(*share_blocks(codes.n, _BLOCK, list, measure)), strict=True))
    # As they are in float32, and a little more.
    longest, longest_query = 1.00001 * longest, 1.00001 * float(row_norms(queries_qw).max())
    if Inner.fits_float32(longest, longest_query):
        if not _can_count(rows, magnitude, longest, longest_query):
            rows = replace(rows, bits_view=None)
        return Search(queries_qw, rows, Inner(longest * longest_query, np.float32))
    longest = max(float(row_norms(rows.block(start, stop)).max()) for start, stop in blocks(codes.n, _BLOCK))
    return Search(queries_qw, replace(rows, rough_view=None, bits_view=None), Inner(longest * longest_query))


def _can_count(rows: CodeRows, magnitude: float, longest: float, longest_query: float) -> bool:
    """Whether products may be found by counting bits: the terms that are added up for that, in float64, must not be
    so much larger than any product that their rounding (2^-53) shows beside the bound for float32 (2^-24).

    magnitude: as of ``TwoValued``. The norms are at least those of rows and queries, the shift taken away.
    """
    first = rows.two_valued(0, 1)
    if first is None:
        return False
    return magnitude * (longest_query + float(np.linalg.norm(first.shift_d))) <= 2**20 * longest * longest_query
