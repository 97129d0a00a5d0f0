"""vqbench.evaluate against a short script in plain numpy, and the independence of its numbers."""

from __future__ import annotations

import importlib
import time
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import oracles
import pandas as pd
import pytest

import vqbench
from vqbench.errors import VqbenchError
from vqbench.evaluation.cell import _Clock, evaluate_variant
from vqbench.metrics.correlation import Kendall, Spearman
from vqbench.metrics.overlap import Overlap, Top1, Worst
from vqbench.metrics.rbo import RBO
from vqbench.metrics.reconstruction import MSE, Clipped, CosineError
from vqbench.metrics.regret import Regret
from vqbench.numerics.kernels import choice
from vqbench.numerics.thread_pool import threads
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.cast import Cast
from vqbench.quantizers.offset_int8 import OffsetInt8

METRICS = (
    Overlap(), Top1(), Worst(), RBO(), Kendall(), Spearman(), Regret(), MSE(), CosineError(), Clipped(),
)  # fmt: skip
INT8_RAW = vqbench.Variant(quantizer=OffsetInt8(), similarity="raw")
INT8_DECODED = vqbench.Variant(quantizer=OffsetInt8())
VARIANTS = {
    "int8-raw": INT8_RAW,
    "int8-decoded": INT8_DECODED,
    **{
        f"binary-{kind}": vqbench.Variant(quantizer=Binary(threshold=kind), similarity="hamming")
        for kind in ("zero", "mean", "median")
    },
}


def _scores(x_nd: np.ndarray, name: str) -> np.ndarray:
    """Scores of every row as a query with every row: minus infinity with itself."""
    if name.startswith("binary"):
        everything = x_nd.astype(np.float64)
        kind = name.removeprefix("binary-")
        threshold = {"zero": 0.0, "mean": everything.mean(), "median": np.median(everything)}[kind]
        bits = (everything > threshold).astype(int)
        scores_nn = -(bits[:, None, :] != bits[None, :, :]).sum(axis=2).astype(float)
    else:
        stored = ((np.clip(x_nd.astype(np.float64) + 1, 0, 2)) * 127).astype(np.uint8).astype(np.float64)
        left, right = stored, stored
        if name == "int8-decoded":
            left, right = x_nd.astype(np.float64), ((stored + 0.5) / 127 - 1).astype(np.float32).astype(float)
        norms = np.sqrt((left**2).sum(axis=1))[:, None] * np.sqrt((right**2).sum(axis=1))
        scores_nn = np.round(left @ right.T / norms, 12)
    np.fill_diagonal(scores_nn, -np.inf)
    return scores_nn


def _overlap(true_nn: np.ndarray, code_nn: np.ndarray, k: int, fetched: int) -> tuple[float, float, float]:
    """Mean, least and most over all queries: the true scores do not tie, so the formula is the plain one."""
    found = []
    for true, code in zip(true_nn, code_nn, strict=True):
        wanted = true >= np.sort(true)[-k]
        assert wanted.sum() == k
        last = np.sort(code)[-fetched]
        above, tied = code > last, code == last
        sure, torn, room = (wanted & above).sum(), (wanted & tied).sum(), fetched - above.sum()
        least = sure + max(0, room - (tied.sum() - torn))
        found.append([(sure + torn * room / tied.sum()) / k, least / k, (sure + min(torn, room)) / k])
    return tuple(np.mean(found, axis=0))


@pytest.fixture(scope="module")
def table(gaussian: np.ndarray) -> pd.DataFrame:
    return vqbench.evaluate(gaussian, variants=VARIANTS, k=[1, 10, 50], oversample=[0, 1, 2, 4, 300], metrics=METRICS)


@pytest.mark.parametrize("name", VARIANTS)
def test_overlap_is_that_of_a_short_script(gaussian: np.ndarray, table: pd.DataFrame, name: str) -> None:
    true_nn, code_nn = gaussian.astype(float) @ gaussian.astype(float).T, _scores(gaussian, name)
    np.fill_diagonal(true_nn, -np.inf)
    rows = table[(table["variant"] == name) & (table["metric"] == "overlap")]
    assert len(rows) == 15
    for row in rows.to_dict("records"):
        fetched = min(299, row["k"] * max(1, row["oversample"]))
        wanted = _overlap(true_nn, code_nn, row["k"], fetched)
        assert (row["value"], row["low"], row["high"]) == pytest.approx(wanted, abs=1e-12)
        assert row["n_queries"] == 300
        if fetched == 299:
            assert (row["value"], row["low"], row["high"]) == (1, 1, 1)
        elif row["oversample"] < 2:
            assert row["value"] < 1


