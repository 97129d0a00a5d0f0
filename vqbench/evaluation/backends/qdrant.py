"""Qdrant Edge, the shard of a Qdrant server as a library: its quantized vectors, all of them scored.

A graph of no edges (``m=0``) leaves the full scan, and ``exact`` stays off, which would scan floats instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.evaluation.backends.base import NONE, Backend, Engine, Held, parts
from vqbench.numerics.arrays import Floats, Ints, Rows

_ENCODINGS = {"1": "OneBit", "1.5": "OneAndHalfBits", "2": "TwoBits"}
_QUERIES = {"binary": "Binary", "4": "Scalar4Bits", "8": "Scalar8Bits"}
_TURBO = {"1": "Bits1", "1.5": "Bits1_5", "2": "Bits2", "4": "Bits4", "8": "Bits8"}
_RATIOS = {4: "X4", 8: "X8", 16: "X16", 32: "X32", 64: "X64"}


@dataclass(frozen=True, kw_only=True)
class Qdrant(Backend):
    """Cosine, one of Qdrant's quantizations, nothing rescored.

    quantile: of scalar. bits: of binary (1, 1.5, 2) and turbo (also 4, 8). query: how binary codes meet the query, as
    bits or in 4 or 8 bits. ratio: of product, float32's bytes to the code's. All but binary learn from a random sample
    of larger segments (scalar: of 5,000 rows) and take no seed.
    """

    quantization: Literal["scalar", "binary", "product", "turbo"]
    quantile: float | None = None
    bits: Literal["1", "1.5", "2", "4", "8"] = "1"
    query: Literal["binary", "4", "8"] = "binary"
    ratio: Literal[4, 8, 16, 32, 64] = 32

    engine: ClassVar[str] = "Qdrant"
    package: ClassVar[str] = "qdrant-edge-py"
    module: ClassVar[str] = "qdrant_edge"

    @property
    def repeats(self) -> bool:
        return self.quantization == "binary"

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        qdrant = self.load()
        shard = qdrant.EdgeShard.create(str(folder), self._config(qdrant, corpus.d))
        for start, x_nd in parts(corpus):
            points = [qdrant.Point(start + at, x_d.tolist()) for at, x_d in enumerate(x_nd)]
            shard.update(qdrant.UpdateOperation.upsert_points(points))
        shard.optimize()
        shard.flush()
        sizes = [path.stat().st_size for path in folder.glob("segments/*/vector_storage/quantized.data")]
        if not any(sizes) or shard.info().indexed_vectors_count != corpus.n:
            raise NotApplicableError(f"Qdrant quantizes no segment of {corpus.n} vectors: give it more rows")
        return QdrantEngine(qdrant, shard, folder)

    def _config(self, qdrant: Any, d: int) -> Any:
        """One segment, quantized however few vectors it has."""
        if self.quantization == "scalar":
            how = qdrant.ScalarQuantizationConfig(qdrant.ScalarType.Int8, quantile=self.quantile)
        elif self.quantization == "binary":
            encoding = getattr(qdrant.BinaryQuantizationEncoding, _ENCODINGS[self.bits])
            query = getattr(qdrant.BinaryQuantizationQueryEncoding, _QUERIES[self.query])
            how = qdrant.BinaryQuantizationConfig(encoding=encoding, query_encoding=query)
        elif self.quantization == "product":
            how = qdrant.ProductQuantizationConfig(getattr(qdrant.CompressionRatio, _RATIOS[self.ratio]))
        else:
            how = qdrant.TurboQuantQuantizationConfig(bits=getattr(qdrant.TurboQuantBitSize, _TURBO[self.bits]))
        return qdrant.EdgeConfig(
            vectors=qdrant.EdgeVectorParams(size=d, distance=qdrant.Distance.Cosine, quantization_config=how),
            hnsw_config=qdrant.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10**9),
            optimizers=qdrant.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
        )


@dataclass(frozen=True)
class QdrantEngine(Engine):
    """An open shard."""

    qdrant: Any
    shard: Any
    folder: Path

    def search(self, queries_qd: Floats, k: int) -> Ints:
        asked = self.qdrant.QuantizationSearchParams(rescore=False)
        params = self.qdrant.SearchParams(exact=False, quantization=asked)
        ids_qk = np.full((len(queries_qd), k), NONE, dtype=np.int64)
        for query, x_d in enumerate(np.asarray(queries_qd, dtype=np.float32)):
            nearest = self.qdrant.Query.Nearest(x_d.tolist())
            found = self.shard.query(self.qdrant.QueryRequest(limit=k, query=nearest, params=params))
            ids_qk[query, : len(found)] = [point.id for point in found]
        return ids_qk

    def held(self) -> tuple[Held, ...]:
        """Vectors and ids. The log and pages laid out in advance (tens of MB, mostly empty) are left out."""
        at = {
            "quantized": "vector_storage/quantized.data",
            "floats": "vector_storage/matrix.dat",
            "ids": "id_tracker.*",
        }
        sizes = {name: sum(p.stat().st_size for p in self.folder.glob(f"segments/*/{at[name]}")) for name in at}
        return (
            Held("quantized.data", "disk", sizes["quantized"], codes=True),
            Held("matrix.dat: float vectors", "disk", sizes["floats"]),
            Held("id tracker", "disk", sizes["ids"]),
        )

    def close(self) -> None:
        self.shard.close()
