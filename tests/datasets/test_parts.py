"""Files one below the other: their rows, ids and sentence, and what must be alike."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import writers

from vqbench.datasets import shards
from vqbench.datasets.file import File
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.storage.joined import JoinedRows
from vqbench.storage.raw_rows import RawRows

X = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
IDS = [f"s{row}" for row in range(30)]


def _parquet(folder: Path, *, column: str = "emb", ids: list[str] | None = None) -> None:
    """Three parts, of which the third has the greatest number: 2, 10, 11."""
    for start, number in zip((0, 10, 20), (2, 10, 11), strict=True):
        columns = {column: pa.array(list(X[start : start + 10]), pa.list_(pa.float32()))}
        columns |= {} if ids is None else {"id": pa.array(ids[start : start + 10])}
        pq.write_table(pa.table(columns), folder / f"p-{number}.parquet")


def test_parts_of_parquet_with_ids(tmp_path: Path) -> None:
    _parquet(tmp_path, ids=IDS)
    source = File(path=str(tmp_path)).load()
    np.testing.assert_array_equal(source.corpus_nd[:], X)
    assert list(source.ids or ()) == IDS
    assert source.taken[0].startswith("3 files, p-2.parquet to p-11.parquet, in natural order")
    assert "30 x 4" in source.taken[0]


@pytest.mark.parametrize("name", ["x.npy", "x.fbin", "x.fvecs", "x.csv", "x.npz", "x.parquet", "fortran.npy"])
def test_parts_of_any_format_are_the_whole(tmp_path: Path, name: str) -> None:
    """Same rows, dtype and fingerprint as the same rows in one file."""
    ending = Path(name).suffix
    for number in range(3):
        writers.WRITERS[name](tmp_path / f"part{number}{ending}", X[10 * number : 10 * number + 10])
    (tmp_path / "one").mkdir()
    writers.WRITERS[name](tmp_path / "one" / f"x{ending}", X)
    parts, whole = (File(path=str(path)).load() for path in (f"{tmp_path}/*{ending}", tmp_path / "one" / f"x{ending}"))
    np.testing.assert_array_equal(parts.corpus_nd[:], whole.corpus_nd[:])
    assert parts.corpus_nd.dtype == whole.corpus_nd.dtype
    first, second = (prepare(x, "x", queries=None, n_queries=None, normalize=True) for x in (parts, whole))
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize("name", ["x.npy", "x.csv", "x.parquet", "fortran.npy"])
def test_many_rows_stay_in_files(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit no table is in memory; what could not stay in its own file shares one scratch file."""
    monkeypatch.setattr(shards, "KEPT", X[:10].nbytes - 1)
    ending = Path(name).suffix
    for number in range(3):
        writers.WRITERS[name](tmp_path / f"part{number}{ending}", X[10 * number : 10 * number + 10])
    rows = File(path=str(tmp_path)).load().corpus_nd
    assert isinstance(rows, JoinedRows)
    assert all(isinstance(part, RawRows) for part in rows.parts)
    own = {part.path.parent == tmp_path for part in rows.parts if isinstance(part, RawRows)}
    scratch = {part.path for part in rows.parts if isinstance(part, RawRows)}
    assert own == {name == "x.npy"}
    assert len(scratch) == (3 if name == "x.npy" else 1)
    np.testing.assert_array_equal(rows[:].astype(np.float32), X)
    np.testing.assert_array_equal(rows[np.array([29, 0, 15])].astype(np.float32), X[[29, 0, 15]])


def test_a_list_is_read_in_its_own_order_and_with_queries_from_a_glob(tmp_path: Path) -> None:
    for number in range(3):
        np.save(tmp_path / f"c{number}.npy", X[10 * number : 10 * number + 10])
        np.save(tmp_path / f"q{number}.npy", X[10 * number : 10 * number + 2] + 1)
    spec = File(path=[str(tmp_path / f"c{x}.npy") for x in (2, 0, 1)], queries=str(tmp_path / "q*.npy"))
    source = spec.load()
    np.testing.assert_array_equal(source.corpus_nd[:], X[[*range(20, 30), *range(20)]])
    assert source.queries_qd is not None
    np.testing.assert_array_equal(source.queries_qd[:], np.concatenate([X[x : x + 2] + 1 for x in (0, 10, 20)]))
    assert source.taken == (
        "3 files, c2.npy to c1.npy, in the order given: 30 x 4 in all; the first: float32, 10 x 4",
        "queries: 3 files, q0.npy to q2.npy, in natural order: 6 x 4 in all; the first: float32, 2 x 4",
    )


