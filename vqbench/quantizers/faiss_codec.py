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
from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.faiss_index import (
    BEYOND,
    PLACEHOLDER,
    Step,
    build_index,
    check_rows,
    codes_rows_alone,
    faiss_message,
    fill_factory,
    inner_of,
    load_faiss,
    one_thread,
    set_seeds,
    slots_of,
    step_of,
    transforms_of,
)
from vqbench.quantizers.parts.layout import BlockCodec, Layout
from vqbench.quantizers.parts.ledger import Item, Ledger
from vqbench.quantizers.parts.spec import Count
from vqbench.quantizers.parts.stored import stored_arrays

_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True, kw_only=True)
class FaissCodec(Quantizer):
    """The codec that ``faiss.index_factory`` builds, as ``PQ{d/8}x8`` or ``OPQ16,PQ16x8``.

    ``fit`` raises NotApplicableError where faiss is not installed, rejects d or the sample, or has no codec
    that decodes a row from its code alone.

    >>> FaissCodec(factory="PQ{d/8}x8").factory_at(384)
    'PQ48x8'
    """

    factory: str  # ``{d}`` stands for the dimensions, and may be multiplied or divided by whole numbers
    train: Count = 65_536  # rows to learn from, at most, drawn by their content, so that their order does not matter

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.factory or set(PLACEHOLDER.sub("", self.factory)) & set("{}"):
            raise VqbenchError(f"factory = {self.factory!r}: in braces it takes d, * and / by whole numbers: PQ{{d/8}}")

    @property
    def computed_by(self) -> str:
        """faiss, as far as it is installed."""
        try:
            return f"faiss {load_faiss().__version__}"
        except NotApplicableError:
            return ""

    def factory_at(self, d: int) -> str:
        """The factory string for ``d`` dimensions."""
        return fill_factory(self.factory, d)

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        faiss, d = load_faiss(), sample_nd.shape[1]
        factory, seed = self.factory_at(d), int(rng.integers(2**31))
        rows = drawn(content_keys(sample_nd), self.train, seed, "faiss")
        outer = build_index(faiss, d, factory)
        check_rows(transforms_of(faiss, outer), len(rows), faiss)
        with one_thread(faiss):
            must_outlive_training = set_seeds(faiss, outer, seed)
            try:
                outer.train(np.ascontiguousarray(sample_nd[rows]))
            except RuntimeError as error:
                raise NotApplicableError(
                    f"{factory}: faiss cannot train on {len(rows)} rows: {faiss_message(error)}"
                ) from None
        del must_outlive_training
        inner, steps = inner_of(faiss, outer), [step_of(faiss, transform) for transform in transforms_of(faiss, outer)]
        if isinstance(inner, faiss.IndexLSH):
            steps += [step_of(faiss, inner.rrot)] if inner.rotate_data else []
            thresholds = faiss.vector_to_array(inner.thresholds)
            return FaissSigns(d=d, bits=inner.nbits, steps=tuple(steps), parts=(thresholds,))
        parts = tuple(faiss.vector_to_array(getattr(owner, name)) for owner, name in slots_of(faiss, inner))
        return FaissIndex(d=d, factory=factory, steps=tuple(steps), parts=parts, code_bytes=inner.sa_code_size())


@dataclass(frozen=True, kw_only=True)
class _SteppedCodec(BlockCodec):
    """What both kinds of codec share: the steps before the codes."""

    steps: tuple[Step, ...]
    parts: tuple[Floats, ...]  # what was learned beside the steps, float32

    numbers_at_once = 2**62  # faiss takes all rows

    def _mapped(self, x_nd: Floats) -> Floats:
        for step in self.steps:
            x_nd = step.apply(x_nd)
        return x_nd

    def _restored(self, y_nw: Floats) -> Floats:
        for step in reversed(self.steps):
            y_nw = step.restore(y_nw)
        return np.ascontiguousarray(y_nw, dtype=np.float32)

    def ledger(self) -> Ledger:
        """Several steps or codebooks have a line each, of the same name."""
        learned = [item for step in self.steps for item in stored_arrays(step).items()]
        learned += [("codebooks", array) for array in self.parts]
        once = [Item(f"faiss {name}", "once", array.nbytes) for name, array in learned if array.size]
        return Ledger.of_bits(bits=self.layout.count * self.layout.bits, once=once)


@dataclass(frozen=True, kw_only=True)
class FaissSigns(_SteppedCodec):
    """LSH and ITQ: the signs of the mapped row, packed with the first bit highest (faiss: lowest).

    A code decodes to its signs, at length 1 after ITQ, which gave up the length, mapped back.
    """

    bits: int

    is_binary = True

    @property
    def code_bits(self) -> int:
        return self.bits

    @property
    def _thresholds(self) -> Floats:
        return self.parts[0]

    def encode_block(self, x_nd: Floats) -> Codes:
        return self.layout.pack(self._mapped(x_nd) >= (self._thresholds if self._thresholds.size else 0))

    def decode(self, codes_nb: Codes) -> Floats:
        signs_nw = self.layout.numbers(codes_nb).astype(np.float32) * 2 - 1
        if any(step.mean_d.size for step in self.steps):
            return self._restored(signs_nw / np.sqrt(self.bits))
        return self._restored(signs_nw + self._thresholds if self._thresholds.size else signs_nw)


@dataclass(frozen=True, kw_only=True)
class FaissIndex(_SteppedCodec):
    """The index itself is made from the arrays when needed."""

    factory: str
    code_bytes: int

    @property
    def layout(self) -> Layout:
        return Layout(count=self.code_bytes, bits=8)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def _index(self) -> tuple[Any, Any]:
        """The inner index, filled, and the one that owns it."""
        faiss = load_faiss()
        outer = build_index(faiss, self.d, self.factory)
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

    def encode_block(self, x_nd: Floats) -> Codes:
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

    def estimate_queries(self, queries_qd: Floats) -> Floats:
        """RaBitQ: with a 1 behind, for the term of a row alone."""
        queries_qd = queries_qd.astype(np.float64)
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
