"""The files of a results folder, read with the care that anybody's files deserve: a colleague may have sent it."""

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from vqbench.errors import VqbenchError
from vqbench.results.columns import BACKENDS, LEDGER, METRICS
from vqbench.storage.parquet import unpacked_table
from vqbench.text import shortened, shown

_TEXT_BYTES = 1 << 30  # of a CSV or JSON file at most
_NAME = 1000  # characters of a name at most, as in a run: figures would take minutes for longer ones
#: Controls of terminals, but tabs and line ends; and what turns the direction of all that follows.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

#: Columns of text and of numbers; whole ones are not negative.
_TEXT = (
    "dataset",
    "variant",
    "similarity",
    "seed",
    "metric",
    "status",
    "reason",
    "item",
    "scope",
    "baseline",
    "verdict",
    "letters",
    "backend",
    "engine",
    "version",
)
_WHOLE = ("k", "oversample", "n_queries")
_GIVEN = ("dataset", "variant", "query", "metric", "kind")  # in every row
_LONG = ("reason", "id", "other")  # texts that are no names
#: What may be stored: not negative, nor endless.
_SIZES = ("bytes", "bytes_predicted", "bytes_once", "bytes_codes", "bytes_disk", "bytes_memory")
_NUMBERS = (
    *_WHOLE,
    *_SIZES,
    "value",
    "difference",
    "ci_low",
    "ci_high",
    "low",
    "high",
    "p",
    "p_holm",
    "detectable",
    "margin",
    "predicted",
    "predicted_low",
    "predicted_high",
    "obtained",
    "agreement",
    "shortfall",
    "absent",
    "index",
    "code",
)
_NAMED: Mapping[str, Sequence[str]] = {
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
        "ci_low",
        "ci_high",
        "p_holm",
        "detectable",
        "margin",
        "verdict",
        "letters",
    ],
    "timings.csv": ["dataset", "variant", "seed"],
    "per_query.parquet": ["dataset", "variant", "seed", "query", "metric", "k", "oversample", "value"],
    "samples.parquet": ["dataset", "variant", "seed", "kind", "id", "index", "other", "value", "code"],
    "backends.csv": BACKENDS,
}
_VERDICTS = {"baseline", "better", "worse", "equivalent", "unclear", ""}  # each has a colour
_FINDING = {"title": str, "level": str, "sentence": str}
_KEY = ["dataset", "variant", "metric", "k", "oversample"]
_DATASET = {"sha256": str, "normalized": bool, "n": int, "d": int, "queries": int, "queries_are": str}
_METRIC = {"label": str, "unit": str, "lowest": (int, float), "highest": (int, float), "higher_is_better": bool}


def read_meta(path: Path) -> dict[str, Any]:
    """meta.json. Raises VqbenchError where it is not what a run writes, OSError where it is not there."""
    found = _object(path)
    if type(found.get("schema")) is not int:
        raise _broken(path, "no object with a schema")
    return found


def _object(path: Path) -> dict[str, Any]:
    check_size(path)
    try:
        text = path.read_text("utf-8")
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair can be escaped, but never be written
        found = _plain_texts(found) if "\\u" in text or _CONTROLS.search(text) else found
    except RecursionError:
        raise _broken(path, "lists or objects in one another, hundreds deep") from None
    except ValueError as error:
        raise _broken(path, str(error)) from None
    if not isinstance(found, dict):
        raise _broken(path, "no object")
    return found


def _plain_texts(value: Any) -> Any:
    """The same with controls as escapes in all texts: pages and pictures have no use for them."""
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, dict):
        return {_plain_text(key): _plain_texts(each) for key, each in value.items()}
    return [_plain_texts(each) for each in value] if isinstance(value, list) else value


def _plain_text(text: str) -> str:
    return _CONTROLS.sub(lambda found: shown(found[0]), text)


def check_meta(path: Path, meta: Mapping[str, Any]) -> None:
    """What tables and figures take from meta.json, by type. Raises VqbenchError."""
    for group, wanted in (("datasets", _DATASET), ("metrics", _METRIC)):
        about = meta.get(group)
        if not isinstance(about, dict):
            raise _broken(path, f"{group}: needs an object")
        for name, one in about.items():
            if len(name) > _NAME:
                raise _broken(path, f"{group}: {len(name)} characters in a name")
            for key, kind in wanted.items():
                value = one.get(key) if isinstance(one, dict) else None
                if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                    raise _broken(path, f"{group}.{name}.{key} = {value!r}")
                if kind is int and isinstance(value, int) and not 1 <= value < 2**53:
                    raise _broken(path, f"{group}.{name}.{key} = {value!r}")
    for name, one in meta["datasets"].items():
        found = one.get("doctor") or []
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise _broken(path, f"datasets.{name}.doctor = {found!r}")
        for each, (key, kind) in product(found, _FINDING.items()):
            if not isinstance(each.get(key), kind):
                raise _broken(path, f"datasets.{name}.doctor: {key} = {each.get(key)!r}")
    for key, kind in (
        ("config", (dict, list)),
        ("seeds", list),
        ("versions", dict),
        ("machine", dict),
        ("tables", dict),
    ):
        if key in meta and not isinstance(meta[key], kind):
            raise _broken(path, f"{key} = {meta[key]!r}")
    if other := [name for name in meta.get("tables", {}) if Path(name).name != name]:
        raise _broken(path, f"tables: {other[0]!r} is no file of the folder")


