"""A variant: transforms, a quantizer, and the similarity under which its codes are searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Bools, Codes, Floats, Ints
from vqbench.quantizers.base import Codec, Quantizer, Similarity, coded, decoded
from vqbench.quantizers.parts.ledger import Ledger
from vqbench.quantizers.transforms.base import Fitted, Transform

Draw = Literal["uniform", "prefix", "sorted"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What one YAML under conf/quantizer describes.

    transforms: done to every row before the quantizer, in this order. query: the quantizer that
    coarsens queries under the similarities ``asymmetric`` and ``estimate``; none leaves them float.
    calibration: at most so many rows to learn from (none: the run's setting), and how they are
    drawn: ``uniform``; the first rows in their order (``prefix``); or the first by the value of
    the first dimension (``sorted``), as a corpus that is stored in some order of meaning would give.
    """

    quantizer: Quantizer
    similarity: Similarity = "decoded"
    transforms: Sequence[Transform] = ()
    query: Quantizer | None = None
    calibration: int | None = None
    draw: Draw = "uniform"

    def __post_init__(self) -> None:
        if self.query is not None and self.similarity not in ("asymmetric", "estimate"):
            raise VqbenchError(f"query: similarity {self.similarity} takes no query quantizer")
        if self.calibration is not None and self.calibration < 1:
            raise VqbenchError(f"calibration = {self.calibration}: must be at least 1")

    @property
    def libraries(self) -> tuple[str, ...]:
        """The libraries, each with its version, that compute codes of this variant; see ``Quantizer.computed_by``."""
        parts = (self.quantizer, *self.transforms, *([] if self.query is None else [self.query]))
        return tuple(sorted({part.computed_by for part in parts} - {""}))

    def fit(self, sample_nd: Floats, seed: int) -> Codec:
        """The codec, transforms and all. Each part has random numbers of its own, by its place."""
        first, second, *rest = np.random.SeedSequence(seed).spawn(2 + len(self.transforms))
        fitted = []
        for transform, part in zip(self.transforms, rest, strict=True):
            fitted.append(transform.fit(sample_nd, np.random.default_rng(part)))
            sample_nd = fitted[-1].apply(sample_nd)
        core = self.quantizer.fit(sample_nd, np.random.default_rng(first))
        query = None if self.query is None else self.query.fit(sample_nd, np.random.default_rng(second))
        if not fitted and query is None:
            return core
        return Chain(d=fitted[0].d if fitted else core.d, steps=tuple(fitted), last=core, query=query)


@dataclass(frozen=True, kw_only=True)
class Chain(Codec):
    """A codec behind transforms, and the quantizer of its queries."""

    steps: tuple[Fitted, ...]
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

    def met(self, queries_qd: Floats) -> Floats:
        met_qd = self.project(queries_qd)
        return met_qd if self.query is None else decoded(self.query, coded(self.query, met_qd))

    def encode(self, x_nd: Floats) -> Codes:
        return coded(self.last, self.project(x_nd))

    def decode(self, codes_nb: Codes) -> Floats:
        y_nd = decoded(self.last, codes_nb)
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
        if self.query is not None and not _alike(self.query, self.last):
            once += [
                replace(item, name=f"query {item.name}") for item in self.query.ledger().items if item.scope == "once"
            ]
        return Ledger((*ledger.items, *once))


def _alike(query: Codec, core: Codec) -> bool:
    """Whether the queries' codec learned nothing but what the documents' codec holds already."""
    arrays = [field.name for field in fields(query) if isinstance(getattr(query, field.name), np.ndarray)]
    return type(query) is type(core) and all(
        np.array_equal(getattr(query, name), getattr(core, name)) for name in arrays
    )
