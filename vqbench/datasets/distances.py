"""What a file says its vectors are compared by, and whether cosine ranks them the same way."""

from __future__ import annotations

from typing import Literal

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import block_rows, blocks, row_norms
from vqbench.storage.vectors import Vectors

#: What float search ranks by. So far only cosine is measured.
Distance = Literal["cosine", "dot", "euclidean", "hamming"]
#: How far from 1 a length may lie that float32 arithmetic has made 1.
UNIT = 1e-5
_BLOCK = 8192  # rows at a time
_REMEDY = "not measured yet; distance=cosine ranks by cosine"
_WORDS = {
    "cosine": ("cosine", "angular", "cos", "cosinesimil"),
    "dot": ("dot", "ip", "inner", "inner_product", "innerproduct", "dot_product", "dotproduct", "mips"),
    "euclidean": ("euclidean", "l2"),
    "squared": ("sqeuclidean", "squared_euclidean", "euclidean_squared", "squared_l2", "l2_squared", "l2sq"),
}


def kind_of(word: str) -> str:
    """Return ``cosine``, ``dot``, ``euclidean`` or ``squared`` (Euclidean); empty for any other word."""
    plain = "_".join(word.lower().replace("-", " ").split())
    return next((kind for kind, words in _WORDS.items() if plain in words), "")


def off_unit(corpus: Vectors) -> float:
    """Return how far from 1 the lengths of rows lie, at most; reading ends at a block where one is beyond ``UNIT``."""
    off = 0.0
    for start, stop in blocks(corpus.n, block_rows(corpus.d, _BLOCK)):
        off = max(off, float(np.abs(row_norms(corpus.raw(start, stop)) - 1).max()))
        if off > UNIT:
            break
    return off


def check_measured(distance: Distance | None) -> None:
    """Raise VqbenchError for a distance that no search here ranks by."""
    if distance not in (None, "cosine"):
        raise VqbenchError(f"distance = {distance}: {_REMEDY}")


def check_stated(place: str, word: str, distance: Distance | None, corpus: Vectors) -> tuple[str, ...]:
    """Raise VqbenchError where cosine does not rank as the file says, and nobody asked for cosine.

    Dot product and Euclidean distance rank rows of unit length as cosine does.

    Args:
        place: of the vectors, for messages.
        word: what the file says; empty where it says nothing.
        distance: what the user asked for.
        corpus: the rows.

    Returns:
        What is worth saying where cosine ranks rows of another distance.
    """
    check_measured(distance)
    kind, stated = kind_of(word), f"distance is {ascii(word[:40])}"
    if not word or kind == "cosine":
        return ()
    if distance == "cosine":
        return (f"the file's {stated}; with distance=cosine all rows are ranked by cosine",)
    if not kind:
        raise VqbenchError(f"{place}: its {stated}: {_REMEDY}")
    if off_unit(corpus) > UNIT:
        raise VqbenchError(
            f"{place}: its {stated}, and cosine ranks differently, since its rows are not all of unit length: {_REMEDY}"
        )
    return (f"the file's {stated}, which ranks rows of unit length as cosine does",)
