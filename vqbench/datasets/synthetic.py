"""Vectors from a seeded generator: clusters, a decaying spectrum, a common offset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.datasets.base import Dataset, Source
from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats


@dataclass(frozen=True, kw_only=True)
class Synthetic(Dataset):
    """A Gaussian mixture: ``centre + spread * noise``, dimension i scaled by ``(i + 1) ** -decay``.

    Queries are fresh draws from the same mixture. Nothing is written to disk.

    Example:
        >>> Synthetic(n=50, d=8, queries=7).load().corpus_nd.shape
        (50, 8)
    """

    n: int = 10_000
    d: int = 128
    queries: int = 1_000
    clusters: int = 100
    spread: float = 0.5
    decay: float = 0.0
    #: Length of the vector that all rows share, in units of the rows' root mean square length.
    offset: float = 0.0
    #: Whether that vector is the same in each dimension; else its direction is random.
    even: bool = False
    seed: int = 0
    name: str = "synthetic"

    @property
    def title(self) -> str:
        return self.name

    def __post_init__(self) -> None:
        for field in ("n", "d", "queries", "clusters"):
            if getattr(self, field) < 1:
                raise VqbenchError(f"synthetic: {field} = {getattr(self, field)}: must be at least 1")
        if self.spread < 0 or self.offset < 0 or self.seed < 0:
            raise VqbenchError("synthetic: spread, offset and seed must not be negative")

    def load(self) -> Source:
        rng = np.random.default_rng(self.seed)
        centres_cd = rng.standard_normal((self.clusters, self.d), dtype=np.float32)
        random_d = rng.standard_normal(self.d, dtype=np.float32)
        direction_d = np.ones_like(random_d) if self.even else random_d
        scale_d = (np.arange(1, self.d + 1) ** -self.decay).astype(np.float32)
        length = np.sqrt((1 + self.spread**2) * (scale_d**2).sum())
        shared_d = direction_d * np.float32(self.offset * length / np.linalg.norm(direction_d))

        def draw(count: int) -> Floats:
            x_nd = rng.standard_normal((count, self.d), dtype=np.float32)
            x_nd *= np.float32(self.spread)
            x_nd += centres_cd[rng.integers(self.clusters, size=count)]
            x_nd *= scale_d
            x_nd += shared_d
            return x_nd

        return Source(f"synthetic (n={self.n})", draw(self.n), queries_qd=draw(self.queries))
