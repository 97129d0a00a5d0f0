"""A cell as a run leaves it, and a run that takes next to no time."""

from __future__ import annotations

import pandas as pd

from vqbench.results.records import Cell, CellName

NAME = CellName("d", "v" * 300, 0, "all that it depends on")
CELL = Cell(
    pd.DataFrame({"metric": ["overlap"], "k": [1], "oversample": [0], "value": [0.1 + 0.2], "ci_low": [0.1],
                  "ci_high": [0.5], "low": [None], "high": [None], "n_queries": [1]}),
    pd.DataFrame({"item": ["code"], "scope": ["vector"], "bytes": [1.5]}),
    pd.DataFrame({"query": ["a"], "metric": ["overlap"], "k": [1], "oversample": [0], "value": [1 / 3], "low": [0.0],
                  "high": [1.0]}),
    pd.DataFrame({"kind": ["pair"], "id": ["a"], "index": [1.0], "other": ["b"], "value": [0.5], "code": [0.5]}),
    {"fit": 0.1},
)  # fmt: skip
SMALL = [
    "dataset=synthetic", "dataset.n=50", "dataset.d=4", "dataset.queries=3", "k=[1]", "oversample=[0]",
    "metric=[overlap]", "quantizer=[float32]", "figures=false", "report=false", "doctor=false", "cache=off",
]  # fmt: skip
