"""The columns of the tables that a run writes."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

#: Raised when a column changes its name or meaning; results of another version are not mixed.
SCHEMA = 2
#: What stands in the column ``seed`` of rows over several seeds.
ALL_SEEDS = "all"

METRICS = [
    "dataset",
    "variant",
    "similarity",
    "seed",
    "metric",
    "k",
    "oversample",
    "value",
    "ci_low",
    "ci_high",
    "low",
    "high",
    "n_queries",
    "status",
    "reason",
]


LEDGER = ["dataset", "variant", "item", "scope", "bytes"]

#: A real engine beside its prediction; see ``evaluation/engines.py``.
BACKENDS = [
    "dataset",
    "backend",
    "variant",
    "similarity",
    "engine",
    "version",
    "repeats",
    "seed",
    "k",
    "predicted",
    "predicted_low",
    "predicted_high",
    "obtained",
    "difference",
    "ci_low",
    "ci_high",
    "agreement",
    "shortfall",
    "absent",
    "n_queries",
    "bytes_predicted",
    "bytes_once",
    "bytes_codes",
    "bytes_disk",
    "bytes_memory",
    "status",
    "reason",
]


def headline_k(ks: Iterable[int]) -> int:
    """Choose the k that a table or figure shows: 10 where it was measured, else the largest, 0 where there is none."""
    measured = {int(k) for k in ks}
    return 10 if 10 in measured else max(measured, default=0)


def labelled(metrics: pd.DataFrame, dataset: str, variant: str, similarity: str, seed: int) -> pd.DataFrame:
    """Metrics of one cell with the columns of metrics.csv."""
    named = metrics.assign(dataset=dataset, variant=variant, similarity=similarity, seed=seed, status="ok", reason="")
    return _typed(named)


def without_result(dataset: str, variant: str, similarity: str, seed: int, status: str, reason: str) -> pd.DataFrame:
    """The row of a cell that was skipped or failed."""
    return _typed(
        pd.DataFrame(
            [
                {
                    "dataset": dataset,
                    "variant": variant,
                    "similarity": similarity,
                    "seed": seed,
                    "status": status,
                    "reason": reason,
                    "oversample": 0,
                    "n_queries": 0,
                }
            ]
        )
    )


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.reindex(columns=METRICS)
    return frame.astype({"k": "Int64", "oversample": "int64", "n_queries": "int64"})
