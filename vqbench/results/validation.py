"""The files of a results folder, read with the care that anybody's files deserve: a colleague may have sent it."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vqbench.errors import VqbenchError
from vqbench.results.columns import BACKENDS, COMPARISONS, LEDGER, METRICS, VERDICTS
from vqbench.storage.parquet import unpacked_table
from vqbench.text import shortened, shown

_NUMBER = (int, float)
_TEXT_BYTES = 1 << 30  # of a CSV or JSON file at most
_NAME = 1000  # characters of a name at most, as in a run: figures would take minutes for longer ones
#: Controls of terminals, but tabs and line ends; and what turns the direction of all that follows.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

#: Columns of text. All others of our tables hold numbers, but for ``repeats``, which is true or false.
_TEXTS = {
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
}
_NUMBERS = ({*METRICS, *LEDGER, *COMPARISONS, *BACKENDS} - _TEXTS - {"repeats"}) | {"index", "code"}
_COUNTS = {"k", "oversample", "n_queries", "n_seeds"}
_SIZES = {name for name in _NUMBERS if name.startswith("bytes")}  # not negative
_COMPLETE = {"dataset", "variant", "query", "metric", "kind"}  # stand in every row
_LONG = {"reason", "id", "other"}  # texts that are no names
_NEEDED: Mapping[str, Sequence[str]] = {
    "metrics.csv": METRICS,
    "ledger.csv": LEDGER,
    "comparisons.csv": COMPARISONS,
    "timings.csv": ["dataset", "variant", "seed"],
    "per_query.parquet": ["dataset", "variant", "seed", "query", "metric", "k", "oversample", "value"],
    "samples.parquet": ["dataset", "variant", "seed", "kind", "id", "index", "other", "value", "code"],
    "backends.csv": BACKENDS,
}
_KEY = ["dataset", "variant", "metric", "k", "oversample"]
#: What tables and figures take from meta.json: of each object in a group, and of the whole.
_GROUPS: Mapping[str, Mapping[str, Any]] = {
    "datasets": {"sha256": str, "normalized": bool, "n": int, "d": int, "queries": int, "queries_are": str},
    "metrics": {"label": str, "unit": str, "lowest": _NUMBER, "highest": _NUMBER, "higher_is_better": bool},
    "variants": {"config": str, "overrides": list, "node": dict},
}
_STORED = {"as": str, "bytes_per_vector": _NUMBER}
_FINDING = {"title": str, "level": str, "sentence": str}
_WHOLE = {"config": (dict, list), "seeds": list, "versions": dict, "machine": dict, "tables": dict}


def read_meta(path: Path) -> dict[str, Any]:
    """Read meta.json.

    Raises:
        VqbenchError: it is not what a run writes.
        OSError: it is not there.
    """
    check_size(path)
    try:
        text = path.read_text("utf-8")
        meta = json.loads(text)
        json.dumps(meta, ensure_ascii=False).encode()  # half a surrogate pair can be escaped, but never be written
        meta = _plain_texts(meta) if "\\u" in text or _CONTROLS.search(text) else meta
    except RecursionError:
        raise _broken(path, "lists or objects nested hundreds deep") from None
    except ValueError as error:
        raise _broken(path, str(error)) from None
    if not isinstance(meta, dict) or type(meta.get("schema")) is not int:
        raise _broken(path, "no object with a schema")
    return meta


def _plain_texts(value: Any) -> Any:
    """The same with controls as escapes in all texts: pages and pictures have no use for them."""
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, dict):
        return {_plain_text(key): _plain_texts(each) for key, each in value.items()}
    return [_plain_texts(each) for each in value] if isinstance(value, list) else value


def _plain_text(text: str) -> str:
    return _CONTROLS.sub(lambda match: shown(match[0]), text)


def check_meta(path: Path, meta: Mapping[str, Any]) -> None:
    """Check the types of what tables and figures take from meta.json.

    Raises:
        VqbenchError: something has another type, or a number is out of its range.
    """
    _check_types(path, "", meta, {key: kind for key, kind in _WHOLE.items() if key in meta})
    if other := [name for name in meta.get("tables", {}) if Path(name).name != name]:
        raise _broken(path, f"tables: {other[0]!r} is no file of the folder")
    for group, kinds in _GROUPS.items():
        described = meta.get(group, {} if group == "variants" else None)
        if not isinstance(described, dict):
            raise _broken(path, f"{group}: needs an object")
        for name, one in described.items():
            if len(name) > _NAME:
                raise _broken(path, f"{group}: {len(name)} characters in a name")
            _check_types(path, f"{group}.{name}.", one, kinds)
    for name, one in meta["datasets"].items():
        captions = one.get("captions") or {}
        if not isinstance(captions, dict) or not all(isinstance(each, dict) for each in captions.values()):
            raise _broken(path, f"datasets.{name}.captions = {captions!r}")
        if (stored := one.get("stored")) is not None:
            _check_types(path, f"datasets.{name}.stored.", stored, _STORED)
            if not 0 < stored["bytes_per_vector"] < np.inf:
                raise _broken(path, f"datasets.{name}.stored.bytes_per_vector = {stored['bytes_per_vector']}")
        findings = one.get("doctor") or []
        if not isinstance(findings, list):
            raise _broken(path, f"datasets.{name}.doctor = {findings!r}")
        for finding in findings:
            _check_types(path, f"datasets.{name}.doctor.", finding, _FINDING)


def _check_types(path: Path, place: str, described: Any, kinds: Mapping[str, Any]) -> None:
    """Raise VqbenchError where a key is missing or its value has another type; whole numbers are counts."""
    for key, kind in kinds.items():
        value: Any = described.get(key) if isinstance(described, dict) else None
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not fits or (kind is int and not 1 <= value < 2**53):
            raise _broken(path, f"{place}{key} = {value!r}")


def read_csv(path: Path) -> pd.DataFrame:
    """Read one of the tables of a run.

    Raises:
        VqbenchError: columns are missing or hold something else.
    """
    check_size(path)
    try:
        frame = pd.read_csv(
            path, dtype=dict.fromkeys(_TEXTS, str), keep_default_na=False, na_values={name: [""] for name in _NUMBERS}
        )
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise _broken(path, str(error)) from None
    return _checked(path, frame)


def read_parquet(path: Path) -> pd.DataFrame:
    """Read per_query.parquet or samples.parquet.

    Raises:
        VqbenchError: columns are missing or hold something else, or the table would be far larger than its file.
    """
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
    wrong = wrong_in(frame, _NEEDED.get(path.name, ()))
    if not wrong and path.name == "comparisons.csv" and not {*frame["verdict"]} <= {*VERDICTS, ""}:
        wrong = f"column verdict holds more than {', '.join(VERDICTS)}"  # each has a colour
    if wrong:
        raise _broken(path, wrong)
    for name in {*frame} - _NUMBERS - {"query"}:  # ids of queries are compared, but not shown
        _clean(path, frame, name)
    return frame


def wrong_in(frame: pd.DataFrame, needed: Sequence[str]) -> str:
    """Say which column is missing, or holds what such a column of ours never does; empty where none."""
    if missing := [name for name in needed if name not in frame]:
        return f"no column {', '.join(missing)}"
    if gaps := [name for name in needed if name in _COMPLETE and frame[name].isna().any()]:
        return f"column {gaps[0]} has gaps"
    for name in sorted(_NUMBERS & {*frame}) if len(frame) else ():  # no row, no type
        known = frame[name].dropna()
        wrong = ""
        if name == "bytes" and len(known) < len(frame):
            wrong = "sizes"
        elif len(known) and (not pd.api.types.is_numeric_dtype(known) or pd.api.types.is_complex_dtype(known)):
            wrong = "numbers"
        elif len(known):
            values = known.to_numpy(dtype=float)
            if not np.isfinite(values).all():
                wrong = "finite numbers"
            elif name in _COUNTS and not ((values >= 0) & (values < 2**53) & (values % 1 == 0)).all():
                wrong = "whole numbers"
            elif name in _SIZES and not (values >= 0).all():
                wrong = "sizes"
        if wrong:
            return f"column {name} holds more than {wrong}"
    return ""


def _clean(path: Path, frame: pd.DataFrame, name: str) -> None:
    """Put escapes for controls in a column of texts. Raises VqbenchError where a name is longer than a run's can be."""
    values = [value for value in frame[name].unique() if isinstance(value, str)]
    longest = max(map(len, values), default=0)
    if name not in _LONG and longest > _NAME:
        raise _broken(path, f"column {name}: {longest} characters in a name")
    if any(map(_CONTROLS.search, values)):
        frame[name] = frame[name].astype(object).map(lambda x: _plain_text(x) if isinstance(x, str) else x)


