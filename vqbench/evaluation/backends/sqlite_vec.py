"""sqlite-vec: a vec0 table of bytes, bits or floats, which always scans every row."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.evaluation.backends.base import Backend, Engine, Held, padded, row_blocks
from vqbench.numerics.arrays import Floats, Ints, Rows

_CODES = {"float": "?", "int8": "vec_quantize_int8(?, 'unit')", "bit": "vec_quantize_binary(?)"}
_MOST = 4096  # the k that the package was built for


@dataclass(frozen=True, kw_only=True)
class SqliteVec(Backend, engine="sqlite-vec", package="sqlite-vec", module="sqlite_vec"):
    """A column ``float[d]``, ``int8[d]`` or ``bit[d]``, encoded by sqlite-vec's own SQL functions, in a file.

    >>> SqliteVec(column="int8").distance
    'cosine'
    """

    column: Literal["float", "int8", "bit"]
    distance: Literal["cosine", "L2", "L1"] = "cosine"  #: of floats and int8; bits are counted

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        path, extension, code = folder / "vectors.db", self.load(), _CODES[self.column]
        connection = self._connection(path, extension)
        if self.column == "bit" and corpus.d % 8:
            raise NotApplicableError(f"sqlite-vec: bit[{corpus.d}]: it takes multiples of 8 dimensions only")
        how = "" if self.column == "bit" else f" distance_metric={self.distance}"
        connection.execute(f"create virtual table rows using vec0(vector {self.column}[{corpus.d}]{how})")
        connection.execute("begin")
        for start, x_nd in row_blocks(corpus):
            numbered = [(row, x_d.tobytes()) for row, x_d in enumerate(x_nd, start)]
            connection.executemany(f"insert into rows(rowid, vector) values (?, {code})", numbered)
        connection.execute("commit")
        connection.execute("vacuum")
        held = _held(connection, path.stat().st_size)
        return Engine(lambda queries_qd, k: _search(connection, code, queries_qd, k), held, connection.close)

    def _connection(self, path: Path, extension: Any) -> Any:
        """By the standard library where Python was built to load extensions, else by apsw."""
        connection: Any
        if hasattr(sqlite3.Connection, "enable_load_extension"):
            connection = sqlite3.connect(path, isolation_level=None)
        else:
            try:
                connection = import_module("apsw").Connection(str(path))
            except ImportError:
                raise NotApplicableError(
                    "this Python's sqlite3 loads no extensions, and apsw is not installed: "
                    f"pip install 'vqbench[{self.extra}]'"
                ) from None
        connection.enable_load_extension(True)
        connection.load_extension(extension.loadable_path())
        return connection


def _search(connection: Any, code: str, queries_qd: Floats, k: int) -> Ints:
    if k > _MOST:
        raise NotApplicableError(f"sqlite-vec returns at most {_MOST} rows, not {k}: choose a smaller k")
    sql = f"select rowid from rows where vector match {code} and k = ? order by distance"
    return padded(([row for (row,) in connection.execute(sql, (x_d.tobytes(), k))] for x_d in queries_qd), k)


def _held(connection: Any, size: int) -> tuple[Held, ...]:
    """The file after VACUUM; where SQLite has ``dbstat``, the pages that hold vectors apart."""
    try:
        pages = connection.execute("select sum(pgsize) from dbstat where name like 'rows_vector_chunks%'")
        vectors = int(next(iter(pages))[0])
    except Exception:  # a SQLite built without dbstat, under either library's own error
        return (Held("file", "disk", size),)
    return Held("vector pages", "disk", vectors, codes=True), Held("row ids, schema", "disk", size - vectors)
