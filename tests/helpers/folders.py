"""Results folders written by hand, for tests of code that reads them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vqbench.results.columns import BACKENDS, LEDGER, METRICS, SCHEMA

OVERLAP = {"label": "overlap@k with float search", "unit": "share of k", "lowest": 0, "highest": 1,
           "higher_is_better": True}  # fmt: skip
WORST = {**OVERLAP, "label": ">half lost", "higher_is_better": False}
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
    today: dict[str, Any] | None = None, **meta: Any,
) -> Path:  # fmt: skip
    """Write metrics.csv, ledger.csv and meta.json.

    Args:
        folder: made where it is not there.
        rows: of metrics.csv.
        stored: bytes for each vector, and bytes once, by variant.
        n: rows of the corpus.
        d: dimensions.
        today: what a vector takes today, as meta.json has it; None: float32.
        meta: more keys of meta.json.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).reindex(columns=METRICS).to_csv(folder / "metrics.csv", index=False, float_format="%.10g")
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    ledger = []
    store = ("float32 store for rescoring", "vector", 4.0 * d)
    if today is not None:
        store = (f"{today['as']} store for rescoring", "vector", today["bytes_per_vector"])
    for dataset in datasets:
        for variant, (each, once) in stored.items():
            items = [
                ("code", "vector", each), ("codebook", "once", once), store,
                ("bytes_per_vector", "total", each + once / n), ("bytes_once", "total", once),
                ("ratio_float32", "total", n * 4 * d / (n * each + once)),
                ("ratio_float64", "total", n * 8 * d / (n * each + once)),
            ]  # fmt: skip
            ledger += [(dataset, variant, *item) for item in items]
    pd.DataFrame(ledger, columns=LEDGER).to_csv(folder / "ledger.csv", index=False, float_format="%.10g")
    about = {"sha256": "5a7e33b8", "n": n, "d": d, "queries": 1000, "queries_are": "apart from the corpus",
             "judged": False, "normalized": True, "calibration": {"rows": n},
             "node": {"_target_": "vqbench.datasets.file.File", "name": "d", "path": "d.npy"}}  # fmt: skip
    about |= {} if today is None else {"stored": today}
    content = {
        "schema": SCHEMA, "arithmetic": 2, "title": "t", "seeds": [0], "datasets": dict.fromkeys(datasets, about),
        "metrics": {"overlap": OVERLAP, "worst": WORST}, "versions": {"vqbench": "0.1.0", "python": "3.12.1"},
        "machine": {"cpu": "a cpu", "system": "Linux", "threads": 2}, "git_commit": None,
        "config": {"dataset": {"_target_": "vqbench.datasets.file.File", "name": "d", "path": "d.npy"},
                   "quantizer": dict.fromkeys(stored, NODE), "k": [10], "seed": 0},
        "variants": {name: {"config": name, "overrides": [], "node": NODE} for name in stored}, **meta,
    }  # fmt: skip
    (folder / "meta.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return folder


def write_extras(folder: Path, variant: str, *, queries: Sequence[str], ids: Sequence[str]) -> Path:
    """Add the other tables of a run: comparisons, samples, timings, and the doctor's findings.

    Of ten documents for each query, ``variant`` finds the last seven of float's and three others.
    """
    metrics = pd.read_csv(folder / "metrics.csv", dtype={"seed": str})
    alone = metrics[(metrics["metric"] == "overlap") & (metrics["oversample"] == 0)]
    pd.DataFrame(
        {
            "dataset": one.dataset, "variant": one.variant, "baseline": "float32", "metric": "overlap", "k": one.k,
            "oversample": 0, "difference": one.value - 1, "ci_low": one.ci_low - 1, "ci_high": one.ci_high - 1,
            "p": 0.0001, "p_holm": 0.0004, "detectable": 0.006, "margin": 0.01,
            "verdict": "baseline" if one.variant == "float32" else "worse", "letters": "a", "n_queries": 1000,
            "n_seeds": 1,
        }
        for one in alone.itertuples()
    ).to_csv(folder / "comparisons.csv", index=False)  # fmt: skip
    rows = []
    for query in queries:
        for kind, listed in (("worst_float", ids[:10]), ("worst", [*ids[3:10], *ids[10:13]])):
            rows += [
                {"kind": kind, "id": query, "index": float(rank), "other": other, "value": 0.9 - rank / 100,
                 "code": 0.5, "dataset": alone["dataset"].iloc[0], "variant": variant, "seed": 0}
                for rank, other in enumerate(listed, 1)
            ]  # fmt: skip
    samples = pd.DataFrame(rows).astype(dict.fromkeys(("kind", "dataset", "variant"), "category"))
    samples.to_parquet(folder / "samples.parquet", index=False)
    seconds = {"dataset": alone["dataset"].iloc[0], "variant": variant, "seed": 0, "fit": 0.5, "search": 0.0042}
    pd.DataFrame([seconds]).to_csv(folder / "timings.csv", index=False)
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    for about in meta["datasets"].values():
        about["doctor"] = [
            {"check": "mean", "title": "Common mean", "value": 0.6, "shown": "0.60", "level": "warning",
             "sentence": "The vectors share a direction & more.", "variants": [variant]}
        ]  # fmt: skip
    (folder / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), "utf-8")
    return folder


def copied(folder: Path, copy: Path) -> Path:
    """Copy what a run wrote, without the hashes in meta.json, so that its tables may be changed."""
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("cells"))
    meta = json.loads((copy / "meta.json").read_text("utf-8"))
    del meta["tables"]
    (copy / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), "utf-8")
    return copy


def engine_row(backend: str, engine: str, **more: Any) -> dict[str, Any]:
    return {
        "dataset": "d", "backend": backend, "variant": "v", "similarity": "decoded", "engine": engine, "version": "1.0",
        "repeats": True, "seed": 0, "k": 10, "predicted": 0.7, "predicted_low": 0.68, "predicted_high": 0.72,
        "obtained": 0.69, "difference": -0.01, "ci_low": -0.02, "ci_high": 0.0, "agreement": 0.8, "shortfall": 0.1,
        "absent": 0.0, "n_queries": 1000, "bytes_predicted": 48.0, "bytes_codes": 50.0,
        "bytes_disk": 1600.0, "status": "ok", "reason": "", **more,
    }  # fmt: skip


def write_engines(folder: Path) -> Path:
    """Add backends.csv: two settings of one engine that ran, one of another, and one that is missing."""
    rows = [
        engine_row("b_pq", "Bengine"),
        engine_row("a_same", "Aengine", obtained=0.7, difference=0.0, agreement=1.0, bytes_disk=60.0),
        engine_row("b_pq_again", "Bengine", k=10, obtained=0.71, difference=0.01),
        {"dataset": "d", "backend": "c_none", "engine": "Cengine", "seed": 0, "status": "skipped",
         "reason": "Cengine is not installed: pip install 'vqbench[backends]'"},
    ]  # fmt: skip
    pd.DataFrame(rows).reindex(columns=BACKENDS).to_csv(folder / "backends.csv", index=False)
    return folder
