"""Random rotations: lengths and angles stay, but no direction is special any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Codes, Floats, Ints, blocks
from vqbench.numerics.orthonormal import haar, on_unit_grid
from vqbench.quantizers.parts.spec import Limits
from vqbench.quantizers.transforms.base import FittedTransform, Projection, Transform, walsh_hadamard

_ROWS = 64  # rows at a time: two float64 buffers of 384 dimensions fill 400 kB of cache


@dataclass(frozen=True, kw_only=True)
class Orthogonal(Transform):
    """A random orthogonal matrix, uniform over all of them (Haar); a row x becomes x @ matrix.

    >>> x_nd = np.float32([[3, 4]])
    >>> rotation = Orthogonal().fit(x_nd, np.random.default_rng(0))
    >>> rotation.restore(rotation.apply(x_nd)).round(4)
    array([[3., 4.]], dtype=float32)
    """

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        d = sample_nd.shape[1]
        return Projection(d=d, width=d, name="rotation", mean_d=None, matrix_dm=on_unit_grid(haar(d, rng)))


@dataclass(frozen=True, kw_only=True)
class Hadamard(Transform):
    """A fast random rotation: random signs, a random permutation, Walsh-Hadamard blocks; ``rounds`` times.

    The blocks are as long as the largest power of two that divides the width; the permutations carry each component
    to other blocks.

    Source: signs before a Walsh-Hadamard transform: Ailon and Chazelle, The fast Johnson-Lindenstrauss transform and
    approximate nearest neighbors, SIAM J. Comput. 39 (2009). A pseudorandom rotation of this kind also precedes
    Weaviate's 8-bit codes (Christiani, 8-bit rotational quantization,
    weaviate.io/blog/8-bit-rotational-quantization, 2025).

    >>> x_nd = np.float32([[3, 4, 0]])
    >>> rotation = Hadamard().fit(x_nd, np.random.default_rng(0))
    >>> rotation.width, rotation.restore(rotation.apply(x_nd)).round(4)[:, :2]
    (4, array([[3., 4.]], dtype=float32))
    """

    rounds: Annotated[int, Limits(1, advice="; 3 mix well")] = 3
    #: Rows are padded with zeros to a multiple of so many dimensions; below that, to a power of two.
    multiple: Annotated[int, Limits(2)] = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.multiple & (self.multiple - 1):
            raise VqbenchError(f"multiple = {self.multiple}: must be a power of two, such as 64")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        d = sample_nd.shape[1]
        width = -(-d // self.multiple) * self.multiple if d > self.multiple else 1 << (d - 1).bit_length()
        whole = np.uint16 if width <= 2**16 else np.uint32
        signs_rw = rng.integers(0, 2, (self.rounds, width), dtype=np.uint8)
        permutations_rw = np.stack([rng.permutation(width) for _ in range(self.rounds)]).astype(whole)
        signs_rb = np.packbits(signs_rw, axis=1)
        return HadamardRotation(d=d, width=width, signs_rb=signs_rb, permutations_rw=permutations_rw)


@dataclass(frozen=True, kw_only=True)
class HadamardRotation(FittedTransform):
    """Only additions and subtractions of two numbers of one row, so that no row depends on another.

    In float64, and with one row a column, so that numpy adds long stretches.
    """

    signs_rb: Codes  # a bit for each round and dimension, 1 turns the sign
    permutations_rw: Ints  # uint16 or uint32

    def apply(self, x_nd: Floats) -> Floats:
        y_nw = np.empty((len(x_nd), self.width), np.float32)
        factors_rw1 = self._factors()
        for start, stop in blocks(len(x_nd), _ROWS):
            x_wn = np.zeros((self.width, stop - start))
            x_wn[: self.d] = x_nd[start:stop].T
            spare_wn = np.empty_like(x_wn)
            for factors_w1, order_w in zip(factors_rw1, self.permutations_rw, strict=True):
                x_wn *= factors_w1
                np.take(x_wn, order_w, axis=0, out=spare_wn, mode="clip")  # the default mode would copy
                x_wn, spare_wn = walsh_hadamard(spare_wn, x_wn, self.width // self._block, self.width)
            y_nw[start:stop] = x_wn.T
        return y_nw

    def restore(self, y_nw: Floats) -> Floats:
        x_nd = np.empty((len(y_nw), self.d), np.float32)
        steps = list(zip(self._factors(), np.argsort(self.permutations_rw, axis=1), strict=True))
        for start, stop in blocks(len(y_nw), _ROWS):
            x_wn = y_nw[start:stop].T.astype(np.float64, order="C")
            spare_wn = np.empty_like(x_wn)
            for factors_w1, back_w in reversed(steps):
                x_wn, spare_wn = walsh_hadamard(x_wn, spare_wn, self.width // self._block, self.width)
                np.take(x_wn, back_w, axis=0, out=spare_wn, mode="clip")
                spare_wn *= factors_w1
                x_wn, spare_wn = spare_wn, x_wn
            x_nd[start:stop] = x_wn[: self.d].T
        return x_nd

    @property
    def _block(self) -> int:
        """The length of a transform: the largest power of two that divides the width.

        The w / block numbers that stand side by side belong to different blocks: which numbers share a
        block is random anyway, and so each addition covers a longer stretch of memory.
        """
        return self.width & -self.width

    def _factors(self) -> Floats:
        """Signs as factors ``(rounds, width, 1)``, with the scale that makes a block orthogonal."""
        signs_rw = np.unpackbits(self.signs_rb, axis=1, count=self.width)
        return (1 - 2.0 * signs_rw[:, :, None]) / np.sqrt(self._block)
