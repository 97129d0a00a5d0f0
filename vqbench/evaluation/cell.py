"""Evaluate one variant on one dataset."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from vqbench.errors import NotApplicableError
from vqbench.evaluation.bench import Bench
from vqbench.evaluation.encoding import encode_corpus
from vqbench.evaluation.placement import boundary_means
from vqbench.evaluation.samples import ask, take_samples
from vqbench.evaluation.settings import Settings
from vqbench.evaluation.sizes import notebook_sizes
from vqbench.evaluation.views import Found, views
from vqbench.metrics.base import QueryMetric, RowMetric
from vqbench.numerics.arrays import Floats, Ints, blocks
from vqbench.numerics.kernels.choice import compiling
from vqbench.numerics.stats import intervals as stats
from vqbench.numerics.stats.groups import Groups
from vqbench.quantizers.base import Codec
from vqbench.quantizers.parts.ledger import Item
from vqbench.quantizers.variant import Variant
from vqbench.results.records import Cell
from vqbench.search.similarity import CodeBlocks
from vqbench.search.topk import Hits

FLOAT32 = 4
_WORST = 5  # queries whose lists are kept
_PAIRS = 4096  # pairs whose error bounds are computed at a time


def evaluate_variant(
    bench: Bench, variant: Variant, seed: int, settings: Settings, advance: Callable[[], None] = lambda: None
) -> Cell:
    """One cell. Raises NotApplicableError where the variant makes no sense for the data.

    ``advance`` is called five times on the way, for a progress bar.
    """
    data, clock = bench.data, _Clock()
    codec = variant.fit(data.sample(variant.calibration or settings.calibration, seed, variant.draw), seed)
    clock.lap("fit", advance)
    row_metrics = [metric for metric in settings.metrics if isinstance(metric, RowMetric)]
    encoded = encode_corpus(codec, data.corpus, row_metrics)
    clock.lap("encode", advance)
    deepest = settings.fetched(max(settings.k), max(settings.oversample), data.findable)
    answered = ask(bench, codec, encoded.codes, variant.similarity, deepest)
    search, q = answered.search, len(data.query_ids)
    hits = Hits(*(each[:q] for each in vars(answered.hits).values()))
    code_f = search.pairs(bench.truth.query_f, bench.truth.row_f)
    clock.lap("search", advance)
    query_f = np.repeat(np.arange(len(hits.ids_qk)), deepest)
    true_qm = bench.search.pairs(query_f, hits.ids_qk.ravel()).reshape(hits.ids_qk.shape)
    clock.lap("rescore", advance)
    last_q = np.full(len(hits.ids_qk), np.nan)
    if any(isinstance(metric, QueryMetric) and metric.listed for metric in settings.metrics):
        last_q = boundary_means(search, hits, bench.search)
    bound_f = None
    if variant.similarity == "estimate" and any(isinstance(m, QueryMetric) and m.bounded for m in settings.metrics):
        bound_f = _bounds(bench, codec, encoded.codes)
    measured = list(_measured(bench, settings, Found(hits, code_f, true_qm, last_q, bound_f)))
    per_query, metrics = _tables(measured, data.query_ids, data.groups_q)
    metrics += [_row(m.name, value=encoded.means[m.name], n=data.corpus.n) for m in row_metrics]
    samples = take_samples(bench, codec, encoded, answered, _worst(measured, settings, data.query_ids))
    clock.lap("metrics", advance)
    return Cell(pd.DataFrame(metrics), _ledger(codec, bench, settings), per_query, samples, clock.seconds)


class _Clock:
    """Seconds between laps, by name, without those that kernels took to compile: the first variant would pay for all.

    Work that lasted while another thread compiled is not told apart, so a lap is never less than none.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last, self._compiling = time.perf_counter(), compiling()

    def lap(self, name: str, advance: Callable[[], None]) -> None:
        now, compiled = time.perf_counter(), compiling()
        self.seconds[name] = max(0.0, now - self._last - (compiled - self._compiling))
        self._last, self._compiling = now, compiled
        advance()


def _bounds(bench: Bench, codec: Codec, codes: CodeBlocks) -> Floats | None:
    """The error bound of every estimate that the truth asks for, or None where the code states none."""
    truth, met_qd = bench.truth, codec.met(bench.data.queries_qd)
    bound_f = np.empty(len(truth.row_f))
    try:
        for start, stop in blocks(len(bound_f), _PAIRS):
            some_nb = codes.take(truth.row_f[start:stop])
            bound_f[start:stop] = codec.core.error_bounds(met_qd[truth.query_f[start:stop]], some_nb)
    except NotApplicableError:
        return None
    return bound_f


@dataclass(frozen=True)
class _Measured:
    """One metric at one k and oversample: values per query, and float's own where it is judged."""

    metric: QueryMetric
    k: int
    oversample: int
    values_q: Floats
    low_q: Floats | None
    high_q: Floats | None
    float_q: Floats | None


def _measured(bench: Bench, settings: Settings, found: Found) -> Iterator[_Measured]:
    chosen = [metric for metric in settings.metrics if isinstance(metric, QueryMetric)]
    if bench.data.qrels is None:
        chosen = [metric for metric in chosen if not metric.judged]
    for view in views(bench, settings, found):
        for metric in chosen:
            if view.oversample and not metric.rescored:
                continue
            each = metric.measure(view)
            if not np.isfinite(each.values_q).any():
                continue
            float_q = metric.measure(replace(view, final=view.truth)).values_q if metric.judged else None
            yield _Measured(metric, view.k, view.oversample, each.values_q, each.low_q, each.high_q, float_q)