def check_together(
    folder: Path, meta: Mapping[str, Any], metrics: pd.DataFrame, ledger: pd.DataFrame, comparisons: pd.DataFrame
) -> None:
    """Check that each table has what the others name, once.

    Raises:
        VqbenchError: a dataset or the bytes of a variant are missing, or a row repeats another.
    """
    ok = metrics[metrics["status"] == "ok"]
    if unknown := {*metrics["dataset"]} - {*meta["datasets"]}:
        raise _broken(folder / "metrics.csv", f"dataset {min(map(str, unknown))} is not in meta.json")
    totals = ledger[ledger["item"] == "bytes_per_vector"]
    missing = {*zip(ok["dataset"], ok["variant"], strict=True)} - {
        *zip(totals["dataset"], totals["variant"], strict=True)
    }
    for dataset, variant in sorted(missing)[:1]:
        raise _broken(folder / "ledger.csv", f"no bytes_per_vector of {variant} on {dataset}")
    for name, frame, columns in (
        ("metrics.csv", metrics, [*_KEY, "seed"]),
        ("comparisons.csv", comparisons, [*_KEY, "baseline"]),
        ("ledger.csv", ledger, ["dataset", "variant", "item", "scope"]),
    ):
        if len(frame) and (repeats := frame.duplicated(columns)).any():
            raise _broken(folder / name, f"row {int(repeats.to_numpy().argmax())} repeats another")


def check_size(path: Path) -> None:
    """Raise VqbenchError where a file of text is none, or so large that no run wrote it."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):  # what it is a link to, such as a device, may have no end
        raise _broken(path, "no file")
    if about.st_size > _TEXT_BYTES:
        raise _broken(path, f"{about.st_size} bytes of text, where up to {_TEXT_BYTES} are read")


def _broken(path: Path, wrong: str) -> VqbenchError:
    reason = shortened(" ".join(wrong.split()), 200)
    return VqbenchError(f"{path}: is not what a run writes ({reason}): run vqbench again, or get the folder anew")
