"""A variant: a quantizer and the similarity under which its codes are searched."""

from __future__ import annotations

from dataclasses import dataclass

from vqbench.quantizers.base import Quantizer
from vqbench.search.similarity import Similarity


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What one YAML under conf/quantizer describes."""

    quantizer: Quantizer
    similarity: Similarity = "decoded"
