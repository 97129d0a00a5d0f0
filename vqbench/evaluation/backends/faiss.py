"""faiss: any index of its factory that searches every code, and bits compared by counting.

Flat indexes only: IVF and graphs skip rows. Factory strings: https://github.com/facebookresearch/faiss/wiki/The-index-factory
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.evaluation.backends.base import Backend, Engine, Held, parts, sign_bits
from vqbench.numerics.arrays import Floats, Ints, Rows
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
class Faiss(Backend):
    """The index that ``faiss.index_factory`` builds, as ``SQ8`` or ``PQ{d/8}x8``.

    factory: ``{d}`` stands for the dimensions, as in ``FaissCodec``. metric: what the index ranks by; faiss has no
    cosine, and decoded vectors have no unit length. query_bits: to how many bits RaBitQ rounds the query (0: not at
    all; none: faiss' default). Training runs on one thread: sums in another order would give other codes.
    """

    factory: str
    metric: Literal["l2", "inner"] = "l2"
    query_bits: int | None = None

    engine: ClassVar[str] = "faiss"
    package: ClassVar[str] = "faiss-cpu"
    module: ClassVar[str] = "faiss"

    def __post_init__(self) -> None:
        if "IVF" in self.factory or "HNSW" in self.factory or "NSG" in self.factory:
            raise VqbenchError(f"factory = {self.factory}: skips rows; name a flat index, as in SQ8")

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        faiss: Any = load_faiss()
        metric = faiss.METRIC_L2 if self.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        index = build_index(faiss, corpus.d, fill_factory(self.factory, corpus.d), metric)
        seed = int(rng.integers(2**31))
        with one_thread(faiss):
            kept = _seeded(faiss, index, seed)
            try:
                if not index.is_trained:
                    index.train(np.concatenate([x_nd for _, x_nd in parts(corpus)]))
            except RuntimeError as error:
                raise NotApplicableError(
                    f"{self.factory}: faiss cannot train on {corpus.n} rows: {faiss_message(error)}"
                ) from None
        del kept
        if self.query_bits is not None:
            _inner(faiss, index).qb = self.query_bits
        for _, x_nd in parts(corpus):
            index.add(x_nd)
        return FaissEngine(index, faiss.serialize_index(index).size, index.sa_code_size())


@dataclass(frozen=True, kw_only=True)
class FaissBits(Backend):
    """IndexBinaryFlat over the bits ``x > 0``, filled up with zeros to whole bytes."""

    engine: ClassVar[str] = "faiss"
    package: ClassVar[str] = "faiss-cpu"
    module: ClassVar[str] = "faiss"

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        faiss: Any = load_faiss()
        index = faiss.IndexBinaryFlat(-(-corpus.d // 8) * 8)
        for _, x_nd in parts(corpus):
            index.add(sign_bits(x_nd))
        return FaissEngine(index, faiss.serialize_index_binary(index).size, index.code_size, binary=True)


@dataclass(frozen=True)
class FaissEngine(Engine):
    """An index in memory. file_bytes: what ``write_index`` would write."""

    index: Any
    file_bytes: int
    code_bytes: int
    binary: bool = False

    def search(self, queries_qd: Floats, k: int) -> Ints:
        queries = sign_bits(queries_qd) if self.binary else np.ascontiguousarray(queries_qd, dtype=np.float32)
        return self.index.search(queries, k)[1].astype(np.int64)

    def held(self) -> tuple[Held, ...]:
        codes = self.code_bytes * self.index.ntotal
        return (
            Held("codes", "disk", codes, codes=True),
            Held("what was learned, header", "disk", self.file_bytes - codes),
        )


def _inner(faiss: Any, index: Any) -> Any:
    return faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index


def _seeded(faiss: Any, index: Any, seed: int) -> list[Any]:
    """Seeds wherever faiss lets them be set; an index without a codec here has random rotations at most."""
    try:
        return set_seeds(faiss, index, seed)
    except NotApplicableError:
        for transform in transforms_of(faiss, index):
            if isinstance(transform, faiss.RandomRotationMatrix):
                transform.init(seed)
        return []
