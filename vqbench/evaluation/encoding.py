"""The corpus in codes, block by block, with what every row loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vqbench.arrays import Codes, Floats, Ints, Vectors, blocks
from vqbench.errors import VqbenchError
from vqbench.metrics.base import RowMetric
from vqbench.packing import unpack_bits
from vqbench.quantizers.base import Codec
from vqbench.search.similarity import CodeArray, CodeBlocks
from vqbench.stats.intervals import mean

_BLOCK = 8192


@dataclass(frozen=True)
class Recoded:
    """Codes as large as the vectors themselves: made again whenever they are read, never all held."""

    codec: Codec
    corpus: Vectors

    @property
    def n(self) -> int:
        return self.corpus.n

    def block(self, start: int, stop: int) -> Codes:
        return self.codec.encode(self.corpus.block(start, stop))

    def take(self, rows: Ints) -> Codes:
        return self.codec.encode(self.corpus.take(rows))

    def span(self, start: int, stop: int) -> Recoded:
        return Recoded(self.codec, self.corpus.span(start, stop))


@dataclass(frozen=True)
class Made:
    """Codes that whoever searches them makes first, and then keeps: a worker receives a path and the codec."""

    codec: Codec
    corpus: Vectors

    @property
    def n(self) -> int:
        return self.corpus.n

    def block(self, start: int, stop: int) -> Codes:
        return self._codes_nb[start:stop]

    def take(self, rows: Ints) -> Codes:
        return self._codes_nb[rows]

    def span(self, start: int, stop: int) -> Made:
        return Made(self.codec, self.corpus.span(start, stop))

    @cached_property
    def _codes_nb(self) -> Codes:
        return np.concatenate([self.codec.encode(self.corpus.block(*part)) for part in blocks(self.n, _BLOCK)])


@dataclass(frozen=True)
class Kept(CodeArray):
    """Codes in memory here, of a corpus on disk. Part of them travels as the way to make it, in fewer bytes."""

    codec: Codec
    corpus: Vectors

    def span(self, start: int, stop: int) -> CodeBlocks:
        return Made(self.codec, self.corpus.span(start, stop))


@dataclass(frozen=True)
class Encoded:
    """The codes, the means of the row metrics by name, and for binary codes the share of ones ``(code_bits,)``."""

    codes: CodeBlocks
    means: dict[str, float]
    balance_d: Floats | None


def encode_corpus(codec: Codec, corpus: Vectors, metrics: Sequence[RowMetric]) -> Encoded:
    """One pass over the corpus."""
    width = codec.encode(corpus.block(0, 1)).shape[1]
    if width != codec.ledger().total("vector"):
        raise VqbenchError(
            f"a code has {width} bytes, its ledger says {codec.ledger().total('vector'):g}: count what is stored"
        )
    keep = width < 4 * corpus.d
    codes_nb = np.empty((corpus.n if keep else 0, width), dtype=np.uint8)
    values = {metric.name: np.empty(corpus.n) for metric in metrics}
    ones_d = np.zeros(codec.core.code_bits, dtype=np.int64)
    for start, stop in blocks(corpus.n, _BLOCK):
        x_nd = corpus.block(start, stop)
        block_nb = codec.encode(x_nd)
        decoded_nd = codec.decode(block_nb)
        for metric in metrics:
            values[metric.name][start:stop] = metric.measure(x_nd, decoded_nd, codec)
        if codec.is_binary:
            ones_d += unpack_bits(block_nb, codec.core.code_bits).sum(axis=0, dtype=np.int64)
        if keep:
            codes_nb[start:stop] = block_nb
    held = Kept(codes_nb, codec, corpus) if corpus.on_disk else CodeArray(codes_nb)
    return Encoded(
        held if keep else Recoded(codec, corpus),
        {name: mean(values_n) for name, values_n in values.items()},
        ones_d / corpus.n if codec.is_binary else None,
    )
