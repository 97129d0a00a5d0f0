"""Optimized scalar quantization: an interval of its own for every vector (Lucene 10, Elasticsearch BBQ)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Bools, Codes, Floats, Ints, row_dots
from vqbench.quantizers.base import Codec, Quantizer, TwoValued
from vqbench.quantizers.parts.layout import BlockCodec, Layout
from vqbench.quantizers.parts.rounding import to_float32
from vqbench.quantizers.parts.spec import Bits, Limits

#: Half widths, in standard deviations, of the uniform grid of 1 to 8 bits that fits a Gaussian best: the
#: starting intervals of Lucene's OptimizedScalarQuantizer. (Max, Quantizing for Minimum Distortion, 1960.)
_HALF_WIDTHS = (0.798, 1.493, 2.051, 2.514, 2.916, 3.278, 3.611, 3.922)


@dataclass(frozen=True, kw_only=True)
class OSQ(Quantizer):
    """``bits`` per dimension on a uniform grid whose ends are fitted to each vector.

    Vectors are centred by the sample's mean c. The interval [a, b] starts from the grid that is best for
    a Gaussian of the vector's own mean and standard deviation, and is refined by coordinate descent on
    ``(1 - weight) (x . e)**2 / |x|**2 + weight |e|**2``, e = x - (what the code stands for): the error
    along the vector counts more, since it changes the scores of near neighbours most.

    Lucene normalises c for its COSINE similarity; under DOT_PRODUCT of unit vectors, which Elasticsearch
    may take for cosine, c is the mean itself, as here. Lucene computes in float32, here it is float64
    with the ends of the interval rounded to float32 whenever they move.

    Source: Apache Lucene 10.4, OptimizedScalarQuantizer (levels, loss, at most 5 ``rounds``, ``weight`` =
    lambda = 0.1) and Lucene104ScalarQuantizedVectorsFormat (what is stored). The ideas are those of LVQ
    (Aguerrebere et al., Similarity Search in the Blink of an Eye with Compressed Indices, 2023) and of
    anisotropic loss (Guo et al., Accelerating Large-Scale Inference with Anisotropic Vector
    Quantization, 2020).

    >>> codec = OSQ(bits=2, center=False).fit(np.ones((1, 4), np.float32), np.random.default_rng(0))
    >>> codes_nb = codec.encode(np.float32([[0, 1, 2, 3]]))
    >>> codec.integers(codes_nb)
    array([[0, 1, 2, 3]], dtype=uint8)
    >>> codec.decode(codes_nb)
    array([[0., 1., 2., 3.]], dtype=float32)
    """

    bits: Bits  # per dimension
    center: bool = True  # without it nothing is subtracted, and neither c nor <c, x> is stored
    weight: Annotated[float, Limits(0, 1, above=True)] = 0.1  # of the whole error against the error along the vector
    rounds: Annotated[int, Limits(0)] = 5  # of coordinate descent, at most
    #: Bits of the stored sum of the levels, which makes scoring faster but holds nothing new: 32 in Lucene 10.4, 16
    #: in the 1-bit formats of Lucene 10.2 and Elasticsearch 8.18.
    sum_bits: Literal[16, 32] = 32
    word: Literal[8, 64] = 8  # bits to whose multiple the levels are filled up: 64 in those 1-bit formats

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        d = sample_nd.shape[1]
        if d * (2**self.bits - 1) >= 2**self.sum_bits:
            raise NotApplicableError(
                f"d = {d} at {self.bits} bits: the sum of levels needs more than {self.sum_bits} bits"
            )
        mean_d = sample_nd.mean(axis=0, dtype=np.float64) if self.center else np.zeros(d)
        center_d = mean_d.astype(np.float32)
        square = np.float32(row_dots(center_d[None], center_d)[0])
        return OSQCodec(d=d, spec=self, center_d=center_d, center_square=np.asarray(square))


@dataclass(frozen=True, kw_only=True)
class OSQCodec(BlockCodec):
    """Packed levels, then a, b and (if centred) <c, x> as float32, then the sum of the levels."""

    spec: OSQ
    center_d: Floats  # c, float32
    center_square: Floats  # |c|**2, which Lucene stores beside it

    @property
    def layout(self) -> Layout:
        """Lucene keeps 7 bits in a whole byte (ScalarEncoding.SEVEN_BIT)."""
        floats = ("lower end", "upper end", "center dot")[: 3 if self.spec.center else 2]
        return Layout(
            count=self.d,
            bits=8 if self.spec.bits == 7 else self.spec.bits,
            word=self.spec.word,
            side=(*((name, "<f4") for name in floats), ("sum of levels", f"<u{self.spec.sum_bits // 8}")),
        )

    def encode_block(self, x_nd: Floats) -> Codes:
        x_nd = x_nd.astype(np.float64)
        top, centred_nd = 2**self.spec.bits - 1, x_nd - self.center_d
        ends_n2 = _refined(centred_nd, _start(centred_nd, self.spec.bits), top, self.spec)
        levels_nd = _levels(centred_nd, ends_n2, top)
        dots = [row_dots(x_nd, self.center_d)] if self.spec.center else []
        return self.layout.pack(levels_nd.astype(np.uint8), *ends_n2.T, *dots, levels_nd.sum(axis=1))

    def _values(self, codes_nb: Codes) -> tuple[Floats, dict[str, Floats]]:
        """What the levels stand for, ``(n, d)`` float64 without c, and the side values."""
        side = self.layout.side_values(codes_nb)
        low_n1, high_n1 = side["lower end"][:, None], side["upper end"][:, None]
        return low_n1 + (high_n1 - low_n1) / (2**self.spec.bits - 1) * self.integers(codes_nb), side

    def decode(self, codes_nb: Codes) -> Floats:
        return to_float32(self._values(codes_nb)[0] + self.center_d)

    def integers(self, codes_nb: Codes) -> Ints:
        return self.layout.numbers(codes_nb)

    def clipped(self, x_nd: Floats) -> Bools:
        side = self.layout.side_values(self.encode(x_nd))
        centred_nd = np.asarray(x_nd, np.float64) - self.center_d
        return (centred_nd < side["lower end"][:, None]) | (centred_nd > side["upper end"][:, None])

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        """<q, x> = <q - c, x - c> + <c, x> + <q, c> - |c|**2 (OptimizedScalarQuantizedVectorSimilarity).

        The third term is that of the query as it is given, also of a coarsened one, c + Q(q - c). Lucene keeps the
        exact <q, c>: the difference is the same for all documents, so it changes no rank.
        """
        if not self.spec.center:
            return queries_qd.astype(np.float64)
        constants_q = row_dots(queries_qd, self.center_d) - np.float64(self.center_square)
        centred_qd = np.asarray(queries_qd, np.float64) - self.center_d
        return np.column_stack([centred_qd, np.ones(len(queries_qd)), constants_q])

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        """The centred values, <c, x> as stored, 1."""
        values_nd, side = self._values(codes_nb)
        return np.column_stack([values_nd, *self._rest(side)])

    def _rest(self, side: dict[str, Floats]) -> list[Floats]:
        """The numbers of ``estimate_rows`` behind the values."""
        return [side["center dot"], np.ones_like(side["center dot"])] if self.spec.center else []

    def two_valued(self, codes_nb: Codes) -> TwoValued | None:
        """The shift is 0: a centred query, c + Q(q - c), lies on its grid once c is subtracted."""
        if self.spec.bits != 1:
            return None
        side = self.layout.side_values(codes_nb)
        rest_en = np.array(self._rest(side)).reshape(-1, len(codes_nb))
        low_n = side["lower end"]
        return TwoValued(codes_nb, low_n, side["upper end"] - low_n, rest_en, np.zeros(self.d))

    def learned(self) -> Mapping[str, NDArray[Any]]:
        return super().learned() if self.spec.center else {}


def _start(x_nd: Floats, bits: int) -> Floats:
    """The first ends ``(n, 2)``: mean -+ width * sd of each row, within its smallest and largest component."""
    d = x_nd.shape[1]
    mean_n = row_dots(x_nd, np.ones(d)) / d
    deviations_nd = x_nd - mean_n[:, None]
    reach_n = _HALF_WIDTHS[bits - 1] * np.sqrt(row_dots(deviations_nd, deviations_nd) / d)
    ends_n2 = np.stack([mean_n - reach_n, mean_n + reach_n], axis=1)
    return _as_stored(np.clip(ends_n2, x_nd.min(axis=1, keepdims=True), x_nd.max(axis=1, keepdims=True)))


def _as_stored(ends_n2: Floats) -> Floats:
    """Rounded to float32, held in float64."""
    return to_float32(ends_n2).astype(np.float64)


def _levels(x_nd: Floats, ends_n2: Floats, top: int) -> Floats:
    """The nearest of the levels 0 to ``top`` as float64; halves go up, as Java's Math.round has them."""
    low_n1, high_n1 = ends_n2[:, :1], ends_n2[:, 1:]
    steps_n1 = np.divide(top, high_n1 - low_n1, out=np.zeros_like(low_n1), where=high_n1 > low_n1)
    levels_nd = x_nd - low_n1
    levels_nd *= steps_n1
    levels_nd += 0.5
    np.floor(levels_nd, out=levels_nd)
    return np.clip(levels_nd, 0, top, out=levels_nd)


