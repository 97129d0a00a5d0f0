"""What a user stumbles over: names, narrow screens, missing columns, queries that are corpus rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vqbench
from vqbench.cli.main import main
from vqbench.datasets.base import Source
from vqbench.datasets.file import File
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.numerics.draws import content_keys
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.cast import Cast

SMALL = [
    "dataset=synthetic",
    "dataset.n=200",
    "dataset.d=16",
    "dataset.queries=20",
    "k=[5]",
    "figures=false",
    "doctor=false",
    "report=false",
    "cache=off",
]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(n: int, d: int = 16) -> np.ndarray:
    return np.random.default_rng(n).normal(size=(n, d)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("columns", [60, 80, 100, 140])
def test_a_narrow_screen_loses_columns_by_name_not_letters(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vqbench.cli.console.WIDTH", columns)
    assert main([*SMALL, "oversample=[0,4]", "out=x"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= columns
    for name in ("float32", "binary_mean_dimension", "overlap@5", "rescored"):
        assert name in shown
    table, _, words = shown.partition("bytes/vector")
    assert (">half" in table) != (">half lost" in words.partition("Left out, since the screen is narrow: ")[2])
    assert "re-rank 20 codes" in " ".join(words.split())


def test_without_the_codes_own_result_only_the_rescored_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "oversample=[1,3]", "out=x"]) == 0
    shown = capsys.readouterr().out
    assert "nan" not in shown
    assert "overlap@5 " not in shown.partition("bytes/vector")[0]
    assert "rescored" in shown


def test_components_outside_the_range_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("pixels.npy", np.random.default_rng(0).integers(0, 255, (300, 16)))
    given = [
        "dataset=file",
        "dataset.path=pixels.npy",
        "k=[5]",
        "quantizer=[float32,offset_int8]",
        "figures=false",
        "doctor=false",
        "report=false",
    ]
    assert main([*given, "normalize=false", "cache=off", "out=x"]) == 0
    assert "note: pixels, offset_int8: 99." in capsys.readouterr().out
    assert main([*given, "cache=off", "out=x"]) == 0
    assert "offset_int8: 99." not in capsys.readouterr().out


def test_a_file_that_is_only_called_embeddings_takes_its_folders_name() -> None:
    assert File(path="clip/embeddings.npy").title == "clip"
    assert File(path="clip/titles.npy").title == "titles"
    assert File(path="clip/embeddings.npy", name="mine").title == "mine"
    Path("folder.npy").mkdir()
    with pytest.raises(VqbenchError, match="is a folder"):
        File(path="folder.npy").load()


def test_a_query_from_a_file_is_left_out_of_its_own_result_by_id() -> None:
    corpus_nd, ids = rows(50), [f"doc{row}" for row in range(50)]
    source = Source("x", corpus_nd, ids, corpus_nd[:9], [*ids[:8], "other"])
    data = prepare(source, "x", queries=None, n_queries=None, normalize=True)
    assert data.exclude_q is not None
    own = dict(zip(data.query_ids, data.exclude_q.tolist(), strict=True))
    assert own == {**{f"doc{row}": row for row in range(8)}, "other": -1}
    assert data.findable == 49
    strangers = Source("x", corpus_nd, ids, corpus_nd[:9], [f"q{row}" for row in range(9)])
    assert prepare(strangers, "x", queries=None, n_queries=None, normalize=True).exclude_q is None


def test_ids_that_equal_row_numbers_are_not_taken_for_none() -> None:
    """Draws go by content without ids, by id with them, so the two must not share cells or cached truth."""
    prints = {
        prepare(Source("x", rows(9), ids), "x", queries="self", n_queries=None, normalize=True).fingerprint
        for ids in (None, [str(row) for row in range(9)])
    }
    assert len(prints) == 2


def test_rows_of_signs_have_keys_of_their_own() -> None:
    """+1 and -1 differ in one bit of 32: a sum of bits would leave few keys."""
    signs_nd = np.random.default_rng(0).choice(np.float32([-1, 1]), size=(100_000, 64))
    distinct = len(np.unique(signs_nd, axis=0))
    assert len(np.unique(content_keys(signs_nd))) == distinct


def test_ratios_to_float_search_can_be_computed_again() -> None:
    """Even where float32 was not among the variants."""
    assert (
        main(
            [
                "quantizer=[binary_mean]",
                "n_queries=50",
                "k=[10]",
                "figures=false",
                "doctor=false",
                "report=false",
                "cache=off",
                "out=x",
            ]
        )
        == 0
    )
    each = pd.read_parquet("x/per_query.parquet")
    mean = each[each["oversample"] == 0].groupby("metric", observed=True)["value"].mean()
    table = pd.read_csv("x/metrics.csv").query("oversample == 0").set_index("metric")["value"]
    for name in ("ndcg", "mrr"):
        assert table[f"{name}_kept"] == pytest.approx(mean[name] / mean[f"{name}_float"], abs=1e-9)


def test_the_python_api_explains_itself() -> None:
    binary = {"b": vqbench.Variant(quantizer=Binary(), similarity="hamming")}
    table = vqbench.evaluate(rows(40), rows(7), variants=binary, k=5)
    assert set(table["n_queries"]) == {7}
    mistakes = [
        ({"variants": {}}, "name at least one"),
        ({"variants": {"c": Cast()}}, "wrap it in vqbench.Variant"),
        ({"variants": binary, "queries": rows(7)}, "must be 'self', 'holdout'"),
        ({"variants": binary, "queries": "selfish"}, "must be 'self', 'holdout'"),
        ({"variants": binary, "k": 41}, "can find only 39 rows"),
    ]
    for arguments, words in mistakes:
        with pytest.raises(VqbenchError, match=words):
            vqbench.evaluate(rows(40), **arguments)  # pyright: ignore[reportArgumentType]
