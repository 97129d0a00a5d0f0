"""Indexes of faiss: those that hold the vectors give them back bit for bit, the others say that theirs are decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from writers import write_faiss

from vqbench.datasets.formats import read
from vqbench.datasets.readers.base import Content, Wanted
from vqbench.errors import VqbenchError

faiss: Any = pytest.importorskip("faiss")

X = np.random.default_rng(0).standard_normal((300, 16)).astype(np.float32)
IDS = np.random.default_rng(1).permutation(4000)[:300].astype(np.int64)


def _read(path: Path, index: Any) -> Content:
    faiss.write_index(index, str(path))
    return read(path, Wanted())


def _made(kind: str, metric: int | None = None) -> Any:
    faiss.omp_set_num_threads(1)  # its threads wait for each other on a busy machine
    index = faiss.index_factory(16, kind, faiss.METRIC_L2 if metric is None else metric)
    index.train(X)
    return index


@pytest.mark.parametrize("kind", ["Flat", "HNSW8,Flat", "IVF8,Flat", "NSG16,Flat", "SQ8,RFlat"])
def test_indexes_that_hold_the_vectors(kind: str, tmp_path: Path) -> None:
    index = _made(kind)
    index.add(X)
    content = _read(tmp_path / "x.faiss", index)
    assert content.rows_nd[:].tobytes() == X.tobytes()
    assert content.ids is None
    assert content.distance == "euclidean"
    assert "decoded" not in content.taken


@pytest.mark.parametrize("kind", ["Flat", "HNSW8,Flat", "IVF8,Flat"])
def test_ids_go_with_their_vectors(kind: str, tmp_path: Path) -> None:
    index = _made(kind, faiss.METRIC_INNER_PRODUCT)
    index = index if kind.startswith("IVF") else faiss.IndexIDMap2(index)
    index.add_with_ids(X, IDS)
    content = _read(tmp_path / "x.index", index)
    assert content.ids is not None
    row_of = {str(i): row for row, i in enumerate(IDS)}
    np.testing.assert_array_equal(content.rows_nd, X[[row_of[i] for i in content.ids]])
    assert len(content.ids) == 300
    assert content.distance == "dot"
    assert content.taken.endswith("(float32, 300 x 16), with its ids")


@pytest.mark.parametrize("kind", ["SQ8", "SQfp16", "PQ4x4", "IVF4,SQ8", "HNSW8,SQ8", "PCA8,Flat", "PCA8,IVF4,SQ8"])
def test_codes_are_decoded_which_is_said(kind: str, tmp_path: Path) -> None:
    index = _made(kind)
    index.add(X)
    content = _read(tmp_path / "x.faiss", index)
    ready = faiss.read_index(str(tmp_path / "x.faiss"))
    if "IVF" in kind:
        faiss.extract_index_ivf(ready).make_direct_map()
    np.testing.assert_allclose(content.rows_nd, ready.reconstruct_n(0, 300), atol=1e-5)
    assert "(float32, 300 x 16; decoded from codes, not the original floats)" in content.taken


def test_what_cannot_be_read(tmp_path: Path) -> None:
    index = _made("LSH")
    index.add(X)
    with pytest.raises(VqbenchError, match="IndexLSH: it cannot give its vectors back"):
        _read(tmp_path / "x.faiss", index)
    with pytest.raises(VqbenchError, match="0 vectors: needs at least one"):
        _read(tmp_path / "x.faiss", _made("Flat"))
    write_faiss(tmp_path / "x.faiss", X)
    (tmp_path / "x.faiss").write_bytes((tmp_path / "x.faiss").read_bytes()[:-40])
    with pytest.raises(VqbenchError, match=r"cannot be read as \.faiss"):
        read(tmp_path / "x.faiss", Wanted())
    with pytest.raises(VqbenchError, match=r"dataset.key=a: has no effect on \.faiss files"):
        read(tmp_path / "x.faiss", Wanted(key="a"))


def test_lists_that_lie_in_another_file_are_refused(tmp_path: Path) -> None:
    index = _made("IVF4,Flat")
    lists = faiss.OnDiskInvertedLists(4, 64, str(tmp_path / "lists"))
    index.replace_invlists(lists)
    index.add(X)
    with pytest.raises(VqbenchError, match=r"its lists \(OnDiskInvertedLists\) lie elsewhere"):
        _read(tmp_path / "x.faiss", index)


def test_the_line_for_a_binary_index_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bits_nd = np.random.default_rng(0).integers(0, 256, (50, 8)).astype(np.uint8)
    index = faiss.IndexBinaryFlat(64)
    index.add(bits_nd)
    monkeypatch.chdir(tmp_path)
    faiss.write_index_binary(index, "x.faiss")
    with pytest.raises(VqbenchError, match="a binary index") as error:
        read(Path("x.faiss"), Wanted())
    code = str(error.value).partition('python -c "')[2].partition('"')[0]
    exec(code, {})
    np.testing.assert_array_equal(np.load("bits.npy"), bits_nd)
