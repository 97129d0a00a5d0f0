"""A real engine beside the prediction: what it returns, what the same codes return here, and where they differ.

The engine gets the rows in an order drawn by key. Engines mostly break ties by position, so that becomes a draw too.
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
from vqbench.evaluation.deep_search import DeepSearch, views
from vqbench.evaluation.encoding import encode_corpus
from vqbench.evaluation.settings import Settings
from vqbench.metrics.base import PerQuery
from vqbench.metrics.overlap import Overlap
from vqbench.numerics.arrays import Floats, Ints
from vqbench.numerics.stats.groups import Groups
from vqbench.numerics.stats.intervals import mean
from vqbench.numerics.stats.paired import differences
from vqbench.quantizers.parts.ledger import Ledger
from vqbench.quantizers.variant import Variant
from vqbench.results.records import Cell


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """A setting of an engine, and the variant that predicts what it finds."""

    engine: Backend
    predicted: str  #: the variant's name
    variant: Variant


@dataclass(frozen=True)
class Returned:
    """What an engine returned."""

    rows_qk: Ints  #: corpus rows, NONE where there were fewer
    held: tuple[Held, ...]  #: its bytes
    seconds: dict[str, float]


@dataclass(frozen=True)
class Predicted:
    """The same search over the variant's codes here."""

    deep: DeepSearch
    by_k: dict[int, PerQuery]  #: expected overlap of each query, with its tie bounds
    ledger: Ledger


def evaluate_engine(
    bench: Bench, pairing: Pairing, seed: int, settings: Settings, advance: Callable[[], None] = lambda: None
) -> Cell:
    """Evaluate one engine on one dataset: a row of ``metrics`` for each k, what it holds as ``ledger``.

    Args:
        advance: called twice on the way, for a progress bar.

    Raises:
        NotApplicableError: the engine is not installed, or refuses the setting.
    """
    n = bench.data.corpus.n
    returned = run_engine(bench, pairing, seed, max(settings.k))
    advance()
    predicted = predict(bench, pairing.variant, seed, settings)
    bytes_each = _bytes(predicted.ledger.total("vector"), returned.held, n)
    about = {"version": pairing.engine.version, "repeats": pairing.engine.repeats, **bytes_each}
    rows, per_query = [], []
    for k, expected in predicted.by_k.items():
        rows_qk = returned.rows_qk[:, :k]
        agreed_q, shortfall = agreement(predicted.deep, rows_qk)
        each = {
            "predicted": expected.values_q,
            "predicted_low": expected.low_q,
            "predicted_high": expected.high_q,
            "obtained": overlaps(bench, rows_qk, k),
            "agreement": agreed_q,
        }
        per_query.append(pd.DataFrame({"query": bench.data.query_ids, "k": k, **each}))
        means = {name: mean(values_q) for name, values_q in each.items()}
        counts = {"absent": float(np.mean(rows_qk == NONE)), "n_queries": len(rows_qk)}
        difference = _difference(bench, each["obtained"] - expected.values_q)
        rows.append({"k": k, **means, "shortfall": shortfall, **counts, **difference, **about})
    held = pd.DataFrame([vars(each) for each in returned.held], columns=["item", "place", "codes", "bytes"])
    advance()
    return Cell(pd.DataFrame(rows), held, pd.concat(per_query, ignore_index=True), pd.DataFrame(), returned.seconds)


def run_engine(bench: Bench, pairing: Pairing, seed: int, k: int) -> Returned:
    """Build the engine, search it and close it.

    A query that is a corpus row asks for one more and leaves its own row out. The generator is the one that the
    variant's quantizer gets, so a rotation drawn by the same rule is the same.
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
            queries_qd = np.ascontiguousarray(data.queries_qd, dtype=np.float32)
            places_qk = np.asarray(engine.search(queries_qd, k + (own is not None)), dtype=np.int64)
        finally:
            engine.close()
        seconds = {"build": built - started, "search": time.perf_counter() - built}
    _check(places_qk, len(data.queries_qd), data.corpus.n, pairing.engine.engine)
    rows_qk = np.where(places_qk == NONE, NONE, order_n[places_qk])
    if own is not None:
        rows_qk = without_own(rows_qk, own)
    return Returned(rows_qk, engine.held, seconds)


def without_own(rows_qk: Ints, own_q: Ints) -> Ints:
    """The lists less each query's own row, or less their last entry where the own row is not in them."""
    kept_qk = (rows_qk != own_q[:, None]) | (own_q[:, None] == NONE)
    kept_qk[:, -1] &= ~kept_qk.all(axis=1)
    return rows_qk[kept_qk].reshape(len(rows_qk), -1)


