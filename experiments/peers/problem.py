"""The vectors of one size, the same for all contestants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vqbench.api import exact_topk
from vqbench.numerics.arrays import Codes, Floats, Ints, blocks, unit_rows

_BLOCK = 16_384  # part of the recipe: rows are drawn block by block
_CLUSTERS = 100
_DECAY = 0.5


@dataclass(frozen=True)
class Problem:
    """A corpus and its queries, float32 rows of unit length."""

    corpus_nd: Floats
    queries_qd: Floats
    seed: int
    threads: int
    training: int  # most rows to learn from
    deepest: int  # the largest k

    @property
    def n(self) -> int:
        return len(self.corpus_nd)

    @property
    def d(self) -> int:
        return self.corpus_nd.shape[1]

    @property
    def q(self) -> int:
        return len(self.queries_qd)

    @cached_property
    def sample_nd(self) -> Floats:
        """What codes learn from: the first rows, since all are drawn alike."""
        return self.corpus_nd[: self.training]

    @cached_property
    def truth_qk(self) -> Ints:
        """The float top of each query, as deep as anyone asks."""
        return exact_topk(self.queries_qd, self.corpus_nd, self.deepest).ids_qk


def mixture(n: int, d: int, seed: int, *, stream: int) -> Floats:
    """``n`` unit rows ``(n, d)`` of a Gaussian mixture whose spectrum decays; row i is the same whatever ``n``.

    A random rotation makes all dimensions alike, as in embeddings: one bit for each of 384 dimensions then finds about
    half of the top 10.

    Args:
        n: rows.
        d: dimensions.
        seed: of all draws.
        stream: 0 for a corpus, 1 for its queries: other draws around the same centres.

    Returns:
        float32 rows ``(n, d)``.
    """
    x_nd = np.empty((n, d), dtype=np.float32)
    for start, x_bd in mixture_blocks(n, d, seed, stream=stream):
        x_nd[start : start + len(x_bd)] = x_bd
    return x_nd


def mixture_blocks(n: int, d: int, seed: int, *, stream: int) -> Iterator[tuple[int, Floats]]:
    """The same a block at a time, each with the number of its first row."""
    scale_d = (np.arange(1, d + 1) ** -_DECAY).astype(np.float32)
    centres_cd = np.random.default_rng([seed, 2]).standard_normal((_CLUSTERS, d), dtype=np.float32)
    turn_dd = np.linalg.qr(np.random.default_rng([seed, 3]).standard_normal((d, d)))[0].astype(np.float32)
    for block, (start, stop) in enumerate(blocks(n, _BLOCK)):
        rng = np.random.default_rng([seed, stream, block])
        drawn_nd = rng.standard_normal((_BLOCK, d), dtype=np.float32)  # always whole: BLAS rounds by the shape
        drawn_nd += centres_cd[rng.integers(_CLUSTERS, size=_BLOCK)]
        drawn_nd *= scale_d
        yield start, unit_rows((drawn_nd @ turn_dd)[: stop - start])


def sign_bits(x_nd: Floats) -> Codes:
    """``x > 0`` packed, ``(n, d / 8)``: the codes of ``binary_zero``."""
    return np.packbits(x_nd > 0, axis=1)
