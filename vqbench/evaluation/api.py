"""``vqbench.evaluate``: the same machinery for notebooks and scripts, without configs or files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vqbench.datasets.base import QueryMode, Source
from vqbench.errors import VqbenchError
from vqbench.evaluation.bench import open_bench
from vqbench.evaluation.cell import evaluate_variant
from vqbench.evaluation.settings import Settings
from vqbench.evaluation.tables import labelled
from vqbench.kernels.choice import Kernels, working
from vqbench.metrics.base import Metric
from vqbench.metrics.overlap import Overlap, Recall
from vqbench.names import shortened
from vqbench.parallel.base import Parallel
from vqbench.prepare import prepare
from vqbench.variant import Variant


def evaluate(
    corpus_nd: NDArray[np.generic],
    queries_qd: NDArray[np.generic] | None = None,
    *,
    variants: Mapping[str, Variant],
    k: int | Sequence[int] = (10,),
    oversample: int | Sequence[int] = (0,),
    metrics: Sequence[Metric] = (Overlap(), Recall()),
    ids: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    queries: QueryMode | None = None,
    n_queries: int | None = None,
    normalize: bool = True,
    seed: int = 0,
    parallel: Parallel | None = None,
    threads: int | None = None,
    kernels: Kernels | None = None,
) -> pd.DataFrame:
    """The tidy table of metrics.csv for vectors in memory.

    corpus_nd: ``(n, d)`` real numbers. queries_qd: ``(q, d)``; without them each corpus row is a query
    (``queries="self"``), left out of its own result, or rows are held out (``"holdout"``). groups: the group of each
    query (of each row where rows are the queries); intervals then count groups. parallel: who searches, as in
    ``vqbench.parallel.loky.Loky(workers=4)``; none: this process. threads: so many work at a time in this process,
    BLAS' own included; none: one on each processor. kernels: ``numba`` (compiled, extra fast), ``numpy``, or ``auto``:
    compiled where that is worth it; none: what VQBENCH_KERNELS says, else auto. None of these three changes a result.
    Raises VqbenchError where vectors, k or a variant do not fit.
    """
    _check(variants)
    queries_qd = _checked_queries(queries_qd, corpus_nd)
    source = Source("corpus_nd", np.asarray(corpus_nd), None if ids is None else [*map(str, ids)], queries_qd,
                    groups=None if groups is None else [*map(str, groups)])  # fmt: skip
    ks, factors = ([x] if isinstance(x, int) else sorted(x) for x in (k, oversample))
    settings = Settings(ks, factors, metrics)
    with working(threads=threads, kernels=kernels):
        data = prepare(source, "array", queries=queries, n_queries=n_queries, normalize=normalize)
        with nullcontext() if parallel is None else parallel.open() as spread:
            bench = open_bench(data, settings, spread=spread)
            tables = [
                labelled(
                    evaluate_variant(bench, variant, seed, settings).metrics, data.name, name, variant.similarity, seed
                )
                for name, variant in variants.items()
            ]
    return pd.concat(tables, ignore_index=True)


def _check(variants: object) -> None:
    if not isinstance(variants, Mapping):
        raise VqbenchError("variants: needs a dict of names and vqbench.Variant(...), as in {'binary': Variant(...)}")
    for name, variant in variants.items():
        if not isinstance(variant, Variant):
            raise VqbenchError(f"variants[{name!r}] is a {type(variant).__name__}: wrap it in vqbench.Variant(...)")
    if not variants:
        raise VqbenchError("variants is empty: name at least one")


def _checked_queries(queries_qd: object, corpus_nd: object) -> NDArray[np.generic] | None:
    """The queries as an array that can meet the corpus. Raises VqbenchError."""
    if queries_qd is None:
        return None
    if isinstance(queries_qd, str):
        raise VqbenchError(
            f"queries_qd = {shortened(repr(queries_qd))}: must be an array (q, d); without one, queries='self' takes "
            "each corpus row as a query, and queries='holdout' takes rows out of the corpus"
        )
    array_qd, shape = np.asarray(queries_qd), np.shape(np.asarray(corpus_nd))
    if array_qd.ndim == 2 and len(shape) == 2 and array_qd.shape[1] != shape[1]:
        raise VqbenchError(
            f"queries_qd has {array_qd.shape[1]} dimensions, corpus_nd {shape[1]}: both must come from the same model"
        )
    return array_qd
