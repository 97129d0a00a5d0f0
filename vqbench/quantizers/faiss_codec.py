"""Any standalone codec of faiss, by its factory string: product, additive and scalar quantizers, LSH, ITQ, RaBitQ.

faiss trains; what it learned is taken out of its index and held as plain arrays. Encoding and decoding
use a second index, made from the factory string and those arrays only, so that nothing can be in use
that the ledger does not count. Rotations, and the signs of LSH, are done here: faiss multiplies by BLAS,
whose rounding depends on the other rows.
Extra: ``pip install 'vqbench[faiss]'``. Factory strings: https://github.com/facebookresearch/faiss/wiki/The-index-factory
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from vqbench.arrays import Codes, Floats, content_keys, drawn, row_norms
from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.ledger import Item, Ledger
from vqbench.packing import pack_bits, unpack_bits
from vqbench.products import exact_product, on_grid
from vqbench.quantizers.base import Codec, Quantizer

_PLACEHOLDER = re.compile(r"\{d((?:[*/][1-9]\d*)*)\}")
_BEYOND = 1e15  # faiss squares in float32: larger components are cut off before it sees them
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
        if not self.factory or set(_PLACEHOLDER.sub("", self.factory)) & set("{}"):
            raise VqbenchError(f"factory = {self.factory!r}: in braces it takes d, * and / by whole numbers: PQ{{d/8}}")
        if self.train < 1:
            raise VqbenchError(f"train = {self.train}: must be at least 1")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Codec:
        faiss = _faiss()
        d, factory = sample_nd.shape[1], self.at(sample_nd.shape[1])
        seed = int(rng.integers(2**31))
        rows = drawn(content_keys(sample_nd), self.train, seed, "faiss")
        outer = _made(faiss, d, factory)
        _check_rows(_chain(faiss, outer), len(rows), faiss)
        with _one_thread(faiss):
            kept = _prepare(faiss, outer, seed)
            try:
                outer.train(np.ascontiguousarray(sample_nd[rows]))
            except RuntimeError as error:
                raise NotApplicableError(f"{factory}: faiss cannot train on {len(rows)} rows: {_said(error)}") from None
        del kept
        inner, steps = _inner(faiss, outer), [_step(faiss, transform) for transform in _chain(faiss, outer)]
        if isinstance(inner, faiss.IndexLSH):
            steps += [_step(faiss, inner.rrot)] if inner.rotate_data else []
            return FaissSigns(
                d=d, bits=inner.nbits, steps=tuple(steps), thresholds=faiss.vector_to_array(inner.thresholds)
            )
        parts = tuple(faiss.vector_to_array(getattr(owner, name)) for owner, name in _slots(faiss, inner))
        return FaissIndex(d=d, factory=factory, steps=tuple(steps), parts=parts, code_bytes=inner.sa_code_size())

    def at(self, d: int) -> str:
        """The factory string for ``d`` dimensions."""

        def worth(found: re.Match[str]) -> str:
            value = Fraction(d)
            for sign, number in re.findall(r"([*/])(\d+)", found[1]):
                value = value * int(number) if sign == "*" else value / int(number)
            if value.denominator != 1:
                raise NotApplicableError(f"factory = {self.factory!r}: {found[0]} is no whole number at d = {d}")
            return str(value)

        return _PLACEHOLDER.sub(worth, self.factory)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A map before the codes: minus ``mean``, to unit length if there is a mean (ITQ), times ``matrix``, plus ``bias``.

    matrix_wd: ``(width, d)`` float32 with orthonormal rows or columns, on the grid of ``exact_product``.
    mean_d, bias_w: float32; empty where faiss has none.
    """

    matrix_wd: Floats
    bias_w: Floats
    mean_d: Floats

    def apply(self, x_nd: Floats) -> Floats:
        x_nd = np.clip(x_nd, -_BEYOND, _BEYOND).astype(np.float64)
        if self.mean_d.size:
            x_nd = x_nd - self.mean_d
            norms_n = row_norms(x_nd)
            x_nd /= np.where(norms_n == 0, 1, norms_n)[:, None]
        y_nw = exact_product(x_nd, self.matrix_wd.T)
        return (y_nw + self.bias_w if self.bias_w.size else y_nw).astype(np.float32)

    def restore(self, y_nw: Floats) -> Floats:
        y_nw = np.asarray(y_nw, np.float64) - self.bias_w if self.bias_w.size else y_nw
        x_nd = exact_product(y_nw, self.matrix_wd)
        return (x_nd + self.mean_d if self.mean_d.size else x_nd).astype(np.float32)


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
        faiss = _faiss()
        outer = _made(faiss, self.d, self.factory)
        inner = _inner(faiss, outer)
        for (owner, name), part in zip(_slots(faiss, inner), self.parts, strict=True):
            faiss.copy_array_to_vector(part, getattr(owner, name))
            if hasattr(owner, "is_trained"):
                owner.is_trained = True
        if isinstance(inner, faiss.IndexProductResidualQuantizer):
            faiss.copy_array_to_vector(np.concatenate(self.parts), inner.prq.codebooks)
            inner.prq.is_trained = True
        inner.is_trained = True
        return inner, outer

    def encode(self, x_nd: Floats) -> Codes:
        faiss, inner = _faiss(), self._index[0]
        half = isinstance(inner, faiss.IndexScalarQuantizer) and inner.sq.qtype == faiss.ScalarQuantizer.QT_fp16
        most = _HALF if half else _BEYOND
        y_nw = np.ascontiguousarray(np.clip(self._mapped(x_nd), -most, most), dtype=np.float32)
        # Where faiss compares by BLAS, a row's code may depend on its neighbours, unless it has none.
        size = len(y_nw) if _pure(faiss, inner) else 1
        codes_nb = np.empty((len(y_nw), self.code_bytes), np.uint8)
        with _one_thread(faiss):
            for start in range(0, len(y_nw), max(size, 1)):
                inner.sa_encode(y_nw[start : start + size], codes=codes_nb[start : start + size])
        return codes_nb

    def decode(self, codes_nb: Codes) -> Floats:
        with _one_thread(_faiss()):
            return self._restored(self._index[0].sa_decode(np.ascontiguousarray(codes_nb)))

    def ledger(self) -> Ledger:
        return Ledger.of_bits(bits=8 * self.code_bytes, once=self._once(self.parts))


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise NotApplicableError("faiss is not installed: pip install 'vqbench[faiss]'") from None
    return faiss


