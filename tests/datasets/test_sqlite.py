"""SQLite: blobs, lists in text, sqlite-vec and Chroma; only tables are read, and only the file itself."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from writers import write_sqlite

from vqbench.datasets import sqlite_tables
from vqbench.datasets.formats import read
from vqbench.datasets.readers import sqlite
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.errors import VqbenchError

X = np.random.default_rng(0).standard_normal((40, 12)).astype("<f4")
IDS = [f"d{row}" for row in range(40)]


def _table(path: Path, columns: str, rows: Iterable[tuple], name: str = "docs", *more: str) -> Path:
    rows = list(rows)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"CREATE TABLE {name} ({columns})")
        db.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        for each in more:
            db.execute(each)
        db.commit()
    return path


def _read(path: Path, **wanted: Any) -> Content:
    return read(path, Wanted(**wanted))


def _npy(row: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, row)
    return file.getvalue()


@pytest.mark.parametrize("ending", [".sqlite", ".sqlite3", ".db"])
def test_blobs_with_ids(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a b#?{ending}"
    write_sqlite(path, X, ids=IDS)
    content = _read(path)
    np.testing.assert_array_equal(content.rows_nd, X)
    assert (content.rows_nd.dtype, list(content.ids or ())) == (np.float32, IDS)
    assert content.taken == (
        f"{path.name}: column 'docs.vector' (blobs of float32, 40 x 12), ids from 'docs.id'; not used: docs.body (text)"
    )


@pytest.mark.parametrize(
    ("form", "dtype"),
    [
        (lambda row: row.astype("<f8").tobytes(), np.float64),
        (lambda row: row.round().astype("<f8").tobytes(), np.float64),
        (lambda row: json.dumps(row.tolist()), np.float64),
        (_npy, np.float64),
    ],
    ids=["float64", "whole float64", "text", "npy"],
)
def test_other_forms_of_vectors(form: Any, dtype: type, tmp_path: Path) -> None:
    path = _table(tmp_path / "x.db", "id INTEGER PRIMARY KEY, v", ((3 * row, form(X[row])) for row in range(40)))
    content = _read(path)
    whole = form(X[0]) == X[0].round().astype("<f8").tobytes()
    np.testing.assert_array_equal(content.rows_nd, X.round() if whole else X)
    assert (content.rows_nd.dtype, list(content.ids or ())) == (dtype, [str(3 * row) for row in range(40)])


def test_the_order_is_that_of_the_table_whatever_is_indexed(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(40)
    rows = ((int(row), IDS[row], X[row].tobytes()) for row in order)
    indexes = ("CREATE INDEX a ON docs (v)", "CREATE INDEX b ON docs (name, v)", "CREATE INDEX c ON docs (name)")
    path = _table(tmp_path / "x.db", "n INT, name TEXT, v BLOB", rows, "docs", *indexes)
    content = _read(path, id_column="docs.name", labels="docs.n")
    np.testing.assert_array_equal(content.rows_nd, X[order])
    assert list(content.ids or ()) == [IDS[row] for row in order]
    assert list(content.labels or ()) == [str(row) for row in order]


def test_two_tables_are_a_pair_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    for name, prefix in (("docs", "d"), ("queries", "q")):
        _table(path, "id TEXT, v BLOB", ((f"{prefix}{row}", X[row].tobytes()) for row in range(40)), name)
    content = _read(path)
    np.testing.assert_array_equal(content.queries_qd, X)
    assert (list(content.ids or ()), list(content.query_ids or ())) == (IDS, [f"q{row}" for row in range(40)])
    other = tmp_path / "y.db"
    for name in ("a", "b"):
        _table(other, "id TEXT, v BLOB", ((f"{name}{row}", X[row].tobytes()) for row in range(40)), name)
    with pytest.raises(VqbenchError, match=r"columns a\.v .*, b\.v .*: more than one column .*dataset.key=a\.v"):
        _read(other)
    assert list(_read(other, key="b.v").ids or ())[:2] == ["b0", "b1"]
    with pytest.raises(VqbenchError, match=r"dataset.id_column=a\.id: this column is text of another table: .* b\.id"):
        _read(other, key="b.v", id_column="a.id")
    with pytest.raises(VqbenchError, match=r"dataset.texts=a\.id: this column is text of another table"):
        _read(other, key="b.v", texts="a.id")


def test_gaps_and_wrong_values(tmp_path: Path) -> None:
    rows: list[tuple] = [(i, row.tobytes()) for i, row in zip(IDS, X, strict=True)]
    rows[3], rows[5], rows[6] = ("d3", None), ("d5", b""), ("d6", X[6, :5].tobytes())
    content = _read(_table(tmp_path / "x.db", "id TEXT, v BLOB", rows))
    assert content.gaps == {3: "null", 5: "empty", 6: "5 numbers, others have 12"}
    assert np.isnan(content.rows_nd[[3, 5, 6]]).all()
    np.testing.assert_array_equal(content.rows_nd[7:], X[7:])
    rows[35] = ("d35", "text")
    with pytest.raises(VqbenchError, match=r"row 35, docs\.v: a str of another kind: the others are blobs of float32"):
        _read(_table(tmp_path / "y.db", "id TEXT, v", rows))
    rows[35] = (None, rows[34][1])
    with pytest.raises(VqbenchError, match=r"row 35, docs\.id: null: each row needs"):
        _read(_table(tmp_path / "z.db", "id TEXT, v", rows))
    twice = [("same", row.tobytes()) for row in X]
    with pytest.raises(VqbenchError, match=r"ids from 'docs\.id': 'same' occurs in rows 0 and 1"):
        _read(_table(tmp_path / "w.db", "id TEXT, v BLOB", twice))


def test_other_blobs_are_listed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(rng.bytes(16), b"\x80\x04" + rng.bytes(9), rng.bytes(9)) for _ in range(40)]
    with pytest.raises(VqbenchError, match=r"docs\.a \(blobs of 16 bytes\), docs\.b \(pickles, which are"):
        _read(_table(tmp_path / "x.db", "a BLOB, b BLOB, c BLOB", rows))


def test_views_triggers_and_computed_columns_are_not_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE docs (id TEXT, v BLOB, w BLOB AS (v), h TEXT AS (hex(v)) STORED)")
        db.execute("CREATE VIEW seen AS SELECT id, v FROM docs")
        db.executemany(
            "INSERT INTO docs (id, v) VALUES (?, ?)", [(i, r.tobytes()) for i, r in zip(IDS, X, strict=True)]
        )
        db.commit()
    content = _read(path)
    assert content.taken == "x.db: column 'docs.v' (blobs of float32, 40 x 12), ids from 'docs.id'"


def test_only_reading_is_allowed() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript("CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t;")
        db.set_authorizer(sqlite._authorized)
        assert db.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
        for statement in (
            "SELECT a FROM v",
            "INSERT INTO t VALUES (1)",
            "ATTACH 'x' AS y",
            "SELECT load_extension('x')",
            "PRAGMA writable_schema = ON",
            "SELECT hex(a) FROM t",
        ):
            with pytest.raises(sqlite3.DatabaseError, match="not authorized|prohibited"):
                db.execute(statement).fetchall()


def test_changes_that_are_not_in_the_file_yet(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    write_sqlite(path, X)
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("DELETE FROM docs WHERE rowid > 20")
    db.commit()
    with pytest.raises(
        VqbenchError, match=r"lie in x\.db-wal: only the file itself is read; close the program"
    ) as error:
        _read(path)
    exec(str(error.value).partition('python -c "')[2].partition('"')[0], {})
    np.testing.assert_array_equal(_read(path).rows_nd, X[:20])
    db.close()


def test_a_file_of_another_kind_and_a_cut_one(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(VqbenchError, match=r"cannot be read as \.db \(file is not a database\): needs a whole SQLite"):
        _read(path)
    write_sqlite(path, X)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 1024 * 512])
    with pytest.raises(VqbenchError, match=r"cannot be read as \.db"):
        _read(path)


def _vec(path: Path, *statements: tuple[str, Iterable[tuple]]) -> Path:
    apsw, sqlite_vec = pytest.importorskip("apsw"), pytest.importorskip("sqlite_vec")
    db = apsw.Connection(str(path))
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    for statement, rows in statements:
        for row in rows:
            db.execute(statement, row)
    db.close()
    return path


def test_tables_of_sqlite_vec(tmp_path: Path) -> None:
    """Over several chunks, with rows that were deleted, a text key, and vectors beside other columns."""
    path = _vec(
        tmp_path / "x.db",
        ("CREATE VIRTUAL TABLE docs USING vec0(doc_id text primary key, genre text, +note text, "
         "embedding float[12] distance_metric=cosine, chunk_size=8)", [()]),
        ("INSERT INTO docs(doc_id, genre, note, embedding) VALUES (?, 'g', 'n', ?)",
         ((i, row.tobytes()) for i, row in zip(IDS, X, strict=True))),
        ("DELETE FROM docs WHERE doc_id = ?", [("d5",), ("d17",)]),
    )  # fmt: skip
    content = _read(path)
    assert content.ids is not None
    assert sorted(content.ids) == sorted(set(IDS) - {"d5", "d17"})
    rows = [int(i[1:]) for i in content.ids]
    np.testing.assert_array_equal(content.rows_nd, X[rows])
    assert content.distance == "cosine"
    assert content.taken == "x.db: column 'docs.embedding' (float32, 38 x 12), ids from 'docs.doc_id'"


def test_bytes_and_bits_of_sqlite_vec(tmp_path: Path) -> None:
    whole_nd = (X * 20).astype(np.int8)
    bits_nd = np.packbits(X[:, :8] > 0, axis=1, bitorder="little")
    path = _vec(
        tmp_path / "x.db",
        ("CREATE VIRTUAL TABLE docs USING vec0(q INT8[12], b bit[8])", [()]),
        ("INSERT INTO docs(rowid, q, b) VALUES (?, vec_int8(?), vec_bit(?))",
         ((7 * row + 1, whole_nd[row].tobytes(), bits_nd[row].tobytes()) for row in range(40))),
    )  # fmt: skip
    content = _read(path, key="docs.q")
    np.testing.assert_array_equal(content.rows_nd, whole_nd)
    assert (content.rows_nd.dtype, list(content.ids or ())) == (np.int8, [str(7 * row + 1) for row in range(40)])
    bits = _read(path, key="docs.b")
    np.testing.assert_array_equal(bits.rows_nd, bits_nd)
    assert "bits packed into bytes, 40 x 1" in bits.taken
    with pytest.raises(VqbenchError, match=r"docs\.q \(int8, 40 x 12\), docs\.b \(bits packed into bytes, 40 x 1\)"):
        _read(path)


def _chroma(path: Path, entries: list[tuple], indexed: int) -> Path:
    """As Chroma lays it out: a queue of additions (0), changes (1), either (2), deletions (3); and what it indexed."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("""
            CREATE TABLE collections (id TEXT PRIMARY KEY, name TEXT, dimension INTEGER);
            CREATE TABLE segments (id TEXT PRIMARY KEY, type TEXT, scope TEXT, collection TEXT);
            CREATE TABLE embeddings (id INTEGER PRIMARY KEY, segment_id TEXT, embedding_id TEXT, seq_id BLOB);
            CREATE TABLE embeddings_queue (seq_id INTEGER PRIMARY KEY, created_at TIMESTAMP, operation INTEGER,
                topic TEXT, id TEXT, vector BLOB, encoding TEXT, metadata TEXT);
            INSERT INTO collections VALUES ('u1', 'mine', 12);
            INSERT INTO segments VALUES ('s1', 'a', 'METADATA', 'u1'), ('s2', 'b', 'VECTOR', 'u1');
        """)
        into = "INSERT INTO embeddings_queue(operation, topic, id, vector, encoding) VALUES (?, 'p://t/d/u1', ?, ?, ?)"
        db.executemany(into, [(*entry, "FLOAT32" if entry[2] else None) for entry in entries])
        db.executemany("INSERT INTO embeddings(segment_id) VALUES ('s1')", [()] * indexed)
        db.commit()
    return path


def test_the_queue_of_chroma(tmp_path: Path) -> None:
    entries = [(0, i, row.tobytes()) for i, row in zip(IDS, X, strict=True)]
    changes = [(3, "d7", None), (2, "d8", X[0].tobytes()), (1, "d9", None), (1, "d10", X[1].tobytes()),
               (0, "d11", X[2].tobytes()), (1, "none", X[3].tobytes()), (2, "new", X[4].tobytes())]  # fmt: skip
    content = _read(_chroma(tmp_path / "chroma.sqlite3", entries + changes, 40))
    right = dict(zip(IDS, X, strict=True)) | {"d8": X[0], "d10": X[1], "new": X[4]}
    del right["d7"]
    assert content.ids is not None
    assert set(content.ids) == set(right)
    np.testing.assert_array_equal(content.rows_nd, [right[i] for i in content.ids])
    assert content.taken.startswith(
        "chroma.sqlite3: column 'embeddings_queue.mine' (blobs of float32, 40 x 12), ids from"
    )
    with pytest.raises(VqbenchError, match=r"collection 'mine': 10 of 40 vectors: .*get_collection\('mine'\)"):
        _read(_chroma(tmp_path / "part.sqlite3", entries[:10], 40))
    with pytest.raises(VqbenchError, match=r"collection 'mine': 0 of 40 vectors"):
        _read(_chroma(tmp_path / "none.sqlite3", [], 40))


def test_a_chunk_that_contradicts_its_size_is_refused(tmp_path: Path) -> None:
    path = _vec(
        tmp_path / "x.db",
        ("CREATE VIRTUAL TABLE docs USING vec0(v float[12], chunk_size=8)", [()]),
        ("INSERT INTO docs(v) VALUES (?)", ((row.tobytes(),) for row in X)),
    )
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE docs_chunks SET validity = x'ffff' WHERE chunk_id = 2")
        db.commit()
    with pytest.raises(VqbenchError, match="chunk 2 of docs has other than 8 places"):
        _read(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE docs_chunks SET validity = x'ff' WHERE chunk_id = 2")
        db.execute("UPDATE docs_vector_chunks00 SET vectors = x'00' WHERE rowid = 3")
        db.commit()
    with pytest.raises(VqbenchError, match="chunk 3 of docs has no vectors, or too few"):
        _read(path)


def test_quoted_names() -> None:
    assert sqlite_tables.quoted('a"b') == '"a""b"'
