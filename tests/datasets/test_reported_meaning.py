"""What rows, ids, numbers and judgements mean, in files as people hand them in.

Each test has the shape of a public trouble report about embedding tools. The data are made here; what is expected
follows from plain numpy.
"""

from __future__ import annotations

import shlex
import struct
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from handed_in import D, N, data_of, holds, lines, lists, near, refused, rows_of, tensor, vectors

from vqbench.cli.main import main
from vqbench.numerics.arrays import Floats


@pytest.fixture
def x_nd() -> Floats:
    return vectors()


def test_equal_numbers_of_other_rows_leave_nothing_out(tmp_path: Path, x_nd: Floats) -> None:
    pq.write_table(pa.table({"id": range(N), "emb": lists(x_nd)}), tmp_path / "train.parquet")
    pq.write_table(pa.table({"id": range(20), "emb": lists(near(x_nd[:20]))}), tmp_path / "test.parquet")
    data = data_of(tmp_path / "train.parquet", f"dataset.queries={tmp_path}/test.parquet")
    assert data.exclude_q is None
    assert any("20 query ids equal corpus ids" in note and "vectors differ" in note for note in data.notes)


def _overlap(x_nd: Floats, q_qd: Floats, k: int) -> float:
    """The expected overlap of sign bits with cosine, by a loop over queries: ties are broken at random."""
    total = 0.0
    for query in q_qd.astype(float):
        cosine_n = x_nd.astype(float) @ query / np.linalg.norm(x_nd.astype(float), axis=1)
        relevant = set(np.argsort(-cosine_n)[:k].tolist())
        differ_n = ((x_nd > 0) != (query > 0)).sum(axis=1)
        last = np.sort(differ_n)[k - 1]
        above, tied = (set(np.flatnonzero(differ_n < last)), set(np.flatnonzero(differ_n == last)))
        total += len(relevant & above) + len(relevant & tied) * (k - len(above)) / len(tied)
    return total / k / len(q_qd)


def test_the_row_of_the_querys_number_can_be_found(tmp_path: Path, x_nd: Floats) -> None:
    """The numbers of a run, where corpus and queries both number their rows from 0."""
    q_qd = near(x_nd[:20])
    for name, rows_nd in (("train", x_nd), ("test", q_qd)):
        pq.write_table(pa.table({"id": range(len(rows_nd)), "emb": lists(rows_nd)}), tmp_path / f"{name}.parquet")
    quick = ["cache=off", "doctor=false", "figures=false", "report=false", "metric=[overlap]", "oversample=[0]"]
    words = [f"dataset.queries={tmp_path}/test.parquet", "quantizer=[binary_zero]", "k=[1,10]", f"out={tmp_path}/out"]
    assert main([str(tmp_path / "train.parquet"), *words, *quick]) == 0
    values = pd.read_csv(tmp_path / "out" / "metrics.csv").set_index("k")["value"]
    assert [values[k] for k in (1, 10)] == pytest.approx([_overlap(x_nd, q_qd, k) for k in (1, 10)], abs=1e-9)


def test_judgements_survive_equal_numbers(tmp_path: Path, x_nd: Floats) -> None:
    relevant = np.random.default_rng(2).permutation(N)[:30]
    query_ids = np.arange(1000, 1030)
    query_ids[:15] = relevant[:15]
    np.save(tmp_path / "docs.npy", x_nd)
    np.save(tmp_path / "queries.npy", near(x_nd[relevant]))
    lines(tmp_path / "ids.txt", [str(i) for i in range(N)])
    lines(tmp_path / "query_ids.txt", [str(i) for i in query_ids])
    lines(tmp_path / "qrels.txt", [f"{q} 0 {d} 1" for q, d in zip(query_ids, relevant, strict=True)])
    files = [f"dataset.{key}={tmp_path}/{key}.txt" for key in ("ids", "query_ids", "qrels")]
    data = data_of(tmp_path / "docs.npy", f"dataset.queries={tmp_path}/queries.npy", *files)
    assert data.exclude_q is None
    assert data.qrels is not None
    assert len(set(data.qrels.query_f.tolist())) == 30


def test_null_and_empty_rows_can_be_dropped(tmp_path: Path, x_nd: Floats) -> None:
    rows: list[list[float] | None] = [row.tolist() for row in x_nd]
    rows[5] = rows[7] = None
    rows[9], rows[11] = [], rows[11][:4]  # pyright: ignore[reportOptionalSubscript]
    ids = [f"t{i}" for i in range(N)]
    pq.write_table(pa.table({"id": ids, "emb": pa.array(rows, pa.list_(pa.float32()))}), tmp_path / "x.parquet")
    message = refused(tmp_path / "x.parquet")
    assert "null" in message
    assert "on_bad_rows=drop" in message
    data = data_of(tmp_path / "x.parquet", "on_bad_rows=drop")
    kept = [i for i in range(N) if i not in (5, 7, 9, 11)]
    holds(data, x_nd[kept], [ids[i] for i in kept])
    assert data.dropped["corpus"].count == 4


