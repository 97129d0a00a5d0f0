"""USearch: an index of any of its number types, searched with ``exact=True``, which visits every vector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vqbench.evaluation.backends.base import NONE, Backend, Engine, Held, row_blocks, sign_bits
from vqbench.numerics.arrays import Floats, Ints, Rows

_BITS = {"f32": 32, "f16": 16, "bf16": 16, "i8": 8, "e5m2": 8, "e4m3": 8, "b1": 1}


@dataclass(frozen=True, kw_only=True)
class Usearch(Backend, engine="USearch", package="usearch", module="usearch.index"):
    """``Index(dtype=..., metric=...)``, filled on one thread so that vectors lie in their order.

    An index always has a graph: its bytes and time are counted.

    >>> Usearch(dtype="i8").metric
    'cos'
    """

    dtype: Literal["f32", "f16", "bf16", "i8", "e5m2", "e4m3", "b1"]
    metric: Literal["cos", "ip", "l2sq"] = "cos"  #: of all types but ``b1``, which counts the bits ``x > 0``

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        binary = self.dtype == "b1"
        coded = sign_bits if binary else np.asarray
        d = -(-corpus.d // 8) * 8 if binary else corpus.d
        index = self.load().Index(ndim=d, metric="hamming" if binary else self.metric, dtype=self.dtype)
        for start, x_nd in row_blocks(corpus):
            index.add(np.arange(start, start + len(x_nd), dtype=np.uint64), coded(x_nd), threads=1)
        vectors = d * _BITS[self.dtype] // 8 * corpus.n
        held = (
            Held("vectors", "disk", vectors, codes=True),
            Held("graph, keys, header", "disk", int(index.serialized_length) - vectors),
            Held("memory_usage", "memory", int(index.memory_usage)),
        )

        def search(queries_qd: Floats, k: int) -> Ints:
            matches = index.search(coded(queries_qd), k, exact=True)
            rows_qk = np.atleast_2d(np.asarray(matches.keys)).astype(np.int64)
            counts_q = np.atleast_1d(getattr(matches, "counts", rows_qk.shape[1]))
            rows_qk = np.where(np.arange(rows_qk.shape[1]) < counts_q[:, None], rows_qk, NONE)
            return np.pad(rows_qk, ((0, 0), (0, k - rows_qk.shape[1])), constant_values=NONE)

        return Engine(search, held)
