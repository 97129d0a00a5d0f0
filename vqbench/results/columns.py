"""The columns of the tables that a run writes, and the words in them."""

from __future__ import annotations

from collections.abc import Iterable

#: Raised when a column changes its name or meaning; results of another version are not mixed.
SCHEMA = 3
#: What stands in the column ``seed`` of rows over several seeds.
ALL_SEEDS = "all"
FLOAT = "_float"  #: ends the name of float search's own values
KEPT = "_kept"  #: ends the name of the ratio to them
REFERENCE = "float32"  #: the variant that is float search itself: no interval is shown for it
STORE = " store for rescoring"  #: ends its item in the ledger, behind what it holds, as float32
#: What a comparison can say; see ``significance.comparisons``.
BASELINE, EQUIVALENT, BETTER, WORSE, UNCLEAR = "baseline", "equivalent", "better", "worse", "unclear"
VERDICTS = (BASELINE, EQUIVALENT, BETTER, WORSE, UNCLEAR)

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
    "bytes_per_vector",
    "status",
    "reason",
]

LEDGER = ["dataset", "variant", "item", "scope", "bytes"]

COMPARISONS = [
    "dataset",
    "variant",
    "baseline",
    "metric",
    "k",
    "oversample",
    "difference",
    "ci_low",
    "ci_high",
    "p",
    "p_holm",
    "detectable",
    "margin",
    "verdict",
    "letters",
    "n_queries",
    "n_seeds",
]

#: A real engine beside its prediction; see ``evaluation/engine_run.py``.
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
