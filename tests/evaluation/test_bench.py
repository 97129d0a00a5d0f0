"""Blocks, caches, calibration and judgements of an evaluation: the first two must not change a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import oracles
import pandas as pd
import pytest

import vqbench
from vqbench.datasets.base import Data, Source
from vqbench.datasets.prepare import prepare
from vqbench.evaluation import encoding
from vqbench.evaluation.bench import open_bench
from vqbench.evaluation.cell import evaluate_variant
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
from vqbench.results.records import Cell
from vqbench.search import topk
from vqbench.storage import vectors

METRICS = (Overlap(), RBO(), Regret(), MSE())
HAMMING = vqbench.Variant(quantizer=Binary(threshold="mean"), similarity="hamming")
INT8 = vqbench.Variant(quantizer=OffsetInt8(), similarity="raw")
FLOAT = vqbench.Variant(quantizer=Cast())
TINY = [(vectors, "_KEPT", 0), (vectors, "_TAKEN", 3), (encoding, "_BLOCK", 7), (topk, "_QUERIES", 5),
        (topk, "PAIRS", 300)]  # fmt: skip


def _data(x_nd: np.ndarray, n_queries: int | None = None, **fields) -> Data:
    source = Source("a test", x_nd, **fields)
    return prepare(source, "test", queries=None, n_queries=n_queries, normalize=True)


def _cell(data: Data, variant: vqbench.Variant, settings: Settings, cache: Path | None = None) -> Cell:
    return evaluate_variant(open_bench(data, settings, cache=cache), variant, 0, settings)


@pytest.mark.parametrize("variant", [HAMMING, INT8, FLOAT], ids=["hamming", "raw", "decoded"])
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
            for module, name, size in TINY:
                monkeypatch.setattr(module, name, size)
        settings = Settings([1, 10, 40], [0, 2], METRICS, block_mb=1e-9 if tiny else 64)
        cells.append(_cell(_data(x_nd, 43, queries_qd=queries_qd), variant, settings))  # 8 blocks of 5, and 3
    for name in ("metrics", "ledger", "per_query", "samples"):
        left, right = (getattr(cell, name) for cell in cells)
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_the_cached_truth_gives_the_same_tables(
    tied_rows: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back, broken in several ways, and for other data; what is cached is not searched again."""
    settings, data = Settings([1, 10], [0, 2], METRICS), _data(tied_rows)
    fresh = _cell(data, HAMMING, settings, tmp_path)
    (file,) = tmp_path.iterdir()
    with monkeypatch.context() as patched:
        patched.setattr(topk.Search, "top", None)
        bench = open_bench(data, settings, cache=tmp_path)
    cached = evaluate_variant(bench, HAMMING, 0, settings)
    pd.testing.assert_frame_equal(cached.per_query, fresh.per_query, check_exact=True)
    for broken in (b"", b"PK nonsense", file.read_bytes()[:-50]):
        file.write_bytes(broken)
        again = _cell(data, HAMMING, settings, tmp_path)
        pd.testing.assert_frame_equal(again.per_query, fresh.per_query, check_exact=True)
    other = _data(tied_rows[::-1].copy())
    assert other.fingerprint != data.fingerprint
    found, alone = _cell(other, HAMMING, settings, tmp_path), _cell(other, HAMMING, settings)
    pd.testing.assert_frame_equal(found.per_query, alone.per_query, check_exact=True)
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
    found += [fingerprint(queries_qd=gaussian[row : row + 1]) for row in range(4)]
    assert len(set(found)) == len(found)
    assert fingerprint(gaussian[:2].astype(np.float64)) == fingerprint()


def test_fingerprints_tell_ids_apart_that_read_the_same_in_a_row(gaussian: np.ndarray) -> None:
    first, second = (_data(gaussian[:2], ids=ids).fingerprint for ids in (["a", "aa"], ["aa", "a"]))
    assert first != second


def test_a_cached_truth_is_not_taken_for_other_ids(gaussian: np.ndarray, tmp_path: Path) -> None:
    """Queries are drawn in an order of their ids' own; these ids differ, but not in their letters."""
    settings = Settings([3], [0], [Overlap()])
    for first in (["a", "aa"], ["aa", "a"]):
        data = _data(gaussian[:22], ids=first + [f"row {row}" for row in range(20)])
        cached, computed = (open_bench(data, settings, cache=cache).truth for cache in (tmp_path, None))
        np.testing.assert_array_equal(cached.hits.ids_qk, computed.hits.ids_qk)


