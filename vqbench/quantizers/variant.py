"""A variant: transforms, a quantizer, and the similarity under which its codes are searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Bools, Codes, Floats, Ints
from vqbench.quantizers.base import Codec, Quantizer, Similarity, decode_checked, encode_checked
from vqbench.quantizers.parts.ledger import Ledger
from vqbench.quantizers.parts.spec import Count, check_fields
from vqbench.quantizers.parts.stored import stored_arrays
from vqbench.quantizers.transforms.base import FittedTransform, Transform


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What one YAML under conf/quantizer describes.

    >>> from vqbench.quantizers.binary import Binary
    >>> from vqbench.quantizers.transforms.center import Center
    >>> variant = Variant(transforms=[Center()], quantizer=Binary(), similarity="hamming")
    >>> x_nd = np.float32([[0, 2], [4, 6]])
    >>> codec = variant.fit(x_nd, seed=0)
    >>> codec.encode(x_nd)
    array([[  0],
           [192]], dtype=uint8)
    >>> [(item.name, item.scope, item.bytes) for item in codec.ledger().items]
    [('code', 'vector', 0.25), ('padding', 'vector', 0.75), ('mean', 'once', 8)]
    """

    quantizer: Quantizer
    #: How a query is compared with codes.
    similarity: Similarity = "decoded"
    #: Applied to every row before the quantizer, in this order.
    transforms: Sequence[Transform] = ()
    #: The quantizer of queries under the similarities ``asymmetric`` and ``estimate``; null leaves them float.
    query: Quantizer | None = None
    #: Rows to learn from, at most (null: the run's setting).
    calibration: Count | None = None
    #: How those rows are chosen: at random, the first ones in their order, or the first ones by the value of the first
    #: dimension, as in a corpus that is stored in some order of meaning.
    draw: Literal["uniform", "prefix", "sorted"] = "uniform"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.query is not None and self.similarity not in ("asymmetric", "estimate"):
            raise VqbenchError(f"query: similarity {self.similarity} takes no query quantizer")

    @property
    def libraries(self) -> tuple[str, ...]:
        """The libraries, each with its version, that compute codes of this variant; see ``Spec.computed_by``."""
        parts = (self.quantizer, *self.transforms, *([] if self.query is None else [self.query]))
        return tuple(sorted({part.computed_by for part in parts} - {""}))

    def fit(self, sample_nd: Floats, seed: int) -> Codec:
        """Fit the transforms and the quantizer, each with random numbers of its own, by its place.

        Args:
            sample_nd: float32 ``(n, d)``, the calibration sample.
            seed: the same seed and sample give the same codec.
        """
        first, second, *rest = np.random.SeedSequence(seed).spawn(2 + len(self.transforms))
        steps = []
        for transform, part in zip(self.transforms, rest, strict=True):
            steps.append(transform.fit(sample_nd, np.random.default_rng(part)))
            sample_nd = steps[-1].apply(sample_nd)
        core = self.quantizer.fit(sample_nd, np.random.default_rng(first))
        query = None if self.query is None else self.query.fit(sample_nd, np.random.default_rng(second))
        if not steps and query is None:
            return core
        return TransformedCodec(d=steps[0].d if steps else core.d, steps=tuple(steps), last=core, query=query)


@dataclass(frozen=True, kw_only=True)
class TransformedCodec(Codec):
    """A codec behind transforms, and the quantizer of its queries."""

    steps: tuple[FittedTransform, ...]
    last: Codec
    query: Codec | None

    @property
    def core(self) -> Codec:
        return self.last

    @property
    def is_binary(self) -> bool:  # type: ignore[override]
        return self.last.is_binary

    def project(self, x_nd: Floats) -> Floats:
        for step in self.steps:
            x_nd = step.apply(x_nd)
        return x_nd

    def core_queries(self, queries_qd: Floats) -> Floats:
        queries_qd = self.project(queries_qd)
        return queries_qd if self.query is None else decode_checked(self.query, encode_checked(self.query, queries_qd))

    def encode(self, x_nd: Floats) -> Codes:
        return encode_checked(self.last, self.project(x_nd))

    def decode(self, codes_nb: Codes) -> Floats:
        y_nd = decode_checked(self.last, codes_nb)
        for step in reversed(self.steps):
            y_nd = step.restore(y_nd)
        return y_nd

    def integers(self, codes_nb: Codes) -> Ints:
        return self.last.integers(codes_nb)

    def clipped(self, x_nd: Floats) -> Bools:
        return self.last.clipped(self.project(x_nd))

    def ledger(self) -> Ledger:
        """The core's, and what the transforms and the query's quantizer store once."""
        ledger = self.last.ledger()
        once = [item for step in self.steps for item in step.items()]
        if self.query is not None and not _learned_the_same(self.query, self.last):
            items = [item for item in self.query.ledger().items if item.scope == "once"]
            once += [replace(item, name=f"query {item.name}") for item in items]
        return Ledger((*ledger.items, *once))


def _learned_the_same(query: Codec, core: Codec) -> bool:
    """Whether the queries' codec holds the same arrays as the documents' codec, which need not be stored twice."""
    arrays, others = stored_arrays(query), stored_arrays(core)
    return type(query) is type(core) and all(np.array_equal(arrays[name], others[name]) for name in arrays)