def test_dropped_rows_that_were_relevant_are_said(tmp_path: Path, x_nd: Floats) -> None:
    q_qd = near(x_nd[:20])
    x_nd[3], x_nd[7] = np.nan, 0
    np.save(tmp_path / "docs.npy", x_nd)
    np.save(tmp_path / "queries.npy", q_qd)
    lines(tmp_path / "ids.txt", [f"d{i}" for i in range(N)])
    lines(tmp_path / "query_ids.txt", [f"q{i}" for i in range(20)])
    lines(tmp_path / "qrels.txt", [f"q{i} 0 d{i} 1" for i in range(20)])
    files = [f"dataset.{key}={tmp_path}/{key}.txt" for key in ("ids", "query_ids", "qrels")]
    data = data_of(
        tmp_path / "docs.npy", f"dataset.queries={tmp_path}/queries.npy", *files, "on_bad_rows=drop", "n_queries=null"
    )
    assert data.qrels is not None
    said = " ".join(data.notes)
    assert "2 relevant" in said
    assert "q3" in said
    assert "q7" in said


def test_packed_bits_are_recognised_and_declared(tmp_path: Path) -> None:
    x_nd = vectors(400, 128, 5)
    bits_nb = np.packbits(x_nd > 0, axis=1)
    np.save(tmp_path / "ubinary.npy", bits_nb)
    np.save(tmp_path / "binary.npy", (bits_nb.astype(int) - 128).astype(np.int8))
    np.save(tmp_path / "float.npy", x_nd)
    for name in ("ubinary.npy", "binary.npy"):
        assert any("packed bits" in note for note in data_of(tmp_path / name).notes)
        declared = data_of(tmp_path / name, "dataset.codes=packed")
        np.testing.assert_array_equal(np.sign(rows_of(declared)), np.where(x_nd > 0, 1, -1))
    assert not data_of(tmp_path / "float.npy").notes or all(
        "packed" not in note for note in data_of(tmp_path / "float.npy").notes
    )


def _neighbours(x_nd: Floats, q_qd: Floats, k: int) -> tuple[np.ndarray, np.ndarray]:
    unit_nd, unit_qd = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x_nd, q_qd))
    score_qn = unit_qd @ unit_nd.T
    order_qk = np.argsort(-score_qn, axis=1)[:, :k].astype(np.int32)
    return order_qk, (1 - np.take_along_axis(score_qn, order_qk, 1)).astype(np.float32)


def test_padded_neighbours_do_not_block(tmp_path: Path, x_nd: Floats) -> None:
    q_qd = vectors(20, D, 6)
    order_qk, distance_qk = _neighbours(x_nd, q_qd, 10)
    order_qk[4, 6:], distance_qk[4, 6:], order_qk[9, 5:] = -1, np.inf, -1
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file.attrs["distance"] = "angular"
        for name, value in zip(
            ("train", "test", "neighbors", "distances"), (x_nd, q_qd, order_qk, distance_qk), strict=True
        ):
            file[name] = value
    data = data_of(tmp_path / "x.hdf5")
    assert data.stated_neighbours is not None
    assert len(data.query_ids) == 20


@pytest.mark.parametrize("distance", ["hamming", "dot", "euclidean"])
def test_another_distance_is_refused_by_name(tmp_path: Path, x_nd: Floats, distance: str) -> None:
    bits_nd, q_qd = x_nd > 0, vectors(10, D, 7)
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file.attrs["distance"] = distance
        file["train"], file["test"] = (bits_nd, q_qd > 0) if distance == "hamming" else (x_nd, q_qd)
    message = refused(tmp_path / "x.hdf5")
    assert distance in message
    assert "distance=cosine" in message
    assert data_of(tmp_path / "x.hdf5", "distance=cosine").corpus.n == N


def test_bytes_are_what_is_stored_today(tmp_path: Path, x_nd: Floats) -> None:
    bytes_nd = np.clip(np.round(x_nd * 40 + 128), 0, 255).astype(np.uint8)
    (tmp_path / "sift.u8bin").write_bytes(struct.pack("<II", N, D) + bytes_nd.tobytes())
    data = data_of(tmp_path / "sift.u8bin")
    holds(data, bytes_nd.astype(np.float32))
    assert any("uint8" in note for note in data.notes)


