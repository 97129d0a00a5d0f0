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
from vqbench.numerics.thread_pool import map_in_order
from vqbench.numerics.packing import unpack_bits
from vqbench.quantizers.base import Codec, coded, decoded
from vqbench.search.similarity import CodeArray, CodeBlocks
from vqbench.storage.scratch import Scratch, has_room
from vqbench.storage.vectors import Vectors

_BLOCK = 2048  # rows that a thread encodes at a time
_HELD = 512 * 2**20  # bytes of codes that are kept in memory


@dataclass(frozen=True)
class _FromVectors:
    """Codes that are made of the vectors by whoever reads them: what travels is the way to make them."""

    codec: Codec
    corpus: Vectors

    @property
    def n(self) -> int:
        return self.corpus.n

    def span(self, start: int, stop: int) -> Self:
        return replace(self, corpus=self.corpus.span(start, stop))


@dataclass(frozen=True)
class Recoded(_FromVectors):
    """Codes nearly as large as the vectors themselves: made again whenever they are read, never all held."""

    def block(self, start: int, stop: int) -> Codes:
        return coded(self.codec, self.corpus.block(start, stop))

    def take(self, rows: Ints) -> Codes:
        return coded(self.codec, self.corpus.take(rows))


@dataclass(frozen=True)
class Made(_FromVectors):
    """Codes that are made at the first look, and then kept: a worker receives a path and the codec."""

    def block(self, start: int, stop: int) -> Codes:
        return self._codes_nb[start:stop]

    def take(self, rows: Ints) -> Codes:
        return self._codes_nb[rows]

    @cached_property
    def _codes_nb(self) -> Codes:
        return np.concatenate([coded(self.codec, self.corpus.block(*part)) for part in blocks(self.n, _BLOCK)])


@dataclass(frozen=True)
class Kept(CodeArray):
    """Codes that this process holds. Part of them travels as the way to make it: others see no scratch file."""

    codec: Codec
    corpus: Vectors

    def span(self, start: int, stop: int) -> CodeBlocks:
        return Made(self.codec, self.corpus.span(start, stop))


@dataclass(frozen=True)
class CodeFile(Kept):
    """The same in a scratch file, which is removed when they are no longer used."""


class _Held:
    """Where codes go, block by block: memory, a scratch file, or nowhere, if they are as quickly made again."""

    def __init__(self, codec: Codec, corpus: Vectors, width: int):
        self._codec, self._corpus, size = codec, corpus, width * corpus.n
        self._codes_nb, self._scratch = None, None
        if size <= _HELD and width < 4 * corpus.d:
            self._codes_nb = np.empty((corpus.n, width), dtype=np.uint8)
        elif width <= corpus.d and has_room(size):  # longer codes are casts, which take little to make again
            self._scratch = Scratch(width, np.dtype(np.uint8), size)

    def put(self, start: int, block_nb: Codes) -> None:
        if self._codes_nb is not None:
            self._codes_nb[start : start + len(block_nb)] = block_nb
        elif self._scratch is not None:
            self._scratch.write(block_nb)

    def codes(self) -> CodeBlocks:
        if self._codes_nb is not None:
            on_disk = self._corpus.on_disk
            return Kept(self._codes_nb, self._codec, self._corpus) if on_disk else CodeArray(self._codes_nb)
        if self._scratch is not None:
            return CodeFile(self._scratch.rows(), self._codec, self._corpus)
        return Recoded(self._codec, self._corpus)


@dataclass(frozen=True)
class Encoded:
    """The codes, the means of the row metrics by name, and for binary codes the share of ones ``(code_bits,)``."""

    codes: CodeBlocks
    means: dict[str, float]
    balance_d: Floats | None


def encode_corpus(codec: Codec, corpus: Vectors, metrics: Sequence[RowMetric]) -> Encoded:
    """One pass over the corpus."""
    held = _Held(codec, corpus, coded(codec, corpus.block(0, 1)).shape[1])
    sums = {metric.name: ExactSum() for metric in metrics}
    ones_d = np.zeros(codec.core.code_bits, dtype=np.int64)

    def encode(span: tuple[int, int]) -> tuple[Codes, list[Floats], Ints]:
        x_nd = corpus.block(*span)
        block_nb = coded(codec, x_nd)
        decoded_nd = decoded(codec, block_nb) if metrics else x_nd
        bits = unpack_bits(block_nb, codec.core.code_bits) if codec.is_binary else np.zeros((1, 1), np.uint8)
        return block_nb, [each.measure(x_nd, decoded_nd, codec) for each in metrics], bits.sum(axis=0, dtype=np.int64)

    for start, (block_nb, values, ones) in map_in_order(encode, blocks(corpus.n, block_rows(corpus.d, _BLOCK))):
        held.put(start, block_nb)
        ones_d += ones
        for metric, values_b in zip(metrics, values, strict=True):
            sums[metric.name].add(values_b)
    return Encoded(
        held.codes(),
        {name: total.mean for name, total in sums.items()},
        ones_d / corpus.n if codec.is_binary else None,
    )
