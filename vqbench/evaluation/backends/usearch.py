"""USearch: an index of any of its number types, searched with ``exact=True``, which visits every vector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vqbench.evaluation.backends.base import NONE, Backend, Engine, Held, parts, sign_bits
from vqbench.numerics.arrays import Floats, Ints, Rows

_BITS = {"f32": 32, "f16": 16, "bf16": 16, "i8": 8, "e5m2": 8, "e4m3": 8, "b1": 1}


@dataclass(frozen=True, kw_only=True)
class Usearch(Backend):
    """``Index(dtype=..., metric=...)``; ``b1`` compares the bits ``x > 0`` by counting, whatever the metric says.

    A graph is built all the same, since an index cannot be had without: its bytes and time are counted. On one thread,
    so that vectors lie in their order.
    """

    dtype: Literal["f32", "f16", "bf16", "i8", "e5m2", "e4m3", "b1"]
    metric: Literal["cos", "ip", "l2sq"] = "cos"

    engine: ClassVar[str] = "USearch"
    package: ClassVar[str] = "usearch"
    module: ClassVar[str] = "usearch.index"

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        module = self.load()
        binary = self.dtype == "b1"
        d = -(-corpus.d // 8) * 8 if binary else corpus.d
        index = module.Index(ndim=d, metric="hamming" if binary else self.metric, dtype=self.dtype)
        for start, x_nd in parts(corpus):
            keys = np.arange(start, start + len(x_nd), dtype=np.uint64)
            index.add(keys, sign_bits(x_nd) if binary else x_nd, threads=1)
        return UsearchEngine(index, d * _BITS[self.dtype] // 8, binary)


@dataclass(frozen=True)
class UsearchEngine(Engine):
    """An index in memory. vector_bytes: d numbers of its type."""

    index: Any
    vector_bytes: int
    binary: bool

    def search(self, queries_qd: Floats, k: int) -> Ints:
        found = self.index.search(sign_bits(queries_qd) if self.binary else queries_qd, k, exact=True)
        ids_qk = np.atleast_2d(np.asarray(found.keys)).astype(np.int64)
        counts_q = np.atleast_1d(getattr(found, "counts", ids_qk.shape[1]))
        ids_qk = np.where(np.arange(ids_qk.shape[1]) < counts_q[:, None], ids_qk, NONE)
        return np.pad(ids_qk, ((0, 0), (0, k - ids_qk.shape[1])), constant_values=NONE)

    def held(self) -> tuple[Held, ...]:
        vectors = self.vector_bytes * len(self.index)
        return (
            Held("vectors", "disk", vectors, codes=True),
            Held("graph, keys, header", "disk", int(self.index.serialized_length) - vectors),
            Held("memory_usage", "memory", int(self.index.memory_usage)),
        )
