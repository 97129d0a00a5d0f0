"""What a run leaves for the tables: a cell, its name, what became of it, and the run's part of a results folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from vqbench.results.columns import SCHEMA
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
        """Where the cell lies, relative to ``cells/``."""
        return Path(slug(self.dataset)) / f"{slug(self.variant)}-s{self.seed}-{self.key[:16]}.cell"

    @property
    def claim(self) -> Path:
        """The file that whoever evaluates the cell locks, relative to ``cells/``."""
        return self.path.with_name(f"{TEMPORARY}{self.key[:16]}.claim")


@dataclass(frozen=True)
class Cell:
    """Everything measured of one (dataset, variant, seed), as tables."""

    metrics: pd.DataFrame
    ledger: pd.DataFrame
    per_query: pd.DataFrame
    samples: pd.DataFrame
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CellRecord:
    """One cell of a run and what became of it: ``ok``, ``reused``, ``skipped`` or ``failed``.

    reason: why there is no result; ``MEANWHILE`` where another run finished a reused cell while this one went on.
    backend, predicted, engine: of an engine's cell its name, the variant that predicts it and the product's name.
    """

    name: CellName
    similarity: str
    status: str
    reason: str = ""
    backend: str = ""
    predicted: str = ""
    engine: str = ""


@dataclass(frozen=True)
class RunRecord:
    """What a run contributes to a results folder; the jobs of a multirun leave one each."""

    out: Path
    cells: tuple[CellRecord, ...]
    meta: Mapping[str, Any]
