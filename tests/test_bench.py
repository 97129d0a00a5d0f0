"""Blocks, caches, calibration and judgements of an evaluation; the numbers must not depend on the first two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import oracles
import pandas as pd
import pytest

import vqbench
from vqbench import arrays
from vqbench.datasets.base import Data, Source, prepare
from vqbench.evaluation import encoding
from vqbench.evaluation.bench import open_bench
from vqbench.evaluation.cell import Cell, evaluate_variant
from vqbench.evaluation.settings import Settings
from vqbench.metrics.judged import MRR, NDCG
from vqbench.metrics.overlap import Overlap
from vqbench.metrics.rbo import RBO
from vqbench.metrics.reconstruction import MSE
from vqbench.metrics.regret import Regret
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.cast import Cast
from vqbench.quantizers.offset_int8 import OffsetInt8
from vqbench.search import topk

METRICS = (Overlap(), RBO(), Regret(), MSE())
HAMMING = vqbench.Variant(quantizer=Binary(threshold="mean"), similarity="hamming")


def _data(x_nd: np.ndarray, **fields) -> Data:
    source = Source("a test", x_nd, **fields)
    return prepare(source, "test", queries=None, n_queries=None, normalize=True)


def _cell(data: Data, variant: vqbench.Variant, settings: Settings, cache: Path | None = None) -> Cell:
    return evaluate_variant(open_bench(data, settings, cache=cache), variant, 0, settings)


@pytest.mark.parametrize(
    "variant", [HAMMING, vqbench.Variant(quantizer=OffsetInt8(), similarity="raw"), vqbench.Variant(quantizer=Cast())]
)
@pytest.mark.parametrize("queries", [None, "own"])
def test_block_sizes_do_not_matter(
    tied_rows: np.ndarray, variant: vqbench.Variant, queries: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiny blocks everywhere, nothing kept in memory: the same tables, bit for bit."""
    x_nd = np.concatenate([tied_rows] * 3 + [np.random.default_rng(0).standard_normal((40, 16))])
    queries_qd = None if queries is None else x_nd[::7] + 1
    cells = []
    for tiny in (False, True):
        if tiny:
            for module, name, size in ((arrays, "_KEPT", 0), (arrays, "_TAKEN", 3), (arrays, "_CHUNK", 4096),
                                       (encoding, "_BLOCK", 7), (topk, "_QUERIES", 5), (topk, "_PAIRS", 300)):  # fmt: skip
                assert hasattr(module, name)
                monkeypatch.setattr(module, name, size)
        settings = Settings([1, 10, 40], [0, 2], METRICS, block_mb=1e-9 if tiny else 64)
        cells.append(_cell(_data(x_nd, queries_qd=queries_qd), variant, settings))
    for name in ("metrics", "ledger", "per_query", "samples"):
        left, right = (getattr(cell, name) for cell in cells)
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_the_cached_truth_gives_the_same_tables(tied_rows: np.ndarray, tmp_path: Path) -> None:
    settings, data = Settings([1, 10], [0, 2], METRICS), _data(tied_rows)
    fresh = _cell(data, HAMMING, settings, tmp_path)
    (file,) = tmp_path.glob("*.npz")
    written = file.stat().st_mtime_ns
    pd.testing.assert_frame_equal(_cell(data, HAMMING, settings, tmp_path).per_query, fresh.per_query)
    assert file in set(tmp_path.iterdir())
    for broken in (b"", b"PK nonsense", file.read_bytes()[:-50]):
        file.write_bytes(broken)
        pd.testing.assert_frame_equal(_cell(data, HAMMING, settings, tmp_path).per_query, fresh.per_query)
    assert written > 0
    other = _cell(_data(-tied_rows[::-1].copy() + 1), HAMMING, settings, tmp_path)
    alone = _cell(_data(-tied_rows[::-1].copy() + 1), HAMMING, settings)
    pd.testing.assert_frame_equal(other.per_query, alone.per_query)
    assert len(list(tmp_path.iterdir())) == 2


def test_fingerprints_differ_where_anything_differs(gaussian: np.ndarray) -> None:
    """Values, ids, the order of rows, which rows are queries: the truth is cached by this."""
    def fingerprint(x_nd=gaussian[:2], *, queries=None, n_queries=None, **fields) -> str:
        source = Source("a test", x_nd, **fields)
        return prepare(source, "t", queries=queries, n_queries=n_queries, normalize=True).fingerprint

    found = [
        fingerprint(), fingerprint(gaussian[1:3]), fingerprint(gaussian[[1, 0]]), fingerprint(n_queries=1),
        fingerprint(queries="holdout", n_queries=1), fingerprint(queries_qd=gaussian[:2]),
        fingerprint(queries_qd=gaussian[1:3]), fingerprint(ids=["a", "b"]), fingerprint(ids=["b", "a"]),
    ]  # fmt: skip
    assert len(set(found)) == len(found)
    assert fingerprint(gaussian[:2].astype(np.float64)) == fingerprint()
    assert fingerprint(ids=["a", "aa"]) != fingerprint(ids=["aa", "a"])


