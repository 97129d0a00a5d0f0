"""Measure what it costs to store embeddings in fewer bytes.

A quantizer turns float vectors into short codes. ``evaluate`` measures how much of float search's results a search of
the codes finds, and how many bytes the codes take. The three searches are exact: every row is scored, and ties are
counted.

>>> import numpy as np
>>> import vqbench
>>> from vqbench.quantizers.binary import Binary
>>> corpus_nd = np.random.default_rng(0).standard_normal((500, 32))
>>> variants = {"binary": vqbench.Variant(quantizer=Binary(threshold="mean"), similarity="hamming")}
>>> table = vqbench.evaluate(corpus_nd, variants=variants, k=10, n_queries=50)
>>> table[["variant", "metric", "k"]].values.tolist()
[['binary', 'overlap', 10], ['binary', 'top1', 10]]
>>> vqbench.exact_topk(corpus_nd[:1], corpus_nd, k=3).ids_qk.shape
(1, 3)

``run`` measures a file or an array as the command line does, and keeps the results: ``vqbench.run("mine.npy")``. The
command line works from files and configs: ``vqbench --help``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vqbench.version import __version__

if TYPE_CHECKING:
    from vqbench.api import code_topk, evaluate, exact_topk, hamming_topk
    from vqbench.notebook import run
    from vqbench.quantizers.variant import Variant

__all__ = ["Variant", "__version__", "code_topk", "evaluate", "exact_topk", "hamming_topk", "run"]
_HOMES = {"Variant": "vqbench.quantizers.variant", "run": "vqbench.notebook"}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used: ``vqbench --help`` needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module 'vqbench' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "vqbench.api")), name)


def __dir__() -> list[str]:
    return __all__
