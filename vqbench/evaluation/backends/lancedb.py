"""LanceDB: its quantized indexes with one partition, so that every code is searched, and flat columns of few bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from vqbench.errors import NotApplicableError
from vqbench.evaluation.backends.base import Backend, Engine, Held, padded, row_blocks, sign_bits
from vqbench.numerics.arrays import Floats, Ints, Rows

_CLASSES = {"pq": "IvfPq", "sq": "IvfSq", "rq": "IvfRq"}


@dataclass(frozen=True, kw_only=True)
class LanceIndex(Backend, engine="LanceDB", package="lancedb", module="lancedb"):
    """IVF_PQ, IVF_SQ or IVF_RQ with ``num_partitions=1``: the one list is always probed, and nothing is refined.

    Its k-means and rotations take no seed.

    >>> LanceIndex(index="sq").repeats, LanceIndex(index="pq").repeats
    (True, False)
    """

    index: Literal["pq", "sq", "rq"]
    distance: Literal["l2", "cosine", "dot"] = "cosine"
    bits: int | None = None  #: ``num_bits`` (none: LanceDB's default)
    sub_vectors: int | None = None  #: ``num_sub_vectors``

    @property
    def repeats(self) -> bool:
        return self.index == "sq"

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        lancedb = self.load()
        table = _table(lancedb, folder, corpus, "float32")
        options = {"num_bits": self.bits, "num_sub_vectors": self.sub_vectors}
        config = getattr(lancedb.index, _CLASSES[self.index])(
            distance_type=self.distance, num_partitions=1, **{key: value for key, value in options.items() if value}
        )
        try:
            table.create_index("vector", config=config)
        except Exception as error:  # whatever its Rust side raises
            reason = " ".join(str(error).split())[:200]
            raise NotApplicableError(f"LanceDB cannot index {corpus.n} rows: {reason}") from None
        files = {
            "auxiliary.idx: codes, codebook, row ids": "_indices/*/auxiliary.idx",
            "index.idx: partitions": "_indices/*/index.idx",
            "table: float vectors": "data/*.lance",
        }
        held = (Held(item, "disk", _bytes(folder, files[item]), codes="codes" in item) for item in files)
        return Engine(lambda queries_qd, k: _search(table, queries_qd, self.distance, k, nprobes=1), tuple(held))


@dataclass(frozen=True, kw_only=True)
class LanceFlat(Backend, engine="LanceDB", package="lancedb", module="lancedb"):
    """A column without an index, which is scanned: float16 by cosine, or the bits ``x > 0`` by Hamming distance."""

    column: Literal["float16", "bit"]

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        table = _table(self.load(), folder, corpus, self.column)
        held = (Held("table", "disk", _bytes(folder, "data/*.lance"), codes=True),)
        distance = "hamming" if self.column == "bit" else "cosine"
        return Engine(lambda queries_qd, k: _search(table, _coded(queries_qd, self.column), distance, k), held)


def _table(lancedb: Any, folder: Path, corpus: Rows, column: str) -> Any:
    """A table of row numbers and vectors in a new database."""
    dtype = pa.list_(pa.uint8(), -(-corpus.d // 8)) if column == "bit" else pa.list_(getattr(pa, column)(), corpus.d)
    schema = pa.schema([("row", pa.int64()), ("vector", dtype)])

    def batches() -> Iterator[pa.RecordBatch]:
        for start, x_nd in row_blocks(corpus):
            values = pa.array(_coded(x_nd, column).ravel(), dtype.value_type)
            vectors = pa.FixedSizeListArray.from_arrays(values, type=dtype)
            yield pa.record_batch([pa.array(np.arange(start, start + len(x_nd))), vectors], schema=schema)

    return lancedb.connect(str(folder)).create_table("rows", batches(), schema=schema)


def _coded(x_nd: Floats, column: str) -> np.ndarray:
    return sign_bits(x_nd) if column == "bit" else x_nd.astype(column)


def _search(table: Any, queries: np.ndarray, distance: str, k: int, nprobes: int | None = None) -> Ints:
    def rows_of(query: np.ndarray) -> Ints:
        search = table.search(query, vector_column_name="vector").distance_type(distance).limit(k)
        search = search if nprobes is None else search.nprobes(nprobes)
        return search.select(["row", "_distance"]).to_arrow()["row"].to_numpy()

    return padded(map(rows_of, queries), k)


def _bytes(folder: Path, pattern: str) -> int:
    """Bytes of some files. Versions and transactions, whose size changes from run to run, are left out."""
    return sum(path.stat().st_size for path in (folder / "rows.lance").glob(pattern))
