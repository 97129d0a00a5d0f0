"""Qdrant Edge, the shard of a Qdrant server as a library: its quantized vectors, all of them scored.

A graph of no edges (``m=0``) leaves the full scan, and ``exact`` stays off, which would scan floats instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.evaluation.backends.base import Backend, Engine, Held, padded, row_blocks
from vqbench.numerics.arrays import Floats, Ints, Rows

_ENCODINGS = {"1": "OneBit", "1.5": "OneAndHalfBits", "2": "TwoBits"}
_QUERIES = {"binary": "Binary", "4": "Scalar4Bits", "8": "Scalar8Bits"}
_TURBO = {"1": "Bits1", "1.5": "Bits1_5", "2": "Bits2", "4": "Bits4", "8": "Bits8"}
#: What is counted of a segment's files. The log and preallocated pages (tens of MB, mostly empty) are left out.
_FILES = {
    "quantized.data": "vector_storage/quantized.data",
    "matrix.dat: float vectors": "vector_storage/matrix.dat",
    "id tracker": "id_tracker.*",
}


@dataclass(frozen=True, kw_only=True)
class Qdrant(Backend, engine="Qdrant", package="qdrant-edge-py", module="qdrant_edge"):
    """Cosine, one of Qdrant's quantizations, nothing rescored.

    All but binary learn from a random sample of larger segments (scalar: of 5,000 rows) and take no seed.

    >>> Qdrant(quantization="binary").repeats
    True
    """

    quantization: Literal["scalar", "binary", "product", "turbo"]
    quantile: float | None = None  #: of scalar
    bits: Literal["1", "1.5", "2", "4", "8"] = "1"  #: of binary (1, 1.5, 2) and turbo
    query: Literal["binary", "4", "8"] = "binary"  #: how binary codes score the query: as bits, or in 4 or 8 bits
    ratio: Literal[4, 8, 16, 32, 64] = 32  #: of product: float32's bytes to the code's

    @property
    def repeats(self) -> bool:
        return self.quantization == "binary"

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        qdrant = self.load()
        shard = qdrant.EdgeShard.create(str(folder), self._config(qdrant, corpus.d))
        for start, x_nd in row_blocks(corpus):
            points = [qdrant.Point(row, x_d.tolist()) for row, x_d in enumerate(x_nd, start)]
            shard.update(qdrant.UpdateOperation.upsert_points(points))
        shard.optimize()
        shard.flush()
        held = tuple(
            Held(item, "disk", sum(path.stat().st_size for path in folder.glob(f"segments/*/{files}")), codes)
            for (item, files), codes in zip(_FILES.items(), (True, False, False), strict=True)
        )
        if not held[0].bytes or shard.info().indexed_vectors_count != corpus.n:
            raise NotApplicableError(f"Qdrant quantizes no segment of {corpus.n} vectors: give it more rows")
        return Engine(lambda queries_qd, k: _search(qdrant, shard, queries_qd, k), held, shard.close)

    def _config(self, qdrant: Any, d: int) -> Any:
        """One segment, quantized however few vectors it has."""
        if self.quantization == "scalar":
            how = qdrant.ScalarQuantizationConfig(qdrant.ScalarType.Int8, quantile=self.quantile)
        elif self.quantization == "binary":
            encoding = getattr(qdrant.BinaryQuantizationEncoding, _ENCODINGS[self.bits])
            query = getattr(qdrant.BinaryQuantizationQueryEncoding, _QUERIES[self.query])
            how = qdrant.BinaryQuantizationConfig(encoding=encoding, query_encoding=query)
        elif self.quantization == "product":
            how = qdrant.ProductQuantizationConfig(getattr(qdrant.CompressionRatio, f"X{self.ratio}"))
        else:
            how = qdrant.TurboQuantQuantizationConfig(bits=getattr(qdrant.TurboQuantBitSize, _TURBO[self.bits]))
        return qdrant.EdgeConfig(
            vectors=qdrant.EdgeVectorParams(size=d, distance=qdrant.Distance.Cosine, quantization_config=how),
            hnsw_config=qdrant.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10**9),
            optimizers=qdrant.EdgeOptimizersConfig(indexing_threshold=1, default_segment_number=1),
        )


def _search(qdrant: Any, shard: Any, queries_qd: Floats, k: int) -> Ints:
    params = qdrant.SearchParams(exact=False, quantization=qdrant.QuantizationSearchParams(rescore=False))
    requests = (
        qdrant.QueryRequest(limit=k, query=qdrant.Query.Nearest(x_d.tolist()), params=params) for x_d in queries_qd
    )
    return padded(([point.id for point in shard.query(request)] for request in requests), k)
