"""A real engine beside the prediction: what it returns, what the same codes return here, and where they differ.

The engine gets the rows in an order drawn by key, so that its way of breaking ties, mostly by place, is a draw too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
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
from vqbench.metrics.overlap import Overlap
from vqbench.numerics.arrays import Bools, Floats, Ints
from vqbench.numerics.stats.groups import Groups
from vqbench.numerics.stats.intervals import mean
from vqbench.numerics.stats.paired import differences
from vqbench.quantizers.parts.ledger import Ledger
from vqbench.quantizers.variant import Variant
from vqbench.results.records import Cell
from vqbench.search.similarity import code_search
from vqbench.search.topk import Hits, Search

HELD = ["item", "place", "codes", "bytes"]


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """A setting of an engine, and the variant that predicts what it finds."""

    engine: Backend
    predicted: str
    variant: Variant


@dataclass(frozen=True)
class Returned:
    """What an engine returned: corpus rows ``(q, k)``, NONE where there were fewer; its bytes and seconds."""

    rows_qk: Ints
    held: tuple[Held, ...]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Predicted:
    """The same search over the variant's codes here. by_k: expected overlap per query, least and most, for each k."""

    search: Search
    hits: Hits
    by_k: dict[int, tuple[Floats, Floats, Floats]]
    ledger: Ledger


def evaluate_engine(
    bench: Bench, pairing: Pairing, seed: int, settings: Settings, advance: Callable[[], None] = lambda: None
) -> Cell:
    """One engine on one dataset: a row of ``metrics`` for each k, what it holds as ``ledger``.

    Raises NotApplicableError where the engine is not installed or refuses the setting. ``advance`` is called twice.
    """
    returned = run_engine(bench, pairing, seed, max(settings.k))
    advance()
    predicted = predict(bench, pairing.variant, seed, settings)
    rows, per_query = [], []
    for k in settings.k:
        obtained_q = overlaps(bench, returned.rows_qk[:, :k], k)
        agreed_q, shortfall = agreement(predicted, returned.rows_qk[:, :k])
        expected_q, low_q, high_q = predicted.by_k[k]
        each = {
            "predicted": expected_q,
            "predicted_low": low_q,
            "predicted_high": high_q,
            "obtained": obtained_q,
            "agreement": agreed_q,
        }
        per_query.append(pd.DataFrame({"query": bench.data.query_ids, "k": k, **each}))
        row = {"k": k, **{name: mean(values_q) for name, values_q in each.items()}, "shortfall": shortfall}
        row["absent"] = float(np.count_nonzero(returned.rows_qk[:, :k] == NONE)) / returned.rows_qk[:, :k].size
        rows.append(row | _difference(bench, obtained_q - expected_q) | {"n_queries": len(obtained_q)})
    about = {"version": pairing.engine.version, "repeats": pairing.engine.repeats}
    metrics = pd.DataFrame([row | about | _bytes(predicted.ledger, returned.held, bench.data.corpus.n) for row in rows])
    held = pd.DataFrame([vars(each) for each in returned.held], columns=HELD)
    advance()
    return Cell(metrics, held, pd.concat(per_query, ignore_index=True), pd.DataFrame(), returned.seconds)


def run_engine(bench: Bench, pairing: Pairing, seed: int, k: int) -> Returned:
    """Build, search and close. A query that is a corpus row asks for one more and leaves its own row out, by id.

    The generator is the one that the variant's quantizer gets: a rotation drawn by the same rule is the same.
    """
    data, own = bench.data, bench.data.exclude_q
    pairing.engine.load()
    order_n = np.argsort(data.priority(seed))
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    with tempfile.TemporaryDirectory(prefix="vqbench-", ignore_cleanup_errors=True) as folder:
        started = time.perf_counter()
        engine = pairing.engine.build(data.corpus.only(order_n), rng, Path(folder))
        built = time.perf_counter()
        try:
            places_qk = engine.search(data.queries_qd, k + (own is not None))
            searched = time.perf_counter()
            held = engine.held()
        finally:
            engine.close()
    _check(places_qk, len(data.queries_qd), data.corpus.n, pairing.engine.engine)
    rows_qk = np.where(places_qk == NONE, NONE, order_n[places_qk])
    if own is not None:
        rows_qk = np.array([without(rows_k, row) for rows_k, row in zip(rows_qk, own, strict=True)])
    return Returned(rows_qk, held, {"build": built - started, "search": searched - built})


def without(rows_k: Ints, row: int) -> Ints:
    """The list less ``row``, or less its last entry where ``row`` is not in it."""
    kept_k = rows_k != row if row != NONE else np.ones(len(rows_k), dtype=bool)
    return rows_k[kept_k][: len(rows_k) - 1]