def test_a_binary_code_ties_and_an_int8_code_does_not(table: pd.DataFrame) -> None:
    """So both kinds of cell are in the table above."""
    rows = table[(table["metric"] == "overlap") & (table["k"] == 10) & (table["oversample"] == 0)]
    width = (rows["high"] - rows["low"]).groupby(rows["variant"]).max()
    assert width["binary-mean"] > 0.1
    assert width["int8-decoded"] == 0


def test_row_metrics_are_means_over_rows(gaussian: np.ndarray, table: pd.DataFrame) -> None:
    decoded = ((((gaussian.astype(float) + 1) * 127).astype(np.uint8) + 0.5) / 127 - 1).astype(np.float32)
    rows = table[table["variant"] == "int8-decoded"].set_index("metric")["value"]
    assert rows["mse"] == pytest.approx(((gaussian - decoded.astype(float)) ** 2).mean(), rel=1e-12)
    cosines = [1 - np.dot(x, y) / np.linalg.norm(x) / np.linalg.norm(y)
               for x, y in zip(gaussian.astype(float), decoded.astype(float), strict=True)]  # fmt: skip
    assert rows["cosine_error"] == pytest.approx(np.mean(cosines), rel=1e-9)
    assert rows["clipped"] == 0


def test_metrics_that_make_no_sense_are_left_out(table: pd.DataFrame) -> None:
    """No correlation of a rescored list or of one document; no rescoring of a row metric."""
    at = set(table[["metric", "k", "oversample"]].dropna().itertuples(index=False, name=None))
    assert {(k, o) for m, k, o in at if m == "kendall"} == {(10, 0), (50, 0)}
    every = {(k, oversample) for k in (1, 10, 50) for oversample in (0, 1, 2, 4, 300)}
    assert {(k, o) for m, k, o in at if m == "rbo"} == every
    assert set(table[table["k"].isna()]["metric"]) == {"mse", "cosine_error", "clipped"}
    assert not table.duplicated(["variant", "metric", "k", "oversample"]).any()
    assert (table["status"] == "ok").all()


@pytest.mark.parametrize(("with_ids", "n_queries"), [(True, None), (True, 40), (False, 40)])
def test_row_order_does_not_matter(
    gaussian: np.ndarray, tied_rows: np.ndarray, with_ids: bool, n_queries: int | None
) -> None:
    """Bit for bit, for a corpus without ties and for one of copies; queries are drawn by key."""
    rng = np.random.default_rng(0)
    for x_nd in (gaussian, tied_rows):
        order, ids = rng.permutation(len(x_nd)), [f"id {row}" for row in range(len(x_nd))]
        shuffled = [ids[row] for row in order]
        settings = {
            "variants": VARIANTS, "k": [1, 10], "oversample": [0, 2], "metrics": METRICS,
            "n_queries": n_queries, "seed": 5,
        }  # fmt: skip
        table = vqbench.evaluate(x_nd, ids=ids if with_ids else None, **settings)
        other = vqbench.evaluate(x_nd[order], ids=shuffled if with_ids else None, **settings)
        pd.testing.assert_frame_equal(table, other, check_exact=True)


def test_holdout_takes_the_queries_out_of_the_corpus(gaussian: np.ndarray) -> None:
    """The same as handing over the two parts, whatever part is drawn: every row that is left is found."""
    table = vqbench.evaluate(
        gaussian, variants={"int8": INT8_RAW}, queries="holdout", n_queries=290, k=[10], metrics=[Overlap()]
    )
    assert table["value"].tolist() == [1.0]
    assert table["n_queries"].tolist() == [290]
    with pytest.raises(VqbenchError, match="can find only 10 rows"):
        vqbench.evaluate(gaussian, variants={"int8": INT8_RAW}, queries="holdout", n_queries=290, k=[11])
    with pytest.raises(VqbenchError, match="holdout takes out all 300 rows"):
        vqbench.evaluate(gaussian, variants={"int8": INT8_RAW}, queries="holdout")


def test_queries_of_their_own(gaussian: np.ndarray) -> None:
    """Nothing is left out: a query that equals a row finds it."""
    metrics = [Overlap(), Top1()]
    table = vqbench.evaluate(gaussian, gaussian[:25] * 3, variants=VARIANTS, k=[1], metrics=metrics)
    rows = table.set_index(["variant", "metric"])
    assert rows.loc[("int8-decoded", "overlap"), "value"] == 1
    scores = oracles.hamming(gaussian[:25] > 0, gaussian > 0)
    alone = np.mean([1 / (scores[query] == 0).sum() for query in range(25)])
    assert rows.loc[("binary-zero", "top1"), "value"] == pytest.approx(alone, abs=1e-12)


