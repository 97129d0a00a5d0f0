"""Lists that together hold a sparse vector: its numbers and their places. They are no dense vectors."""

from __future__ import annotations

from collections.abc import Mapping

from vqbench.datasets.choice import Kind

SPARSE = "part of sparse vectors"
_PLACES, _WEIGHTS = ("indices", "index", "indexes", "ids", "positions"), {"values", "value", "weights", "data"}


def sparse_pair(kinds: Mapping[str, Kind]) -> set[str]:
    """The names of one record that hold a sparse vector: a list of floats beside one of whole numbers, its places.

    >>> sorted(sparse_pair({"indices": Kind.WHOLES, "values": Kind.FLOATS}))
    ['indices', 'values']
    """
    values = {name for name, kind in kinds.items() if kind == Kind.FLOATS or (kind == Kind.WHOLES and name == "values")}
    places = {name for name, kind in kinds.items() if kind in (Kind.WHOLES, Kind.BYTES) and name.lower() in _PLACES}
    if places and not any(name.lower() in _PLACES[:3] for name in places):  # ids may be tokens beside an embedding
        values = {name for name in values if name.lower() in _WEIGHTS}
    return values | places if values - places and places else set()
