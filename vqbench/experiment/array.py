"""Vectors in memory as the dataset of a plan: for the Python functions, no config can name them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from vqbench.datasets.base import Dataset, Source
from vqbench.errors import VqbenchError
from vqbench.experiment.plan import Plan

#: Stands in a config where files have their path.
IN_MEMORY = "<array in memory>"
_OF_ANY = {"path", "name", "rows", "rows_seed"}  # settings of a file that an array has too


@dataclass(frozen=True, kw_only=True)
class Array(Dataset):
    """Vectors in memory."""

    name: str
    #: ``(n, d)`` real numbers.
    corpus_nd: Any = field(repr=False)
    #: ``(q, d)``; None: corpus rows are the queries.
    queries_qd: Any = field(default=None, repr=False)
    #: Of the rows; None: their numbers.
    ids: Sequence[Any] | None = field(default=None, repr=False)
    query_ids: Sequence[Any] | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        return self.name

    def load(self) -> Source:
        corpus_nd = _table(self.corpus_nd)
        queries_qd = None if self.queries_qd is None else _table(self.queries_qd)
        of_queries = "" if queries_qd is None else f", queries {' x '.join(f'{size:,}' for size in queries_qd.shape)}"
        size = " x ".join(f"{size:,}" for size in corpus_nd.shape)
        return Source(
            self.name,
            corpus_nd,
            None if self.ids is None else [*map(str, self.ids)],
            queries_qd,
            None if self.query_ids is None else [*map(str, self.query_ids)],
            taken=(f"{self.name}: array in memory, {corpus_nd.dtype}, {size}{of_queries}",),
        )


def _table(rows: Any) -> np.ndarray:
    """Rows as one array: a column of a data frame holds an array for each row."""
    array = np.asarray(rows)
    if array.dtype.hasobject and array.ndim == 1 and len(array):
        with contextlib.suppress(ValueError, TypeError):  # rows of several lengths, say: the checks name what it is
            return np.stack([np.asarray(row) for row in array])
    return array


def with_array(plan: Plan, array: Array) -> Plan:
    """Return the plan of a file with the array in its place. Raises VqbenchError for settings that only files have."""
    ((title, spec),) = plan.datasets.items()
    for each in fields(spec):
        if each.name not in _OF_ANY and getattr(spec, each.name) != each.default:
            raise VqbenchError(f"{each.name}: has no effect on an array in memory: leave it out")
    return replace(plan, datasets={title: replace(array, rows=spec.rows, rows_seed=spec.rows_seed)})
