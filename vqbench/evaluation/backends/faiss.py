"""faiss: any index of its factory that searches every code, and bits compared by counting.

Flat indexes only: IVF and graphs skip rows. Factory strings: https://github.com/facebookresearch/faiss/wiki/The-index-factory
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.evaluation.backends.base import Backend, Engine, Held, row_blocks, sign_bits
from vqbench.numerics.arrays import Rows
from vqbench.quantizers.parts.faiss_index import (
    build_index,
    faiss_message,
    fill_factory,
    load_faiss,
    one_thread,
    set_seeds,
    transforms_of,
)


@dataclass(frozen=True, kw_only=True)
class Faiss(Backend, engine="faiss", package="faiss-cpu", module="faiss"):
    """The index that ``faiss.index_factory`` builds, trained on one thread: sums in another order give other codes.

    >>> Faiss(factory="PQ{d/8}x8").metric
    'l2'
    """

    factory: str  #: as in ``SQ8``; ``{d}`` stands for the dimensions, as in ``FaissCodec``
    metric: Literal["l2", "inner"] = "l2"  #: faiss has no cosine, and decoded vectors are not of unit length
    query_bits: int | None = None  #: to how many bits RaBitQ rounds the query (0: not at all; none: faiss' default)

    def __post_init__(self) -> None:
        if any(name in self.factory for name in ("IVF", "HNSW", "NSG")):
            raise VqbenchError(f"factory = {self.factory}: skips rows; name a flat index, as in SQ8")

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        faiss: Any = load_faiss()
        metric = faiss.METRIC_L2 if self.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        index = build_index(faiss, corpus.d, fill_factory(self.factory, corpus.d), metric)
        with one_thread(faiss):
            kept = _seeded(faiss, index, int(rng.integers(2**31)))
            try:
                if not index.is_trained:
                    index.train(np.concatenate([x_nd for _, x_nd in row_blocks(corpus)]))
            except RuntimeError as error:
                raise NotApplicableError(
                    f"{self.factory}: faiss cannot train on {corpus.n} rows: {faiss_message(error)}"
                ) from None
        del kept
        if self.query_bits is not None:
            inner = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index
            inner.qb = self.query_bits
        for _, x_nd in row_blocks(corpus):
            index.add(x_nd)
        held = _held(faiss.serialize_index(index).size, index.sa_code_size() * corpus.n)
        return Engine(lambda queries_qd, k: index.search(queries_qd, k)[1], held)


@dataclass(frozen=True, kw_only=True)
class FaissBits(Backend, engine="faiss", package="faiss-cpu", module="faiss"):
    """IndexBinaryFlat over the bits ``x > 0``, padded with zeros to whole bytes."""

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        faiss: Any = load_faiss()
        index = faiss.IndexBinaryFlat(-(-corpus.d // 8) * 8)
        for _, x_nd in row_blocks(corpus):
            index.add(sign_bits(x_nd))
        held = _held(faiss.serialize_index_binary(index).size, index.code_size * corpus.n)
        return Engine(lambda queries_qd, k: index.search(sign_bits(queries_qd), k)[1], held)


def _held(file_bytes: int, code_bytes: int) -> tuple[Held, ...]:
    """What ``write_index`` would write."""
    return (
        Held("codes", "disk", code_bytes, codes=True),
        Held("what was learned, header", "disk", file_bytes - code_bytes),
    )


def _seeded(faiss: Any, index: Any, seed: int) -> list[Any]:
    """Set seeds wherever faiss takes them; an index without a codec here has random rotations at most."""
    try:
        return set_seeds(faiss, index, seed)
    except NotApplicableError:
        for transform in transforms_of(faiss, index):
            if isinstance(transform, faiss.RandomRotationMatrix):
                transform.init(seed)
        return []
