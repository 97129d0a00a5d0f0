"""What is stored once: the arrays among the fields of a fitted object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.quantizers.parts.ledger import Item

_SHAPE = re.compile(r"_[a-z0-9]{1,3}$")  # as the _d of mean_d


def stored_arrays(fitted: Any) -> dict[str, NDArray[Any]]:
    """The arrays among the fields of a dataclass, by their names in words: without the suffix that tells the shape."""
    values = {field.name: getattr(fitted, field.name) for field in fields(fitted)}
    return {
        _SHAPE.sub("", name).replace("_", " "): value for name, value in values.items() if isinstance(value, np.ndarray)
    }


def stored_items(arrays: Mapping[str, NDArray[Any]]) -> tuple[Item, ...]:
    """Lines of a ledger for arrays that are stored once."""
    return tuple(Item(name, "once", array.nbytes) for name, array in arrays.items())