def test_judged_queries_are_drawn_first(tmp_path: Path, x_nd: Floats) -> None:
    relevant = np.random.default_rng(9).integers(0, N, 500)
    judged = np.sort(np.random.default_rng(10).permutation(500)[:40])
    np.save(tmp_path / "docs.npy", x_nd)
    np.save(tmp_path / "queries.npy", near(x_nd[relevant]))
    lines(tmp_path / "ids.txt", [f"d{i}" for i in range(N)])
    lines(tmp_path / "query_ids.txt", [f"q{i}" for i in range(500)])
    lines(tmp_path / "qrels.txt", [f"q{i} 0 d{relevant[i]} 1" for i in judged])
    files = [f"dataset.{key}={tmp_path}/{key}.txt" for key in ("ids", "query_ids", "qrels")]
    data = data_of(tmp_path / "docs.npy", f"dataset.queries={tmp_path}/queries.npy", *files, "n_queries=100")
    assert {f"q{i}" for i in judged} <= set(data.query_ids)
    assert len(data.query_ids) == 100


def test_ids_in_other_files(tmp_path: Path, x_nd: Floats) -> None:
    np.save(tmp_path / "emb.npy", x_nd)
    np.save(tmp_path / "ids.npy", np.array([f"k{i}" for i in range(N)]))
    names = [f"{i:09d}.jpg" for i in range(N)]
    pq.write_table(pa.table({"image_path": names, "caption": ["c"] * N}), tmp_path / "metadata.parquet")
    holds(data_of(tmp_path / "emb.npy", f"dataset.ids={tmp_path}/ids.npy"), x_nd, [f"k{i}" for i in range(N)])
    elsewhere = f"dataset.ids={tmp_path}/metadata.parquet"
    holds(data_of(tmp_path / "emb.npy", elsewhere, "dataset.id_column=image_path"), x_nd, names)
    assert "image_path" in refused(tmp_path / "emb.npy", elsewhere)
    (tmp_path / "metadata").mkdir()
    for part in range(12):
        some = names[5 * part : 5 * part + 5]
        pq.write_table(pa.table({"image_path": some}), tmp_path / "metadata" / f"metadata_{part}.parquet")
    parts = f"dataset.ids={tmp_path}/metadata"
    holds(data_of(tmp_path / "emb.npy", parts, "dataset.id_column=image_path"), x_nd, names)


def test_chunks_that_share_an_id(tmp_path: Path, x_nd: Floats) -> None:
    table = {"id": [f"doc{i // 3}" for i in range(N)], "chunk": [f"c{i}" for i in range(N)], "emb": lists(x_nd)}
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    assert "dataset.id_column=chunk" in refused(tmp_path / "x.parquet")
    holds(data_of(tmp_path / "x.parquet", "dataset.id_column=chunk"), x_nd, [f"c{i}" for i in range(N)])


def test_token_ids_are_no_vectors(tmp_path: Path, x_nd: Floats) -> None:
    tokens_nt = np.random.default_rng(11).integers(1000, 30000, (N, 12))
    table = {"id": [f"a{i}" for i in range(N)], "input_ids": lists(tokens_nt, pa.int64()), "embedding": tensor(x_nd)}
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    data = data_of(tmp_path / "x.parquet")
    holds(data, x_nd, [f"a{i}" for i in range(N)])
    assert "not used: input_ids" in data.taken[0]
    pq.write_table(pa.table({"input_ids": table["input_ids"]}), tmp_path / "tokens.parquet")
    assert "input_ids" in refused(tmp_path / "tokens.parquet")


def test_a_column_of_any_name_is_named_as_the_message_says(tmp_path: Path, x_nd: Floats) -> None:
    """As pandas writes chunks of products: its index has no name, and numbers of products repeat."""
    frame = pd.DataFrame({"ProductId": np.arange(N) // 3, "embedding": [row.tolist() for row in x_nd]})
    frame.index += 70
    frame.to_csv(tmp_path / "x.csv")
    setting = next(word for word in shlex.split(refused(tmp_path / "x.csv")) if word.startswith("dataset.id_column"))
    assert setting == "dataset.id_column=Unnamed: 0"
    holds(data_of(tmp_path / "x.csv", setting), x_nd, [str(row + 70) for row in range(N)])
    pq.write_table(pa.table({"2": lists(x_nd), "3": lists(near(x_nd))}), tmp_path / "x.parquet")
    assert "dataset.key=2" in refused(tmp_path / "x.parquet")
    holds(data_of(tmp_path / "x.parquet", "dataset.key=2"), x_nd)