@pytest.mark.parametrize("k", [[], [0], [2, 2], [300]])
def test_ranks_that_do_not_fit(gaussian: np.ndarray, k: list[int]) -> None:
    with pytest.raises(VqbenchError, match="k = "):
        vqbench.evaluate(gaussian, variants={"int8": INT8_RAW}, k=k)


@pytest.mark.parametrize("oversample", [[], [-1], [2, 2]])
def test_oversampling_that_makes_no_sense(gaussian: np.ndarray, oversample: list[int]) -> None:
    with pytest.raises(VqbenchError, match="oversample = "):
        vqbench.evaluate(gaussian, variants={"int8": INT8_RAW}, k=[1], oversample=oversample)


@pytest.mark.parametrize("metrics", [[MSE()], [Kendall()]], ids=["row metrics only", "undefined at k = 1"])
def test_a_table_without_any_query_metric(gaussian: np.ndarray, metrics: list) -> None:
    variants = {"float": vqbench.Variant(quantizer=Cast())}
    table = vqbench.evaluate(gaussian, variants=variants, k=[1], metrics=metrics)
    assert table["metric"].tolist() == [metric.name for metric in metrics if isinstance(metric, MSE)]


@pytest.mark.parametrize("kernels", ["numpy", pytest.param("numba", marks=pytest.mark.slow)])
def test_threads_and_kernels_are_heeded_and_change_nothing(
    gaussian: np.ndarray, kernels: Literal["numpy", "numba"], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kernels == "numba":
        pytest.importorskip("numba")
    seen = []

    def spied(*given: Any) -> Any:
        seen.append((threads(), choice.chosen_kernels()))
        return evaluate_variant(*given)

    def evaluated(**given: Any) -> pd.DataFrame:
        return vqbench.evaluate(gaussian, variants=VARIANTS, n_queries=50, k=[10], oversample=[0, 4], **given)

    before, plain = (threads(), choice.chosen_kernels()), evaluated()
    monkeypatch.setattr("vqbench.api.evaluate_variant", spied)
    pd.testing.assert_frame_equal(evaluated(threads=3, kernels=kernels), plain, check_exact=True)
    assert set(seen) == {(3, kernels)}
    assert (threads(), choice.chosen_kernels()) == before


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"threads": 0}, "threads = 0: must be a whole number of at least 1, or null for one on each processor"),
        ({"threads": "many"}, "threads = 'many': must be a whole number"),
        ({"threads": 100_000}, r"threads = 100000: more than 16 for each processor, and this machine has \d+: set "),
        ({"kernels": "fast"}, "kernels = 'fast': must be one of auto, numba, numpy"),
        ({"kernels": ""}, "kernels = '': must be one of"),
    ],
)
def test_threads_and_kernels_that_make_no_sense(gaussian: np.ndarray, given: dict[str, Any], says: str) -> None:
    with pytest.raises(VqbenchError, match=says):
        vqbench.evaluate(gaussian, variants={"int8": INT8_RAW}, **given)


def test_queries_that_are_none_are_told_in_words_of_the_api(gaussian: np.ndarray) -> None:
    x_nd, variants = gaussian[:60], {"binary": vqbench.Variant(quantizer=Binary())}
    with pytest.raises(VqbenchError, match="queries_qd = 'selv': must be an array .*queries='self'.*'holdout'"):
        vqbench.evaluate(x_nd, "selv", variants=variants)  # type: ignore[arg-type]
    with pytest.raises(VqbenchError, match="queries_qd has 5 dimensions, corpus_nd 16: .* the same model$"):
        vqbench.evaluate(x_nd, x_nd[:, :5], variants=variants)
    listed = vqbench.evaluate(x_nd.tolist(), x_nd[:9].tolist(), variants=variants)  # type: ignore[arg-type]
    assert listed.equals(vqbench.evaluate(x_nd, x_nd[:9], variants=variants))


def test_compiling_is_no_part_of_what_a_variant_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]

    def passes(seconds: float) -> None:
        now[0] += seconds

    kernels = SimpleNamespace(warm=lambda: passes(4.5))
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(importlib, "import_module", lambda _: kernels)
    clock = _Clock(lambda: None)
    passes(1.0)
    assert choice._loaded("none of this name") is kernels
    passes(0.07)
    clock.lap("search")
    passes(0.25)
    clock.lap("metrics")
    assert clock.seconds == pytest.approx({"search": 1.07, "metrics": 0.25})
