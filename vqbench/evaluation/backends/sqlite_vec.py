"""sqlite-vec: a vec0 table of bytes, bits or floats, which always scans every row."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.evaluation.backends.base import NONE, Backend, Engine, Held, parts
from vqbench.numerics.arrays import Floats, Ints, Rows

_CODES = {"float": "?", "int8": "vec_quantize_int8(?, 'unit')", "bit": "vec_quantize_binary(?)"}
_MOST = 4096  # the k that the package was built for


@dataclass(frozen=True, kw_only=True)
class SqliteVec(Backend):
    """A column ``float[d]``, ``int8[d]`` or ``bit[d]``, coded by sqlite-vec's own SQL functions, in a file.

    distance: for float and int8; bits are counted whatever it is.
    """

    column: Literal["float", "int8", "bit"]
    distance: Literal["cosine", "L2", "L1"] = "cosine"

    engine: ClassVar[str] = "sqlite-vec"
    package: ClassVar[str] = "sqlite-vec"
    module: ClassVar[str] = "sqlite_vec"

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        path, extension = folder / "vectors.db", self.load()
        connection = self._connection(path, extension)
        if self.column == "bit" and corpus.d % 8:
            raise NotApplicableError(f"sqlite-vec: bit[{corpus.d}]: it takes multiples of 8 dimensions only")
        how = "" if self.column == "bit" else f" distance_metric={self.distance}"
        connection.execute(f"create virtual table rows using vec0(vector {self.column}[{corpus.d}]{how})")
        connection.execute("begin")
        insert = f"insert into rows(rowid, vector) values (?, {_CODES[self.column]})"
        for start, x_nd in parts(corpus):
            connection.executemany(insert, [(start + at, x_d.tobytes()) for at, x_d in enumerate(x_nd)])
        connection.execute("commit")
        connection.execute("vacuum")
        return SqliteVecEngine(connection, path, _CODES[self.column])

    def _connection(self, path: Path, extension: Any) -> Any:
        """By the standard library where Python was built to load extensions, else by apsw."""
        if hasattr(sqlite3.Connection, "enable_load_extension"):
            connection: Any = sqlite3.connect(path, isolation_level=None)
            connection.enable_load_extension(True)
            extension.load(connection)
            return connection
        try:
            apsw: Any = import_module("apsw")
        except ImportError:
            raise NotApplicableError(
                "this Python's sqlite3 loads no extensions, and apsw is not installed: "
                f"pip install 'vqbench[{self.extra}]'"
            ) from None
        connection = apsw.Connection(str(path))
        connection.enable_load_extension(True)
        connection.load_extension(extension.loadable_path())
        return connection


@dataclass(frozen=True)
class SqliteVecEngine(Engine):
    """An open file."""

    connection: Any
    path: Path
    code: str

    def search(self, queries_qd: Floats, k: int) -> Ints:
        if k > _MOST:
            raise NotApplicableError(f"sqlite-vec returns at most {_MOST} rows, not {k}: choose a smaller k")
        sql = f"select rowid from rows where vector match {self.code} and k = ? order by distance"
        ids_qk = np.full((len(queries_qd), k), NONE, dtype=np.int64)
        for query, x_d in enumerate(np.ascontiguousarray(queries_qd, dtype=np.float32)):
            found = [row[0] for row in self.connection.execute(sql, (x_d.tobytes(), k))]
            ids_qk[query, : len(found)] = found
        return ids_qk

    def held(self) -> tuple[Held, ...]:
        """The file after VACUUM; where SQLite has ``dbstat``, the pages that hold vectors apart."""
        size = self.path.stat().st_size
        try:
            found = self.connection.execute("select sum(pgsize) from dbstat where name like 'rows_vector_chunks%'")
            vectors = int(next(iter(found))[0])
        except Exception:  # a SQLite built without dbstat, under either library's own error
            return (Held("file", "disk", size),)
        return Held("vector pages", "disk", vectors, codes=True), Held("row ids, schema", "disk", size - vectors)

    def close(self) -> None:
        self.connection.close()
