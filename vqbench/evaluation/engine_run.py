"""A real engine beside the prediction: what it returns, what the same codes return here, and where they differ.

The engine gets the rows in an order drawn by key. Engines mostly break ties by position, so that becomes a draw too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from vqbench.errors import VqbenchError
from vqbench.evaluation.backends.base import NONE, Backend, Held
from vqbench.evaluation.bench import Bench
from vqbench.evaluation.encoding import encode_corpus
from vqbench.evaluation.settings import Settings
from vqbench.evaluation.views import Found, views
from vqbench.metrics.base import View
from vqbench.metrics.overlap import Overlap
from vqbench.numerics.arrays import Floats, Ints
from vqbench.numerics.stats.groups import Groups
from vqbench.numerics.stats.intervals import mean
from vqbench.numerics.stats.paired import differences
from vqbench.quantizers.parts.ledger import Ledger
from vqbench.quantizers.variant import Variant
from vqbench.results.records import Cell
from vqbench.search.similarity import meet
from vqbench.search.topk import Hits, Search

HELD = ["item", "place", "codes", "bytes"]


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """A setting of an engine, and the variant that predicts what it finds."""

    engine: Backend
    predicted: str  #: the variant's name
    variant: Variant


@dataclass(frozen=True)
class Returned:
    """What an engine returned."""

    rows_qk: Ints  #: corpus rows ``(q, k)``, NONE where there were fewer
    held: tuple[Held, ...]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Predicted:
    """The same search over the variant's codes here."""

    search: Search
    queries_qd: Floats
    hits: Hits
    views: list[View]  #: what the metric looks at, for each k
    ledger: Ledger


def evaluate_engine(
    bench: Bench, pairing: Pairing, seed: int, settings: Settings, advance: Callable[[], None] = lambda: None
) -> Cell:
    """Measure one engine on one dataset.

    Args:
        advance: called twice, for a progress bar.

    Returns:
        A cell with a row of ``metrics`` for each k; what the engine holds is its ``ledger``.

    Raises:
        NotApplicableError: the engine is not installed, or refuses the setting.
    """
    returned = run_engine(bench, pairing, seed, max(settings.k))
    advance()
    predicted = predict(bench, pairing.variant, seed, settings)
    sizes = _sizes(predicted.ledger, returned.held, bench.data.corpus.n)
    about = {"version": pairing.engine.version, "repeats": pairing.engine.repeats, **sizes}
    rows, per_query = [], []
    for view in predicted.views:
        rows_qk, expected = returned.rows_qk[:, : view.k], Overlap().measure(view)
        agreement_q, shortfall = agreement(predicted, rows_qk)
        each = {
            "predicted": expected.values_q,
            "predicted_low": np.asarray(expected.low_q),
            "predicted_high": np.asarray(expected.high_q),
            "obtained": overlaps(bench, rows_qk, view.k),
            "agreement": agreement_q,
        }
        per_query.append(pd.DataFrame({"query": bench.data.query_ids, "k": view.k, **each}))
        row = {"k": view.k, **{name: mean(values_q) for name, values_q in each.items()}, "shortfall": shortfall}
        row |= {"absent": float((rows_qk == NONE).mean()), "n_queries": len(rows_qk)}
        rows.append(row | _difference(bench, each["obtained"] - expected.values_q) | about)
    held = pd.DataFrame([vars(item) for item in returned.held], columns=HELD)
    advance()
    return Cell(pd.DataFrame(rows), held, pd.concat(per_query, ignore_index=True), pd.DataFrame(), returned.seconds)


def run_engine(bench: Bench, pairing: Pairing, seed: int, k: int) -> Returned:
    """Build, search and close. A query that is a corpus row asks for one more and leaves its own row out, by id.

    The generator is the one that the variant's quantizer gets: a rotation drawn by the same rule is the same.
    """
    data, own, name = bench.data, bench.data.exclude_q, pairing.engine.engine
    pairing.engine.load()
    order_n = np.argsort(data.priority(seed))
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    queries_qd = np.ascontiguousarray(data.queries_qd, dtype=np.float32)
    with tempfile.TemporaryDirectory(prefix="vqbench-", ignore_cleanup_errors=True) as folder:
        started = time.perf_counter()
        engine = pairing.engine.build(data.corpus.only(order_n), rng, Path(folder))
        built = time.perf_counter()
        try:
            places_qk = np.asarray(engine.search(queries_qd, k + (own is not None)), dtype=np.int64)
        finally:
            engine.close()
        seconds = {"build": built - started, "search": time.perf_counter() - built}
    _check(places_qk, len(queries_qd), data.corpus.n, name)
    rows_qk = np.where(places_qk == NONE, NONE, order_n[places_qk])
    if own is not None:
        rows_qk = np.array([without(rows_k, row) for rows_k, row in zip(rows_qk, own, strict=True)])
    return Returned(rows_qk, engine.held, seconds)


