"""Scalar quantization: 1 to 8 bits a dimension on a uniform grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Bools, Codes, Floats, Ints, blocks
from vqbench.numerics.packing import append_floats, pack_levels, packed_bytes, split_floats, unpack_levels
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts import ranges
from vqbench.quantizers.parts.grid import Grid, float32_range
from vqbench.quantizers.parts.ledger import Item, Ledger

_BLOCK = 1 << 15  # numbers that are coded at a time: what this takes stays in the processor's cache
_DECODED = 1 << 18  # numbers that are decoded at a time, in one pass
_AXES = {"global": None, "dimension": 0, "vector": 1}


@dataclass(frozen=True, kw_only=True)
class Scalar(Quantizer):
    """Each number x becomes one of ``2**bits`` codes, evenly spaced over a range [low, high].

    The code is ``(x - low) / step``, rounded, then clipped to 0 ... 2**bits - 1. All of it is float32
    arithmetic, as in the libraries it is compared with.

    range: how low and high are found.
        ``minmax``: the least and the largest number.
        ``quantile``: of the middle share ``quantile`` of the numbers (default .99); half of the rest
        is cut on each side. An order statistic, not interpolated.
        ``sigma``: mean -+ ``sigmas`` standard deviations; by default so many that the step is the best
        for a Gaussian (Max, Quantizing for Minimum Distortion, 1960, Table II, and computed beyond 5 bits).
        ``absmax``: symmetric around zero, which is kept exactly: codes -m ... m with m = 2**(bits - 1) - 1
        and step = max |x| / m, so one code is left unused. At least 2 bits.
        ``mse``: the least mean square error on the sample (``ranges.least_error``).
        ``fixed``: the fields ``low`` and ``high``; nothing is learned or stored.
    scope: one range of all numbers (``global``), of each ``dimension``, or of each ``vector``, which
    then stores low and width as float32, 8 bytes (``absmax``: the width, 4 bytes). Constant
    numbers are kept exactly: they decode to low, whatever is coded later.
    rounding: to the ``nearest`` code (ties to even), or ``floor``: truncated.
    span: with ``ends`` step = (high - low) / (2**bits - 1), so that with ``nearest`` both ends are kept; with
    ``floor`` the last code is met by x = high alone. With ``cells`` step = (high - low) / 2**bits.
    decode: code c stands for the lower ``edge`` of its step, low + c * step, or for its ``midpoint``,
    low + (c + .5) * step. Truncated codes at the edge are half a step low on average.
    divisor: ``range`` computes the code as ``(x - low) / (high - low) * steps`` instead, and decodes likewise.
    signed: the integers that ``similarity: raw`` compares are code - 2**(bits - 1); those of
    ``absmax`` always count from zero's code.

    Rules of others: sentence-transformers from v5.7 on is ``range=minmax, rounding=floor, span=ends,
    decode=edge``, ``signed`` for its int8 (util/quantization.py); faiss's ScalarQuantizer of 4, 6 and 8 bits is
    ``range=minmax, rounding=floor, span=ends, decode=midpoint, divisor=range``, its uniform types with
    ``scope=global`` (impl/ScalarQuantizer).
    """

    bits: int = 8
    range: Literal["minmax", "quantile", "sigma", "absmax", "mse", "fixed"] = "minmax"
    scope: Literal["global", "dimension", "vector"] = "dimension"
    rounding: Literal["floor", "nearest"] = "nearest"
    span: Literal["ends", "cells"] = "ends"
    decode: Literal["edge", "midpoint"] = "edge"
    divisor: Literal["step", "range"] = "step"
    signed: bool = False
    quantile: float | None = None
    sigmas: float | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 8:
            raise VqbenchError(f"bits = {self.bits}: must be from 1 to 8")
        if self.rounding == "nearest" and self.decode == "midpoint":
            raise VqbenchError("decode = midpoint: a code rounded to the nearest stands for its edge; say decode: edge")
        if self.range == "absmax":
            self._check_absmax()
        if self.range == "mse" and self.scope == "vector":
            raise VqbenchError("range = mse: not for scope vector; quantizers.osq.OSQ fits a range to each vector")
        if self.range == "fixed" and self.scope != "global":
            raise VqbenchError(f"scope = {self.scope}: a fixed range is the same everywhere; say scope: global")
        self._check_fields()

    def _check_absmax(self) -> None:
        if self.bits < 2:
            raise VqbenchError("bits = 1: range absmax needs a code for zero and one on each side, at least 2 bits")
        if (self.rounding, self.span, self.decode) != ("nearest", "ends", "edge"):
            raise VqbenchError("range = absmax: keeps zero with rounding nearest, span ends and decode edge only")

    def _check_fields(self) -> None:
        """Each range has its own fields, and no other."""
        for owner, field in (("quantile", "quantile"), ("sigma", "sigmas"), ("fixed", "low"), ("fixed", "high")):
            if getattr(self, field) is not None and self.range != owner:
                raise VqbenchError(f"{field} = {getattr(self, field)}: only range {owner} takes it; leave it out")
        if self.quantile is not None and not 0 < self.quantile <= 1:
            raise VqbenchError(f"quantile = {self.quantile}: must be above 0 and at most 1, the share that is kept")
        if self.sigmas is not None and not 0 < self.sigmas < np.inf:
            raise VqbenchError(f"sigmas = {self.sigmas}: must be above 0 and finite")
        if self.range == "fixed":
            if self.low is None or self.high is None:
                raise VqbenchError("range = fixed: give low and high")
            if not (np.isfinite([self.low, self.high]).all() and np.float32(self.low) < np.float32(self.high)):
                raise VqbenchError(f"low = {self.low}, high = {self.high}: low must be below high, both finite")

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
        low, width = (None, None) if self.scope == "vector" else self.found(sample_nd)
        return ScalarCodec(d=sample_nd.shape[1], spec=self, low=low, width=width)

    def found(self, x_nd: Floats) -> tuple[Floats, Floats]:
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
class ScalarCodec(Codec):
    """Packed codes; with scope ``vector`` followed by the range.

    low, width: float32, scalars or ``(d,)``; None where each vector stores its own.
    """

    spec: Scalar
    low: Floats | None
    width: Floats | None

    @property
    def _own(self) -> int:
        """How many float32 each vector keeps for itself."""
        return 0 if self.width is not None else 1 if self.spec.grid.symmetric else 2

    @property
    def _rows(self) -> int:
        return max(1, _BLOCK // self.d)

    def _range(self, x_nd: Floats) -> tuple[Floats, Floats]:
        if self.low is None or self.width is None:
            return self.spec.found(x_nd)
        return self.low, self.width

    def encode(self, x_nd: Floats) -> Codes:
        grid = self.spec.grid
        packed = packed_bytes(self.d, grid.bits)
        codes_nb = np.empty((len(x_nd), packed + 4 * self._own), np.uint8)
        for start, stop in blocks(len(x_nd), self._rows):
            low, width = self._range(x_nd[start:stop])
            block_nb = pack_levels(grid.levels(x_nd[start:stop], low, width), grid.bits)
            if self._own:
                block_nb = append_floats(block_nb, np.hstack([low, width]) if self._own == 2 else width)
            codes_nb[start:stop] = block_nb
        return codes_nb

    def decode(self, codes_nb: Codes) -> Floats:
        grid = self.spec.grid
        value_nd = np.empty((len(codes_nb), self.d), np.float32)
        for start, stop in blocks(len(codes_nb), max(1, _DECODED // self.d)):
            packed_nb, own_nf = split_floats(codes_nb[start:stop], self._own)
            low, width = self.low, self.width
            if low is None or width is None:
                low, width = (own_nf[:, :1], own_nf[:, 1:]) if self._own == 2 else (np.zeros((), np.float32), own_nf)
            grid.values(unpack_levels(packed_nb, self.d, grid.bits), low, width, value_nd[start:stop])
        return value_nd

    def integers(self, codes_nb: Codes) -> Ints:
        grid = self.spec.grid
        offset = grid.first if grid.symmetric else -(2 ** (grid.bits - 1)) if self.spec.signed else 0
        packed_nb, _ = split_floats(codes_nb, self._own)
        return unpack_levels(packed_nb, self.d, grid.bits).astype(np.int16) + np.int16(offset)

    def clipped(self, x_nd: Floats) -> Bools:
        outside_nd = np.empty(x_nd.shape, bool)
        for start, stop in blocks(len(x_nd), self._rows):
            some_nd = x_nd[start:stop]
            outside_nd[start:stop] = self.spec.grid.outside(some_nd, *self._range(some_nd))
        return outside_nd

    def ledger(self) -> Ledger:
        stored = []
        if self.low is None or self.width is None:
            stored = [Item("range", "vector", 4 * self._own)]
        elif self.spec.range != "fixed":
            named = [("width", self.width)] if self.spec.grid.symmetric else [("low", self.low), ("width", self.width)]
            stored = [Item(name, "once", array.nbytes) for name, array in named]
        return Ledger.of_bits(bits=self.spec.bits * self.d, once=stored)
