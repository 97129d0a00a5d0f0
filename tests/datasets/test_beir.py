"""A BEIR folder as one dataset: vectors by line or by id, judgements, texts, and what cannot be meant."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vqbench.datasets.base import Source
from vqbench.datasets.file import File
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 4)).astype(np.float32)
Q = RNG.standard_normal((6, 4)).astype(np.float32)
IDS = [f"doc {row}" for row in range(30)]
QUERY_IDS = [f"PLAIN-{row}" for row in range(6)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Everything but vectors."""
    place = tmp_path / "scifact"
    (place / "qrels").mkdir(parents=True)
    documents = [
        {"_id": name, "title": f"T{row}", "text": f"words\n {row}", "metadata": {}} for row, name in enumerate(IDS)
    ]
    queries = [{"_id": name, "text": f"question {row}"} for row, name in enumerate(QUERY_IDS)]
    for name, rows in (("corpus", documents), ("queries", queries)):
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _judge(place / "qrels" / "test.tsv")
    return place


def _judge(path: Path, gain: int = 1) -> None:
    pairs = "".join(f"{query}\t{IDS[row]}\t{gain}\n" for row, query in enumerate(QUERY_IDS))
    path.write_text(f"query-id\tcorpus-id\tscore\n{pairs}")


def _load(folder: Path, **more: object) -> Source:
    return File(path=str(folder), **more).load()  # pyright: ignore[reportArgumentType]


def _check(source: Source) -> None:
    """Ids, texts and vectors belong together, whatever order they lie in."""
    assert source.ids is not None
    assert source.texts is not None
    assert source.query_ids is not None
    assert source.query_texts is not None
    assert source.queries_qd is not None
    for row, (name, text) in enumerate(zip(source.ids, source.texts, strict=True)):
        line = IDS.index(name)
        np.testing.assert_array_equal(source.corpus_nd[row : row + 1][0], X[line])
        assert text == f"T{line} words\n {line}"
    for row, (name, text) in enumerate(zip(source.query_ids, source.query_texts, strict=True)):
        line = QUERY_IDS.index(name)
        np.testing.assert_array_equal(source.queries_qd[row : row + 1][0], Q[line])
        assert text == f"question {line}"


@pytest.mark.parametrize(
    ("corpus", "queries"),
    [
        ("corpus.npy", "queries.npy"),
        ("corpus_embeddings.npy", "query-embeddings.npy"),
        ("embeddings/docs.npy", "embeddings/queries.npy"),
        ("corpus/emb.npy", "queries/emb.npy"),
    ],
)
def test_vectors_in_the_order_of_the_lines(folder: Path, corpus: str, queries: str) -> None:
    for name, x_nd in ((corpus, X), (queries, Q)):
        (folder / name).parent.mkdir(exist_ok=True)
        np.save(folder / name, x_nd)
    (folder / "corpus_ids.txt").write_text("of no use")
    source = _load(folder)
    _check(source)
    assert list(source.ids or ()) == IDS
    assert source.judgements is not None
    assert list(source.judgements)[:2] == [("PLAIN-0", "doc 0", 1.0), ("PLAIN-1", "doc 1", 1.0)]
    name, query_name = Path(corpus).name, Path(queries).name
    assert source.taken == (
        f"{name}: float32, 30 x 4; ids and texts from corpus.jsonl, row by row",
        f"queries: {query_name}: float32, 6 x 4; ids and texts from queries.jsonl, row by row",
        "test.tsv: 6 judgements",
    )
    data = prepare(source, "scifact", queries=None, n_queries=None, normalize=True)
    assert data.qrels is not None
    assert len(data.qrels.query_f) == 6
    assert data.query_caption(0) == f"question {QUERY_IDS.index(data.query_ids[0])}"


def test_vectors_with_ids_of_their_own(folder: Path) -> None:
    """Rows in another order, and not all of them: matched by id, and said."""
    order = RNG.permutation(30)[:25]
    columns = {"id": [IDS[row] for row in order], "emb": pa.array(list(X[order]), pa.list_(pa.float32()))}
    pq.write_table(pa.table(columns), folder / "corpus.parquet")
    np.save(folder / "queries.npy", Q)
    source = _load(folder)
    _check(source)
    assert source.taken[0].endswith("texts from corpus.jsonl, by id (5 of its lines have no vector)")


