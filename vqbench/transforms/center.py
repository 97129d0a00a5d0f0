"""The sample's mean taken away, and its directions brought to one variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.arrays import Floats
from vqbench.ledger import Item
from vqbench.transforms.base import Fitted, Transform

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class Center(Transform):
    """``x - mean``, the mean of the calibration sample for each dimension."""

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Fitted:
        d = sample_nd.shape[1]
        mean_d = sample_nd.mean(axis=0, dtype=np.float64).astype(np.float32)
        return Centered(d=d, width=d, mean_d=mean_d)


@dataclass(frozen=True, kw_only=True)
class Centered(Fitted):
    """``mean_d``: float32 ``(d,)``."""

    mean_d: Floats

    def apply(self, x_nd: Floats) -> Floats:
        return _float32(x_nd.astype(np.float64) - self.mean_d)

    def restore(self, y_nw: Floats) -> Floats:
        return _float32(y_nw.astype(np.float64) + self.mean_d)

    def items(self) -> tuple[Item, ...]:
        return (Item("mean", "once", self.mean_d.nbytes),)


def _float32(x_nd: Floats) -> Floats:
    """Rounded to float32; what float32 cannot hold becomes its largest number, not infinite."""
    return np.clip(x_nd, -_LARGEST, _LARGEST).astype(np.float32)
