"""vqbench: what does it cost to store embeddings in fewer bytes?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vqbench.evaluation.api import evaluate
    from vqbench.search.api import code_topk, exact_topk, hamming_topk
    from vqbench.variant import Variant

__version__ = "0.1.0"
__all__ = ["Variant", "code_topk", "evaluate", "exact_topk", "hamming_topk"]

_HOME = {
    "Variant": "vqbench.variant",
    "code_topk": "vqbench.search.api",
    "evaluate": "vqbench.evaluation.api",
    "exact_topk": "vqbench.search.api",
    "hamming_topk": "vqbench.search.api",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: ``vqbench --help`` needs none of them."""
    if name not in _HOME:
        raise AttributeError(f"module 'vqbench' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
