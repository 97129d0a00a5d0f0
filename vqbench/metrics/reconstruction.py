"""How far the decoded vectors lie from the float ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vqbench.metrics.base import RowMetric
from vqbench.numerics.arrays import Floats, row_dots, row_norms
from vqbench.quantizers.base import Codec

_NUMBERS = 1 << 16  # of a block: 512 kB in float64


@dataclass(frozen=True, kw_only=True)
class MSE(RowMetric):
    """Mean squared error per component between a vector and its decoded code."""

    name = "mse"
    label = "reconstruction error (MSE)"
    unit = "per component"
    highest = float("inf")

    def measure(self, x_nd: Floats, decoded_nd: Floats, codec: Codec) -> Floats:
        return _by_blocks(_squared_error, x_nd, decoded_nd) / x_nd.shape[1]


@dataclass(frozen=True, kw_only=True)
class CosineError(RowMetric):
    """1 - cosine between a vector and its decoded code: scale does not matter to a cosine search."""

    name = "cosine_error"
    label = "1 - cosine(vector, decoded)"
    unit = "cosine"
    highest = 2

    def measure(self, x_nd: Floats, decoded_nd: Floats, codec: Codec) -> Floats:
        return _by_blocks(_angular_error, x_nd, decoded_nd)


def _by_blocks(measure: Callable[[Floats, Floats], Floats], x_nd: Floats, decoded_nd: Floats) -> Floats:
    """``measure`` of so few rows at a time that their float64 copies stay in the processor's cache."""
    size = max(1, _NUMBERS // x_nd.shape[1])
    starts = range(0, len(x_nd), size)
    return np.concatenate([measure(x_nd[row : row + size], decoded_nd[row : row + size]) for row in starts])


def _squared_error(x_nd: Floats, decoded_nd: Floats) -> Floats:
    error_nd = np.subtract(x_nd, decoded_nd, dtype=np.float64)
    return row_dots(error_nd, error_nd)


def _angular_error(x_nd: Floats, decoded_nd: Floats) -> Floats:
    """Half the squared distance of the unit vectors: near 0 it keeps the digits that 1 - cosine loses."""
    x_nd, decoded_nd = x_nd.astype(np.float64), decoded_nd.astype(np.float64)
    norms_n, decoded_norms_n = row_norms(x_nd), row_norms(decoded_nd)
    some_n = (norms_n > 0) & (decoded_norms_n > 0)
    x_nd /= np.where(some_n, norms_n, 1)[:, None]
    decoded_nd /= np.where(some_n, decoded_norms_n, 1)[:, None]
    x_nd -= decoded_nd
    return np.where(some_n, row_dots(x_nd, x_nd) / 2, 1)  # a zero row has cosine 0


@dataclass(frozen=True, kw_only=True)
class Clipped(RowMetric):
    """Share of components that lie outside the code's range."""

    name = "clipped"
    label = "components outside the range"
    unit = "share of components"

    def measure(self, x_nd: Floats, decoded_nd: Floats, codec: Codec) -> Floats:
        return codec.clipped(x_nd).mean(axis=1)
