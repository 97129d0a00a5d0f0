"""Formats and layouts as people hand them in.

Each test has the shape of a public trouble report about embedding tools. The data are made here; what is expected
follows from plain numpy.
"""

from __future__ import annotations

import base64
import gzip
import json
import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from handed_in import D, N, data_of, holds, lines, lists, near, refused, rows_of, tensor, vectors

from vqbench.numerics.arrays import Floats


@pytest.fixture
def x_nd() -> Floats:
    return vectors()


def test_number_columns_of_a_csv_are_no_dimensions(tmp_path: Path, x_nd: Floats) -> None:
    frame = pd.DataFrame(x_nd, columns=[f"d{i}" for i in range(D)])
    numbered = frame.copy()
    numbered.insert(0, "doc_id", np.arange(7000, 7000 + N))
    numbered.to_csv(tmp_path / "index_and_id.csv")
    holds(data_of(tmp_path / "index_and_id.csv"), x_nd, [str(i) for i in range(7000, 7000 + N)])
    repeated = frame.copy()
    repeated.insert(0, "doc_id", np.arange(N) // 3)
    repeated.to_csv(tmp_path / "chunks.csv", index=False)
    assert "'doc_id'" in (message := refused(tmp_path / "chunks.csv"))
    assert "dataset.id_column=none" in message
    holds(data_of(tmp_path / "chunks.csv", "dataset.id_column=none"), x_nd)


def test_a_key_for_each_side(tmp_path: Path, x_nd: Floats) -> None:
    q_qd = vectors(10, D, 3)
    np.savez(tmp_path / "pairs.npz", docs=x_nd, queries=q_qd)
    data = data_of(tmp_path / "pairs.npz")
    holds(data, x_nd)
    assert len(data.query_ids) == 10
    assert "'docs'" in data.taken[0]
    assert "queries from 'queries'" in data.taken[0]
    message = refused(tmp_path / "pairs.npz", f"dataset.queries={tmp_path}/pairs.npz", "dataset.key=docs")
    assert "queries_key" in message
    assert "'docs'" in message
    assert "queries (float32" in message
    table = {"id": [f"p{i}" for i in range(N)], "query_embedding": lists(near(x_nd)), "passage_embedding": lists(x_nd)}
    pq.write_table(pa.table(table), tmp_path / "pairs.parquet")
    holds(data_of(tmp_path / "pairs.parquet"), x_nd, [f"p{i}" for i in range(N)])
    np.savez(tmp_path / "two.npz", title=x_nd, body=near(x_nd))
    assert {"title", "body"} <= set(refused(tmp_path / "two.npz").replace(",", " ").split())


def test_ids_beside_vectors(tmp_path: Path, x_nd: Floats) -> None:
    ids = [f"doc-{i:03d}" for i in range(N)]
    np.savez(tmp_path / "store.npz", ids=np.array(ids), embeddings=x_nd)
    holds(data_of(tmp_path / "store.npz"), x_nd, ids)
    np.save(tmp_path / "plain.npy", x_nd)
    assert "dataset.id_column=ids: has no effect" in refused(tmp_path / "plain.npy", "dataset.id_column=ids")


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (pa.array(np.arange(N, dtype=float)), [str(i) for i in range(N)]),
        (pa.array([f"item {i}".encode() for i in range(N)], pa.binary()), None),
        (pa.array([f"item {i}" for i in range(N)], pa.string_view()), None),
        (pa.array([f"item {i}" for i in range(N)]).dictionary_encode(), None),
    ],
)
def test_ids_of_every_type(tmp_path: Path, x_nd: Floats, values: pa.Array, ids: list[str] | None) -> None:
    pq.write_table(pa.table({"id": values, "embedding": lists(x_nd)}), tmp_path / "x.parquet")
    holds(data_of(tmp_path / "x.parquet"), x_nd, ids or [f"item {i}" for i in range(N)])


def test_the_index_of_pandas_holds_ids(tmp_path: Path, x_nd: Floats) -> None:
    ids = [f"item {i}" for i in range(N)]
    pd.DataFrame({"embedding": list(x_nd)}, index=pd.Index(ids)).to_parquet(tmp_path / "x.parquet")
    holds(data_of(tmp_path / "x.parquet"), x_nd, ids)


def test_variants_of_bin(tmp_path: Path, x_nd: Floats) -> None:
    body = x_nd.astype("<f4").tobytes()
    (tmp_path / f"base.1B.fbin.crop_nb_{N}").write_bytes(struct.pack("<II", N, D) + body)
    (tmp_path / "wide_header.fbin").write_bytes(struct.pack("<QQ", N, D) + body)
    (tmp_path / "half.f16bin").write_bytes(struct.pack("<II", N, D) + x_nd.astype("<f2").tobytes())
    holds(data_of(tmp_path / f"base.1B.fbin.crop_nb_{N}"), x_nd)
    holds(data_of(tmp_path / "wide_header.fbin"), x_nd)
    holds(data_of(tmp_path / "half.f16bin"), x_nd.astype(np.float16).astype(np.float32))


