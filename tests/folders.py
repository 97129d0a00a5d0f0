"""Results folders written by hand, for tests of what only reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vqbench.evaluation.tables import LEDGER, METRICS, SCHEMA

OVERLAP = {"label": "overlap@k with float search", "unit": "share of k", "lowest": 0, "highest": 1,
           "higher_is_better": True}  # fmt: skip
WORST = {**OVERLAP, "label": "queries that lose most of their top k", "higher_is_better": False}
NODE = {"quantizer": {"_target_": "vqbench.quantizers.binary.Binary", "threshold": "mean"}, "similarity": "hamming"}


def row(variant: str, oversample: int, value: float, half: float, **more: Any) -> dict[str, Any]:
    """A row of metrics.csv: overlap@10 within ``half`` on both sides, of 1,000 queries."""
    return {
        "dataset": "d", "variant": variant, "similarity": "decoded", "seed": 0, "metric": "overlap", "k": 10,
        "oversample": oversample, "value": value, "ci_low": value - half, "ci_high": min(1.0, value + half),
        "n_queries": 1000, "status": "ok", "reason": "", **more,
    }  # fmt: skip


def write_folder(
    folder: Path, rows: Sequence[dict], stored: dict[str, tuple[float, float]], *, n: int = 1000, d: int = 32,
    **meta: Any,
) -> Path:  # fmt: skip
    """Write metrics.csv, ledger.csv and meta.json. stored: bytes for a vector and once, by variant."""
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).reindex(columns=METRICS).to_csv(folder / "metrics.csv", index=False, float_format="%.10g")
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    ledger = []
    for dataset in datasets:
        for variant, (each, once) in stored.items():
            items = [
                ("code", "vector", each), ("codebook", "once", once), ("float32 store for rescoring", "vector", 4 * d),
                ("bytes_per_vector", "total", each), ("bytes_once", "total", once),
                ("ratio_float32", "total", n * 4 * d / (n * each + once)),
                ("ratio_float64", "total", n * 8 * d / (n * each + once)),
            ]  # fmt: skip
            ledger += [(dataset, variant, *item) for item in items]
    pd.DataFrame(ledger, columns=LEDGER).to_csv(folder / "ledger.csv", index=False, float_format="%.10g")
    about = {"sha256": "5a7e33b8", "n": n, "d": d, "queries": 1000, "queries_are": "apart from the corpus",
             "judged": False, "normalized": True, "calibration": {"rows": n}}  # fmt: skip
    content = {
        "schema": SCHEMA, "arithmetic": 2, "title": "t", "seeds": [0], "datasets": dict.fromkeys(datasets, about),
        "metrics": {"overlap": OVERLAP, "worst": WORST}, "versions": {"vqbench": "0.1.0", "python": "3.12.1"},
        "machine": {"cpu": "a cpu", "system": "Linux", "threads": 2}, "git_commit": None,
        "config": {"dataset": {"_target_": "vqbench.datasets.file.File", "name": "d", "path": "d.npy"},
                   "quantizer": dict.fromkeys(stored, NODE), "k": [10], "seed": 0}, **meta,
    }  # fmt: skip
    (folder / "meta.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return folder
