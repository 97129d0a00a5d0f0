"""What every transform can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Floats
from vqbench.quantizers.parts.ledger import Item


@dataclass(frozen=True, kw_only=True)
class Transform(ABC):
    """A setting, without state. ``fit`` learns from a calibration sample and returns the fitted transform."""

    @abstractmethod
    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Fitted:
        """Fit to ``sample_nd`` float32, ``(n, d)``. Every random choice comes from ``rng``.

        Raises NotApplicableError where ``d`` or the sample does not suit.
        """

    @property
    def computed_by(self) -> str:
        """The library that computes the rows, with its version, as ``faiss 1.9.0``; empty for our own code.

        Finished cells count for that version alone.
        """
        return ""


@dataclass(frozen=True, kw_only=True)
class Fitted(ABC):
    """Fitted parameters, from ``d`` to ``width`` dimensions. Rows are mapped independently, bit for bit."""

    d: int
    width: int

    @abstractmethod
    def apply(self, x_nd: Floats) -> Floats:
        """Rows ``(n, width)`` float32 of ``x_nd`` float32."""

    @abstractmethod
    def restore(self, y_nw: Floats) -> Floats:
        """The way back, ``(n, d)`` float32: exact up to rounding where nothing was given up, else the nearest."""

    def items(self) -> tuple[Item, ...]:
        """What is stored once."""
        return ()


def projected(m: int | None, d: int) -> int:
    """How many of ``d`` dimensions a projection onto ``m`` (none: all) has; NotApplicableError where m exceeds d."""
    if m is not None and m > d:
        raise NotApplicableError(f"m = {m}: the vectors have only {d} dimensions to project from")
    return d if m is None else m
