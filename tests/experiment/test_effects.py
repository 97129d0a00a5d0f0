"""Settings that have no effect beside the others are errors, and what each message says to do works."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vqbench.cli.main import main
from vqbench.errors import VqbenchError
from vqbench.experiment.config.compose import compose_jobs
from vqbench.experiment.plan import Plan, make_plan

X = np.random.default_rng(4).standard_normal((30, 6)).astype(np.float32)


@pytest.fixture(autouse=True)
def _in_a_folder_with_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("mine.npy", X)
    np.save("asked.npy", X[:4] + 1)


def plan_of(words: str) -> Plan:
    (job,) = compose_jobs(words.split()).jobs
    return make_plan(job.plain(), job.settings, job.experiment)


@pytest.mark.parametrize(
    ("words", "message", "right"),
    [
        (
            "dataset=mine.npy queries=self dataset.queries=asked.npy",
            "dataset.queries=asked.npy: has no effect with queries=self, which takes rows of the corpus as queries",
            "dataset=mine.npy dataset.queries=asked.npy",
        ),
        (
            "dataset=mine.npy queries=holdout dataset.query_ids=ids.txt",
            "dataset.query_ids=ids.txt: has no effect with queries=holdout",
            "dataset=mine.npy queries=holdout",
        ),
        (
            "dataset=mine.npy dataset.rows_seed=3",
            "no effect without dataset.rows=N",
            "dataset=mine.npy dataset.rows=9 dataset.rows_seed=3",
        ),
        ("n_queries=null query_seed=3", "n_queries=null takes every query", "n_queries=9 query_seed=3"),
        (
            "experiment=presets dataset.rows=9",
            "has datasets of its own (wordnet, movies): set datasets.wordnet.rows",
            "experiment=presets datasets.wordnet.rows=9",
        ),
        (
            "experiment=presets dataset=mine.npy datasets.movies.rows=9",
            "the dataset named here takes the place of the experiment's datasets",
            "experiment=presets dataset=mine.npy",
        ),
        ("experiment=scale dataset=mine.npy", "compares several sizes of its datasets", "experiment=scale"),
        ("dataset.path=mine.npy", "need dataset=file as well, or only dataset=mine.npy", "dataset=mine.npy"),
    ],
)  # fmt: skip
def test_a_setting_without_effect(words: str, message: str, right: str) -> None:
    with pytest.raises(VqbenchError) as refused:
        plan_of(words)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert plan_of(right).datasets


def test_a_list_of_paths_is_accepted_where_its_type_says_so() -> None:
    from dataclasses import dataclass

    from vqbench.experiment.config.targets import checked

    @dataclass
    class Parts:
        path: str | list[str]
        ids: str | None = None

    for path in ("a.npy", ["a.npy", "b.npy"]):
        assert checked({"path": path}, Parts, "dataset.") == {"path": path}
    with pytest.raises(VqbenchError, match=r"dataset\.path = 3: must be text, .*, or a list of these"):
        checked({"path": 3}, Parts, "dataset.")
    with pytest.raises(VqbenchError, match=r"dataset\.path\[1\] = 3: must be text"):
        checked({"path": ["a", 3]}, Parts, "dataset.")
    with pytest.raises(VqbenchError, match=r"dataset\.ids = 3: must be text, .*, or null"):
        checked({"ids": 3}, Parts, "dataset.")


def test_judgements_of_queries_that_are_not_asked_are_left_out_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["dataset=wordnet", "queries=self", "n_queries=5", "quantizer=[binary_zero]", "k=[5]", "oversample=[0]"]
    words += ["figures=false", "report=false", "cache=off", "doctor=false"]
    assert main([*words, "out=x"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    note = "its own 1,000 queries are not used (queries=self), so their judgements are not used either"
    assert f"note: wordnet: {note}" in shown
    assert "queries.npy" not in shown
    about = json.loads(Path("x/meta.json").read_text())["datasets"]["wordnet"]
    assert about["notes"] == [note]
    assert not about["judged"]


def test_judgements_of_the_rows_themselves_stay() -> None:
    for name, count in (("ids", 30), ("asked_ids", 4)):
        Path(f"{name}.txt").write_text("".join(f"{name[0]}{row}\n" for row in range(count)))
    Path("qrels.txt").write_text("".join(f"i{row} 0 i{(row + 1) % 30} 1\n" for row in range(30)))
    words = ["mine.npy", "dataset.ids=ids.txt", "dataset.qrels=qrels.txt", "queries=self", "quantizer=[binary_zero]"]
    assert main([*words, "k=[5]", "oversample=[0]", "figures=false", "report=false", "cache=off", "out=x"]) == 0
    assert json.loads(Path("x/meta.json").read_text())["datasets"]["mine"]["judgements"]["measured"] == 30