def _check(places_qk: Ints, q: int, n: int, engine: str) -> None:
    """Raise VqbenchError where an engine returns a row twice, or one that it was not given."""
    sorted_qk = np.sort(places_qk, axis=1)
    if len(places_qk) != q or places_qk.min(initial=0) < NONE or places_qk.max(initial=0) >= n:
        fault = "ids that it was not given"
    elif ((np.diff(sorted_qk, axis=1) == 0) & (sorted_qk[:, 1:] != NONE)).any():
        fault = "a row twice for one query"
    else:
        return
    raise VqbenchError(f"{engine} returned {fault}: this is a fault of its adapter in vqbench/evaluation/backends")


def predict(bench: Bench, variant: Variant, seed: int, settings: Settings) -> Predicted:
    """Fit, encode and search the variant as a run does, without rescoring."""
    data, truth = bench.data, bench.truth
    codec = variant.fit(data.sample(variant.calibration or settings.calibration, seed, variant.draw), seed)
    codes = encode_corpus(codec, data.corpus, []).codes
    deep = DeepSearch.of_codes(bench.search, codec, codes, variant.similarity, data.queries_qd, max(settings.k))
    code_f = deep.scores(truth.query_f, truth.row_f)
    unknown = np.full(deep.hits.ids_qk.shape, np.nan), np.full(len(data.query_ids), np.nan)  # overlap needs no scores
    found = views(bench, replace(settings, oversample=[0]), deep.hits, code_f, *unknown)
    return Predicted(deep, {view.k: Overlap().measure(view) for view in found}, codec.ledger())


def overlaps(bench: Bench, rows_qk: Ints, k: int) -> Floats:
    """Of each query's k places, the share that holds a document of the true top k, all that tie there counting."""
    truth = bench.truth
    relevant_f = truth.placed.above_f < k
    pairs_f = truth.query_f[relevant_f] * bench.data.corpus.n + truth.row_f[relevant_f]
    query_q = np.arange(len(rows_qk))[:, None]
    hit_qk = np.isin(query_q * bench.data.corpus.n + rows_qk, pairs_f) & (rows_qk != NONE)
    return hit_qk.sum(axis=1) / k


def agreement(deep: DeepSearch, rows_qk: Ints) -> tuple[Floats, float]:
    """Compare the returned rows with the prediction's.

    Returns:
        Of each query's returned rows, the share that the prediction's list could hold too, ties broken in any way.
        And how far below the prediction's k-th best score the worst returned row lies: next to nothing where only
        rounding parts the two.
    """
    q, k = rows_qk.shape
    present_qk = rows_qk != NONE
    score_qk = np.full((q, k), -np.inf)
    query_f = np.repeat(np.arange(q), present_qk.sum(axis=1))
    score_qk[present_qk] = deep.scores(query_f, rows_qk[present_qk])
    listed_qk = deep.hits.scores_qk[:, :k]
    last_q = listed_qk[:, -1:]
    places_q = k - (listed_qk > last_q).sum(axis=1)
    agreed_q = (score_qk > last_q).sum(axis=1) + np.minimum((score_qk == last_q).sum(axis=1), places_q)
    below_qk = np.where(present_qk, np.maximum(last_q - score_qk, 0), 0)
    return agreed_q / k, float(below_qk.max(initial=0))


def _difference(bench: Bench, difference_q: Floats) -> dict[str, float]:
    """Obtained - predicted, paired by query, with its 95 % interval."""
    groups = None if bench.data.groups_q is None else Groups.of(bench.data.groups_q)
    (paired,) = differences([difference_q[None, :]], reach=1, groups=groups)
    return {"difference": paired.mean, "ci_low": paired.low, "ci_high": paired.high}


def _bytes(predicted: float, held: Sequence[Held], n: int) -> dict[str, float]:
    """Bytes for each vector: of the code by the ledger, of the engine's codes, of all that it holds.

    What is stored once (a codebook, say) counts in the last alone.
    """
    reported = {
        "bytes_codes": [each.bytes for each in held if each.codes],
        "bytes_disk": [each.bytes for each in held if each.place == "disk"],
        "bytes_memory": [each.bytes for each in held if each.place == "memory"],
    }
    sizes = {name: sum(sizes) / n if sizes else np.nan for name, sizes in reported.items()}
    return {"bytes_predicted": predicted, **sizes}
