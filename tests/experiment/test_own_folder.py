"""Two sets of vectors under one name: each has a folder of its own, and finds it again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from vqbench.cli.main import main
from vqbench.experiment.own_folder import mark, own_folder

QUICK = ["quantizer=[binary_zero]", "k=[3]", "oversample=[0]", "figures=false", "report=false", "cache=off"]
FIRST = Path("results/docs")


@pytest.fixture(autouse=True)
def _two_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(39)
    for model, d in (("a", 8), ("b", 12)):
        Path(model).mkdir()
        np.save(f"{model}/docs.npy", rng.standard_normal((40, d)).astype(np.float32))


def run(model: str, *more: str) -> None:
    assert main([f"{model}/docs.npy", *QUICK, "doctor=false", *more]) == 0


def dimensions() -> dict[str, int]:
    """Of the vectors whose results each folder holds."""
    metas = {path.parent.name: json.loads(path.read_text()) for path in Path("results").glob("*/meta.json")}
    return {folder: meta["datasets"]["docs"]["d"] for folder, meta in metas.items()}


def test_the_second_model_gets_its_own_folder_and_both_find_theirs_again(capsys: pytest.CaptureFixture[str]) -> None:
    run("a")
    assert "other vectors" not in capsys.readouterr().out
    for _ in range(2):
        run("b")
        shown = " ".join(capsys.readouterr().out.split())
        assert "note: docs: results/docs holds results of other vectors of this name" in shown
        assert "Written to results/docs-2" in shown
        run("a")
        assert "Written to results/docs (1 cell was finished before)" in capsys.readouterr().out
        assert dimensions() == {"docs": 8, "docs-2": 12}


def test_queries_and_draws_do_not_make_other_vectors() -> None:
    run("a")
    x_nd = np.load("a/docs.npy")
    np.save("asked.npy", x_nd[:5] + 1)
    Path("ids.txt").write_text("".join(f"d{row}\n" for row in range(40)))
    for more in (["dataset.queries=asked.npy"], ["queries=holdout", "n_queries=9"], ["dataset.ids=ids.txt"]):
        run("a", *more)
    assert dimensions() == {"docs": 8}
    about = json.loads((FIRST / "meta.json").read_text())["datasets"]["docs"]
    assert about["sha256_corpus"] == hashlib.sha256(x_nd.tobytes()).hexdigest()


def test_a_folder_that_is_named_is_taken() -> None:
    run("a")
    run("b", "out=results/docs")
    assert dimensions() == {"docs": 12}


def test_a_multirun_over_both_models() -> None:
    assert main(["-m", "dataset=a/docs.npy,b/docs.npy", *QUICK, "doctor=false"]) == 0
    assert dimensions() == {"docs": 8, "docs-2": 12}


def test_an_interrupted_run_finds_its_folder() -> None:
    """It has cells and no meta.json yet."""
    run("a")
    (FIRST / "meta.json").unlink()
    run("b")
    run("a")
    assert dimensions() == {"docs": 8, "docs-2": 12}


def test_folders_are_told_by_the_digests_that_they_hold() -> None:
    assert own_folder(FIRST, {"docs": "1"}) == FIRST
    mark(FIRST, {"docs": "1"})
    assert own_folder(FIRST, {"docs": "1"}) == FIRST
    assert own_folder(FIRST, {"docs": "2"}) == Path("results/docs-2")
    mark(Path("results/docs-2"), {"docs-2": "2"})  # of vectors whose name is docs-2
    assert own_folder(FIRST, {"docs": "2"}) == Path("results/docs-3")
    assert own_folder(FIRST, {"docs": "1", "more": "3"}) == FIRST
    (FIRST / "meta.json").write_text('{"datasets": {"docs": {"sha256_corpus": "4"}}}')  # named by out=
    assert own_folder(FIRST, {"docs": "4"}) == FIRST


@pytest.mark.parametrize("text", ["", "[1]", '{"datasets": 3}', '{"datasets": {"docs": 3}}', "[" * 9999, "\0"])
def test_a_description_that_says_nothing_of_its_vectors(text: str) -> None:
    """Of an older run, or damaged: nothing can be told, and the folder is taken as before."""
    FIRST.mkdir(parents=True)
    (FIRST / "meta.json").write_text(text)
    assert own_folder(FIRST, {"docs": "1"}) == FIRST