@contextmanager
def _one_thread(faiss: Any) -> Iterator[None]:
    """faiss on one thread, which OpenMP counts for each calling thread apart: sums keep their order."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _made(faiss: Any, d: int, factory: str) -> Any:
    try:
        return faiss.index_factory(d, factory)
    except RuntimeError as error:
        kind = VqbenchError if "could not parse" in str(error) else NotApplicableError
        raise kind(f"factory {factory} at d = {d}: faiss says: {_said(error)}") from None


def _said(error: RuntimeError) -> str:
    """What a faiss error says, without the place in its source."""
    return re.sub(r"^.*\.cpp:\d+: (Error: )?", "", str(error), flags=re.DOTALL).strip()


def _chain(faiss: Any, outer: Any) -> list[Any]:
    """The transforms before the codes."""
    if not isinstance(outer, faiss.IndexPreTransform):
        return []
    return [faiss.downcast_VectorTransform(outer.chain.at(i)) for i in range(outer.chain.size())]


def _inner(faiss: Any, outer: Any) -> Any:
    """The index that codes. Raises NotApplicableError where its code does not say all, or depends on neighbours."""
    inner = faiss.downcast_index(outer.index) if isinstance(outer, faiss.IndexPreTransform) else outer
    name = type(inner).__name__
    if "LocalSearch" in name:
        raise NotApplicableError(f"{name} starts each row from random numbers by its place in the batch: use RQ or PRQ")
    if isinstance(inner, faiss.IndexRaBitQ) and inner.rabitq.nb_bits > 1:
        raise NotApplicableError("faiss decodes the first bit of a RaBitQ code only: use RaBitQ, or vqbench's own")
    additive = getattr(inner, "rq", None) or getattr(inner, "prq", None)
    if additive is not None and additive.norm_bits:
        raise NotApplicableError(f"{name}: decoding leaves the stored norms unused: leave _N... out of the factory")
    if isinstance(inner, faiss.IndexLSH) and not inner.rotate_data and inner.nbits != inner.d:
        raise NotApplicableError(f"LSH of {inner.nbits} bits at d = {inner.d} drops dimensions: use LSH{inner.nbits}r")
    if not isinstance(inner, faiss.IndexLSH):
        _slots(faiss, inner)
    return inner


def _slots(faiss: Any, inner: Any) -> list[tuple[Any, str]]:
    """Where the index keeps what it learns: objects and the names of their arrays."""
    if isinstance(inner, (faiss.IndexPQ, faiss.IndexPQFastScan)):
        return [(inner.pq, "centroids")]
    if isinstance(inner, faiss.IndexScalarQuantizer):
        return [(inner.sq, "trained")]
    if isinstance(inner, faiss.IndexResidualQuantizer):
        return [(inner.rq, "codebooks")]
    if isinstance(inner, faiss.IndexProductResidualQuantizer):
        splits = [inner.prq.subquantizer(i) for i in range(inner.prq.nsplits)]
        return [(faiss.downcast_AdditiveQuantizer(split), "codebooks") for split in splits]
    if isinstance(inner, faiss.IndexRaBitQ):
        return [(inner, "center")]
    raise NotApplicableError(f"{type(inner).__name__} has no codec of its own here: use PQ, RQ, PRQ, SQ, LSH or RaBitQ")


def _pure(faiss: Any, inner: Any) -> bool:
    """Whether faiss codes each row of a batch by itself; PQ does below 16 dimensions a code."""
    if isinstance(inner, (faiss.IndexPQ, faiss.IndexPQFastScan)):
        return inner.pq.dsub < 16
    return isinstance(inner, (faiss.IndexScalarQuantizer, faiss.IndexRaBitQ))


def _check_rows(transforms: list[Any], n: int, faiss: Any) -> None:
    """OPQ and ITQ turn all dimensions: fewer rows leave most of the rotation to chance, at great cost."""
    for transform in transforms:
        if isinstance(transform, (faiss.OPQMatrix, faiss.ITQTransform)) and n < transform.d_in:
            name = type(transform).__name__
            raise NotApplicableError(f"{name} needs at least d = {transform.d_in} rows, got {n}: calibrate on more")


def _prepare(faiss: Any, outer: Any, seed: int) -> list[Any]:
    """Seeds wherever faiss lets them be set; returns what must outlive the training."""
    inner, kept = _inner(faiss, outer), []
    trained = [owner for owner, _ in _slots(faiss, inner)] if not isinstance(inner, faiss.IndexLSH) else []
    for transform in _chain(faiss, outer):
        if isinstance(transform, faiss.OPQMatrix):
            kept.append(faiss.ProductQuantizer(transform.d_out, transform.M, 8))  # what OPQ makes by itself
            transform.pq = kept[-1]
        elif isinstance(transform, faiss.RandomRotationMatrix):
            transform.init(seed)
        elif isinstance(transform, faiss.ITQTransform):
            transform.itq.seed = seed
    for owner in (*trained, *kept):
        if hasattr(owner, "cp"):
            owner.cp.seed, owner.cp.min_points_per_centroid = seed, 1  # no warning on standard error
    if isinstance(inner, faiss.IndexLSH) and inner.rotate_data:
        inner.rrot.init(seed)
    if isinstance(inner, faiss.IndexPQ):
        inner.do_polysemous_training = False  # it renumbers the centroids, which changes no decoded vector
    return kept


def _step(faiss: Any, transform: Any) -> Step:
    """A trained transform as arrays; raises NotApplicableError where it has no way back."""
    mean_d = np.empty(0, np.float32)
    if isinstance(transform, faiss.ITQTransform):
        mean_d, transform = faiss.vector_to_array(transform.mean), transform.pca_then_itq
    name = type(transform).__name__
    if not isinstance(transform, faiss.LinearTransform):
        raise NotApplicableError(f"{name} is none of PCA, OPQ, RR and ITQ: use a transform of vqbench before faiss")
    matrix_wd = faiss.vector_to_array(transform.A).reshape(transform.d_out, transform.d_in)
    wide = transform.d_out > transform.d_in
    gram = matrix_wd.T @ matrix_wd if wide else matrix_wd @ matrix_wd.T
    if np.abs(gram - np.eye(len(gram))).max() > 1e-3:
        raise NotApplicableError(f"{name} is not orthonormal, so its transpose does not lead back: use PCA, not PCAW")
    bias_w = faiss.vector_to_array(transform.b) if transform.have_bias else np.empty(0, np.float32)
    # The grid of the longer vectors holds for products with the matrix and with its transpose.
    return Step(matrix_wd=on_grid(matrix_wd) if wide else on_grid(matrix_wd.T).T, bias_w=bias_w, mean_d=mean_d)
