"""Training of product codes, ours beside faiss', with the error that each is left with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from experiments.peers.contest import load_faiss, race, same_threads, version_of
from experiments.peers.families.product import DIMS
from experiments.peers.ours import encoded
from experiments.peers.problem import mixture
from experiments.peers.settings import PARTS, Timed
from experiments.peers.table import Row
from vqbench.errors import NotApplicableError
from vqbench.experiment.config.variants import named_variant
from vqbench.numerics.arrays import Floats

_OURS, _FAISS = "vqbench pq1 fit", "faiss ProductQuantizer.train"


def fit(timed: Timed, threads: int) -> Iterator[Row]:
    """Seconds to learn 256 centroids for every 8 numbers. The column reason has the mean squared error a row."""
    n, d, _ = timed.whole
    x_nd = mixture(n, d, timed.seed, stream=0)
    variant, kept = named_variant("pq1", "peers", ()), {}

    def ours() -> None:
        kept[_OURS] = variant.fit(x_nd, timed.seed)

    def theirs() -> None:
        kept[_FAISS] = faiss.ProductQuantizer(d, d // DIMS, 8)
        kept[_FAISS].cp.min_points_per_centroid = 1  # no warning on standard error
        kept[_FAISS].train(x_nd)

    runs, reason = {_OURS: ours}, ""
    try:
        faiss = load_faiss(threads)
        runs[_FAISS] = theirs
    except NotApplicableError as error:
        reason = str(error)
    with same_threads(threads):
        for run in runs.values():
            run()
        seconds = race(runs, timed.repeats, [timed.seed, PARTS.index("fit"), n, d])
    codec = kept[_OURS]
    about = {"family": "fit", "threads": threads, "n": n, "d": d}
    note = _error(x_nd, codec.decode(encoded(codec, x_nd)))
    yield Row(contestant=_OURS, version=version_of("vqbench"), seconds=seconds[_OURS], reason=note, **about)
    if reason:
        yield Row(contestant=_FAISS, version="", status="skipped", reason=reason, **about)
        return
    ratios = [theirs / ours for theirs, ours in zip(seconds[_FAISS], seconds[_OURS], strict=True)]
    note = _error(x_nd, kept[_FAISS].decode(kept[_FAISS].compute_codes(x_nd)))
    yield Row(
        contestant=_FAISS,
        version=version_of("faiss-cpu"),
        seconds=seconds[_FAISS],
        against=_OURS,
        ratios=ratios,
        reason=note,
        **about,
    )


def _error(x_nd: Floats, decoded_nd: Floats) -> str:
    """Mean squared distance of a row and its code, in words."""
    return f"mean squared error {np.mean(((x_nd - decoded_nd) ** 2).sum(axis=1, dtype=np.float64)):.4g} a row"