def _check(places_qk: Ints, q: int, n: int, engine: str) -> None:
    """An engine that returns a row twice, or one that it was not given, was not understood here."""
    if len(places_qk) != q or places_qk.min(initial=0) < NONE or places_qk.max(initial=0) >= n:
        raise VqbenchError(f"{engine} returned ids that it was not given: a fault of its adapter in vqbench/backends")
    sorted_qk = np.sort(places_qk, axis=1)
    if ((np.diff(sorted_qk, axis=1) == 0) & (sorted_qk[:, 1:] != NONE)).any():
        raise VqbenchError(f"{engine} returned a row twice for one query: a fault of its adapter in vqbench/backends")


def predict(bench: Bench, variant: Variant, seed: int, settings: Settings) -> Predicted:
    """Fit, encode and search the variant as a run does, without rescoring."""
    data = bench.data
    codec = variant.fit(data.sample(variant.calibration or settings.calibration, seed, variant.draw), seed)
    encoded = encode_corpus(codec, data.corpus, [])
    found = code_search(codec, data.queries_qd, encoded.codes, variant.similarity)
    search = replace(bench.search, queries_qd=found.queries_qd, rows=found.rows, scorer=found.scorer)
    hits = search.top(max(settings.k))
    code_f = search.pairs(bench.truth.query_f, bench.truth.row_f)
    unknown = np.full(hits.ids_qk.shape, np.nan), np.full(len(hits.ids_qk), np.nan)  # overlap asks for no true scores
    by_k = {}
    for view in views(bench, replace(settings, oversample=[0]), Found(hits, code_f, *unknown)):
        found = Overlap().measure(view)
        assert found.low_q is not None
        assert found.high_q is not None
        by_k[view.k] = (found.values_q, found.low_q, found.high_q)
    return Predicted(search, hits, by_k, codec.ledger())


def overlaps(bench: Bench, rows_qk: Ints, k: int) -> Floats:
    """Of each query's k places, the share that holds a document of the true top k, all that tie there counting."""
    truth = bench.truth
    relevant_f = truth.placed.above_f < k
    pairs_f = truth.query_f[relevant_f] * bench.data.corpus.n + truth.row_f[relevant_f]
    query_q = np.arange(len(rows_qk))[:, None]
    hit_qk = np.isin(query_q * bench.data.corpus.n + rows_qk, pairs_f) & (rows_qk != NONE)
    return hit_qk.sum(axis=1) / k


def agreement(predicted: Predicted, rows_qk: Ints) -> tuple[Floats, float]:
    """Of each query's returned rows, the share that a list of the prediction could hold too, ties broken as one likes.

    And how far below the prediction's k-th best score the worst returned row lies: next to nothing where only
    rounding parts the two.
    """
    q, k = rows_qk.shape
    there_qk = rows_qk != NONE
    score_qk = np.full((q, k), -np.inf)
    query_f = np.repeat(np.arange(q), there_qk.sum(axis=1))
    score_qk[there_qk] = predicted.search.pairs(query_f, rows_qk[there_qk])
    listed_qk = predicted.hits.scores_qk[:, :k]
    last_q = listed_qk[:, -1:]
    room_q = k - _count(listed_qk > last_q)
    agreed_q = _count(score_qk > last_q) + np.minimum(_count(score_qk == last_q), room_q)
    below_qk = np.where(there_qk, np.maximum(last_q - score_qk, 0), 0)
    return agreed_q / k, float(below_qk.max(initial=0))


def _count(which_qk: Bools) -> Ints:
    return np.count_nonzero(which_qk, axis=1)


def _difference(bench: Bench, difference_q: Floats) -> dict[str, float]:
    """Obtained - predicted, paired by query, with its 95 % interval."""
    groups = None if bench.data.groups_q is None else Groups.of(bench.data.groups_q)
    (found,) = differences([difference_q[None, :]], reach=1, groups=groups)
    return {"difference": found.mean, "ci_low": found.low, "ci_high": found.high}


def _bytes(ledger: Ledger, held: Sequence[Held], n: int) -> dict[str, float]:
    """Bytes for each vector: by the ledger (and once for all), of the engine's codes, of all that it holds."""
    places = {place: [each.bytes for each in held if each.place == place] for place in ("disk", "memory")}
    coded = [each.bytes for each in held if each.codes]
    found = {"bytes_codes": coded, "bytes_disk": places["disk"], "bytes_memory": places["memory"]}
    reported = {name: sum(sizes) / n if sizes else np.nan for name, sizes in found.items()}
    return {"bytes_predicted": ledger.total("vector"), "bytes_once": ledger.total("once"), **reported}
