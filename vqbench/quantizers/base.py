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
from vqbench.quantizers.parts.spec import Spec

#: How a query is compared with codes: see ``vqbench.search.similarity.code_search``.
Similarity = Literal["decoded", "symmetric", "asymmetric", "estimate", "hamming", "raw"]


@dataclass(frozen=True, kw_only=True)
class Quantizer(Spec):
    """A setting, without state. ``fit`` learns from a calibration sample and returns the codec."""

    @abstractmethod
    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        """Learn from a sample.

        Args:
            sample_nd: float32 ``(n, d)``, transformed as all rows will be.
            rng: where every random choice comes from.

        Raises:
            NotApplicableError: ``d`` or the sample does not suit, or a library is not installed.
        """


@dataclass(frozen=True)
class TwoValued:
    """Rows of ``Codec.estimate_rows``, ``(n, w)``, whose first d numbers take two values each."""

    bits_nb: Codes  # which of the two, packed; only the first d bits count
    low_n: Floats  # the value of a 0, float64
    width_n: Floats  # how much larger the value of a 1 is, float64
    rest_en: Floats  # the numbers behind the first d, ``(w - d, n)`` float64
    shift_d: Floats  # what ``estimate_queries`` subtracted from the queries

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

    d: int  # dimensions of the vectors

    #: Whether two codes are compared by counting the bits in which they differ.
    is_binary = False

    @property
    def core(self) -> Codec:
        """The codec behind the transforms: its codes lie in its own space."""
        return self

    @property
    def code_bits(self) -> int:
        """How many bits of a binary code are compared."""
        return self.d

    def project(self, x_nd: Floats) -> Floats:
        """Rows as ``core`` gets them: ``(n, core.d)`` float32, after the transforms."""
        return x_nd

    def core_queries(self, queries_qd: Floats) -> Floats:
        """Queries as ``core`` compares them with codes: ``(q, core.d)`` float32, projected and, if asked, coarsened."""
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
        """Which components lie outside the range that the code can represent, ``(n, core.d)``."""
        return np.zeros(x_nd.shape, dtype=bool)

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        """Queries ``(q, w)`` float64 whose inner products with ``estimate_rows`` are the code's own estimates.

        For ``similarity: estimate``; ``queries_qd`` is what ``core_queries`` gave. By default the query itself.
        """
        return queries_qd.astype(np.float64)

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        """The other side of the estimate: ``(n, w)`` float64. By default the decoded vectors."""
        return decode_checked(self, codes_nb).astype(np.float64)

    def rough_rows(self, codes_nb: Codes) -> Floats:
        """``estimate_rows`` in float32, within one unit of roundoff: ``(n, w)``, to find candidates with."""
        return self.estimate_rows(codes_nb).astype(np.float32)

    def two_valued(self, codes_nb: Codes) -> TwoValued | None:
        """``estimate_rows`` of a code of one bit a dimension, for queries of few bits: their product counts bits."""
        return None

    def error_bounds(self, queries_qd: Floats, codes_qb: Codes) -> Floats:
        """How far the estimate of query i with code i may be off, ``(q,)`` float64, for codes that promise it.

        ``queries_qd`` is what ``core_queries`` gave.
        """
        raise NotApplicableError(f"{type(self).__name__} states no error bound")


def encode_checked(codec: Codec, x_nd: Floats) -> Codes:
    """Encode, and check the codes of a codec that may be a plugin's.

    Returns:
        ``(n, code_bytes)`` uint8 in C order.

    Raises:
        VqbenchError: another dtype or shape, which NumPy would cut or repeat where codes are kept, or another number
            of bytes than the ledger counts.
    """
    codes_nb = codec.encode(x_nd)
    as_bytes = isinstance(codes_nb, np.ndarray) and codes_nb.dtype == np.uint8 and codes_nb.ndim == 2
    if not as_bytes or len(codes_nb) != len(x_nd):
        raise VqbenchError(
            f"{type(codec).__name__}.encode gives {_dtype_and_shape(codes_nb)}: must give uint8 "
            f"({len(x_nd)}, bytes of a code), the bytes that are stored. Pack bits, and turn wider numbers into bytes "
            "with .view(np.uint8)"
        )
    counted = codec.ledger().total("vector")
    if codes_nb.shape[1] != counted:
        raise VqbenchError(f"a code has {codes_nb.shape[1]} bytes, its ledger says {counted:g}: count what is stored")
    return np.ascontiguousarray(codes_nb)


def decode_checked(codec: Codec, codes_nb: Codes) -> Floats:
    """Decode, and check the vectors: ``(n, d)`` finite float32 or float64, else VqbenchError."""
    x_nd = codec.decode(codes_nb)
    wanted = f"({len(codes_nb)}, {codec.d})"
    if _dtype_and_shape(x_nd) not in (f"float32 {wanted}", f"float64 {wanted}"):
        raise VqbenchError(
            f"{type(codec).__name__}.decode gives {_dtype_and_shape(x_nd)}: must give float32 {wanted}, a vector for "
            "each code"
        )
    if not np.isfinite(x_nd).all():
        row = int(np.flatnonzero(~np.isfinite(x_nd).all(axis=1))[0])
        raise VqbenchError(
            f"{type(codec).__name__}.decode gives NaN or infinity, for code {row} of {len(x_nd)} first: must give "
            "finite numbers"
        )
    return x_nd


def _dtype_and_shape(value: object) -> str:
    """Dtype and shape of an array, the type of anything else."""
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