class _Spy(Quantizer):
    """Remembers what it was fitted to."""

    seen: list[np.ndarray] = []

    def fit(self, sample_nd: np.ndarray, rng: np.random.Generator) -> Codec:
        self.seen.append(sample_nd.copy())
        return Cast().fit(sample_nd, rng)


def test_calibration_sees_a_draw_of_corpus_rows_only(gaussian: np.ndarray) -> None:
    """Never a row held out; another seed draws other rows; the order of the rows is no matter."""
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
    """Self queries, of which two are judged; a query's own row is never found, even where it is judged."""
    x_nd, ids = gaussian[:60], [f"d{row}" for row in range(60)]
    true_nn, code_nn = oracles.cosines(x_nd, x_nd), oracles.hamming(x_nd > 0, x_nd > 0)
    judged = {}
    for query, ranks in ((3, [0, 4, 50]), (5, [1, 2])):
        nearest, _, _ = oracles.top(true_nn[query], 59, exclude=query)
        judged[query] = {nearest[rank]: gain for gain, rank in enumerate(ranks, start=1)}
    judgements = [(f"d{query}", f"d{row}", gain) for query in judged for row, gain in judged[query].items()]
    data = _data(x_nd, ids=ids, judgements=[*judgements, ("d3", "d3", 9.0), ("d8", "d1", 0.0)])
    variant = vqbench.Variant(quantizer=Binary(), similarity="hamming")
    cell = _cell(data, variant, Settings([5], [oversample], [NDCG(), MRR()]))
    found = cell.per_query.set_index(["query", "metric"])["value"]
    assert sorted(set(found.index.get_level_values("query"))) == ["d3", "d5"]
    floats = []
    for query, gain_of in judged.items():
        gains, scores = np.zeros(60), np.where(np.arange(60) == query, -99, code_nn[query])
        gains[list(gain_of)] = list(gain_of.values())
        if oversample:
            fetched, _, _ = oracles.top(scores, 5 * oversample, priority_n=data.priority(0).tolist())
            scores = np.where(np.isin(np.arange(60), fetched), true_nn[query], -99)
        ndcg, mrr = _mean_over_draws(scores, gains, k=5)
        assert found[f"d{query}", "ndcg"] == pytest.approx(ndcg, abs=0.02)
        assert found[f"d{query}", "mrr"] == pytest.approx(mrr, abs=0.02)
        nearest, _, _ = oracles.top(true_nn[query], 59, exclude=query)
        floats.append(oracles.mrr_at(nearest, gains, 5))
    values = cell.metrics.set_index("metric")["value"]
    assert floats == [1, 1 / 2]
    assert values["mrr_kept"] == pytest.approx(values["mrr"] / 0.75, rel=1e-12)


def _mean_over_draws(scores: np.ndarray, gains: np.ndarray, k: int) -> tuple[float, float]:
    """NDCG and MRR averaged over random tie-breakings: 3000 of them, a standard error below 0.005."""
    rng = np.random.default_rng(0)
    orders = [np.lexsort((rng.random(len(scores)), -scores)) for _ in range(3000)]
    return (
        float(np.mean([oracles.ndcg_at(order[:k], gains, k) for order in orders])),
        float(np.mean([oracles.mrr_at(order[:k], gains, k) for order in orders])),
    )


def test_calibration_rows_uniform_first_or_sorted() -> None:
    """Against the definitions; sorted breaks ties by key, so that row order does not matter."""
    x_nd = np.random.default_rng(3).integers(0, 4, (50, 3)).astype(np.float32) + 1
    x_nd[:, 2] = np.arange(50)
    ids = [f"row {i}" for i in range(50)]
    data = prepare(Source(corpus_nd=x_nd, ids=ids, origin="test"), "test", queries="self", n_queries=5, normalize=False)
    assert np.array_equal(data.sample(7, 0, "prefix"), x_nd[:7])
    firsts = np.sort(x_nd[:, 0])
    assert np.array_equal(data.sample(9, 0, "sorted")[:, 0], firsts[:9])
    drawn = data.sample(50, 0)
    assert sorted(drawn[:, 2]) == list(range(50))
    order = np.random.default_rng(4).permutation(50)
    source = Source(corpus_nd=x_nd[order], ids=[ids[i] for i in order], origin="test")
    moved = prepare(source, "test", queries="self", n_queries=5, normalize=False)
    for draw in ("uniform", "sorted"):
        assert np.array_equal(moved.sample(9, 0, draw), data.sample(9, 0, draw))
    assert not np.array_equal(moved.sample(9, 0, "prefix"), data.sample(9, 0, "prefix"))
    assert not np.array_equal(data.sample(9, 1), data.sample(9, 0))