def _worst(measured: Sequence[_Measured], settings: Settings, query_ids: Sequence[str]) -> list[int]:
    """The queries that find the least of their true top k, by id where they find as much; none that finds all."""
    k = 10 if 10 in settings.k else max(settings.k)
    for m in measured:
        if (m.metric.name, m.k, m.oversample) == ("overlap", k, 0):
            losers = np.flatnonzero(m.values_q < 1).tolist()
            return sorted(losers, key=lambda query: (m.values_q[query], query_ids[query]))[:_WORST]
    return []


@dataclass(frozen=True)
class _Part:
    """Rows of the per-query table: the values of some queries under one metric, k and oversample."""

    metric: str
    k: int
    oversample: int
    at_d: Ints
    value_d: Floats
    low_d: Floats
    high_d: Floats


def _tables(
    measured: Sequence[_Measured], query_ids: Sequence[str], groups_q: Sequence[str] | None
) -> tuple[pd.DataFrame, list[dict]]:
    """The per-query table and the rows of the summary."""
    parts: list[_Part] = []
    samples: list[stats.Sample] = []
    ratios: list[stats.RatioSample] = []
    whole = None if groups_q is None else Groups.of(groups_q)
    for m in measured:
        at_d = np.flatnonzero(np.isfinite(m.values_q))
        none_d = np.full(len(at_d), np.nan)
        values_d, low_d, high_d = (none_d if x is None else x[at_d] for x in (m.values_q, m.low_q, m.high_q))
        groups = None if whole is None else whole.only(np.isfinite(m.values_q))
        samples.append(stats.Sample(values_d, m.metric.lowest, m.metric.highest, groups))
        parts.append(_Part(m.metric.name, m.k, m.oversample, at_d, values_d, low_d, high_d))
        if m.float_q is not None:  # what the ratio to float search is made of
            ratios.append(stats.RatioSample(values_d, m.float_q[at_d], m.metric.highest - m.metric.lowest, groups))
            parts.append(_Part(f"{m.metric.name}_float", m.k, m.oversample, at_d, m.float_q[at_d], none_d, none_d))
    rows, kept = [], iter(stats.intervals(ratios))
    own = [part for part in parts if not part.metric.endswith("_float")]
    for m, part, (value, *interval) in zip(measured, own, stats.intervals(samples), strict=True):
        row = partial(_row, k=m.k, oversample=m.oversample, n=len(part.at_d))
        bounds = (stats.mean(part.low_d), stats.mean(part.high_d))
        rows.append(row(part.metric, value=value, interval=interval, bounds=bounds))
        if m.float_q is not None:
            ratio, *interval = next(kept)
            rows.append(row(f"{part.metric}_kept", value=ratio, interval=interval))
    return _per_query(parts, query_ids, groups_q), rows


def _per_query(parts: Sequence[_Part], query_ids: Sequence[str], groups_q: Sequence[str] | None) -> pd.DataFrame:
    """All parts as one table, made at once: a frame for each would take longer than measuring."""
    if not parts:
        return pd.DataFrame(columns=["query", "metric", "k", "oversample", "value", "low", "high"])
    at = np.concatenate([part.at_d for part in parts])
    part_at = np.repeat(np.arange(len(parts)), [len(part.at_d) for part in parts])
    frame = pd.DataFrame(
        {
            "query": pd.Categorical.from_codes(at, categories=query_ids),
            "metric": pd.Series([part.metric for part in parts]).take(part_at).array,
            "k": np.array([part.k for part in parts])[part_at],
            "oversample": np.array([part.oversample for part in parts])[part_at],
            "value": np.concatenate([part.value_d for part in parts]),
            "low": np.concatenate([part.low_d for part in parts]),
            "high": np.concatenate([part.high_d for part in parts]),
        }
    )
    return frame if groups_q is None else frame.assign(group=pd.Categorical(groups_q).take(at))


def _row(
    metric: str,
    *,
    value: float,
    n: int,
    k: int | None = None,
    oversample: int = 0,
    interval: Sequence[float] = (math.nan, math.nan),
    bounds: Sequence[float] = (math.nan, math.nan),
) -> dict:
    return {
        "metric": metric,
        "k": k,
        "oversample": oversample,
        "value": value,
        "ci_low": interval[0],
        "ci_high": interval[1],
        "low": bounds[0],
        "high": bounds[1],
        "n_queries": n,
    }


def _ledger(codec: Codec, bench: Bench, settings: Settings) -> pd.DataFrame:
    """The items, and the totals that compare n codes with n float vectors."""
    ledger, n, d = codec.ledger(), bench.data.corpus.n, bench.data.corpus.d
    items = list(ledger.items)
    if max(settings.oversample) > 0:
        items.append(Item("float32 store for rescoring", "vector", FLOAT32 * d))
    rows = [{"item": item.name, "scope": item.scope, "bytes": item.bytes} for item in items]
    totals = {
        "bytes_per_vector": ledger.total("vector"),
        "bytes_once": ledger.total("once"),
        "ratio_float32": ledger.ratio(n=n, d=d, float_bytes=4),
        "ratio_float64": ledger.ratio(n=n, d=d, float_bytes=8),
    }
    rows += [{"item": key, "scope": "total", "bytes": value} for key, value in totals.items()]
    if settings.getsizeof:
        rows += notebook_sizes(codec, bench.data.corpus.take(np.array([bench.example])))
    return pd.DataFrame(rows)
