"""What a run leaves for the tables: a cell, its name, what became of it, and the run's part of a results folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from vqbench.results.columns import METRICS, SCHEMA
from vqbench.storage.locks import TEMPORARY
from vqbench.text import slug

MEANWHILE = "finished by another run meanwhile"


@dataclass(frozen=True)
class CellName:
    """Which cell, and the hash of all that its numbers depend on."""

    dataset: str
    variant: str
    seed: int
    depends_on: str

    @property
    def key(self) -> str:
        """A hash of all that the cell's numbers depend on."""
        named = [SCHEMA, self.dataset, self.variant, self.depends_on]  # two names may share a slug
        return hashlib.sha256(repr(named).encode()).hexdigest()[:32]

    @property
    def path(self) -> Path:
        """Where the cell lies in a results folder."""
        return Path("cells", slug(self.dataset), f"{slug(self.variant)}-s{self.seed}-{self.key[:16]}.cell")

    @property
    def claim(self) -> Path:
        """The file in a results folder that is locked by whoever evaluates the cell."""
        return self.path.with_name(f"{TEMPORARY}{self.key[:16]}.claim")


@dataclass(frozen=True)
class Cell:
    """Everything measured of one (dataset, variant, seed), as tables."""

    metrics: pd.DataFrame
    ledger: pd.DataFrame
    per_query: pd.DataFrame
    samples: pd.DataFrame
    seconds: dict[str, float] = field(default_factory=dict)

    def labelled(self, *, dataset: str, variant: str, similarity: str, seed: int) -> pd.DataFrame:
        """Return the metrics with the columns of metrics.csv."""
        (each,) = self.ledger.loc[self.ledger["item"] == "bytes_per_vector", "bytes"]
        labels = {"dataset": dataset, "variant": variant, "similarity": similarity, "seed": seed}
        return metrics_table(self.metrics.assign(**labels, bytes_per_vector=float(each), status="ok", reason=""))


def metrics_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns and types of metrics.csv."""
    return rows.reindex(columns=METRICS).astype({"k": "Int64", "oversample": "int64", "n_queries": "int64"})


@dataclass(frozen=True)
class CellRecord:
    """One cell of a run and what became of it."""

    name: CellName
    similarity: str
    status: str = ""  #: ``ok``, ``reused``, ``skipped`` or ``failed``
    reason: str = ""  #: why there is no result; of a reused cell ``MEANWHILE``, where another run finished it
    backend: str = ""  #: of an engine's cell: its name
    predicted: str = ""  #: of an engine's cell: the variant that predicts it
    engine: str = ""  #: of an engine's cell: the product's name
    cell: Cell | None = field(default=None, compare=False, repr=False)  #: the result; None: it lies in the folder


@dataclass(frozen=True)
class RunRecord:
    """What a run contributes to a results folder; the jobs of a multirun leave one each."""

    out: Path
    cells: tuple[CellRecord, ...]
    meta: Mapping[str, Any]
