"""Settings that are given as Python values, in the words of a command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from vqbench.datasets.file import File
from vqbench.experiment.config.settings import known_keys, quoted


def written_settings(settings: Mapping[str, Any]) -> list[str]:
    """Write settings as ``key=value``; those of a dataset get their whole name.

    >>> written_settings({"k": [1, 10], "key": "emb", "queries": "self", "normalize": False})
    ['k=[1,10]', "dataset.key='emb'", "queries='self'", 'normalize=false']
    """
    return [f"{_whole_name(key, value)}={_written(value)}" for key, value in settings.items()]


def _whole_name(key: str, value: Any) -> str:
    """``queries`` is the run's own where it says which corpus rows are queries, else the dataset's."""
    if key == "queries" and isinstance(value, str) and value not in ("self", "holdout"):
        return "dataset.queries"
    of_dataset = {field.name for field in fields(File)} - {*known_keys()}
    return f"dataset.{key}" if key in of_dataset else key


def _written(value: Any) -> str:
    """A value in Hydra's grammar."""
    if value is None or isinstance(value, bool | np.bool_):
        return "null" if value is None else str(bool(value)).lower()
    if isinstance(value, list | tuple | np.ndarray):
        return f"[{','.join(map(_written, value))}]"
    return str(value) if isinstance(value, int | float | np.number) else quoted(str(value))
