"""Three cells per dimension, below, around and above its mean: in 2 bits, 1.5 bits or 1.6 bits."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Bools, Codes, Floats, blocks
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.layout import BlockCodec, Layout
from vqbench.quantizers.parts.ledger import Item, Ledger
from vqbench.quantizers.parts.ranges import square_deviations
from vqbench.quantizers.parts.rounding import query_levels, to_float32
from vqbench.quantizers.parts.stored import stored_items

#: Where the middle cell ends, in standard deviations from the mean (Qdrant's SIGMAS).
CUT = np.float32(2.0 / 3.0)
#: A Gaussian's share of either outer cell, and its mean there in standard deviations.
_OUTER = NormalDist().cdf(-2 / 3)
_LEVEL = NormalDist().pdf(2 / 3) / _OUTER
#: The five cells in each byte, first one in the highest place; 3**5 = 243 of the 256 bytes occur.
_CELLS = (np.arange(256)[:, None] // 3 ** np.arange(4, -1, -1) % 3).astype(np.uint8)
_BLOCK = 2**18  # numbers that are worked on at a time


@dataclass(frozen=True, kw_only=True)
class MultiBinary(Quantizer):
    """Each dimension's z = (x - mean) / sd in one of three cells, cut at -2/3 and 2/3.

    A dimension with an sd below 2**-23 has the bits x > 0 and 0. The sd is the sample's unbiased one.

    Source of ``two_bits`` and ``one_and_half_bits``: Qdrant since 1.15, documentation, "1.5-Bit and 2-Bit
    Quantization" and "Asymmetric Quantization"; lib/quantization, encoded_vectors_binary.rs and vector_stats.rs, in
    float32 as there.

    >>> x_nd = np.float32([[-1], [0], [1]])
    >>> codec = MultiBinary().fit(x_nd, np.random.default_rng(0))
    >>> codec.encode(x_nd)
    array([[  0],
           [128],
           [192]], dtype=uint8)
    """

    #: ``two_bits``: one bit for z > -2/3 and one for z >= 2/3. The first bits of all dimensions come first, then the
    #: second bits; neighbouring cells differ in one bit and the outer cells in two. ``one_and_half_bits``: the same,
    #: but dimensions 2 i and 2 i + 1 share their second bit, joined by OR. ``ternary``: five cells in a byte, 1.6 bits
    #: each where log2(3) = 1.585 would be the least; a cell decodes to the mean of the sample's values in it.
    encoding: Literal["two_bits", "one_and_half_bits", "ternary"] = "two_bits"
    #: For ``similarity: estimate``, which is Qdrant's asymmetric score: the query in 4 or 8 bits (scalar4bits,
    #: scalar8bits) or, with null, as it is. Not for ``ternary``.
    query_bits: Literal[4, 8] | None = None
    #: Bits to whose multiple a row of bits is filled up; Qdrant's has 128.
    word: Literal[8, 128] = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.query_bits and self.encoding == "ternary":
            raise VqbenchError(f"query_bits = {self.query_bits}: must be null for encoding ternary")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        n, d = sample_nd.shape
        mean_d = sample_nd.mean(axis=0, dtype=np.float64)
        square_d = square_deviations(sample_nd, mean_d, axis=0, rows=max(1, _BLOCK // d))
        mean_d, sd_d = mean_d.astype(np.float32), np.sqrt(square_d / max(n - 1, 1)).astype(np.float32)
        if self.encoding != "ternary":
            shared = self.encoding == "one_and_half_bits"
            return BitsCodec(d=d, mean_d=mean_d, sd_d=sd_d, shared=shared, query_bits=self.query_bits, word=self.word)
        return TernaryCodec(d=d, mean_d=mean_d, sd_d=sd_d, levels_3d=_cell_means(sample_nd, mean_d, sd_d))


def _above(x_nd: Floats, mean_d: Floats, sd_d: Floats) -> tuple[Bools, Bools]:
    """Both bits of each component: z > -2/3 and z >= 2/3, where z is float32."""
    flat_d = sd_d < np.finfo(np.float32).eps
    with np.errstate(over="ignore"):  # an infinite z lies in an outer cell, as it should
        z_nd = (x_nd - mean_d) / np.where(flat_d, np.float32(1), sd_d)
    first_nd, second_nd = z_nd > -CUT, z_nd >= CUT
    if flat_d.any():
        first_nd[:, flat_d], second_nd[:, flat_d] = x_nd[:, flat_d] > 0, False
    return first_nd, second_nd


def _levels(mean_d: Floats, sd_d: Floats, z: float) -> Floats:
    """``mean + z sd`` in float32; what float32 cannot hold becomes its largest number."""
    return to_float32(mean_d.astype(np.float64) + z * sd_d)


def _cell_means(sample_nd: Floats, mean_d: Floats, sd_d: Floats) -> Floats:
    """The mean of the sample in each cell, ``(3, d)`` float32; a Gaussian's where a cell has no values."""
    sums_3d, counts_3d = np.zeros((3, len(mean_d))), np.zeros((3, len(mean_d)))
    for start, stop in blocks(len(sample_nd), max(1, _BLOCK // len(mean_d))):
        part_nd = sample_nd[start:stop]
        first_nd, second_nd = _above(part_nd, mean_d, sd_d)
        for cell, inside_nd in enumerate((~first_nd, first_nd & ~second_nd, second_nd)):
            sums_3d[cell] += np.where(inside_nd, part_nd, 0).sum(axis=0, dtype=np.float64)
            counts_3d[cell] += inside_nd.sum(axis=0)
    expected_3d = np.stack([_levels(mean_d, sd_d, z) for z in (-_LEVEL, 0.0, _LEVEL)])
    return np.where(counts_3d > 0, sums_3d / np.maximum(counts_3d, 1), expected_3d).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class BitsCodec(BlockCodec):
    """First bits, then second bits."""

    mean_d: Floats  # float32, as the sd
    sd_d: Floats
    shared: bool  # one second bit for two dimensions
    query_bits: int | None
    word: int

    is_binary = True
    numbers_at_once = _BLOCK

    @property
    def code_bits(self) -> int:
        return self.d + (-(-self.d // 2) if self.shared else self.d)

    @property
    def layout(self) -> Layout:
        return Layout(count=self.code_bits, bits=1, word=self.word)

    def encode_block(self, x_nd: Floats) -> Codes:
        first_nd, second_nd = _above(x_nd, self.mean_d, self.sd_d)
        return self.layout.pack(np.concatenate([first_nd, self._shared(second_nd)], axis=1))

    def _shared(self, second_nd: np.ndarray) -> np.ndarray:
        """The larger of two dimensions' second values, where they share one."""
        if not self.shared:
            return second_nd
        pairs_nh = second_nd[:, 0::2].copy()
        np.maximum(pairs_nh[:, : self.d // 2], second_nd[:, 1::2], out=pairs_nh[:, : self.d // 2])
        return pairs_nh

    def decode(self, codes_nb: Codes) -> Floats:
        """Each component's expected value, were it Gaussian: Qdrant itself never decodes.

        A shared bit is one dimension's alone where the other one's first bit is 0; where both are in
        question, either is in the upper cell with probability (m + u) / (2 m + u), m and u the shares of
        the middle and the upper cell: both up or just this one, out of both, this one or that one.
        """
        bits_nc = self.layout.numbers(codes_nb)
        first_nd, second_nc = bits_nc[:, : self.d], bits_nc[:, self.d :]
        if not self.shared:
            return self._levels_3d[np.add(first_nd, second_nc), np.arange(self.d)]
        second_nd = np.repeat(second_nc, 2, axis=1)[:, : self.d]
        other_nd = np.zeros_like(first_nd)
        even_nd, odd_nd = other_nd[:, 0::2], other_nd[:, 1::2]
        even_nd[:, : self.d // 2], odd_nd[:] = first_nd[:, 1::2], first_nd[:, 0 : self.d // 2 * 2 : 2]
        cells_nd = np.where(second_nd & other_nd, 3 * first_nd, first_nd + second_nd)
        return self._levels_3d[cells_nd, np.arange(self.d)]

    @property
    def _levels_3d(self) -> Floats:
        """What the cells stand for: below, around, above, and maybe above."""
        middle, upper = 1 - 2 * _OUTER, _OUTER
        maybe = _LEVEL * (middle + upper) / (2 * middle + upper)
        return np.stack([_levels(self.mean_d, self.sd_d, z) for z in (-_LEVEL, 0.0, _LEVEL, maybe)])

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        """Qdrant's asymmetric query: the vector itself for the first bits, and again for the second ones.

        For shared bits it is the larger of the two components. Nothing is centred, there as here. Levels
        0 to m = 2**query_bits - 1 stand for -1 to 1 times the query's largest component.
        """
        values_qc = np.concatenate([queries_qd, self._shared(queries_qd)], axis=1)
        if self.query_bits is None:
            return values_qc.astype(np.float64)
        top = 2**self.query_bits - 1
        return query_levels(values_qc, self.query_bits).astype(np.float64) * 2 / top - 1

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        """All bits as -1 and 1: with a coded query the product is bits - 2 XOR / m, XOR as Qdrant sums it."""
        return self.layout.numbers(codes_nb).astype(np.float64) * 2 - 1


@dataclass(frozen=True, kw_only=True)
class TernaryCodec(BlockCodec):
    """Five cells in a byte, the first one in the highest place."""

    mean_d: Floats  # float32, as the rest
    sd_d: Floats
    levels_3d: Floats  # what the cells stand for

    numbers_at_once = _BLOCK

    @property
    def layout(self) -> Layout:
        """The bytes."""
        return Layout(count=-(-self.d // 5), bits=8)

    def encode_block(self, x_nd: Floats) -> Codes:
        first_nd, second_nd = _above(x_nd, self.mean_d, self.sd_d)
        cells_np = np.pad(np.add(first_nd, second_nd, dtype=np.uint8), ((0, 0), (0, -self.d % 5)))
        places_5 = 3 ** np.arange(4, -1, -1, dtype=np.uint8)
        return (cells_np.reshape(len(x_nd), -1, 5) * places_5).sum(axis=2, dtype=np.uint8)

    def decode(self, codes_nb: Codes) -> Floats:
        cells_nd = _CELLS[codes_nb].reshape(len(codes_nb), -1)[:, : self.d]
        return self.levels_3d[cells_nd, np.arange(self.d)]

    def ledger(self) -> Ledger:
        """A cell takes a fifth of a byte; what is left of the last byte is padding."""
        code, stored = self.d / 5, self.layout.count
        padding = (Item("padding", "vector", stored - code),) if stored > code else ()
        return Ledger((Item("code", "vector", code), *padding, *stored_items(self.learned())))
