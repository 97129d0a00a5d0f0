"""A variant's codec on a dataset: fitted to the calibration sample; codes that came with the vectors are looked up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vqbench.datasets.base import Data
from vqbench.datasets.numbers import CodesKind
from vqbench.datasets.provider_codes import variant_name
from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Codes
from vqbench.quantizers.base import Codec
from vqbench.quantizers.parts.provided import Provided
from vqbench.quantizers.variant import Variant
from vqbench.search.similarity import CodeArray


@dataclass(frozen=True)
class Fitted:
    """A codec; and where codes came with the vectors, those of the rows and of the queries."""

    codec: Codec
    looked_up: CodeArray | None = None
    query_codes_qb: Codes | None = None


def provided_variants(kinds: Iterable[CodesKind | None]) -> dict[str, Variant]:
    """Codes that come with datasets, by name: a variant for each kind, without a config of its own."""
    return {
        variant_name(kind): Variant(
            quantizer=Provided(kind=kind), similarity="hamming" if kind == "packed" else "decoded"
        )
        for kind in kinds
        if kind is not None
    }


def fit_variant(data: Data, variant: Variant, seed: int, calibration: int) -> Fitted:
    """Fit a variant to the calibration sample of a dataset.

    Raises:
        NotApplicableError: the variant makes no sense for the data, or it is a provider's codes and these have none.
    """
    count = variant.calibration or calibration
    if not isinstance(variant.quantizer, Provided):
        return Fitted(variant.fit(data.sample(count, seed, variant.draw), seed))
    provided = data.provided
    if provided is None or provided.kind != variant.quantizer.kind:
        raise NotApplicableError(f"{data.name} came without {variant.quantizer.kind} codes of a provider")
    rows_m = data.sample_rows(count, seed, variant.draw)
    codec = variant.quantizer.fit_codes(data.corpus.take(rows_m), provided.corpus_nb[rows_m])
    return Fitted(codec, CodeArray(provided.corpus_nb), provided.queries_qb)
