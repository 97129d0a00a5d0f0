"""Tables of an SQLite file as columns of vectors and values: plain ones, those of sqlite-vec, and Chroma's queue.

Only tables are read. A virtual table of sqlite-vec (``vec0``) is read from the tables that lie behind it: chunks of
vectors, with a bit for each place that is taken (https://github.com/asg017/sqlite-vec, ARCHITECTURE.md). Chroma keeps
vectors in a queue of additions, changes and deletions, from which it may remove what its own index has.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vqbench.datasets.choice import FILE, Kind, Part
from vqbench.datasets.number_bytes import as_float32, of_16_bits
from vqbench.datasets.readers.base import refusal
from vqbench.datasets.vector_texts import FLOAT32, form_of
from vqbench.text import python_command

_SAMPLE = 32  # values by which a column is judged
_VEC0 = re.compile(r"CREATE\s+VIRTUAL\s+TABLE\s.*?\sUSING\s+vec0\s*\((.*)\)\s*;?\s*", re.I | re.S)
_VECTOR = re.compile(r"\W*(\w+)\W*\s+(float|f32|int8|i8|bit)\s*\[\s*(\d{1,6})\s*\](.*)", re.I | re.S)
_PRIMARY = re.compile(r"\W*(\w+)\W*\s+(?:text|integer|int)\s+primary\s+key\s*", re.I)
_METRIC = re.compile(r"distance_metric\s*=\s*(\w+)", re.I)
_METRICS = {"cosine": "cosine", "l2": "euclidean", "l1": "l1"}
_BEHIND = re.compile(  # what sqlite-vec, full-text search and R*Tree keep behind a virtual table
    r"_(chunks|rowids|info|vector_chunks\d+|metadatachunks\d+|metadatatext\d+|auxiliary"
    r"|data|idx|content|docsize|config|segments|segdir|stat|node|parent|rowid)"
)
_UPDATE, _UPSERT, _DELETE = 1, 2, 3  # operations of Chroma's queue; 0 adds


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column, and how its values are read, in the order of the rows."""

    part: Part
    values: Callable[[], Iterator[Any]]
    width: int = 0  #: numbers in a vector
    form: str = ""  #: how a value holds a vector; empty: its bytes are of ``dtype``
    dtype: np.dtype[Any] = np.dtype("<f4")
    distance: str = ""  #: that the file states for these vectors
    tables: tuple[str, ...] = ()  #: that are read


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def columns(path: Path, db: sqlite3.Connection) -> list[Column]:
    """All columns of all tables that hold rows."""
    schema = [(name, sql or "") for name, sql in db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")]
    virtual = [name for name, sql in schema if re.match(r"CREATE\s+VIRTUAL", sql, re.I)]
    names = [name for name, _ in schema if not name.startswith("sqlite_") and not _is_behind(name, virtual)]
    chroma = {"embeddings_queue", "collections", "segments", "embeddings"} <= set(names)
    found: list[Column] = []
    for name, sql in schema:
        vec0 = _VEC0.fullmatch(sql) if name in virtual else None
        if vec0:
            found += _vec0(db, name, vec0[1])
        elif chroma and name == "embeddings_queue":
            found += _chroma(path, db)
        elif name in names and name not in virtual:
            found += _plain(db, name)
    return found


def _is_behind(name: str, virtual: list[str]) -> bool:
    """Whether a table only serves a virtual one."""
    return any(name.startswith(each) and _BEHIND.fullmatch(name[len(each) :]) for each in virtual)


def _plain(db: sqlite3.Connection, table: str) -> Iterator[Column]:
    """The columns of a table, without computed ones, whose terms would be evaluated."""
    info = db.execute(f"PRAGMA table_xinfo({quoted(table)})").fetchall()
    (n,) = db.execute(f"SELECT count(*) FROM {quoted(table)} NOT INDEXED").fetchone()
    for name in [row[1] for row in info if not row[6]] if n else []:
        column, name_of = f"{quoted(table)}.{quoted(name)}", f"{table}.{name}"
        some = f"SELECT {column} FROM {quoted(table)} NOT INDEXED WHERE {column} IS NOT NULL LIMIT {_SAMPLE}"
        samples = [value for (value,) in db.execute(some)]
        kind, what, form, width = _judged(samples, n)
        types, halves = (
            of_16_bits([x for x in samples if x]) if {*map(type, samples)} == {bytes} and not form else ((), "")
        )
        what, remedy = (f"blobs: {halves}", _to_float32(table, name, types)) if types else (what, "")
        every = f"SELECT {column} FROM {quoted(table)} NOT INDEXED"
        yield Column(
            part=Part(name=name_of, kind=kind, what=what, n=n, table=table, remedy=remedy),
            values=lambda every=every: (value for (value,) in db.execute(every)),
            width=width,
            form=form,
            tables=(table,),
        )


def _to_float32(table: str, name: str, types: tuple[str, ...]) -> str:
    """The code that adds a column of float32 to a copy of the file."""
    table, name = (x if x.isidentifier() else quoted(x) for x in (table, name))
    return (
        f"import shutil,sqlite3,numpy as np;d=sqlite3.connect(shutil.copy({FILE},'float32.db'));"
        f"d.create_function('f',1,lambda b:b and {as_float32(types, 'b')}.tobytes());"
        f"d.execute({f'alter table {table} add float32 blob'!r});"
        f"d.execute({f'update {table} set float32=f({name})'!r});d.commit()"
    )


def _judged(samples: list[Any], n: int) -> tuple[Kind, str, str, int]:
    """What a column holds, in words too; of vectors, how and how many numbers."""
    types = {type(value) for value in samples}
    form = form_of([value for value in samples if value not in ("", b"")])
    if form is not None:
        return Kind.FLOATS, f"{form[0]}, {n:,} x {form[1]:,}", *form
    if types == {bytes}:
        return Kind.OTHER, _blobs(samples), "", 0
    if types and types <= {str, int}:
        kind, what = (Kind.TEXT, "text") if str in types else (Kind.WHOLE, "whole numbers")
        return kind, what, "", 0
    return (Kind.NUMBER, "numbers", "", 0) if types and types <= {float, int} else (Kind.OTHER, "mixed or null", "", 0)


def _blobs(samples: list[bytes]) -> str:
    """Blobs that are no floats, in words."""
    if all(value.startswith(b"\x80") for value in samples):
        return "pickles, which are never loaded"
    lengths = sorted(set(map(len, samples)))
    return f"blobs of {lengths[0]} bytes" if len(lengths) == 1 else f"blobs of {lengths[0]} to {lengths[-1]} bytes"


def _vec0(db: sqlite3.Connection, table: str, arguments: str) -> Iterator[Column]:
    """The vectors of a table of sqlite-vec, and its ids."""
    chunks, rowids = f"{table}_chunks", f"{table}_rowids"

    def taken() -> Iterator[tuple[int, list[int], list[int]]]:
        """Each chunk, with the places in it that are taken, and the row numbers that stand there."""
        for chunk, size, validity, ids in db.execute(
            f"SELECT chunk_id, size, validity, rowids FROM {quoted(chunks)} NOT INDEXED"
        ):
            bits_n = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")
            ids_n = np.frombuffer(ids, "<i8")
            if not len(bits_n) == len(ids_n) == size:
                raise ValueError(f"chunk {chunk} of {table} has other than {size} places")
            yield chunk, np.flatnonzero(bits_n).tolist(), ids_n[bits_n.astype(bool)].tolist()

    def vectors(shadow: str, size: int) -> Iterator[bytes]:
        for chunk, places, _ in taken():
            held = db.execute(f"SELECT vectors FROM {quoted(shadow)} WHERE rowid = ?", (chunk,)).fetchone()
            if held is None or len(held[0]) < (max(places, default=-1) + 1) * size:
                raise ValueError(f"chunk {chunk} of {table} has no vectors, or too few")
            yield from (held[0][place * size : (place + 1) * size] for place in places)

    def ids() -> Iterator[Any]:
        for _, _, numbers in taken():
            for number in numbers:
                if not text:
                    yield number
                    continue
                (name,) = db.execute(f"SELECT id FROM {quoted(rowids)} WHERE rowid = ?", (number,)).fetchone()
                yield name

    n = sum(len(places) for _, places, _ in taken())
    if not n:
        return
    parts = re.split(r",(?![^\[(]*[\])])", arguments)
    primary = next((match[1] for part in parts if (match := _PRIMARY.fullmatch(part))), None)
    text = primary is not None and db.execute(f"SELECT id FROM {quoted(rowids)} LIMIT 1").fetchone()[0] is not None
    declared = [match for part in parts if (match := _VECTOR.fullmatch(part))]
    for at, (name, kind, d, options) in enumerate(match.groups() for match in declared):
        kind, d, metric = kind.lower(), int(d), _METRIC.search(options)
        dtype = np.dtype({"float": "<f4", "f32": "<f4", "bit": "u1"}.get(kind, "i1"))
        width, shadow = (d // 8 if kind == "bit" else d), f"{table}_vector_chunks{at:02}"
        what = f"bits packed into bytes, {n:,} x {width:,}" if kind == "bit" else f"{dtype.name}, {n:,} x {d:,}"
        size = width * dtype.itemsize
        order = Kind.FLOATS if dtype.kind == "f" else Kind.BYTES
        yield Column(
            part=Part(name=f"{table}.{name}", kind=order, what=what, n=n, table=table),
            values=lambda shadow=shadow, size=size: vectors(shadow, size),
            width=width,
            dtype=dtype,
            distance=_METRICS.get(metric[1].lower(), "") if metric else "",
            tables=(chunks, rowids, shadow),
        )
    if declared:
        id_kind, what = (Kind.TEXT, "text") if text else (Kind.WHOLE, "whole numbers")
        part = Part(name=f"{table}.{primary or 'rowid'}", kind=id_kind, what=what, n=n, table=table)
        yield Column(part=part, values=ids, tables=(chunks, rowids))


def _chroma(path: Path, db: sqlite3.Connection) -> Iterator[Column]:
    """The vectors of each collection of Chroma, as its queue leaves them."""
    names = dict(db.execute("SELECT id, name FROM collections NOT INDEXED").fetchall())
    for (topic,) in db.execute("SELECT DISTINCT topic FROM embeddings_queue NOT INDEXED").fetchall():
        collection = str(topic).rpartition("/")[2]
        name, live = str(names.pop(collection, collection)), _replayed(db, topic)
        _check_whole(path, db, collection, name, len(live))
        yield from _collection(db, topic, name, live)
    for collection, name in names.items():
        _check_whole(path, db, collection, str(name), 0)


def _replayed(db: sqlite3.Connection, topic: str) -> dict[str, int]:
    """The number of the entry with the vector of each id, after all changes."""
    live: dict[str, int] = {}
    entries = "SELECT seq_id, operation, id, vector IS NOT NULL FROM embeddings_queue WHERE topic = ? ORDER BY seq_id"
    for number, operation, key, has_vector in db.execute(entries, (topic,)):
        if operation == _DELETE:
            live.pop(key, None)
        elif has_vector and (operation == _UPSERT or (operation == _UPDATE) == (key in live)):
            live[key] = number
    return live


def _check_whole(path: Path, db: sqlite3.Connection, collection: str, name: str, here: int) -> None:
    """Raise VqbenchError where Chroma has removed vectors of a collection from its queue."""
    counted = "SELECT count(*) FROM embeddings e, segments s WHERE e.segment_id = s.id AND s.collection = ?"
    (n,) = db.execute(counted, (collection,)).fetchone()
    if n > here:
        code = (
            f"import chromadb,json; c=chromadb.PersistentClient({str(path.parent)!r}).get_collection({name!r})"
            ".get(include=['embeddings']); "
            "json.dump({'ids':c['ids'],'embeddings':[[*map(float,x)] for x in c['embeddings']]},"
            "open('chroma.json','w'))"
        )
        raise refusal(
            path,
            place=f"collection {name!r}",
            problem=f"{here:,} of {n:,} vectors",
            rule="Chroma keeps the others in the files of its index",
            remedy=f"save them: {python_command(code)}",
        )


def _collection(db: sqlite3.Connection, topic: str, name: str, live: dict[str, int]) -> Iterator[Column]:
    order = sorted(live, key=live.__getitem__)
    entries = "SELECT seq_id, vector FROM embeddings_queue WHERE topic = ? ORDER BY seq_id"

    def vectors() -> Iterator[bytes]:
        wanted = set(live.values())
        return (vector for number, vector in db.execute(entries, (topic,)) if number in wanted)

    sizes = [len(vector) for _, vector in zip(range(1), vectors(), strict=False)]
    table, n = f"embeddings_queue.{name}", len(order)
    if n and sizes:
        width, tables = sizes[0] // 4, ("embeddings_queue",)
        part = Part(name=table, kind=Kind.FLOATS, what=f"{FLOAT32}, {n:,} x {width:,}", n=n, table=table)
        yield Column(part=part, values=vectors, width=width, tables=tables)
        ids = Part(name=f"{table}.id", kind=Kind.TEXT, what="text", n=n, table=table)
        yield Column(part=ids, values=lambda: iter(order), tables=tables)
