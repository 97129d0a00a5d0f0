"""A file that states its distance is followed: what cosine ranks differently is refused unless cosine is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from vqbench.cli.main import main
from vqbench.datasets.base import Source
from vqbench.datasets.distances import Distance, kind_of
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError

X = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
UNIT = X / np.linalg.norm(X, axis=1, keepdims=True)


def _prepared(x_nd: np.ndarray, word: str, distance: Distance | None = None) -> Sequence[str]:
    source = Source("here", x_nd, distance=word)
    return prepare(source, "x", queries="self", n_queries=5, normalize=True, distance=distance).notes


@pytest.mark.parametrize("word", ["dot", "ip", "Inner Product", "euclidean", "L2", "sqeuclidean", "dot-product"])
def test_rows_of_unit_length_rank_as_cosine_does(word: str) -> None:
    assert kind_of(word) in ("dot", "euclidean", "squared")
    assert (
        _prepared(UNIT, word)[0] == f"the file's distance is '{word}', which ranks rows of unit length as cosine does"
    )
    assert "with distance=cosine all rows are ranked by cosine" in _prepared(X, word, "cosine")[0]
    almost = UNIT.copy()
    almost[29] *= 1.001
    for x_nd in (X, almost):
        with pytest.raises(VqbenchError, match="here: its distance is .*not all of unit length: .*; distance=cosine"):
            _prepared(x_nd, word)


@pytest.mark.parametrize("word", ["hamming", "jaccard", "manhattan", "x" * 99])
def test_other_distances_are_refused_by_name(word: str) -> None:
    _prepared(X, word, "cosine")
    for x_nd in (X, UNIT):
        with pytest.raises(
            VqbenchError, match=f"here: its distance is '{word[:40]}': not measured yet; distance=cosine"
        ):
            _prepared(x_nd, word)


@pytest.mark.parametrize("word", ["", "cosine", "angular", "Angular"])
def test_cosine_needs_no_unit_length(word: str) -> None:
    assert not any("the file" in note for note in _prepared(X, word))


def test_the_setting_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    with h5py.File("x.hdf5", "w") as file:
        file["train"], file["test"], file.attrs["distance"] = X > 0, X[:4] > 0.1, "hamming"
    common = ["dataset=file", "dataset.path=x.hdf5", "quantizer=[float32]", "metric=[overlap]", "k=[5]", "cache=off",
              "oversample=[0]", "figures=false", "report=false", "doctor=false", "on_bad_rows=drop"]  # fmt: skip
    assert main(common) != 0
    assert "its distance is 'hamming': not measured yet; distance=cosine ranks by cosine" in capsys.readouterr().err
    assert main([*common, "distance=dot"]) != 0
    assert "distance = dot: not measured yet; distance=cosine" in capsys.readouterr().err
    assert main([*common, "distance=cosine"]) == 0
