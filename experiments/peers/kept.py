"""What an earlier comparison in the same folder measured, and this one does not measure again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.peers.settings import PARTS
from experiments.peers.table import RUNS, TABLE
from vqbench.errors import VqbenchError
from vqbench.results.folder import check_tables
from vqbench.results.validation import read_csv, read_timed_meta

#: Of meta.json: where one of these differs, numbers of the two do not belong side by side.
_SAME = ("timed", "threads", "kernels", "versions", "machine")

_WHOLE = ("n", "d", "queries", "k", "timed_queries", "rounds")


@dataclass(frozen=True)
class Kept:
    """Rows of the parts that stay. measured: by part, what meta.json says of its run."""

    measured: Mapping[str, Any] = field(default_factory=dict)
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(cls, out: Path, meta: Mapping[str, Any]) -> Kept:
        """Nothing where there is no comparison, or one of another machine, other versions or other sizes.

        Raises VqbenchError where what would stay is not what was written.
        """
        try:
            before = read_timed_meta(out / "meta.json")
            if any(_comparable(before.get(key)) != _comparable(meta[key]) for key in _SAME):
                return cls()
            measured = {part: about for part, about in before["measured"].items() if part not in meta["measured"]}
        except (OSError, VqbenchError, KeyError, AttributeError):
            return cls()
        if not measured:
            return cls()
        check_tables(out, before)
        try:
            table, runs = (_read(out / name) for name in (TABLE, RUNS))
        except (OSError, VqbenchError):
            return cls()
        return cls(measured, table[table["family"].isin(measured)], runs[runs["family"].isin(measured)])

    def joined(self, kept: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
        """Both, by part in the order of ``PARTS``."""
        both = new if kept.empty else pd.concat([kept, new], ignore_index=True)
        return both.sort_values("family", key=lambda x: x.map(PARTS.index), kind="stable", ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    """A table as it was written: text and whole numbers, where there are any."""
    table = read_csv(path)
    return table.astype({name: "Int64" for name in _WHOLE if name in table})


def _comparable(value: Any) -> Any:
    """As it comes back from JSON, without the list of parts."""
    plain = json.loads(json.dumps(value))
    return {key: each for key, each in plain.items() if key != "parts"} if isinstance(plain, dict) else plain
