"""Vectors for the tests of the doctor: well-behaved clusters, and one fault at a time planted in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from vqbench.datasets.base import Data, Source
from vqbench.datasets.prepare import prepare
from vqbench.evaluation.doctor.base import Level
from vqbench.evaluation.doctor.sample import Sample, draw_sample
from vqbench.experiment.config.variants import named_variant

#: The variants that a check may try, by name, as the command hands them over.
variant_of = partial(named_variant, place="doctor")


def data_of(
    rows_nd: np.ndarray, *, queries_qd: np.ndarray | None = None, ids: list[str] | None = None, normalize: bool = True
) -> Data:
    """Rows as a run gets them; each a query unless there are others."""
    source = Source("planted", rows_nd.astype(np.float32), ids, queries_qd)
    return prepare(source, "planted", queries=None, n_queries=300, normalize=normalize)


def sample_of(rows_nd: np.ndarray, *, queries_qd: np.ndarray | None = None, normalize: bool = True) -> Sample:
    """What the checks see of these rows."""
    return draw_sample(data_of(rows_nd, queries_qd=queries_qd, normalize=normalize), variant_of)


def isotropic(n: int = 1500, d: int = 32, seed: int = 1) -> np.ndarray:
    """Unit rows of no direction's preference."""
    x_nd = np.random.default_rng(seed).standard_normal((n, d))
    return x_nd / np.linalg.norm(x_nd, axis=1, keepdims=True)


def clusters(n: int = 1500, d: int = 32, spread: float = 0.5, seed: int = 2) -> np.ndarray:
    """A mixture of 60 Gaussians whose dimensions are alike and whose mean is 0; rows of length about 1."""
    rng = np.random.default_rng(seed)
    centres_cd = rng.standard_normal((30, d))
    centres_cd = np.concatenate([centres_cd, -centres_cd])
    x_nd = centres_cd[np.arange(n) % 60] + spread * rng.standard_normal((n, d))
    return x_nd / np.sqrt(d * (1 + spread**2))


@dataclass(frozen=True)
class Planted:
    """A fault: the data that have it, the level it must reach, and a variant that must be advised."""

    make: Callable[[], Data]
    level: Level
    variants: set[str] = field(default_factory=set)


def _even_offset() -> Data:
    return data_of(clusters() + 2 / np.sqrt(32))


def _decaying(d: int = 128) -> np.ndarray:
    return clusters(d=d) * np.arange(1, d + 1) ** -1.0


def _loud() -> Data:
    x_nd = clusters()
    x_nd[:, 7] += 3
    return data_of(x_nd)


def _tailed() -> Data:
    rng = np.random.default_rng(3)
    x_nd = clusters(d=64)
    x_nd[rng.random(x_nd.shape) < 0.0005] *= 12
    return data_of(x_nd)


def _stretched() -> Data:
    return data_of(clusters() * np.random.default_rng(4).uniform(1, 3, size=(1500, 1)))


def _low_rank() -> Data:
    x_nd = clusters(n=1100, d=40) @ np.random.default_rng(5).standard_normal((40, 256))
    return data_of(x_nd + 0.01 * np.random.default_rng(6).standard_normal(x_nd.shape))


def _hubs() -> Data:
    """Rows around a common mean, and five that lie on it, so nearer to every row than any other."""
    x_nd = isotropic(d=64) + 0.25
    x_nd[:5] = 0.25 + 0.02 * isotropic(n=5, d=64)
    return data_of(x_nd)


def _repeated() -> Data:
    x_nd = clusters()
    x_nd[1000:1040] = x_nd[:40]
    return data_of(x_nd)


def _nearly_repeated() -> Data:
    x_nd = clusters()
    x_nd[750:1000] = x_nd[:250] + 0.001 * clusters(n=250, seed=7)
    return data_of(x_nd)


def _constant() -> Data:
    x_nd = clusters()
    x_nd[:, [3, 20]] = 0
    return data_of(x_nd)


PLANTED: dict[str, Planted] = {
    "rows": Planted(lambda: data_of(clusters(n=40)), "warning"),
    "numbers": Planted(lambda: data_of(clusters() > 0), "warning"),
    "range": Planted(
        lambda: data_of(clusters() * 5, normalize=False), "warning", {"int8_minmax", "int8_minmax_global"}
    ),
    "offset": Planted(_even_offset, "warning", {"binary_mean_dimension"}),
    "mean": Planted(_even_offset, "warning", {"binary_mean_dimension_levels", "rabitq1_hadamard"}),
    "balance": Planted(_even_offset, "warning", {"binary_mean_dimension"}),
    "scales": Planted(lambda: data_of(_decaying()), "warning", {"binary_hadamard", "scalar4_hadamard"}),
    "outliers": Planted(_loud, "warning", {"int4_minmax"}),
    "tails": Planted(_tailed, "note", {"int4_quantile"}),
    "gap": Planted(lambda: data_of(clusters(d=128, spread=0.02)), "warning", {"float16"}),
    "shift": Planted(lambda: data_of(clusters(), queries_qd=clusters(n=300, seed=8) + 2 / np.sqrt(32)), "warning"),
    "duplicates": Planted(_repeated, "note"),
    "near_duplicates": Planted(_nearly_repeated, "warning"),
    "norms": Planted(_stretched, "note"),
    "constant": Planted(_constant, "note"),
    "dimension": Planted(_low_rank, "note", {"pca128_int8"}),
    "truncation": Planted(lambda: data_of(_decaying()), "note", {"truncate64_float32"}),
    "correlation": Planted(lambda: data_of(np.repeat(clusters(d=8), 16, axis=1)), "note"),
    "hubness": Planted(_hubs, "note"),
}
QUIET: dict[str, Callable[[], Data]] = {
    "isotropic rows": lambda: data_of(isotropic()),
    "clusters": lambda: data_of(clusters() / np.linalg.norm(clusters(), axis=1, keepdims=True)),
    "clusters and queries of the same kind": lambda: data_of(isotropic(), queries_qd=isotropic(n=300, seed=9)),
}
