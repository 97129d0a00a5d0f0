"""What every quantizer and codec can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import Bools, Codes, Floats, Ints
from vqbench.numerics.packing import only_bits
from vqbench.quantizers.parts.ledger import Ledger

#: How a query is compared with codes: see ``vqbench.search.similarity.code_search``.
Similarity = Literal["decoded", "symmetric", "asymmetric", "estimate", "hamming", "raw"]


@dataclass(frozen=True, kw_only=True)
class Quantizer(ABC):
    """A setting, without state. ``fit`` learns from a calibration sample and returns the codec."""

    @abstractmethod
    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        """Fit to ``sample_nd`` float32, ``(n, d)``. Every random choice comes from ``rng``."""

    @property
    def computed_by(self) -> str:
        """The library that computes the codes, with its version, as ``faiss 1.9.0``; empty for our own code.

        Finished cells count for that version alone.
        """
        return ""


@dataclass(frozen=True)
class TwoValued:
    """Rows of ``Codec.estimate_rows`` whose first d numbers take two values each: ``low``, and ``low + width``.

    bits_nb: which of them, packed; only the first d bits count. low_n, width_n: float64. rest_en: the numbers behind
    the first d, ``(w - d, n)`` float64. shift_d: what ``estimate_queries`` took from the queries as they were met.
    """

    bits_nb: Codes
    low_n: Floats
    width_n: Floats
    rest_en: Floats
    shift_d: Floats

    @property
    def magnitude(self) -> float:
        """The largest ``|low| + |width|`` times sqrt(d): what terms of a product can be, however small their sum."""
        return float((np.abs(self.low_n) + np.abs(self.width_n)).max(initial=0)) * len(self.shift_d) ** 0.5

    def norms(self) -> Floats:
        """Euclidean norms of the rows ``(n,)``."""
        d = len(self.shift_d)
        ones_n = np.bitwise_count(only_bits(self.bits_nb, d)).sum(axis=1, dtype=np.float64)
        high_n = self.low_n + self.width_n
        rest_n = np.square(self.rest_en).sum(axis=0)
        return np.sqrt((d - ones_n) * self.low_n**2 + ones_n * high_n**2 + rest_n)


@dataclass(frozen=True, kw_only=True)
class Codec(ABC):
    """Fitted parameters. Rows are coded independently: a batch gives what row by row gives, bit for bit."""

    d: int

    #: True where two codes are compared by counting the bits in which they differ.
    is_binary = False

    @property
    def core(self) -> Codec:
        """The codec behind the transforms: its own space is the one that codes are in."""
        return self

    @property
    def code_bits(self) -> int:
        """How many bits of a binary code are compared."""
        return self.d

    def project(self, x_nd: Floats) -> Floats:
        """Rows as ``core`` gets them: ``(n, core.d)`` float32, after the transforms."""
        return x_nd

    def met(self, queries_qd: Floats) -> Floats:
        """Float queries as codes meet them in their own space: ``(q, core.d)`` float32."""
        return self.project(queries_qd)

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
        """The stored numbers ``(n, core.d)`` as integers, for ``similarity: raw``."""
        raise NotApplicableError(f"{type(self).__name__} stores no integers, so it has no raw similarity")

    def clipped(self, x_nd: Floats) -> Bools:
        """``(n, core.d)``: which components lie outside the range that the code can represent."""
        return np.zeros(x_nd.shape, dtype=bool)

    def estimate_queries(self, met_qd: Floats) -> Floats:
        """Queries ``(q, w)`` float64 whose inner products with ``estimate_rows`` are the code's own estimates.

        met_qd: what ``met`` gave. For ``similarity: estimate``. By default the query itself.
        """
        return met_qd.astype(np.float64)

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        """The other side of the estimate: ``(n, w)`` float64. By default the decoded vectors."""
        return decoded(self, codes_nb).astype(np.float64)

    def rough_rows(self, codes_nb: Codes) -> Floats:
        """``estimate_rows`` in float32, each number within one unit of its roundoff: ``(n, w)``, to nominate with."""
        return self.estimate_rows(codes_nb).astype(np.float32)

    def two_valued(self, codes_nb: Codes) -> TwoValued | None:
        """``estimate_rows`` in short, for codes of one bit a dimension: queries of few bits meet them by counting."""
        return None

    def error_bounds(self, met_qd: Floats, codes_qb: Codes) -> Floats:
        """How far each estimate may be off, ``(q,)`` float64, for codes that promise it: query i with code i."""
        raise NotApplicableError(f"{type(self).__name__} states no error bound")


def coded(codec: Codec, x_nd: Floats) -> Codes:
    """``codec.encode``, checked: ``(n, code_bytes)`` uint8 in C order, as many bytes as the ledger counts.

    NumPy would cut wider numbers to their lowest 8 bits where codes are kept, and repeat a code of one byte. Raises
    VqbenchError.
    """
    codes_nb = codec.encode(x_nd)
    as_bytes = isinstance(codes_nb, np.ndarray) and codes_nb.dtype == np.uint8 and codes_nb.ndim == 2
    if not as_bytes or len(codes_nb) != len(x_nd):
        raise VqbenchError(
            f"{type(codec).__name__}.encode gives {_looks(codes_nb)}: must give uint8 ({len(x_nd)}, bytes of a code), "
            "the bytes that are stored: pack bits, and turn wider numbers into bytes with .view(np.uint8)"
        )
    counted = codec.ledger().total("vector")
    if codes_nb.shape[1] != counted:
        raise VqbenchError(f"a code has {codes_nb.shape[1]} bytes, its ledger says {counted:g}: count what is stored")
    return np.ascontiguousarray(codes_nb)


def decoded(codec: Codec, codes_nb: Codes) -> Floats:
    """``codec.decode``, checked: ``(n, d)`` finite float32, or float64. Raises VqbenchError."""
    x_nd = codec.decode(codes_nb)
    wanted = f"({len(codes_nb)}, {codec.d})"
    if _looks(x_nd) not in (f"float32 {wanted}", f"float64 {wanted}"):
        raise VqbenchError(
            f"{type(codec).__name__}.decode gives {_looks(x_nd)}: must give float32 {wanted}, a vector for each code"
        )
    if not np.isfinite(x_nd).all():
        row = int(np.flatnonzero(~np.isfinite(x_nd).all(axis=1))[0])
        raise VqbenchError(
            f"{type(codec).__name__}.decode gives NaN or infinity, for code {row} of {len(x_nd)} first: must give "
            "finite numbers"
        )
    return x_nd


def _looks(found: object) -> str:
    """Dtype and shape of an array, the type of anything else."""
    return f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else f"a {type(found).__name__}"
