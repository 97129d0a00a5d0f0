"""How our own time grows with rows, queries and variants: linear.csv."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd

import vqbench
from experiments.peers.contest import race, same_threads
from experiments.peers.ours import fitted
from experiments.peers.problem import Problem, mixture, sign_bits
from experiments.peers.settings import PARTS, Timed
from experiments.peers.table import spread
from vqbench.api import code_topk, exact_topk, hamming_topk
from vqbench.experiment.config.variants import named_variant

COLUMNS = ["against", "what", "n", "d", "queries", "k", "variants", "rounds", "median_s", "min_s", "max_s"]
_CODED = ("int8_minmax", "rabitq1_query4", "pq1")
_SWEPT = "int8_minmax"

#: A search of the first n rows by the first q queries.
Part = Callable[[int, int, int], object]


def linear(timed: Timed, threads: int) -> pd.DataFrame:
    """Seconds against n, q and the number of variants, one at a time; all points of a panel in one race."""
    n, d, q = timed.linear_size
    most, asked = max([n, *timed.linear_rows]), max([q, *timed.linear_queries])
    queries_qd = mixture(asked, d, timed.seed, stream=1)
    vectors = Problem(
        mixture(most, d, timed.seed, stream=0), queries_qd, timed.seed, threads, timed.training, max(timed.k)
    )
    k = min(timed.k)
    searches = _searches(vectors)
    points = {
        ("rows", what, rows, q, 0): (lambda s=s, rows=rows: s(rows, q, k))
        for what, s in searches.items()
        for rows in timed.linear_rows
    }
    points |= {
        ("queries", what, n, size, 0): (lambda s=s, size=size: s(n, size, k))
        for what, s in searches.items()
        for size in timed.linear_queries
    }
    points |= {
        ("variants", f"vqbench.evaluate, {_SWEPT}", n, q, count): partial(_evaluate, vectors, n, q, k, count)
        for count in timed.linear_variants
    }
    names = {str(point): point for point in points}
    with same_threads(threads):
        for name in names:
            points[names[name]]()
        runs = {name: points[point] for name, point in names.items()}
        seconds = race(runs, timed.repeats, [timed.seed, PARTS.index("linear"), n, d])
    rows = []
    for name, (against, what, size, queries, count) in names.items():
        rows.append([against, what, size, d, queries, k, count or None, len(seconds[name]), *spread(seconds[name])])
    return pd.DataFrame(rows, columns=COLUMNS).astype({"variants": "Int64"})


def _searches(vectors: Problem) -> Mapping[str, Part]:
    """Our searches by name; codes are made once, and a smaller corpus is their first rows."""
    x_nd, y_qd = vectors.corpus_nd, vectors.queries_qd
    bits_nb, asked_qb = sign_bits(x_nd), sign_bits(y_qd)

    def coded(name: str) -> Part:
        codec, codes_nb = fitted(vectors, name)
        similarity = named_variant(name, "peers", ()).similarity
        return lambda n, q, k: code_topk(codec, y_qd[:q], codes_nb[:n], k, similarity=similarity)

    return {
        "float32": lambda n, q, k: exact_topk(y_qd[:q], x_nd[:n], k),
        "Hamming": lambda n, q, k: hamming_topk(asked_qb[:q], bits_nb[:n], k, d=vectors.d),
        **{name: coded(name) for name in _CODED},
    }


def _evaluate(vectors: Problem, n: int, q: int, k: int, count: int) -> None:
    """The truth and ``count`` variants: the same one under other names, so that each takes as long."""
    variant = named_variant(_SWEPT, "peers", ())
    vqbench.evaluate(
        vectors.corpus_nd[:n], vectors.queries_qd[:q], k=k, variants={f"{_SWEPT}_{at}": variant for at in range(count)}
    )
