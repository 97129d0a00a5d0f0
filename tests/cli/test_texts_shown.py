"""Texts and labels beside ids: in nearest, in the report and its figures, and in no number."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vqbench.cli.main import main
from vqbench.datasets.base import Data
from vqbench.experiment import captions
from vqbench.results.folder import read_results

N = 40
#: Each text says which row it is, over two lines and with a tab; the first one is long.
TEXTS = [f"Words of\trow {row}" + " and more" * 20 * (row == 0) for row in range(N)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run without and with texts, and one with texts over the cells of one without."""
    folder = tmp_path_factory.mktemp("texts")
    np.save(folder / "x.npy", np.random.default_rng(0).standard_normal((N, 16)).astype(np.float32))
    (folder / "texts.jsonl").write_text(
        "".join(json.dumps({"n": row, "text": text}) + "\n" for row, text in enumerate(TEXTS))
    )
    (folder / "labels.txt").write_text("".join(f"odd{row % 2}\n" for row in range(N)))
    vectors = ["dataset=file", f"dataset.path={folder / 'x.npy'}"]
    vectors += ["quantizer=[float32,binary_zero]", "k=[1,10]", "oversample=[0]", "doctor=false"]
    texts = [f"dataset.texts={folder / 'texts.jsonl'}", f"dataset.labels={folder / 'labels.txt'}"]
    for out, more in (("plain", []), ("shown", texts), ("later", []), ("later", texts)):
        assert main([*vectors, *more, f"out={folder / out}", f"figures={'true' if more else 'false'}"]) == 0
    return folder


def _captions(folder: Path) -> dict[str, dict[str, str]]:
    return json.loads((folder / "meta.json").read_text())["datasets"]["x"].get("captions", {})


@pytest.mark.slow
def test_no_number_changes(runs: Path) -> None:
    for name in ("metrics.csv", "ledger.csv"):
        assert (runs / "shown" / name).read_bytes() == (runs / "plain" / name).read_bytes()
    assert {path.name for path in (runs / "shown" / "cells").rglob("*.cell")} == {
        path.name for path in (runs / "plain" / "cells").rglob("*.cell")
    }


@pytest.mark.slow
def test_texts_of_the_rows_that_are_listed(runs: Path) -> None:
    """Whether the cells were evaluated with them or before; one line each, long ones cut."""
    named = _captions(runs / "shown")
    samples = read_results(runs / "shown").samples
    listed = samples[samples["kind"].isin(["nearest", "worst", "worst_float"])]
    assert set(named["rows"]) >= set(listed["other"])
    for row, caption in named["rows"].items():
        text = f"Words of row {row}"
        assert caption == f"[odd{int(row) % 2}] {text}" or (row == "0" and caption.endswith("and more..."))
    asked = set(samples[samples["kind"] == "worst"]["id"])
    assert set(named["queries"]) == asked
    assert _captions(runs / "later") == named
    assert _captions(runs / "plain") == {}


@pytest.mark.slow
def test_the_report_shows_them(runs: Path) -> None:
    page = (runs / "shown" / "report.html").read_text()
    query = next(iter(_captions(runs / "shown")["queries"]))
    assert f"Words of row {query}" in page
    assert "[odd1] Words of row" in page
    assert "Words of row" not in (runs / "plain" / "report.html").read_text()


@pytest.mark.slow
def test_the_figure_shows_them(runs: Path) -> None:
    """As far as there is room in a column."""
    assert "[odd" in (runs / "shown" / "figures" / "nearest.svg").read_text()


def test_nearest_shows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the id of the row that is asked for and of each neighbour."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((N, 16)).astype(np.float32))
    pq.write_table(pa.table({"id": [f"r{row}" for row in range(N)], "body": TEXTS}), tmp_path / "meta.parquet")
    meta = str(tmp_path / "meta.parquet")
    words = ["r3", str(tmp_path / "x.npy"), f"dataset.ids={meta}", f"dataset.texts={meta}:body", "--top", "39"]
    assert main(["nearest", *words, "--quantizer", "float32"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "meta.parquet: 40 ids from 'id'" in out
    assert "meta.parquet: 40 texts from 'body'" in out
    assert "Most similar to r3 (Words of row 3)" in out
    assert all(f"r{row} Words of row {row}" in out for row in range(N) if row != 3)
    assert "r0 Words of row 0 and more and more and more" in out
    assert "and more..." in out


def test_captions_of_nothing() -> None:
    class Bare:
        texts = labels = query_texts = None

    assert captions.captions(Bare(), [], Path()) == {}  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("texts", "labels", "caption"),
    [
        (["a\n b"], None, "a b"),
        (None, ["x"], "[x]"),
        (["a"], ["x"], "[x] a"),
        ([" "], [""], ""),
        (["\x1b[1m"], None, "\\x1b[1m"),
    ],
)
def test_a_caption(texts: list[str] | None, labels: list[str] | None, caption: str) -> None:
    class Shown:
        pass

    data = Shown()
    data.texts, data.labels = texts, labels  # pyright: ignore[reportAttributeAccessIssue]
    assert Data.caption(data, 0) == caption  # pyright: ignore[reportArgumentType]
