"""SQLite: a column of blobs (float32, as numpy's ``tobytes`` writes them) or of lists in text; sqlite-vec and Chroma.

The file is opened to be read only, and only its tables: no extension is loaded, and no view, trigger or computed
column is evaluated.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.choice import VECTORS, choose
from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.sqlite_tables import Column, columns, quoted
from vqbench.datasets.unpacking import Sheet
from vqbench.datasets.vector_texts import FLOAT32, dtype_of, numbers
from vqbench.storage.raw_rows import RawRows
from vqbench.text import python_command

ENDINGS = (".sqlite", ".sqlite3", ".db")
NEEDS = ("needs a whole SQLite file", "write it again")
USES = ("key", "queries_key", "id_column", "query_id_column", "texts", "labels")
IMPORTS = ("sqlite3", "vqbench.datasets.sqlite_tables")
_BLOCK = 1 << 22  # bytes of vectors at a time
_TEXTS = 1 << 12  # texts at a time
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}
_PRAGMAS, _FUNCTIONS = {"table_xinfo", "quick_check"}, {"count"}


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read the column that ``key`` names as ``table.column``, or the only one that holds vectors."""
    _check_settled(path)
    db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True, isolation_level=None)
    try:
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON", "mmap_size = 0"):
            db.execute(f"PRAGMA {pragma}")
        db.set_authorizer(_authorized)
        return _content(path, wanted, sheet, db)
    finally:
        db.close()


def _authorized(action: int, first: str | None, second: str | None, database: str | None, source: str | None) -> int:
    """Whether a statement may do that: reading of tables only."""
    allowed = action in _ALLOWED and source is None
    allowed = allowed or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS)
    allowed = allowed or (action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _check_settled(path: Path) -> None:
    """Raise VqbenchError where a program has not yet written its changes to the file itself."""
    for suffix in ("-wal", "-journal"):
        beside = path.with_name(path.name + suffix)
        if beside.is_file() and beside.stat().st_size:
            checkpoint = "execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()"
            code = f"import sqlite3; sqlite3.connect({str(path)!r}).{checkpoint}"
            raise refusal(
                path,
                problem=f"changes that are not in it yet lie in {beside.name}",
                rule="only the file itself is read",
                remedy=f"close the program that writes it, or run: {python_command(code)}",
            )


def _content(path: Path, wanted: Wanted, sheet: Sheet, db: sqlite3.Connection) -> Content:
    by_name = {column.part.name: column for column in columns(path, db)}
    parts = [column.part for column in by_name.values()]
    tables = {part.table for part in parts if part.kind in VECTORS} or {part.table for part in parts}
    choice = choose(path, [part for part in parts if part.table in tables], wanted, noun="column")
    vectors = by_name[choice.vectors.name]
    named = [part for part in (choice.vectors, choice.queries) if part is not None]
    for table in dict.fromkeys(chain(*(by_name[part.name].tables for part in named))):
        (result,) = db.execute(f"PRAGMA quick_check({quoted(table)})").fetchone()
        if result != "ok":
            raise ValueError(f"table {table}: {result}")

    def texts(name: str) -> Iterator[list[str]]:
        return _texts(path, by_name[name])

    rows_nd, gaps = _rows(path, vectors, sheet)
    shown = [None if x is None else sheet.texts(len(rows_nd), texts(x.name)) for x in (choice.texts, choice.labels)]
    queries_qd, query_gaps, query_ids = None, {}, None
    if choice.queries is not None:
        queries_qd, query_gaps = _rows(path, by_name[choice.queries.name], sheet)
        query_ids = sheet.unique_ids(len(queries_qd), choice, texts, of_queries=True, setting="query_id_column")
    return Content(
        rows_nd=rows_nd,
        ids=sheet.unique_ids(len(rows_nd), choice, texts, setting=wanted.setting("id_column")),
        texts=shown[0],
        labels=shown[1],
        queries_qd=queries_qd,
        query_ids=query_ids,
        gaps=gaps,
        query_gaps=query_gaps,
        distance=vectors.distance,
        taken=choice.sentence(path, "column"),
    )


def _texts(path: Path, column: Column) -> Iterator[list[str]]:
    """The values as texts, in batches. Raises VqbenchError for one that is null or a blob."""
    values, start = column.values(), 0
    while some := list(islice(values, _TEXTS)):
        wrong = next((row for row, value in enumerate(some) if value is None or isinstance(value, bytes)), None)
        if wrong is not None:
            raise refusal(
                path,
                place=f"row {start + wrong}, {column.part.name}",
                problem="null" if some[wrong] is None else "a blob",
                rule="each row needs a text or a number",
                remedy="name another column, or number the rows with dataset.id_column=none",
            )
        yield [str(int(x)) if isinstance(x, float) and x.is_integer() else str(x) for x in some]
        start += len(some)


def _rows(path: Path, column: Column, sheet: Sheet) -> tuple[RawRows, dict[int, str]]:
    """The vectors of a column, and its gaps."""
    gaps: dict[int, str] = {}
    return sheet.table(column.part.n or 0, _blocks(path, column, gaps)), gaps


def _blocks(path: Path, column: Column, gaps: dict[int, str]) -> Iterator[NDArray[Any]]:
    dtype = dtype_of(column.form) if column.form else column.dtype
    plain = not column.form or column.form == FLOAT32
    size, values, start = column.width * dtype.itemsize, column.values(), 0
    while some := list(islice(values, max(1, _BLOCK // max(1, size)))):
        if plain and all(type(value) is bytes and len(value) == size for value in some):
            yield np.frombuffer(b"".join(some), dtype).reshape(-1, column.width)
        else:
            block_nd = np.full((len(some), column.width), np.nan if dtype.kind == "f" else 0, dtype)
            for row, value in enumerate(some):
                vector = numbers(value, column.form or FLOAT32)
                if vector is None or len(vector) != column.width:
                    gaps[start + row] = _gap(path, column, start + row, value)
                else:
                    block_nd[row] = vector
            yield block_nd
        start += len(some)


def _gap(path: Path, column: Column, row: int, value: Any) -> str:
    """Why there is no vector in a row. Raises VqbenchError where there is something else."""
    if value is None:
        return "null"
    if value in ("", b""):
        return "empty"
    vector = numbers(value, column.form or FLOAT32)
    if vector is not None:
        return f"{len(vector)} number{'s' * (len(vector) != 1)}, others have {column.width}"
    if isinstance(value, bytes) and column.form == FLOAT32:
        return f"{len(value)} bytes, others have {4 * column.width}"
    raise refusal(
        path,
        place=f"row {row}, {column.part.name}",
        problem=f"a {type(value).__name__} of another kind",
        rule=f"the others are {column.part.what.partition(',')[0]}",
        remedy="correct or remove that row",
    )