def test_bfloat16(tmp_path: Path, x_nd: Floats) -> None:
    np.save(tmp_path / "x.npy", x_nd.astype(ml_dtypes.bfloat16))
    holds(data_of(tmp_path / "x.npy"), x_nd.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_lists_in_text_columns(tmp_path: Path, x_nd: Floats) -> None:
    ids = [f"a{i}" for i in range(N)]
    pd.DataFrame({"id": ids, "embedding": [row.tolist() for row in x_nd]}).to_csv(tmp_path / "a.csv", index=False)
    holds(data_of(tmp_path / "a.csv"), x_nd, ids)
    lines(tmp_path / "b.csv", [f'{i},"[{",".join(map(repr, row.tolist()))}]"' for i, row in enumerate(x_nd)])
    holds(data_of(tmp_path / "b.csv"), x_nd, [str(i) for i in range(N)])
    texts = [json.dumps(row.tolist()) for row in x_nd]
    pq.write_table(pa.table({"id": ids, "embedding": texts}), tmp_path / "c.parquet")
    holds(data_of(tmp_path / "c.parquet"), x_nd, ids)


def test_json_of_apis(tmp_path: Path, x_nd: Floats) -> None:
    rows, ids = [row.tolist() for row in x_nd], [f"c{i}" for i in range(N)]
    packed = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in x_nd]

    def saved(name: str, content: object) -> Path:
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    for name, values in (("floats.json", rows), ("base64.json", packed)):
        shuffled = np.random.default_rng(8).permutation(N).tolist()
        records = [{"object": "embedding", "index": i, "embedding": values[i]} for i in shuffled]
        np.testing.assert_array_equal(rows_of(data_of(saved(name, {"object": "list", "data": records}))), x_nd)
    holds(data_of(saved("chroma.json", {"ids": ids, "embeddings": rows, "documents": None})), x_nd, ids)
    holds(data_of(saved("list.json", rows)), x_nd)
    lines(
        tmp_path / "rows.jsonl",
        [json.dumps({"id": i, "text": "t", "embedding": r}) for i, r in zip(ids, rows, strict=True)],
    )
    holds(data_of(tmp_path / "rows.jsonl"), x_nd, ids)
    bodies = [{"status_code": 200, "body": {"data": [{"index": 0, "embedding": row}]}} for row in rows]
    lines(
        tmp_path / "batch.jsonl",
        [json.dumps({"custom_id": i, "response": b}) for i, b in zip(ids, bodies, strict=True)],
    )
    holds(data_of(tmp_path / "batch.jsonl"), x_nd, ids)


def test_word_vectors(tmp_path: Path, x_nd: Floats) -> None:
    words = [f"w{i}" for i in range(N - 4)] + [",", '"', "New York", "été"]
    rows = [word + " " + " ".join(map(repr, row.tolist())) for word, row in zip(words, x_nd, strict=True)]
    holds(data_of(lines(tmp_path / "glove.txt", rows)), x_nd, words)
    holds(data_of(lines(tmp_path / "wiki.vec", [f"{N} {D}", *rows])), x_nd, words)
    with gzip.open(tmp_path / "packed.vec.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join([f"{N} {D}", *rows]) + "\n")
    holds(data_of(tmp_path / "packed.vec.gz"), x_nd, words)


def test_shards(tmp_path: Path, x_nd: Floats) -> None:
    (tmp_path / "mine" / "data").mkdir(parents=True)
    (tmp_path / "parts").mkdir()
    for part in range(12):
        some = slice(5 * part, 5 * part + 5)
        table = pa.table({"id": [f"s{i}" for i in range(N)[some]], "emb": lists(x_nd[some])})
        pq.write_table(table, tmp_path / "mine" / "data" / f"train-{part:05d}-of-00012.parquet")
        np.save(tmp_path / "parts" / f"img_emb_{part}.npy", x_nd[some])
    for path in (tmp_path / "mine", tmp_path / "mine" / "data", tmp_path / "mine" / "data" / "*.parquet"):
        holds(data_of(path), x_nd, [f"s{i}" for i in range(N)])
    holds(data_of(tmp_path / "parts"), x_nd)
    some = f"[{tmp_path}/parts/img_emb_0.npy,{tmp_path}/parts/img_emb_1.npy]"
    holds(data_of(some), x_nd[:10])


def test_a_beir_folder(tmp_path: Path, x_nd: Floats) -> None:
    folder = tmp_path / "scifact"
    (folder / "qrels").mkdir(parents=True)
    lines(folder / "corpus.jsonl", [json.dumps({"_id": f"doc{i}", "title": "", "text": "t"}) for i in range(N)])
    lines(folder / "queries.jsonl", [json.dumps({"_id": f"PLAIN-{i}", "text": "t"}) for i in range(20)])
    np.save(folder / "corpus.npy", x_nd)
    np.save(folder / "queries.npy", near(x_nd[:20]))
    judged = [f"PLAIN-{i}\tdoc{i}\t1" for i in range(20)]
    lines(folder / "qrels" / "test.tsv", ["query-id\tcorpus-id\tscore", *judged, judged[3]])
    data = data_of(folder)
    holds(data, x_nd, [f"doc{i}" for i in range(N)])
    assert data.qrels is not None
    assert len(data.qrels.query_f) == 20
    assert set(data.query_ids) == {f"PLAIN-{i}" for i in range(20)}


def test_columns_of_tensors_numbers_and_blobs(tmp_path: Path, x_nd: Floats) -> None:
    ids = [f"a{i}" for i in range(N)]
    for name, columns in (
        ("tensor", {"embedding": tensor(x_nd)}),
        ("wide", {f"dim_{k}": x_nd[:, k] for k in range(D)}),
        ("blob", {"embedding": [row.tobytes() for row in x_nd]}),
    ):
        pq.write_table(pa.table({"id": ids, **columns}), tmp_path / f"{name}.parquet")
        holds(data_of(tmp_path / f"{name}.parquet"), x_nd, ids)
    np.save(tmp_path / "n1d.npy", x_nd[:, None, :])
    holds(data_of(tmp_path / "n1d.npy"), x_nd)