def test_parts_and_compressed_texts(folder: Path) -> None:
    for part in range(3):
        np.save(folder / f"corpus-{part}.npy", X[10 * part : 10 * part + 10])
    np.save(folder / "queries.npy", Q)
    for name in ("corpus.jsonl", "queries.jsonl"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    source = _load(folder)
    _check(source)
    assert source.taken[0].startswith(
        "3 files, corpus-0.npy to corpus-2.npy, in natural order: 30 x 4 in all; the first: float32, 10 x 4; ids"
    )


def test_which_judgements(folder: Path) -> None:
    """Those of the test, the only ones, or the ones that are named; none is no error."""
    np.save(folder / "corpus.npy", X)
    np.save(folder / "queries.npy", Q)
    _judge(folder / "qrels" / "train.tsv", gain=2)

    def gain(**more: object) -> float:
        judgements = _load(folder, **more).judgements
        return 0 if judgements is None else judgements[0][2]

    assert gain() == 1
    assert gain(qrels=str(folder / "qrels" / "train.tsv")) == 2
    (folder / "qrels" / "test.tsv").rename(folder / "qrels" / "dev.tsv")
    with pytest.raises(VqbenchError, match=r"choose with dataset.qrels=.*/dev.tsv or dataset.qrels=.*/train.tsv"):
        gain()
    (folder / "qrels" / "dev.tsv").unlink()
    assert gain() == 2
    (folder / "qrels" / "train.tsv").unlink()
    assert gain() == 0


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"no file with the vectors of corpus.jsonl; save them .* numpy.save\('.*/scifact/corpus.npy', x\)"),
        ({"corpus.npy": X}, "no file with the vectors of queries.jsonl"),
        ({"corpus.npy": X[1:], "queries.npy": Q}, "corpus.npy: 29 rows for 30 lines of corpus.jsonl"),
        ({"corpus.npy": X, "docs.npy": X, "queries.npy": Q}, "more than one file .*: corpus.npy, docs.npy"),
    ],
)
def test_vectors_that_cannot_be_meant(folder: Path, files: dict[str, np.ndarray], message: str) -> None:
    for name, x_nd in files.items():
        np.save(folder / name, x_nd)
    with pytest.raises(VqbenchError, match=message):
        _load(folder)


def test_ids_that_do_not_agree(folder: Path) -> None:
    """Row numbers beside the vectors are no ids of documents: refused, with the setting that takes the lines' order."""
    table = {"id": [str(row) for row in range(30)], "emb": pa.array(list(X), pa.list_(pa.float32()))}
    pq.write_table(pa.table(table), folder / "corpus.parquet")
    np.save(folder / "queries.npy", Q)
    with pytest.raises(VqbenchError, match=r"30 of 30 ids \('0', '1', '2', ...\) are not in corpus.jsonl \('doc 0'"):
        _load(folder)
    _check(_load(folder, id_column="none"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "x"}', "line 31: has no '_id'"),
        ('{"_id": "doc 3"}', "_id 'doc 3' stands in rows 4 and 31"),
        ("x", "line 31: no JSON"),
    ],
)
def test_damaged_lines(folder: Path, line: str, message: str) -> None:
    np.save(folder / "corpus.npy", X)
    np.save(folder / "queries.npy", Q)
    with (folder / "corpus.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(VqbenchError, match=message):
        _load(folder)


def test_settings_that_the_folder_answers(folder: Path) -> None:
    np.save(folder / "corpus.npy", X)
    np.save(folder / "queries.npy", Q)
    for part in ("ids", "queries", "query_ids"):
        with pytest.raises(VqbenchError, match=f"dataset.{part}=x: .*scifact has its own"):
            _load(folder, **{part: "x"})
    (folder / "labels.txt").write_text("".join(f"l{row}\n" for row in range(30)))
    assert list(_load(folder, labels=str(folder / "labels.txt")).labels or ())[:2] == ["l0", "l1"]
    assert File(path=str(folder)).title == "scifact"


@pytest.mark.parametrize("packed", [False, True])
def test_vectors_in_the_lines_themselves(folder: Path, packed: bool) -> None:
    """Compressed too."""
    for name, ids, x_nd in (("corpus", IDS, X), ("queries", QUERY_IDS, Q)):
        rows = ({"_id": i, "text": "t", "vector": x.tolist()} for i, x in zip(ids, x_nd, strict=True))
        path, content = folder / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows)
        path.unlink()
        path = path.with_name(f"{path.name}.gz") if packed else path
        path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    source = _load(folder)
    assert list(source.ids or ()) == IDS
    np.testing.assert_allclose(source.corpus_nd[:], X)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no rows; write one object a line"),
        ('{"_id": "a", "text": "\\ud83d"}\n', r"line 1: 'text': '\\ud83d' holds half a character"),
        ('{"_id": "a\\ud83d"}\n', r"line 1: '_id': 'a\\ud83d' holds half a character"),
        ("[]\n", "line 1: no JSON object"),
    ],
)
def test_lines_that_cannot_be_meant(folder: Path, content: str, message: str, packed: bool) -> None:
    for name, ids, x_nd in (("corpus", IDS, X), ("queries", QUERY_IDS, Q)):
        pq.write_table(pa.table({"id": ids, "emb": x_nd.tolist()}), folder / f"{name}.parquet")
    path = folder / "corpus.jsonl"
    path.write_text(content)
    if packed:
        (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(content.encode()))
        path.unlink()
        path = folder / "corpus.jsonl.gz"
    with pytest.raises(VqbenchError, match=f"{path}: {message}"):
        _load(folder)