def without(rows_k: Ints, row: int) -> Ints:
    """The list without ``row``, or without its last entry where ``row`` is not in it."""
    kept_k = (rows_k != row) | (row == NONE)
    return rows_k[kept_k][: len(rows_k) - 1]


def _check(places_qk: Ints, q: int, n: int, engine: str) -> None:
    """Raise VqbenchError where an engine returns a row twice, or one that it was not given: its adapter is wrong."""
    adapter = "a fault of its adapter in vqbench/evaluation/backends"
    if len(places_qk) != q or places_qk.min(initial=0) < NONE or places_qk.max(initial=0) >= n:
        raise VqbenchError(f"{engine} returned rows that it was not given: {adapter}")
    sorted_qk = np.sort(places_qk, axis=1)
    if ((np.diff(sorted_qk, axis=1) == 0) & (sorted_qk[:, 1:] != NONE)).any():
        raise VqbenchError(f"{engine} returned a row twice for one query: {adapter}")


def predict(bench: Bench, variant: Variant, seed: int, settings: Settings) -> Predicted:
    """Fit, encode and search the variant as a run does, without rescoring."""
    data = bench.data
    codec = variant.fit(data.sample(variant.calibration or settings.calibration, seed, variant.draw), seed)
    sides = meet(codec, data.queries_qd, encode_corpus(codec, data.corpus, []).codes, variant.similarity)
    search = replace(bench.search, rows=sides.rows, measure=sides.measure)
    hits = search.top(sides.queries_qd, max(settings.k))
    code_f = search.pairs(sides.queries_qd, bench.truth.query_f, bench.truth.row_f)
    unknown = np.full(hits.ids_qk.shape, np.nan), np.full(len(hits.ids_qk), np.nan)  # overlap asks for no true scores
    seen = list(views(bench, replace(settings, oversample=[0]), Found(hits, code_f, *unknown)))
    return Predicted(search, sides.queries_qd, hits, seen, codec.ledger())


def overlaps(bench: Bench, rows_qk: Ints, k: int) -> Floats:
    """The share of each query's k places that hold a document of the true top k; all that tie there count."""
    truth, n = bench.truth, bench.data.corpus.n
    relevant_f = truth.placed.above_f < k
    pairs_f = truth.query_f[relevant_f] * n + truth.row_f[relevant_f]
    hit_qk = np.isin(np.arange(len(rows_qk))[:, None] * n + rows_qk, pairs_f) & (rows_qk != NONE)
    return hit_qk.sum(axis=1) / k


def agreement(predicted: Predicted, rows_qk: Ints) -> tuple[Floats, float]:
    """Compare the rows that an engine returned with the prediction.

    Returns:
        The share of each query's rows ``(q,)`` that a list of the prediction could hold too, however ties are broken;
        and how far below the prediction's k-th best score the worst row lies: next to nothing where only rounding
        differs.
    """
    q, k = rows_qk.shape
    there_qk = rows_qk != NONE
    score_qk = np.full((q, k), -np.inf)
    query_f = np.repeat(np.arange(q), there_qk.sum(axis=1))
    score_qk[there_qk] = predicted.search.pairs(predicted.queries_qd, query_f, rows_qk[there_qk])
    listed_qk = predicted.hits.scores_qk[:, :k]
    last_q1 = listed_qk[:, -1:]
    room_q = k - (listed_qk > last_q1).sum(axis=1)
    agreed_q = (score_qk > last_q1).sum(axis=1) + np.minimum((score_qk == last_q1).sum(axis=1), room_q)
    below_qk = np.where(there_qk, np.maximum(last_q1 - score_qk, 0), 0)
    return agreed_q / k, float(below_qk.max(initial=0))


def _difference(bench: Bench, difference_q: Floats) -> dict[str, float]:
    """Obtained - predicted, paired by query, with its 95 % interval."""
    groups = None if bench.data.groups_q is None else Groups.of(bench.data.groups_q)
    (paired,) = differences([difference_q[None, :]], reach=1, groups=groups)
    return {"difference": paired.mean, "ci_low": paired.low, "ci_high": paired.high}


def _sizes(ledger: Ledger, held: tuple[Held, ...], n: int) -> dict[str, float]:
    """Bytes for each vector: by the ledger (and once for all), of the engine's codes, of all that it holds."""
    parts = {
        "bytes_codes": [item.bytes for item in held if item.codes],
        "bytes_disk": [item.bytes for item in held if item.place == "disk"],
        "bytes_memory": [item.bytes for item in held if item.place == "memory"],
    }
    reported = {name: sum(sizes) / n if sizes else np.nan for name, sizes in parts.items()}
    return {"bytes_predicted": ledger.total("vector"), "bytes_once": ledger.total("once"), **reported}
