"""The files of a results folder, read with the care that anybody's files deserve: a colleague may have sent it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vqbench.errors import VqbenchError
from vqbench.evaluation.tables import LEDGER, METRICS
from vqbench.names import shortened
from vqbench.readers.footer import parts

_TEXT_BYTES = 1 << 30  # of a CSV or JSON file at most
_FREE, _FACTOR = 1 << 30, 1000  # bytes, and times its size, that a table may unpack to: constant columns pack well
_WIDE = 8  # bytes of a number

#: Columns of text and of numbers; whole ones are not negative.
_TEXT = ("dataset", "variant", "similarity", "seed", "metric", "status", "reason", "item", "scope", "baseline",
         "verdict", "letters")  # fmt: skip
_WHOLE = ("k", "oversample", "n_queries")
_NUMBERS = (*_WHOLE, "value", "difference", "ci_low", "ci_high", "low", "high", "bytes", "p", "p_holm", "detectable")
_NAMED = {
    "metrics.csv": METRICS,
    "ledger.csv": LEDGER,
    "comparisons.csv": [
        "dataset",
        "variant",
        "baseline",
        "metric",
        "k",
        "oversample",
        "difference",
        "margin",
        "verdict",
        "letters",
    ],
    "timings.csv": ["dataset", "variant", "seed"],
    "per_query.parquet": ["dataset", "variant", "seed", "query", "metric", "k", "oversample", "value"],
    "samples.parquet": ["dataset", "variant", "seed", "kind", "id", "index", "other", "value", "code"],
}
_KEY = ["dataset", "variant", "metric", "k", "oversample"]
_DATASET = {"sha256": str, "normalized": bool, "n": int, "d": int, "queries": int, "queries_are": str}
_METRIC = {"label": str, "unit": str, "lowest": (int, float), "highest": (int, float), "higher_is_better": bool}


def read_meta(path: Path) -> dict[str, Any]:
    """meta.json. Raises VqbenchError where it is not what a run writes, OSError where it is not there."""
    _check_size(path)
    try:
        found = json.loads(path.read_text("utf-8"))
    except RecursionError:
        raise _broken(path, "lists or objects in one another, hundreds deep") from None
    except ValueError as error:
        raise _broken(path, str(error)) from None
    if not isinstance(found, dict) or type(found.get("schema")) is not int:
        raise _broken(path, "no object with a schema")
    return found


def check_meta(path: Path, meta: Mapping[str, Any]) -> None:
    """What tables and figures take from meta.json, by type. Raises VqbenchError."""
    for group, wanted in (("datasets", _DATASET), ("metrics", _METRIC)):
        about = meta.get(group)
        if not isinstance(about, dict):
            raise _broken(path, f"{group}: needs an object")
        for name, one in about.items():
            for key, kind in wanted.items():
                value = one.get(key) if isinstance(one, dict) else None
                if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                    raise _broken(path, f"{group}.{name}.{key} = {value!r}")
                if kind is int and isinstance(value, int) and not 1 <= value < 2**53:
                    raise _broken(path, f"{group}.{name}.{key} = {value!r}")
    for key, kind in (("config", (dict, list)), ("seeds", list), ("versions", dict), ("machine", dict)):
        if key in meta and not isinstance(meta[key], kind):
            raise _broken(path, f"{key} = {meta[key]!r}")


def read_csv(path: Path) -> pd.DataFrame:
    """One of the tables of a run. Raises VqbenchError where columns are missing or hold something else."""
    _check_size(path)
    try:
        frame = pd.read_csv(
            path, dtype=dict.fromkeys(_TEXT, str), keep_default_na=False, na_values={name: [""] for name in _NUMBERS}
        )
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise _broken(path, str(error)) from None
    return _checked(path, frame)


def read_parquet(path: Path) -> pd.DataFrame:
    """per_query.parquet or samples.parquet. Raises VqbenchError where it would unpack to far more than it is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            found = parts(path)
            claimed = max(sum(part.unpacked for part in found), sum(part.numbers for part in found) * _WIDE)
            if claimed > max(_FREE, _FACTOR * path.stat().st_size):
                raise _broken(path, f"{path.stat().st_size} bytes that unpack to {claimed}")
            frame = file.read().to_pandas()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise _broken(path, str(error)) from None
    return _checked(path, frame)


def _checked(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    if not len(frame.columns):  # of a run without any result
        return frame
    named: Sequence[str] = _NAMED.get(path.name, ())
    if missing := [name for name in named if name not in frame]:
        raise _broken(path, f"no column {', '.join(missing)}")
    for name in {*_NUMBERS} & {*frame} if len(frame) else ():  # no row, no type
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
            raise _broken(path, f"column {name} holds more than numbers")
        given = column.dropna().astype(float)
        if name in _WHOLE and not ((given >= 0) & (given < 2**53) & (given % 1 == 0)).all():
            raise _broken(path, f"column {name} holds more than whole numbers")
        if name == "bytes" and not ((column >= 0) & (column < math.inf)).all():
            raise _broken(path, "column bytes holds more than sizes")
    return frame


def check_together(folder: Path, meta: Mapping[str, Any], frames: Mapping[str, pd.DataFrame]) -> None:
    """Whether each table has what the others name, once. frames: by the names of their files."""
    metrics, ledger = frames["metrics.csv"], frames["ledger.csv"]
    ok = metrics[metrics["status"] == "ok"]
    if unknown := {*metrics["dataset"]} - {*meta["datasets"]}:
        raise _broken(folder / "metrics.csv", f"dataset {min(map(str, unknown))} is not in meta.json")
    held = {*zip(ledger["dataset"], ledger["variant"], ledger["item"], strict=True)}
    for dataset, variant in {*zip(ok["dataset"], ok["variant"], strict=True)}:
        for item in ("bytes_per_vector", "bytes_once"):
            if (dataset, variant, item) not in held:
                raise _broken(folder / "ledger.csv", f"no {item} of {variant} on {dataset}")
    for name, columns in (("metrics.csv", [*_KEY, "seed"]), ("comparisons.csv", [*_KEY, "baseline"])):
        frame = frames[name]
        if len(frame) and frame.duplicated(columns).any():
            raise _broken(folder / name, f"row {int(frame.duplicated(columns).to_numpy().argmax())} repeats another")


def _check_size(path: Path) -> None:
    if path.stat().st_size > _TEXT_BYTES:
        raise _broken(path, f"{path.stat().st_size} bytes of text, where up to {_TEXT_BYTES} are read")


def _broken(path: Path, found: str) -> VqbenchError:
    told = shortened(" ".join(found.split()), 200)
    return VqbenchError(f"{path}: is not what a run writes ({told}): run vqbench again, or get the folder anew")
