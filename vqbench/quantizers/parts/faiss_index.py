"""What is taken out of faiss' indexes: their parts, their rules, their transforms as plain arrays.

Extra: ``pip install 'vqbench[faiss]'``; imported only where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import Floats, row_norms
from vqbench.numerics.exact_products import exact_product, on_grid

PLACEHOLDER = re.compile(r"\{d((?:[*/][1-9]\d*)*)\}")
BEYOND = 1e15  # faiss squares in float32: larger components are cut off before it sees them


@dataclass(frozen=True, kw_only=True)
class Step:
    """A map before the codes: minus mean, to unit length if there is a mean (ITQ), times matrix, plus bias."""

    matrix_wd: Floats  # ``(width, d)`` float32 with orthonormal rows or columns, on the grid of ``exact_product``
    bias_w: Floats  # float32, empty where faiss has none, as the mean
    mean_d: Floats

    def apply(self, x_nd: Floats) -> Floats:
        x_nd = np.clip(x_nd, -BEYOND, BEYOND).astype(np.float64)
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


def load_faiss() -> Any:
    """The module; NotApplicableError where it is not installed."""
    try:
        import faiss  # pyright: ignore[reportMissingImports]  # an extra
    except ImportError:
        raise NotApplicableError("faiss is not installed: pip install 'vqbench[faiss]'") from None
    return faiss


@contextmanager
def one_thread(faiss: Any) -> Iterator[None]:
    """faiss on one thread, which OpenMP counts for each calling thread apart: sums keep their order."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def fill_factory(factory: str, d: int) -> str:
    """The factory string for ``d`` dimensions: ``{d}`` stands for them, as in ``PQ{d/8}x8``."""

    def value_of(placeholder: re.Match[str]) -> str:
        value = Fraction(d)
        for sign, number in re.findall(r"([*/])(\d+)", placeholder[1]):
            value = value * int(number) if sign == "*" else value / int(number)
        if value.denominator != 1:
            raise NotApplicableError(f"factory = {factory!r}: {placeholder[0]} is no whole number at d = {d}")
        return str(value)

    return PLACEHOLDER.sub(value_of, factory)


def build_index(faiss: Any, d: int, factory: str, metric: int | None = None) -> Any:
    """What the factory builds. By default for L2; for RaBitQ, whose codes differ by the metric, for inner products."""
    usual = faiss.METRIC_INNER_PRODUCT if "RaBitQ" in factory else faiss.METRIC_L2
    try:
        return faiss.index_factory(d, factory, usual if metric is None else metric)
    except RuntimeError as error:
        kind = VqbenchError if "could not parse" in str(error) else NotApplicableError
        raise kind(f"factory {factory} at d = {d}: faiss says: {faiss_message(error)}") from None


def faiss_message(error: RuntimeError) -> str:
    """What a faiss error says, without the place in its source."""
    return re.sub(r"^.*\.cpp:\d+: (Error: )?", "", str(error), flags=re.DOTALL).strip()


def transforms_of(faiss: Any, outer: Any) -> list[Any]:
    """The transforms before the codes."""
    if not isinstance(outer, faiss.IndexPreTransform):
        return []
    return [faiss.downcast_VectorTransform(outer.chain.at(i)) for i in range(outer.chain.size())]


def inner_of(faiss: Any, outer: Any) -> Any:
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
        slots_of(faiss, inner)
    return inner


def slots_of(faiss: Any, inner: Any) -> list[tuple[Any, str]]:
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


def codes_rows_alone(faiss: Any, inner: Any) -> bool:
    """Whether faiss codes each row of a batch by itself; PQ does below 16 dimensions a code."""
    if isinstance(inner, (faiss.IndexPQ, faiss.IndexPQFastScan)):
        return inner.pq.dsub < 16
    return isinstance(inner, (faiss.IndexScalarQuantizer, faiss.IndexRaBitQ))


def check_rows(transforms: list[Any], n: int, faiss: Any) -> None:
    """OPQ and ITQ turn all dimensions: fewer rows leave most of the rotation to chance, at great cost."""
    for transform in transforms:
        if isinstance(transform, (faiss.OPQMatrix, faiss.ITQTransform)) and n < transform.d_in:
            name = type(transform).__name__
            raise NotApplicableError(f"{name} needs at least d = {transform.d_in} rows, got {n}: calibrate on more")


def set_seeds(faiss: Any, outer: Any, seed: int) -> list[Any]:
    """Seeds wherever faiss lets them be set; returns what must outlive the training."""
    inner, kept = inner_of(faiss, outer), []
    trained = [owner for owner, _ in slots_of(faiss, inner)] if not isinstance(inner, faiss.IndexLSH) else []
    for transform in transforms_of(faiss, outer):
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


def step_of(faiss: Any, transform: Any) -> Step:
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
