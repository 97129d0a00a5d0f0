"""Any standalone codec of faiss, by its factory string: product, additive and scalar quantizers, LSH, ITQ, RaBitQ.

faiss trains; what it learned is taken out of its index and held as plain arrays. Encoding and decoding
use a second index, made from the factory string and those arrays only, so that nothing can be in use
that the ledger does not count. Rotations, and the signs of LSH, are done here: faiss multiplies by BLAS,
whose rounding depends on the other rows.
Extra: ``pip install 'vqbench[faiss]'``. Factory strings: https://github.com/facebookresearch/faiss/wiki/The-index-factory
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import Codes, Floats, row_dots
from vqbench.numerics.draws import content_keys, drawn
from vqbench.numerics.packing import pack_bits, unpack_bits
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.faiss_index import (
    BEYOND,
    PLACEHOLDER,
    Step,
    check_rows,
    codes_rows_alone,
    filled,
    inner_of,
    load_faiss,
    made,
    one_thread,
    prepare,
    said,
    slots_of,
    step_of,
    transforms_of,
)
from vqbench.quantizers.parts.ledger import Item, Ledger

_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, kw_only=True)
class FaissCodec(Quantizer):
    """The codec that ``faiss.index_factory`` builds, as ``PQ{d/8}x8`` or ``OPQ16,PQ16x8``.

    factory: ``{d}`` stands for the dimensions, and may be multiplied or divided by whole numbers.
    train: learn from at most so many rows, drawn by their content, so that their order does not matter.
    Raises NotApplicableError where faiss is not installed, refuses d or the sample, or has no codec
    that decodes a row by what its code alone says.
    """

    factory: str
    train: int = 65_536

    def __post_init__(self) -> None:
        if not self.factory or set(PLACEHOLDER.sub("", self.factory)) & set("{}"):
            raise VqbenchError(f"factory = {self.factory!r}: in braces it takes d, * and / by whole numbers: PQ{{d/8}}")
        if self.train < 1:
            raise VqbenchError(f"train = {self.train}: must be at least 1")

    @property
    def computed_by(self) -> str:
        """faiss, as far as it is installed."""
        try:
            return f"faiss {load_faiss().__version__}"
        except NotApplicableError:
            return ""

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        faiss = load_faiss()
        d, factory = sample_nd.shape[1], self.at(sample_nd.shape[1])
        seed = int(rng.integers(2**31))
        rows = drawn(content_keys(sample_nd), self.train, seed, "faiss")
        outer = made(faiss, d, factory)
        check_rows(transforms_of(faiss, outer), len(rows), faiss)
        with one_thread(faiss):
            kept = prepare(faiss, outer, seed)
            try:
                outer.train(np.ascontiguousarray(sample_nd[rows]))
            except RuntimeError as error:
                raise NotApplicableError(f"{factory}: faiss cannot train on {len(rows)} rows: {said(error)}") from None
        del kept
        inner, steps = inner_of(faiss, outer), [step_of(faiss, transform) for transform in transforms_of(faiss, outer)]
        if isinstance(inner, faiss.IndexLSH):
            steps += [step_of(faiss, inner.rrot)] if inner.rotate_data else []
            return FaissSigns(
                d=d, bits=inner.nbits, steps=tuple(steps), thresholds=faiss.vector_to_array(inner.thresholds)
            )
        parts = tuple(faiss.vector_to_array(getattr(owner, name)) for owner, name in slots_of(faiss, inner))
        return FaissIndex(d=d, factory=factory, steps=tuple(steps), parts=parts, code_bytes=inner.sa_code_size())

    def at(self, d: int) -> str:
        """The factory string for ``d`` dimensions."""
        return filled(self.factory, d)


@dataclass(frozen=True, kw_only=True)
class _Fitted(Codec):
    """What both kinds of codec share: the steps before the codes."""

    steps: tuple[Step, ...]

    def _mapped(self, x_nd: Floats) -> Floats:
        for step in self.steps:
            x_nd = step.apply(x_nd)
        return x_nd

    def _restored(self, y_nw: Floats) -> Floats:
        for step in reversed(self.steps):
            y_nw = step.restore(y_nw)
        return np.ascontiguousarray(y_nw, dtype=np.float32)

    def _once(self, parts: tuple[Floats, ...]) -> list[Item]:
        learned = [
            (field.name.split("_")[0], getattr(step, field.name)) for step in self.steps for field in fields(step)
        ]
        learned += [("codebooks", part) for part in parts]
        return [Item(f"faiss {name}", "once", part.nbytes) for name, part in learned if part.size]


@dataclass(frozen=True, kw_only=True)
class FaissSigns(_Fitted):
    """LSH and ITQ: the signs of the mapped row, packed with the first bit highest (faiss: lowest).

    A code decodes to its signs, at length 1 after ITQ, which gave up the length, mapped back.
    """

    bits: int
    thresholds: Floats

    is_binary = True

    @property
    def code_bits(self) -> int:
        return self.bits

    def encode(self, x_nd: Floats) -> Codes:
        return pack_bits(self._mapped(x_nd) >= (self.thresholds if self.thresholds.size else 0))

    def decode(self, codes_nb: Codes) -> Floats:
        signs_nw = unpack_bits(codes_nb, self.bits).astype(np.float32) * 2 - 1
        if any(step.mean_d.size for step in self.steps):
            return self._restored(signs_nw / np.sqrt(self.bits))
        return self._restored(signs_nw + self.thresholds if self.thresholds.size else signs_nw)

    def ledger(self) -> Ledger:
        return Ledger.of_bits(bits=self.bits, once=self._once((self.thresholds,)))


@dataclass(frozen=True, kw_only=True)
class FaissIndex(_Fitted):
    """``parts``: the float32 arrays that the index learned; the index itself is made from them when needed."""

    factory: str
    parts: tuple[Floats, ...]
    code_bytes: int

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _index(self) -> tuple[Any, Any]:
        """The inner index, filled, and the one that owns it."""
        faiss = load_faiss()
        outer = made(faiss, self.d, self.factory)
        inner = inner_of(faiss, outer)
        for (owner, name), part in zip(slots_of(faiss, inner), self.parts, strict=True):
            faiss.copy_array_to_vector(part, getattr(owner, name))
            if hasattr(owner, "is_trained"):
                owner.is_trained = True
        if isinstance(inner, faiss.IndexProductResidualQuantizer):
            faiss.copy_array_to_vector(np.concatenate(self.parts), inner.prq.codebooks)
            inner.prq.is_trained = True
        inner.is_trained = True
        return inner, outer

    def encode(self, x_nd: Floats) -> Codes:
        faiss, inner = load_faiss(), self._index[0]
        half = isinstance(inner, faiss.IndexScalarQuantizer) and inner.sq.qtype == faiss.ScalarQuantizer.QT_fp16
        most = _HALF if half else BEYOND
        y_nw = np.ascontiguousarray(np.clip(self._mapped(x_nd), -most, most), dtype=np.float32)
        # Where faiss compares by BLAS, a row's code may depend on its neighbours, unless it has none.
        size = len(y_nw) if codes_rows_alone(faiss, inner) else 1
        codes_nb = np.empty((len(y_nw), self.code_bytes), np.uint8)
        with one_thread(faiss):
            for start in range(0, len(y_nw), max(size, 1)):
                inner.sa_encode(y_nw[start : start + size], codes=codes_nb[start : start + size])
        return codes_nb

    def decode(self, codes_nb: Codes) -> Floats:
        with one_thread(load_faiss()):
            return self._restored(self._index[0].sa_decode(np.ascontiguousarray(codes_nb)))

    @property
    def _centre_d(self) -> Floats | None:
        """RaBitQ's centre; None for other codes, whose estimate is the product with the decoded vector."""
        return self.parts[0].astype(np.float64) if "RaBitQ" in self.factory else None

    def estimate_queries(self, met_qd: Floats) -> Floats:
        """RaBitQ: with a 1 behind, for the term of a row alone."""
        queries_qd = met_qd.astype(np.float64)
        return queries_qd if self._centre_d is None else np.pad(queries_qd, ((0, 0), (0, 1)), constant_values=1)

    def estimate_rows(self, codes_nb: Codes) -> Floats:
        """RaBitQ of x around c knows x . c exactly: the first float behind its bits is |x - c|^2 - |x|^2.

        Its estimate (RaBitQuantizer.cpp of faiss, metric inner product) is q . y + x . c - y . c, y the decoded row.
        """
        rows_nd, centre_d = self.decode(codes_nb).astype(np.float64), self._centre_d
        if centre_d is None:
            return rows_nd
        bits = -(-len(centre_d) // 8)
        known_n = np.ascontiguousarray(codes_nb[:, bits : bits + 4]).view(np.float32)[:, 0].astype(np.float64)
        with one_thread(load_faiss()):
            inner_nd = self._index[0].sa_decode(np.ascontiguousarray(codes_nb))
        along_n = (row_dots(centre_d[None, :], centre_d)[0] - known_n) / 2 - row_dots(inner_nd, centre_d)
        return np.column_stack([rows_nd, along_n])

    def ledger(self) -> Ledger:
        return Ledger.of_bits(bits=8 * self.code_bytes, once=self._once(self.parts))
