"""vqbench: what does it cost to store embeddings in fewer bytes?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vqbench.version import __version__

if TYPE_CHECKING:
    from vqbench.api import code_topk, evaluate, exact_topk, hamming_topk
    from vqbench.quantizers.variant import Variant

__all__ = ["Variant", "__version__", "code_topk", "evaluate", "exact_topk", "hamming_topk"]

_HOME = {
    "Variant": "vqbench.quantizers.variant",
    "code_topk": "vqbench.api",
    "evaluate": "vqbench.api",
    "exact_topk": "vqbench.api",
    "hamming_topk": "vqbench.api",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: ``vqbench --help`` needs none of them."""
    if name not in _HOME:
        raise AttributeError(f"module 'vqbench' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
