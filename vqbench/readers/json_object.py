"""JSON: one object of id to list of numbers, read whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.readers.base import Content, Wanted


def read(path: Path, wanted: Wanted) -> Content:
    """``{id: [numbers]}``, all lists of one length."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise VqbenchError(f"{path}: id {twice!r} stands twice: ids must be unique")
        return found

    def no_constant(literal: str) -> float:
        raise VqbenchError(f"{path}: holds the literal {literal}: every component must be a finite number")

    try:
        content = json.loads(path.read_text("utf-8"), object_pairs_hook=unique, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise VqbenchError(f"{path}: is not valid JSON ({error})") from None
    if not isinstance(content, dict) or not content:
        raise VqbenchError(f"{path}: needs a non-empty object of id to list of numbers")
    width = None
    for name, row in content.items():
        if not isinstance(row, list) or any(type(value) not in (int, float) for value in row):
            raise VqbenchError(f"{path}: id {name!r}: the value must be a list of numbers")
        width = len(row) if width is None else width
        if len(row) != width:
            raise VqbenchError(f"{path}: id {name!r} has {len(row)} numbers, the first id has {width}")
    try:
        return Content(rows_nd=np.array(list(content.values()), dtype=np.float64), ids=list(content))
    except OverflowError:
        raise VqbenchError(f"{path}: holds an integer that no float can represent") from None
