"""The default sweep against the sum of its kernels' own times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import yaml

import vqbench
from experiments.peers.contest import Goal, race, same_threads, version_of
from experiments.peers.ours import encoded
from experiments.peers.problem import Problem
from experiments.peers.settings import PARTS, Timed
from experiments.peers.table import Row
from vqbench.evaluation.settings import Settings
from vqbench.experiment.config.folders import conf_folder
from vqbench.experiment.config.targets import build
from vqbench.experiment.config.variants import named_variant
from vqbench.metrics.base import Metric
from vqbench.quantizers.variant import Variant
from vqbench.search.scorers import Cosine
from vqbench.search.similarity import CodeArray, code_search
from vqbench.search.topk import Search
from vqbench.storage.vectors import Vectors

_SWEEP, _KERNELS = "vqbench.evaluate, default variants", "its kernels alone"


def sweep(vectors: Problem, timed: Timed) -> Iterator[Row]:
    """``vqbench.evaluate`` with the variants, metrics, k and factors of conf/config.yaml, and what it must compute.

    That is the truth, and of every variant fit, encode and one search as deep as the factors ask, called one by one.
    """
    config = yaml.safe_load((conf_folder() / "config.yaml").read_text("utf-8"))
    variants = {name: named_variant(name, "peers", ()) for name in _listed(config, "quantizer")}
    metrics = [_metric(name) for name in _listed(config, "metric")]
    ks = [k for k in config["k"] if k <= vectors.n]
    settings = Settings(ks, config["oversample"], metrics)

    def whole() -> None:
        vqbench.evaluate(
            vectors.corpus_nd,
            vectors.queries_qd,
            variants=variants,
            k=ks,
            oversample=config["oversample"],
            metrics=metrics,
            seed=timed.seed,
        )

    runs = {_SWEEP: whole, _KERNELS: lambda: _kernels(vectors, variants, settings, timed.seed)}
    with same_threads(vectors.threads):
        for run in runs.values():
            run()
        seconds = race(runs, timed.repeats, [timed.seed, PARTS.index("sweep"), vectors.n, vectors.d])
    about = {
        "family": "sweep",
        "threads": vectors.threads,
        "n": vectors.n,
        "d": vectors.d,
        "queries": vectors.q,
        "version": version_of("vqbench"),
    }
    ratios = [ours / kernels for ours, kernels in zip(seconds[_SWEEP], seconds[_KERNELS], strict=True)]
    note = f"{len(variants)} variants, {len(metrics)} metrics; ratio: its time to that of its kernels"
    yield Row(contestant=_KERNELS, seconds=seconds[_KERNELS], **about)
    yield Row(
        contestant=_SWEEP,
        seconds=seconds[_SWEEP],
        against=_KERNELS,
        ratios=ratios,
        goal=Goal("at most", 1.25),
        reason=note,
        **about,
    )


def _listed(config: Mapping, group: str) -> list[str]:
    return next(entry[group] for entry in config["defaults"] if isinstance(entry, dict) and group in entry)


def _metric(name: str) -> Metric:
    node = yaml.safe_load((conf_folder() / "metric" / f"{name}.yaml").read_text("utf-8"))[name]
    return build(node, "metrics", f"metric.{name}")


def _kernels(vectors: Problem, variants: Mapping[str, Variant], settings: Settings, seed: int) -> None:
    """Truth, then fit, encode and search of every variant."""
    rows = Vectors(vectors.corpus_nd, normalize=False)
    priority_n = np.arange(vectors.n)
    Search(vectors.queries_qd, rows, Cosine(), None, priority_n).top(max(settings.k))
    deepest = settings.fetched(max(settings.k), max(settings.oversample), vectors.n)
    for variant in variants.values():
        codec = variant.fit(vectors.corpus_nd[: settings.calibration], seed)
        search = code_search(
            codec, vectors.queries_qd, CodeArray(encoded(codec, vectors.corpus_nd)), variant.similarity
        )
        replace(search, priority_n=priority_n).top(deepest)