def test_ids_follow_a_list(tmp_path: Path) -> None:
    for number in range(3):
        np.save(tmp_path / f"c{number}.npy", X[10 * number : 10 * number + 10])
    (tmp_path / "ids.txt").write_text("\n".join(IDS[20:] + IDS[:20]))
    source = File(path=[str(tmp_path / f"c{x}.npy") for x in (2, 0, 1)], ids=str(tmp_path / "ids.txt")).load()
    assert source.ids is not None
    by_id = {name: source.corpus_nd[row : row + 1][0] for row, name in enumerate(source.ids)}
    np.testing.assert_array_equal([by_id[name] for name in IDS], X)


def test_all_rows_are_counted_once(tmp_path: Path) -> None:
    """The number of all rows holds the number of the first file's: 110 of 11 times 10."""
    for number in range(11):
        np.save(tmp_path / f"c{number}.npy", X[:10])
    (taken,) = File(path=str(tmp_path)).load().taken
    assert taken == "11 files, c0.npy to c10.npy, in natural order: 110 x 4 in all; the first: float32, 10 x 4"


def test_a_gap_in_the_count_is_said(tmp_path: Path) -> None:
    for number in (0, 1, 3):
        np.save(tmp_path / f"c{number}.npy", X[:10])
    assert (
        "in natural order (number 2 is missing): 30 x 4 in all; the first: float32, 10 x 4"
        in File(path=str(tmp_path)).load().taken[0]
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda path: np.save(path, X[:, :3]), "p2.npy: numbers a row: 3, in .*p1.npy: 4"),
        (lambda path: np.save(path, X.astype(np.float16)), "p2.npy: dtype: float16, in .*p1.npy: float32"),
        (lambda path: path.write_bytes(b"\x93NUMPY"), "p2.npy: cannot be read as .npy"),
    ],
)
def test_parts_that_are_unlike(tmp_path: Path, other, message: str) -> None:
    np.save(tmp_path / "p1.npy", X)
    other(tmp_path / "p2.npy")
    with pytest.raises(VqbenchError, match=message):
        File(path=str(tmp_path)).load()


def test_parts_with_and_without_ids(tmp_path: Path) -> None:
    _parquet(tmp_path, ids=IDS)
    writers.write_parquet(tmp_path / "p-12.parquet", X)
    with pytest.raises(VqbenchError, match=r"p-12.parquet: (part of the file|ids): "):
        File(path=str(tmp_path)).load()


def test_parts_that_number_their_rows_each(tmp_path: Path) -> None:
    """The remedy of the message works."""
    _parquet(tmp_path, ids=[str(row % 10) for row in range(30)])
    with pytest.raises(VqbenchError, match=r"id '0' occurs in both p-2.parquet and p-10.parquet: .*id_column=none"):
        File(path=str(tmp_path)).load()
    source = File(path=str(tmp_path), id_column="none").load()
    assert source.ids is None
    np.testing.assert_array_equal(source.corpus_nd[:], X)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".npy", ".parquet", ".npy.zst"])
def test_parts_are_not_held_in_memory(tmp_path: Path, ending: str) -> None:
    """Three parts of 40 MB: loading them and reading all rows in blocks takes less than half of one part."""
    n, d = 80_000, 128
    rng = np.random.default_rng(0)
    for number in range(3):
        x_nd, path = rng.standard_normal((n, d), dtype=np.float32), tmp_path / f"p{number}{ending}"
        if ending == ".parquet":
            writers.write_parquet(path, x_nd)
        else:
            np.save(tmp_path / "one.npy", x_nd)
            content = (tmp_path / "one.npy").read_bytes()
            (tmp_path / "one.npy").unlink()
            path.write_bytes(content if ending == ".npy" else pa.compress(content, codec="zstd", asbytes=True))
            del content
        del x_nd
    tracemalloc.start()
    try:
        rows = File(path=str(tmp_path)).load().corpus_nd
        total = sum(float(rows[start : start + 4096][:, 0].sum()) for start in range(0, len(rows), 4096))
        picked = rows[np.arange(0, 3 * n, 1000)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows.shape == (3 * n, d)
    assert np.isfinite(total)
    assert picked.shape == (240, d)
    assert peak < n * d * 4 / 2, peak
