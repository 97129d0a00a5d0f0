"""Scalar quantization: 1 to 8 bits a dimension on a uniform grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Bools, Codes, Floats, Ints, blocks
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts import ranges
from vqbench.quantizers.parts.grid import Grid, float32_range
from vqbench.quantizers.parts.layout import BlockCodec, Layout
from vqbench.quantizers.parts.spec import Bits, Limits

_DECODED = 1 << 18  # numbers that are decoded at a time, in one pass
_AXES = {"global": None, "dimension": 0, "vector": 1}


@dataclass(frozen=True, kw_only=True)
class Scalar(Quantizer):
    """A uniform grid of ``2**bits`` codes over a range [low, high].

    The code of x is ``(x - low) / step``, rounded, then clipped to 0 ... 2**bits - 1. The arithmetic is float32,
    as in the libraries with the same rule:

    - sentence-transformers from v5.7 on: ``range=minmax, rounding=floor, span=ends, decode=edge``, ``signed`` for
      its int8 (util/quantization.py).
    - faiss, ScalarQuantizer of 4, 6 and 8 bits: ``range=minmax, rounding=floor, span=ends, decode=midpoint,
      divisor=range``; its uniform types with ``scope=global`` (impl/ScalarQuantizer).

    Constant numbers are kept exactly: they decode to low, whatever is coded later.

    Source of the step for a Gaussian: Max, Quantizing for Minimum Distortion (1960), Table II, and computed
    beyond 5 bits.

    >>> x_nd = np.float32([[0, -1], [1, 0], [2, 1]])
    >>> codec = Scalar(bits=2).fit(x_nd, np.random.default_rng(0))
    >>> codec.encode(x_nd)  # two codes of 2 bits in a byte
    array([[  0],
           [160],
           [240]], dtype=uint8)
    >>> codec.decode(codec.encode(x_nd)).round(2)
    array([[ 0.  , -1.  ],
           [ 1.33,  0.33],
           [ 2.  ,  1.  ]], dtype=float32)
    """

    #: Bits per dimension.
    bits: Bits = 8
    #: How low and high are found. ``minmax``: the least and the largest number. ``quantile``: an equal share of the
    #: numbers is cut off on each side, without interpolation. ``sigma``: mean -+ ``sigmas`` standard deviations.
    #: ``absmax``: symmetric around zero, which is kept exactly: codes -m ... m with m = 2**(bits - 1) - 1 and
    #: step = max |x| / m, so that one code is unused. ``mse``: the least mean square error on the sample.
    #: ``fixed``: the fields ``low`` and ``high``; nothing is learned or stored.
    range: Literal["minmax", "quantile", "sigma", "absmax", "mse", "fixed"] = "minmax"
    #: One range for all numbers, for each dimension, or for each vector, which then stores low and width as float32:
    #: 8 bytes (``absmax``: the width, 4 bytes).
    scope: Literal["global", "dimension", "vector"] = "dimension"
    #: To the nearest code, ties to even; or truncated.
    rounding: Literal["floor", "nearest"] = "nearest"
    #: ``ends``: step = (high - low) / (2**bits - 1), so that ``nearest`` keeps both ends, and with ``floor`` only
    #: x = high has the last code. ``cells``: step = (high - low) / 2**bits.
    span: Literal["ends", "cells"] = "ends"
    #: Code c stands for low + c * step, the lower edge of its step, or for low + (c + .5) * step. Truncated codes at
    #: the edge are half a step low on average.
    decode: Literal["edge", "midpoint"] = "edge"
    #: ``range``: the code is ``(x - low) / (high - low) * steps``, and is decoded likewise.
    divisor: Literal["step", "range"] = "step"
    #: Whether ``similarity: raw`` compares code - 2**(bits - 1). The integers of ``absmax`` count from zero's code.
    signed: bool = False
    #: Of range ``quantile``: the share of the numbers that is kept, in the middle (null: .99).
    quantile: Annotated[float, Limits(0, 1, above=True)] | None = None
    #: Of range ``sigma``: half the width in standard deviations (null: the best for a Gaussian).
    sigmas: Annotated[float, Limits(0, above=True)] | None = None
    #: Of range ``fixed``: the low end.
    low: float | None = None
    #: Of range ``fixed``: the high end.
    high: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for owner, field in (("quantile", "quantile"), ("sigma", "sigmas"), ("fixed", "low"), ("fixed", "high")):
            if getattr(self, field) is not None and self.range != owner:
                raise VqbenchError(f"{field} = {getattr(self, field)}: only range {owner} takes it; leave it out")
        nearest, absmax, fixed = self.rounding == "nearest", self.range == "absmax", self.range == "fixed"
        low, high = (np.float32(np.nan if end is None else end) for end in (self.low, self.high))
        broken = {
            "decode = midpoint: a code rounded to the nearest stands for its edge; say decode: edge": nearest
            and self.decode == "midpoint",
            "bits = 1: range absmax needs a code for zero and one on each side, at least 2 bits": absmax
            and self.bits < 2,
            "range = absmax: keeps zero with rounding nearest, span ends and decode edge only": absmax
            and (self.rounding, self.span, self.decode) != ("nearest", "ends", "edge"),
            "range = mse: not for scope vector; quantizers.osq.OSQ fits a range to each vector": self.range == "mse"
            and self.scope == "vector",
            f"scope = {self.scope}: a fixed range is the same everywhere; say scope: global": fixed
            and self.scope != "global",
            f"low = {self.low}, high = {self.high}: range fixed needs both, low below high, both finite": fixed
            and not -np.inf < low < high < np.inf,
        }
        for message in [message for message, holds in broken.items() if holds]:
            raise VqbenchError(message)

    @property
    def grid(self) -> Grid:
        """The codes, in steps."""
        return Grid(
            bits=self.bits,
            symmetric=self.range == "absmax",
            nearest=self.rounding == "nearest",
            cells=self.span == "cells",
            midpoint=self.decode == "midpoint",
            by_width=self.divisor == "range",
        )

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        low, width = (None, None) if self.scope == "vector" else self.range_of(sample_nd)
        return ScalarCodec(d=sample_nd.shape[1], spec=self, low=low, width=width)

    def range_of(self, x_nd: Floats) -> tuple[Floats, Floats]:
        """Low end and width of the range, float32: ``()``, ``(d,)``, or ``(n, 1)`` for scope vector."""
        axis = _AXES[self.scope]
        if self.range == "fixed":
            low, high = np.array([self.low, self.high], dtype=np.float32)
            return float32_range(np.asarray(low), np.asarray(high))
        if self.range == "mse":
            return float32_range(*ranges.least_error(x_nd, axis, self.grid))
        if self.range == "sigma":
            mean, sd = ranges.mean_and_sd(x_nd, axis)
            best = ranges.GAUSSIAN_STEPS[self.bits - 1] * self.grid.steps / 2
            half = (best if self.sigmas is None else self.sigmas) * sd
            return float32_range(mean - half, mean + half)
        if self.range == "quantile":
            share = 0.99 if self.quantile is None else self.quantile
            return float32_range(*ranges.inner_extremes(x_nd, axis, share))
        low, high = ranges.extremes(x_nd, axis)
        if self.range == "minmax":
            return float32_range(low, high)
        # The grid counts from zero's code, so that zero is exact: its range begins there.
        farthest = np.maximum(-low, high).astype(np.float64)
        return np.zeros((), np.float32), float32_range(-farthest, farthest)[1]


@dataclass(frozen=True, kw_only=True)
class ScalarCodec(BlockCodec):
    """Packed codes; with scope ``vector`` followed by the range."""

    spec: Scalar
    low: Floats | None  # float32, a scalar or ``(d,)``; None where each vector stores its own
    width: Floats | None  # likewise

    numbers_at_once = 2**15

    @property
    def layout(self) -> Layout:
        own = 1 if self.spec.range == "absmax" else 2
        return Layout(
            count=self.d, bits=self.spec.bits, side=(("range", "<f4", (own,)),) if self.spec.scope == "vector" else ()
        )

    def _range(self, x_nd: Floats) -> tuple[Floats, Floats]:
        return self.spec.range_of(x_nd) if self.low is None or self.width is None else (self.low, self.width)

    def encode_block(self, x_nd: Floats) -> Codes:
        low, width = self._range(x_nd)
        own = [] if self.low is not None else [width] if self.spec.range == "absmax" else [np.hstack([low, width])]
        return self.layout.pack(self.spec.grid.levels(x_nd, low, width), *own)

    def decode(self, codes_nb: Codes) -> Floats:
        layout, grid = self.layout, self.spec.grid
        value_nd = np.empty((len(codes_nb), self.d), np.float32)
        for start, stop in blocks(len(codes_nb), max(1, _DECODED // self.d)):
            low, width = self.low, self.width
            if low is None or width is None:
                own_nf = layout.side_values(codes_nb[start:stop])["range"].astype(np.float32)
                low, width = np.zeros((), np.float32) if grid.symmetric else own_nf[:, :1], own_nf[:, -1:]
            grid.values(layout.numbers(codes_nb[start:stop]), low, width, value_nd[start:stop])
        return value_nd

    def integers(self, codes_nb: Codes) -> Ints:
        grid = self.spec.grid
        offset = grid.first if grid.symmetric else -(2 ** (grid.bits - 1)) if self.spec.signed else 0
        return self.layout.numbers(codes_nb).astype(np.int16) + np.int16(offset)

    def clipped(self, x_nd: Floats) -> Bools:
        outside_nd = np.empty(x_nd.shape, bool)
        for start, stop in blocks(len(x_nd), max(1, self.numbers_at_once // self.d)):
            outside_nd[start:stop] = self.spec.grid.outside(x_nd[start:stop], *self._range(x_nd[start:stop]))
        return outside_nd

    def learned(self) -> Mapping[str, NDArray[Any]]:
        """A fixed range is known beforehand, and so is the zero at which a symmetric one begins."""
        known = {"fixed": ("low", "width"), "absmax": ("low",)}.get(self.spec.range, ())
        return {name: array for name, array in super().learned().items() if name not in known}