def read_csv(path: Path) -> pd.DataFrame:
    """One of the tables of a run. Raises VqbenchError where columns are missing or hold something else."""
    check_size(path)
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

    try:
        with path.open("rb") as file:
            frame = unpacked_table(file).to_pandas()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise _broken(path, str(error)) from None
    return _checked(path, frame)


def _checked(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    if not len(frame.columns):  # of a run without any result
        return frame
    if found := wrong_in(frame, _NAMED.get(path.name, ())):
        raise _broken(path, found)
    if path.name == "comparisons.csv" and not {*frame["verdict"]} <= _VERDICTS:
        raise _broken(path, f"column verdict holds more than {', '.join(sorted(_VERDICTS - {''}))}")
    for name in {*frame} - {*_NUMBERS, "query"}:  # ids of queries are compared, but not shown
        _clean(path, frame, name)
    return frame


def wrong_in(frame: pd.DataFrame, needed: Sequence[str]) -> str:
    """Which column is missing, or holds what such a column of ours never does; empty where none."""
    if missing := [name for name in needed if name not in frame]:
        return f"no column {', '.join(missing)}"
    if gaps := [name for name in needed if name in _GIVEN and frame[name].isna().any()]:
        return f"column {gaps[0]} has gaps"
    for name in sorted({*_NUMBERS} & {*frame}) if len(frame) else ():  # no row, no type
        given = frame[name].dropna()
        if name == "bytes" and len(given) < len(frame):
            return f"column {name} holds more than sizes"
        if not len(given):
            continue
        if not pd.api.types.is_numeric_dtype(given) or pd.api.types.is_complex_dtype(given):
            return f"column {name} holds more than numbers"
        given = given.astype(float)
        if not (given.abs() < math.inf).all():
            return f"column {name} holds infinite numbers"
        if name in _WHOLE and not ((given >= 0) & (given < 2**53) & (given % 1 == 0)).all():
            return f"column {name} holds more than whole numbers"
        if name in _SIZES and not (given >= 0).all():
            return f"column {name} holds more than sizes"
    return ""


def _clean(path: Path, frame: pd.DataFrame, name: str) -> None:
    """Put escapes for controls in a column of texts. Raises VqbenchError where a name is longer than a run's can be."""
    values = [value for value in frame[name].unique() if isinstance(value, str)]
    longest = max(map(len, values), default=0)
    if name not in _LONG and longest > _NAME:
        raise _broken(path, f"column {name}: {longest} characters in a name")
    if any(map(_CONTROLS.search, values)):
        frame[name] = frame[name].astype(object).map(lambda x: _plain_text(x) if isinstance(x, str) else x)


def check_together(folder: Path, meta: Mapping[str, Any], frames: Mapping[str, pd.DataFrame]) -> None:
    """Whether each table has what the others name, once. frames: by the names of their files."""
    metrics, ledger = frames["metrics.csv"], frames["ledger.csv"]
    ok = metrics[metrics["status"] == "ok"]
    if unknown := {*metrics["dataset"]} - {*meta["datasets"]}:
        raise _broken(folder / "metrics.csv", f"dataset {min(map(str, unknown))} is not in meta.json")
    ledger = ledger[ledger["scope"] == "total"]
    held = {*zip(ledger["dataset"], ledger["variant"], ledger["item"], strict=True)}
    for dataset, variant in {*zip(ok["dataset"], ok["variant"], strict=True)}:
        for item in ("bytes_per_vector", "bytes_once"):
            if (dataset, variant, item) not in held:
                raise _broken(folder / "ledger.csv", f"no {item} of {variant} on {dataset}")
    keys = {
        "metrics.csv": [*_KEY, "seed"],
        "comparisons.csv": [*_KEY, "baseline"],
        "ledger.csv": ["dataset", "variant", "item", "scope"],
    }
    for name, columns in keys.items():
        frame = frames[name]
        if len(frame) and frame.duplicated(columns).any():
            raise _broken(folder / name, f"row {int(frame.duplicated(columns).to_numpy().argmax())} repeats another")


def check_size(path: Path) -> None:
    """Raise VqbenchError where a file of text is none, or so large that no run wrote it."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):  # what it is a link to, such as a device, may have no end
        raise _broken(path, "no file")
    if about.st_size > _TEXT_BYTES:
        raise _broken(path, f"{about.st_size} bytes of text, where up to {_TEXT_BYTES} are read")


def _broken(path: Path, found: str) -> VqbenchError:
    told = shortened(" ".join(found.split()), 200)
    return VqbenchError(f"{path}: is not what a run writes ({told}): run vqbench again, or get the folder anew")
