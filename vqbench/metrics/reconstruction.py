"""How far the decoded vectors lie from the float ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vqbench.arrays import Floats, row_dots, row_norms
from vqbench.metrics.base import RowMetric
from vqbench.quantizers.base import Codec


@dataclass(frozen=True, kw_only=True)
class MSE(RowMetric):
    """Mean squared error per component between a vector and its decoded code."""

    name: ClassVar[str] = "mse"
    label: ClassVar[str] = "reconstruction error (MSE)"
    unit: ClassVar[str] = "per component"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = float("inf")
    higher_is_better: ClassVar[bool] = False

    def measure(self, x_nd: Floats, decoded_nd: Floats, codec: Codec) -> Floats:
        error_nd = x_nd.astype(np.float64) - decoded_nd
        return row_dots(error_nd, error_nd) / x_nd.shape[1]


@dataclass(frozen=True, kw_only=True)
class CosineError(RowMetric):
    """1 - cosine between a vector and its decoded code: scale does not matter to a cosine search."""

    name: ClassVar[str] = "cosine_error"
    label: ClassVar[str] = "1 - cosine(vector, decoded)"
    unit: ClassVar[str] = "cosine"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 2
    higher_is_better: ClassVar[bool] = False

    def measure(self, x_nd: Floats, decoded_nd: Floats, codec: Codec) -> Floats:
        # Half the squared distance of the unit vectors: near 0 it keeps the digits that 1 - cosine loses.
        norms_n, decoded_norms_n = row_norms(x_nd), row_norms(decoded_nd)
        both_n = (norms_n > 0) & (decoded_norms_n > 0)
        apart_nd = x_nd[both_n] / norms_n[both_n, None] - decoded_nd[both_n] / decoded_norms_n[both_n, None]
        error_n = np.ones(len(x_nd))  # a zero row has cosine 0
        error_n[both_n] = row_dots(apart_nd, apart_nd) / 2
        return error_n


@dataclass(frozen=True, kw_only=True)
class Clipped(RowMetric):
    """Share of components that lie outside the code's range."""

    name: ClassVar[str] = "clipped"
    label: ClassVar[str] = "components outside the range"
    unit: ClassVar[str] = "share of components"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = False

    def measure(self, x_nd: Floats, decoded_nd: Floats, codec: Codec) -> Floats:
        return codec.clipped(x_nd).mean(axis=1)
