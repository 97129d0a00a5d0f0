"""Weaviate's fast random rotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Floats, Ints, blocks
from vqbench.quantizers.parts.rounding import to_float32
from vqbench.quantizers.parts.spec import Limits
from vqbench.quantizers.transforms.base import FittedTransform, Transform, walsh_hadamard

_UNIT = 64  # the width is a multiple of it
_BLOCKS = (256, _UNIT)  # lengths of the Walsh-Hadamard transforms, longest first
_ROWS = 64  # rows rotated at a time


@dataclass(frozen=True, kw_only=True)
class WeaviateRotation(Transform):
    """Zeros up to a multiple of 64 dimensions, then three rounds of swaps, signs and transforms.

    A round pairs all dimensions at random and swaps each pair, turns signs at random, and does an
    orthonormal Walsh-Hadamard transform of every 256 dimensions, then of every 64 of what is left.
    Weaviate draws swaps and signs once, with a fixed seed; here they follow the run's seed.

    Source: Weaviate, entities/vectorindex/compression/fast_rotation.go (commit 105c479), in float32 there.

    >>> x_nd = np.float32([[3, 4, 0]])
    >>> rotation = WeaviateRotation().fit(x_nd, np.random.default_rng(0))
    >>> rotation.width, rotation.restore(rotation.apply(x_nd)).round(4)[:, :2]
    (64, array([[3., 4.]], dtype=float32))
    """

    #: The least number of dimensions after the rotation.
    least: Annotated[int, Limits(1, advice="; Weaviate has 64, and 256 for 1-bit codes")] = 64

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        d = sample_nd.shape[1]
        width = -(-max(d, self.least) // _UNIT) * _UNIT
        if width > 2**16:
            raise NotApplicableError(f"d = {d}: swaps are pairs of 16-bit numbers, so at most {2**16} dimensions")
        swaps_rp2 = np.stack([rng.permutation(width).reshape(-1, 2) for _ in range(3)]).astype(np.uint16)
        signs_rw = rng.choice(np.array([-1, 1], np.float32), (3, width))
        return WeaviateRotated(d=d, width=width, swaps_rp2=swaps_rp2, signs_rw=signs_rw)


@dataclass(frozen=True, kw_only=True)
class WeaviateRotated(FittedTransform):
    """Sums and differences of two numbers of one row only, so that no row depends on another."""

    swaps_rp2: Ints  # uint16, for each round the pairs
    signs_rw: Floats  # float32, as Weaviate keeps them

    def apply(self, x_nd: Floats) -> Floats:
        y_nw = np.empty((len(x_nd), self.width), np.float32)
        for start, stop in blocks(len(x_nd), _ROWS):
            x_wn = np.zeros((self.width, stop - start))
            x_wn[: self.d] = x_nd[start:stop].T
            for order_w, signs_w in zip(self._orders, self.signs_rw, strict=True):
                x_wn = x_wn[order_w] * signs_w[:, None]
                self._transform(x_wn)
            y_nw[start:stop] = to_float32(x_wn.T)
        return y_nw

    def restore(self, y_nw: Floats) -> Floats:
        x_nd = np.empty((len(y_nw), self.d), np.float32)
        for start, stop in blocks(len(y_nw), _ROWS):
            x_wn = y_nw[start:stop].T.astype(np.float64)
            for order_w, signs_w in zip(self._orders[::-1], self.signs_rw[::-1], strict=True):
                self._transform(x_wn)
                x_wn = (x_wn * signs_w[:, None])[order_w]
            x_nd[start:stop] = to_float32(x_wn[: self.d].T)
        return x_nd

    @property
    def _orders(self) -> list[Ints]:
        """For each round, where a dimension's new number comes from; swaps undo themselves."""
        orders = []
        for pairs_p2 in self.swaps_rp2:
            order_w = np.empty(self.width, np.int64)
            order_w[pairs_p2[:, 0]], order_w[pairs_p2[:, 1]] = pairs_p2[:, 1], pairs_p2[:, 0]
            orders.append(order_w)
        return orders

    def _transform(self, x_wn: Floats) -> None:
        """All transforms of a round, in place; they undo themselves."""
        start = 0
        for block in _BLOCKS:
            stop = start + (self.width - start) // block * block
            scaled_wn = x_wn[start:stop] * block**-0.5
            x_wn[start:stop], _ = walsh_hadamard(scaled_wn, np.empty_like(scaled_wn), 1, block)
            start = stop
