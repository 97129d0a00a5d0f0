"""Rows of an earlier comparison that a run does not measure again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.peers.settings import PARTS
from experiments.peers.table import AGAIN, RUNS, TABLE, read, read_meta
from vqbench.results.folder import check_tables

#: Keys of meta.json: where one of them differs, two runs cannot stand in one table.
_SAME = ("timed", "threads", "kernels", "versions", "machine")


@dataclass(frozen=True)
class Kept:
    """What stays of an earlier run."""

    measured: Mapping[str, Any] = field(default_factory=dict)  # parts -> what meta.json says of their runs
    table: pd.DataFrame = field(default_factory=pd.DataFrame)  # rows of peers.csv
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)  # rows of peers_runs.csv

    @classmethod
    def of(cls, out: Path, meta: Mapping[str, Any]) -> Kept:
        """What ``out`` holds of parts that ``meta`` does not name; nothing of another machine, version or setting.

        Raises:
            VqbenchError: a table is not the one that was written.
        """
        before = read_meta(out)
        if before is None or any(_comparable(before.get(key)) != _comparable(meta[key]) for key in _SAME):
            return cls()
        measured = {part: about for part, about in before["measured"].items() if part not in meta["measured"]}
        if not measured:
            return cls()
        check_tables(out, before, AGAIN)
        table, runs = (read(out / name) for name in (TABLE, RUNS))
        return cls(measured, table[table["family"].isin(measured)], runs[runs["family"].isin(measured)])

    def joined(self, kept: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
        """Both, by part in the order of ``PARTS``."""
        both = new if kept.empty else pd.concat([kept, new], ignore_index=True)
        return both.sort_values("family", key=lambda x: x.map(PARTS.index), kind="stable", ignore_index=True)


def _comparable(value: Any) -> Any:
    """As it comes back from JSON, without the list of parts."""
    plain = json.loads(json.dumps(value))
    return {key: each for key, each in plain.items() if key != "parts"} if isinstance(plain, dict) else plain