def test_a_cached_truth_is_not_taken_for_other_ids(gaussian: np.ndarray, tmp_path: Path) -> None:
    """One query, drawn by id: in the two corpora it is another row, though the ids read the same in a row."""
    settings, tables = Settings([3], [0], [Overlap()]), []
    for ids in (["a", *["x"] * 0, "aa"], ["aa", "a"]):
        filler = [f"row {row}" for row in range(20)]
        source = Source("a test", gaussian[:22], ids=ids + filler)
        data = prepare(source, "t", queries=None, n_queries=None, normalize=True)
        bench = open_bench(data, settings, cache=tmp_path)
        alone = open_bench(data, settings)
        tables.append((bench.truth.hits.ids_qk, alone.truth.hits.ids_qk))
    for cached, computed in tables:
        np.testing.assert_array_equal(cached, computed)


class _Spy(Quantizer):
    """Remembers what it was fitted to."""

    seen: list[np.ndarray] = []

    def fit(self, sample_nd: np.ndarray, rng: np.random.Generator) -> Codec:
        self.seen.append(sample_nd.copy())
        return Cast().fit(sample_nd, rng)


def test_calibration_sees_a_draw_of_corpus_rows_only(gaussian: np.ndarray) -> None:
    """Never a query of its own, never a row held out; another seed draws other rows; row order is no matter."""
    _Spy.seen.clear()
    settings, variant = Settings([1], [0], [Overlap()], calibration=20), vqbench.Variant(quantizer=_Spy())
    held = prepare(Source("t", gaussian), "t", queries="holdout", n_queries=150, normalize=False)
    whole, flipped = _data(gaussian), _data(gaussian[::-1].copy())
    for data, seed in ((held, 0), (whole, 0), (whole, 1), (flipped, 1)):
        evaluate_variant(open_bench(data, settings), variant, seed, settings)
    samples = [{row.tobytes() for row in sample_nd} for sample_nd in _Spy.seen]
    assert [len(sample) for sample in samples] == [20] * 4
    assert samples[0] <= {row.tobytes() for row in held.corpus.block(0, 150)}
    assert not samples[0] & {row.tobytes() for row in held.queries_qd}
    assert samples[1] != samples[2]
    np.testing.assert_array_equal(_Spy.seen[2], _Spy.seen[3])


@pytest.mark.parametrize("oversample", [0, 3])
def test_judgements_reach_the_metrics(gaussian: np.ndarray, oversample: int) -> None:
    """Self queries, of which some are judged; a query's own row is never found, even where it is judged."""
    ids = [f"d{row}" for row in range(60)]
    judgements = [("d3", "d9", 2.0), ("d3", "d3", 3.0), ("d5", "d40", 1.0), ("d5", "d41", 1.0), ("d8", "d1", 0.0)]
    data = _data(gaussian[:60], ids=ids, judgements=judgements)
    settings = Settings([5], [oversample], [NDCG(), MRR()])
    cell = _cell(data, vqbench.Variant(quantizer=Binary(), similarity="hamming"), settings)
    true_nn = oracles.cosines(gaussian[:60], gaussian[:60])
    code_nn = oracles.hamming(gaussian[:60] > 0, gaussian[:60] > 0)
    found = cell.per_query.set_index(["query", "metric"])["value"]
    assert sorted(set(found.index.get_level_values("query"))) == ["d3", "d5"]
    for query, gain_of in ((3, {9: 2}), (5, {40: 1, 41: 1})):
        scores = np.where(np.arange(60) == query, -np.inf, code_nn[query])
        if oversample:
            priority_n = data.priority(0)
            fetched, _, _ = oracles.top(scores, 5 * oversample, exclude=query, priority_n=priority_n)
            scores = np.where(np.isin(np.arange(60), fetched), true_nn[query], -np.inf)
        # Rows without gain are alike, so the places of the relevant ones are all that matters.
        ndcg, mrr = _expected_by_draws(scores, gain_of, k=5)
        assert found[f"d{query}", "ndcg"] == pytest.approx(ndcg, abs=0.01)
        assert found[f"d{query}", "mrr"] == pytest.approx(mrr, abs=0.01)
    kept = cell.metrics.set_index("metric")["value"]
    floats = [
        oracles.mrr_at(oracles.top(true_nn[query], 59, exclude=query)[0], gains, 5)
        for query, gains in ((3, {9: 2}), (5, {40: 1, 41: 1}))
        for gains in [np.array([gains.get(row, 0) for row in range(60)])]
    ]
    assert kept["mrr_kept"] == pytest.approx(kept["mrr"] / np.mean(floats), rel=1e-12)


def _expected_by_draws(scores: np.ndarray, gain_of: dict[int, int], k: int) -> tuple[float, float]:
    """NDCG and MRR averaged over random tie-breakings."""
    rng, gains = np.random.default_rng(0), np.zeros(len(scores))
    gains[list(gain_of)] = list(gain_of.values())
    orders = [np.lexsort((rng.random(len(scores)), -scores)) for _ in range(4000)]
    return (
        float(np.mean([oracles.ndcg_at(order[:k], gains, k) for order in orders])),
        float(np.mean([oracles.mrr_at(order[:k], gains, k) for order in orders])),
    )
