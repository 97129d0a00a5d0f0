"""What every quantizer and codec can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from vqbench.arrays import Bools, Codes, Floats, Ints
from vqbench.errors import NotApplicableError
from vqbench.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class Quantizer(ABC):
    """A setting, without state. ``fit`` learns from a calibration sample and returns the codec."""

    @abstractmethod
    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        """Fit to ``sample_nd`` float32, ``(n, d)``. Every random choice comes from ``rng``."""


@dataclass(frozen=True, kw_only=True)
class Codec(ABC):
    """Fitted parameters. Rows are coded independently: a batch gives what row by row gives, bit for bit."""

    d: int

    #: True where two codes are compared by counting the bits in which they differ.
    is_binary = False

    @abstractmethod
    def encode(self, x_nd: Floats) -> Codes:
        """Codes ``(n, code_bytes)`` uint8 of ``x_nd`` float32, exactly as they would be stored."""

    @abstractmethod
    def decode(self, codes_nb: Codes) -> Floats:
        """Approximate vectors ``(n, d)`` float32."""

    @abstractmethod
    def ledger(self) -> Ledger:
        """The bytes of a code, and of what is stored once for all codes."""

    def integers(self, codes_nb: Codes) -> Ints:
        """The stored numbers ``(n, d)`` as integers, for ``similarity: raw``."""
        raise NotApplicableError(f"{type(self).__name__} stores no integers, so it has no raw similarity")

    def clipped(self, x_nd: Floats) -> Bools:
        """``(n, d)``: which components lie outside the range that the code can represent."""
        return np.zeros(x_nd.shape, dtype=bool)
