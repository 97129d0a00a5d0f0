"""Evaluate one variant on one dataset."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from vqbench.errors import NotApplicableError
from vqbench.evaluation.bench import Bench
from vqbench.evaluation.cell_tables import MetricTables, ledger_table
from vqbench.evaluation.deep_search import DeepSearch, views
from vqbench.evaluation.encoding import encode_corpus
from vqbench.evaluation.fitting import fit_variant
from vqbench.evaluation.placement import boundary_means
from vqbench.evaluation.samples import take_samples
from vqbench.evaluation.settings import Settings
from vqbench.metrics.base import QueryMetric, RowMetric
from vqbench.numerics.arrays import Floats, blocks
from vqbench.numerics.kernels.choice import compiling
from vqbench.quantizers.base import Codec
from vqbench.quantizers.variant import Variant
from vqbench.results.columns import headline_k
from vqbench.results.records import Cell
from vqbench.search.similarity import CodeBlocks

_WORST = 5  # queries whose lists are kept
_PAIRS = 4096  # pairs whose error bounds are computed at a time


def evaluate_variant(
    bench: Bench, variant: Variant, seed: int, settings: Settings, advance: Callable[[], None] = lambda: None
) -> Cell:
    """Evaluate one cell.

    Args:
        advance: called five times on the way, for a progress bar.

    Raises:
        NotApplicableError: the variant makes no sense for the data.
    """
    data, truth, clock = bench.data, bench.truth, _Clock(advance)
    fitted = fit_variant(data, variant, seed, settings.calibration)
    codec = fitted.codec
    clock.lap("fit")
    row_metrics = [metric for metric in settings.metrics if isinstance(metric, RowMetric)]
    encoded = encode_corpus(codec, data.corpus, row_metrics, fitted.looked_up)
    clock.lap("encode")
    depth = settings.fetched(max(settings.k), max(settings.oversample), data.findable)
    own_qb = fitted.query_codes_qb
    deep = DeepSearch.of_codes(bench.search, codec, encoded.codes, variant.similarity, data.queries_qd, depth, own_qb)
    code_f = deep.scores(truth.query_f, truth.row_f)
    clock.lap("search")
    hits = deep.hits
    query_f = np.repeat(np.arange(len(hits.ids_qk)), depth)
    true_qm = bench.search.pairs(query_f, hits.ids_qk.ravel()).reshape(hits.ids_qk.shape)
    clock.lap("rescore")
    query_metrics = [metric for metric in settings.metrics if isinstance(metric, QueryMetric)]
    last_q, bound_f = np.full(len(hits.ids_qk), np.nan), None
    if any(metric.listed for metric in query_metrics):
        last_q = boundary_means(deep.search, hits, bench.search)
    if variant.similarity == "estimate" and any(metric.bounded for metric in query_metrics):
        bound_f = _bounds(bench, codec, encoded.codes)
    tables = MetricTables(data)
    for view in views(bench, settings, hits, code_f, true_qm, last_q, bound_f):
        for metric in query_metrics:
            if (metric.judged and data.qrels is None) or (view.oversample and not metric.rescored):
                continue
            scores = metric.measure(view)
            if np.isfinite(scores.values_q).any():
                floats = metric.measure(replace(view, final=view.truth)).values_q if metric.judged else None
                tables.add(metric, view, scores, floats)
    for metric in row_metrics:
        tables.add_mean(metric, encoded.means[metric.name])
    metrics, per_query = tables.metrics(), tables.per_query()
    samples = take_samples(bench, codec, encoded, variant.similarity, deep, _worst(per_query, headline_k(settings.k)))
    clock.lap("metrics")
    return Cell(metrics, ledger_table(codec, bench, settings), per_query, samples, clock.seconds)


class _Clock:
    """Seconds between laps, by name, without those that kernels took to compile: the first variant would pay for all.

    Work that lasted while another thread compiled is not told apart, so a lap is never less than none.
    """

    def __init__(self, advance: Callable[[], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._advance, self._last, self._compiling = advance, time.perf_counter(), compiling()

    def lap(self, name: str) -> None:
        now, compiled = time.perf_counter(), compiling()
        self.seconds[name] = max(0.0, now - self._last - (compiled - self._compiling))
        self._last, self._compiling = now, compiled
        self._advance()


def _bounds(bench: Bench, codec: Codec, codes: CodeBlocks) -> Floats | None:
    """The error bound of every estimate that the truth asks for, or None where the code states none."""
    truth, queries_qd = bench.truth, codec.core_queries(bench.data.queries_qd)
    bound_f = np.empty(len(truth.row_f))
    try:
        for start, stop in blocks(len(bound_f), _PAIRS):
            some_nb = codes.take(truth.row_f[start:stop])
            bound_f[start:stop] = codec.core.error_bounds(queries_qd[truth.query_f[start:stop]], some_nb)
    except NotApplicableError:
        return None
    return bound_f


def _worst(per_query: pd.DataFrame, k: int) -> list[int]:
    """The queries that find the least of their true top k, by id where they find as much; none that finds all."""
    rows = per_query[(per_query["metric"] == "overlap") & (per_query["k"] == k) & (per_query["oversample"] == 0)]
    rows = rows[rows["value"] < 1]
    losers = zip(rows["value"], rows["query"].astype(str), rows["query"].cat.codes.tolist(), strict=True)
    return [query for _, _, query in sorted(losers)[:_WORST]]