def _refined(x_nd: Floats, ends_n2: Floats, top: int, spec: OSQ) -> Floats:
    """Ends ``(n, 2)`` after coordinate descent: codes, best ends for the codes, codes again.

    For fixed levels k the loss is quadratic in a and b. Its minimum solves Lucene's 2 x 2 system, whose
    matrix is weight * A + (1 - weight) / |x|**2 * g g' with A and g those of least squares; so by the
    formula of Sherman and Morrison it is the line fitted by least squares, x ~ base + slope * k, times
    1 / (weight + (1 - weight) * share), share = the part of |x|**2 that the line explains. A row stops
    where its levels are all the same (nothing to fit) or its loss would grow.
    """
    d, weight = x_nd.shape[1], spec.weight
    sum_n, square_n = row_dots(x_nd, np.ones(d)), row_dots(x_nd, x_nd)
    ends_n2, moments = ends_n2.copy(), _moments(x_nd, _levels(x_nd, ends_n2, top), top)
    loss_n = _loss(ends_n2, moments, (sum_n, square_n), (d, top, weight))
    active_n = np.ones(len(x_nd), dtype=bool)
    for _ in range(spec.rounds):
        ones_n, twos_n, dots_n = moments
        spread_n = d * twos_n - ones_n**2
        active_n &= spread_n > 0
        if not active_n.any():
            break
        slope_n = (d * dots_n - sum_n * ones_n) / np.where(active_n, spread_n, 1)
        base_n = (sum_n - slope_n * ones_n) / d
        share_n = (base_n * sum_n + slope_n * dots_n) / np.where(active_n, square_n, 1)
        scale_n = 1 / (weight + (1 - weight) * np.where(active_n, share_n, 0))
        tried_n2 = _as_stored(np.stack([base_n, base_n + top * slope_n], axis=1) * scale_n[:, None])
        tried = _moments(x_nd, _levels(x_nd, tried_n2, top), top)
        tried_loss_n = _loss(tried_n2, tried, (sum_n, square_n), (d, top, weight))
        active_n &= tried_loss_n <= loss_n
        ends_n2[active_n] = tried_n2[active_n]
        loss_n, moments = tried_loss_n, tried  # of rows that go on; the others' are not looked at again
    return ends_n2


def _moments(x_nd: Floats, levels_nd: Floats, top: int) -> tuple[Floats, ...]:
    """Of each row: the sums of k, of k**2 (whole numbers, so exact in any order) and of x k."""
    ones_n = levels_nd.sum(axis=1)
    twos_n = ones_n if top == 1 else row_dots(levels_nd, levels_nd)
    return ones_n, twos_n, row_dots(x_nd, levels_nd)


def _loss(
    ends_n2: Floats, moments: tuple[Floats, ...], x_moments: tuple[Floats, Floats], setting: tuple[int, int, float]
) -> Floats:
    """The loss of each row from its moments, e = x - a - step * k."""
    (ones_n, twos_n, dots_n), (sum_n, square_n), (d, top, weight) = moments, x_moments, setting
    low_n, step_n = ends_n2[:, 0], (ends_n2[:, 1] - ends_n2[:, 0]) / top
    along_n = square_n - low_n * sum_n - step_n * dots_n
    value_n = low_n**2 * d + 2 * low_n * step_n * ones_n + step_n**2 * twos_n
    error_n = 2 * along_n - square_n + value_n
    return (1 - weight) * along_n**2 / np.where(square_n > 0, square_n, 1) + weight * error_n
