"""The corpus in codes, block by block, with what every row loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from vqbench.metrics.base import RowMetric
from vqbench.numerics.arrays import Codes, Floats, Ints, block_rows, blocks
from vqbench.numerics.exact_sum import ExactSum
from vqbench.numerics.packing import unpack_bits
from vqbench.numerics.thread_pool import map_in_order
from vqbench.quantizers.base import Codec, decode_checked, encode_checked
from vqbench.search.similarity import CodeArray, CodeBlocks
from vqbench.storage.scratch import Scratch, has_room
from vqbench.storage.vectors import Vectors

_BLOCK = 2048  # rows that a thread encodes at a time
_HELD = 512 * 2**20  # bytes of codes that are kept in memory


@dataclass(frozen=True)
class Recoded:
    """Codes that are made of the vectors by whoever reads them: what travels to a worker is the way to make them."""

    codec: Codec
    corpus: Vectors
    keep: bool = False  #: make them at the first look and keep them; else make them again at each, and hold none

    @property
    def n(self) -> int:
        return self.corpus.n

    def block(self, start: int, stop: int) -> Codes:
        return self._kept_nb[start:stop] if self.keep else encode_checked(self.codec, self.corpus.block(start, stop))

    def take(self, rows: Ints) -> Codes:
        return self._kept_nb[rows] if self.keep else encode_checked(self.codec, self.corpus.take(rows))

    def span(self, start: int, stop: int) -> Self:
        return replace(self, corpus=self.corpus.span(start, stop))

    @cached_property
    def _kept_nb(self) -> Codes:
        return np.concatenate([encode_checked(self.codec, self.corpus.block(*part)) for part in blocks(self.n, _BLOCK)])


@dataclass(frozen=True)
class Kept(CodeArray):
    """Codes in memory or in a scratch file. A part of them travels as the way to make it: workers see no such file."""

    codec: Codec
    corpus: Vectors

    def span(self, start: int, stop: int) -> CodeBlocks:
        return Recoded(self.codec, self.corpus.span(start, stop), keep=True)


@dataclass(frozen=True)
class Encoded:
    """The corpus in codes."""

    codes: CodeBlocks
    means: dict[str, float]  #: of the row metrics, by name
    balance_d: Floats | None  #: for binary codes the share of ones ``(code_bits,)``


def encode_corpus(
    codec: Codec, corpus: Vectors, metrics: Sequence[RowMetric], looked_up: CodeBlocks | None = None
) -> Encoded:
    """Encode all rows in one pass.

    Args:
        looked_up: the codes, where they came with the vectors.
    """
    made: CodeBlocks = looked_up or Recoded(codec, corpus)
    width = made.block(0, 1).shape[1]
    kept_nb, scratch = None, None
    if width * corpus.n <= _HELD and width < 4 * corpus.d:
        kept_nb = np.empty((corpus.n, width), dtype=np.uint8)
    elif looked_up is None and width <= corpus.d and has_room(width * corpus.n):  # longer ones take little to make
        scratch = Scratch(width, np.dtype(np.uint8), width * corpus.n)
    sums = {metric.name: ExactSum() for metric in metrics}
    ones_d = np.zeros(codec.core.code_bits, dtype=np.int64)

    def encode(span: tuple[int, int]) -> tuple[Codes, list[Floats], Ints]:
        x_nd = corpus.block(*span)
        block_nb = encode_checked(codec, x_nd) if looked_up is None else looked_up.block(*span)
        decoded_nd = decode_checked(codec, block_nb) if metrics else x_nd
        bits = unpack_bits(block_nb, codec.core.code_bits) if codec.is_binary else np.zeros((1, 1), np.uint8)
        return block_nb, [each.measure(x_nd, decoded_nd, codec) for each in metrics], bits.sum(axis=0, dtype=np.int64)

    for start, (block_nb, values, ones) in map_in_order(encode, blocks(corpus.n, block_rows(corpus.d, _BLOCK))):
        if kept_nb is not None:
            kept_nb[start : start + len(block_nb)] = block_nb
        elif scratch is not None:
            scratch.write(block_nb)
        ones_d += ones
        for total, values_b in zip(sums.values(), values, strict=True):
            total.add(values_b)
    stored = kept_nb if scratch is None else scratch.rows()
    codes = made if stored is None else Kept(stored, codec, corpus)
    if kept_nb is not None and (looked_up is not None or not corpus.on_disk):
        codes = CodeArray(kept_nb)  # parts travel as they are: the vectors would take longer
    balance_d = ones_d / corpus.n if codec.is_binary else None
    return Encoded(codes, {name: total.mean for name, total in sums.items()}, balance_d)
