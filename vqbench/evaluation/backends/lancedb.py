"""LanceDB: its quantized indexes with one partition, so that every code is searched, and flat columns of few bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from vqbench.errors import NotApplicableError
from vqbench.evaluation.backends.base import NONE, Backend, Engine, Held, parts, sign_bits
from vqbench.numerics.arrays import Floats, Ints, Rows

_CLASSES = {"pq": "IvfPq", "sq": "IvfSq", "rq": "IvfRq"}


@dataclass(frozen=True, kw_only=True)
class LanceIndex(Backend):
    """IVF_PQ, IVF_SQ or IVF_RQ with ``num_partitions=1``: the one list is always probed, and nothing is refined.

    bits, sub_vectors: as ``num_bits`` and ``num_sub_vectors`` (none: LanceDB's defaults). Its k-means and rotations
    take no seed.
    """

    index: Literal["pq", "sq", "rq"]
    distance: Literal["l2", "cosine", "dot"] = "cosine"
    bits: int | None = None
    sub_vectors: int | None = None

    engine: ClassVar[str] = "LanceDB"
    package: ClassVar[str] = "lancedb"
    module: ClassVar[str] = "lancedb"

    @property
    def repeats(self) -> bool:
        return self.index == "sq"

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        lancedb = self.load()
        dtype = pa.list_(pa.float32(), corpus.d)
        table = lancedb.connect(str(folder)).create_table("rows", _batches(corpus, dtype), schema=_schema(dtype))
        given = {"num_bits": self.bits, "num_sub_vectors": self.sub_vectors}
        config = getattr(lancedb.index, _CLASSES[self.index])(
            distance_type=self.distance, num_partitions=1, **{key: value for key, value in given.items() if value}
        )
        try:
            table.create_index("vector", config=config)
        except Exception as error:  # whatever its Rust side raises
            raise NotApplicableError(f"LanceDB cannot index {corpus.n} rows: {_line(error)}") from None
        return LanceEngine(table, folder / "rows.lance", self.distance, "float32", indexed=True)


@dataclass(frozen=True, kw_only=True)
class LanceFlat(Backend):
    """A column without an index, which is scanned: float16 by cosine, or the bits ``x > 0`` by Hamming distance."""

    column: Literal["float16", "bit"]

    engine: ClassVar[str] = "LanceDB"
    package: ClassVar[str] = "lancedb"
    module: ClassVar[str] = "lancedb"

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        lancedb = self.load()
        bit = self.column == "bit"
        dtype = pa.list_(pa.uint8(), -(-corpus.d // 8)) if bit else pa.list_(pa.float16(), corpus.d)
        table = lancedb.connect(str(folder)).create_table("rows", _batches(corpus, dtype), schema=_schema(dtype))
        return LanceEngine(table, folder / "rows.lance", "hamming" if bit else "cosine", self.column, indexed=False)


@dataclass(frozen=True)
class LanceEngine(Engine):
    """A table on disk."""

    table: Any
    folder: Path
    distance: str
    column: str
    indexed: bool

    def search(self, queries_qd: Floats, k: int) -> Ints:
        queries = _coded(np.asarray(queries_qd, dtype=np.float32), self.column)
        ids_qk = np.full((len(queries), k), NONE, dtype=np.int64)
        for query, x in enumerate(queries):
            asked = self.table.search(x, vector_column_name="vector").distance_type(self.distance).limit(k)
            asked = asked.nprobes(1) if self.indexed else asked
            found = asked.select(["row", "_distance"]).to_arrow()["row"].to_numpy()
            ids_qk[query, : len(found)] = found
        return ids_qk

    def held(self) -> tuple[Held, ...]:
        """Files by kind. Versions and transactions, whose size changes from run to run, are left out."""
        data = _bytes(self.folder, "data/*.lance")
        if not self.indexed:
            return (Held("table", "disk", data, codes=True),)
        return (
            Held(
                "auxiliary.idx: codes, codebook, row ids",
                "disk",
                _bytes(self.folder, "_indices/*/auxiliary.idx"),
                codes=True,
            ),
            Held("index.idx: partitions", "disk", _bytes(self.folder, "_indices/*/index.idx")),
            Held("table: float vectors", "disk", data),
        )


def _bytes(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def _schema(dtype: pa.DataType) -> pa.Schema:
    return pa.schema([("row", pa.int64()), ("vector", dtype)])


def _coded(x_nd: Floats, column: str) -> np.ndarray:
    return sign_bits(x_nd) if column == "bit" else x_nd.astype(column)


def _batches(corpus: Rows, dtype: Any) -> Any:
    kind = {pa.uint8(): "bit", pa.float16(): "float16", pa.float32(): "float32"}[dtype.value_type]
    for start, x_nd in parts(corpus):
        values = pa.array(_coded(x_nd, kind).ravel(), dtype.value_type)
        columns = [pa.array(np.arange(start, start + len(x_nd))), pa.FixedSizeListArray.from_arrays(values, type=dtype)]
        yield pa.record_batch(columns, schema=_schema(dtype))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
