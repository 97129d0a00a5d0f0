"""What every transform can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Floats
from vqbench.numerics.exact_products import exact_product
from vqbench.quantizers.parts.ledger import Item
from vqbench.quantizers.parts.spec import Spec
from vqbench.quantizers.parts.stored import stored_arrays, stored_items


@dataclass(frozen=True, kw_only=True)
class Transform(Spec):
    """A setting, without state. ``fit`` learns from a calibration sample and returns the fitted transform."""

    @abstractmethod
    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> FittedTransform:
        """Learn from a sample.

        Args:
            sample_nd: float32 ``(n, d)``, as the transforms before this one left it.
            rng: where every random choice comes from.

        Raises:
            NotApplicableError: ``d`` or the sample does not suit.
        """


@dataclass(frozen=True, kw_only=True)
class FittedTransform(ABC):
    """Fitted parameters. Rows are mapped independently: a batch gives what row by row gives, bit for bit."""

    d: int  # dimensions of the rows before
    width: int  # and after

    @abstractmethod
    def apply(self, x_nd: Floats) -> Floats:
        """Rows ``(n, width)`` float32 of ``x_nd`` float32."""

    @abstractmethod
    def restore(self, y_nw: Floats) -> Floats:
        """The way back, ``(n, d)`` float32: exact up to rounding where nothing was given up, else the nearest."""

    def items(self) -> tuple[Item, ...]:
        """What is stored once. By default every array among the fields."""
        return stored_items(stored_arrays(self))


@dataclass(frozen=True, kw_only=True)
class Projection(FittedTransform):
    """Minus the mean, if there is one, times a matrix with orthonormal columns."""

    name: str  # what the matrix is, in the ledger
    mean_d: Floats | None  # float32
    matrix_dm: Floats  # float32, on the grid of ``exact_product``

    def apply(self, x_nd: Floats) -> Floats:
        centred_nd = x_nd if self.mean_d is None else x_nd - self.mean_d.astype(np.float64)
        return exact_product(centred_nd, self.matrix_dm).astype(np.float32)

    def restore(self, y_nw: Floats) -> Floats:
        x_nd = exact_product(y_nw, self.matrix_dm.T)
        return (x_nd if self.mean_d is None else x_nd + self.mean_d).astype(np.float32)

    def items(self) -> tuple[Item, ...]:
        mean = {} if self.mean_d is None else {"mean": self.mean_d}
        return stored_items({**mean, self.name: self.matrix_dm})


def check_width(m: int | None, d: int) -> int:
    """The number of dimensions that are kept of ``d``: m (null: all). NotApplicableError where m exceeds d."""
    if m is not None and m > d:
        raise NotApplicableError(f"m = {m}: the vectors have only {d} dimensions to choose from")
    return d if m is None else m


def walsh_hadamard(x_wn: Floats, spare_wn: Floats, first: int, end: int) -> tuple[Floats, Floats]:
    """Add and subtract numbers that are ``first``, then twice as far ... below ``end`` apart along the first axis.

    Blocks of ``end / first`` numbers are transformed, without a scale. Returns the result and the array that is
    spare then.
    """
    apart = first
    while apart < end:
        pairs, mixed = (array.reshape(-1, 2, apart, x_wn.shape[1]) for array in (x_wn, spare_wn))
        np.add(pairs[:, 0], pairs[:, 1], out=mixed[:, 0])
        np.subtract(pairs[:, 0], pairs[:, 1], out=mixed[:, 1])
        x_wn, spare_wn, apart = spare_wn, x_wn, 2 * apart
    return x_wn, spare_wn
