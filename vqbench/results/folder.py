"""The tables of a results folder, written together and read together.

meta.json holds the hashes of the tables that belong to it, and takes its place last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from vqbench.errors import VqbenchError
from vqbench.results.columns import ALL_SEEDS, SCHEMA
from vqbench.results.validation import check_meta, check_size, check_together, read_csv, read_meta, read_parquet
from vqbench.storage.atomic import Write, write_text, write_together
from vqbench.storage.safe_open import open_regular

_META = "meta.json"
DIGITS = "%.10g"


def _csv_bytes(frame: pd.DataFrame, path: Path) -> None:
    """10 significant digits, and the same bytes on every platform."""
    frame.to_csv(path, index=False, float_format=DIGITS, lineterminator="\n")


def _parquet_bytes(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path, index=False, compression="zstd")


def _json_bytes(content: object, path: Path) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame | str], meta: Mapping[str, Any]) -> None:
    """Put tables in place, CSV or Parquet by their names or as text, and meta.json with their hashes after them.

    Files of seconds beside a sweep are not hashed: meta.json would change with each run. Nor is Markdown, for people.
    Raises VqbenchError where one cannot be written; then all are what they were.
    """
    hashes: dict[str, str] = {}

    def table(name: str, path: Path) -> None:
        content = tables[name]
        if isinstance(content, str):
            write_text(path, content)
        else:
            (_csv_bytes if path.suffix == ".csv" else _parquet_bytes)(content, path)
        if not name.endswith(("timings.csv", ".md")):
            hashes[name] = _hash(path)

    files: dict[Path, Write] = {folder / name: partial(table, name) for name in tables}
    files[folder / _META] = lambda path: _json_bytes({**meta, "tables": hashes}, path)
    write_together(files)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Results:
    """A results folder as it was written.

    per_query, samples, timings, comparisons are empty where the folder lacks them: committed results hold the
    small tables alone. backends: real engines beside their prediction, where any ran.
    """

    folder: Path
    metrics: pd.DataFrame
    ledger: pd.DataFrame
    comparisons: pd.DataFrame
    per_query: pd.DataFrame
    samples: pd.DataFrame
    timings: pd.DataFrame
    meta: dict
    backends: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def pooled(self) -> pd.DataFrame:
        """One row of metrics.csv for each dataset, variant, metric, k and oversample factor.

        Where a variant ran with several seeds, the row over all of them; cells without a result are left out.
        """
        ok = self.metrics[self.metrics["status"] == "ok"]
        seeds = ok.groupby(["dataset", "variant"])["seed"].transform("nunique")
        return ok[(seeds == 1) | (ok["seed"] == ALL_SEEDS)]


def read_results(folder: Path) -> Results:
    """The tables of a results folder.

    Raises VqbenchError where it is none, of another schema, or holds tables of two runs.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.is_file() else "no such folder"
        raise VqbenchError(f"{folder}: {what}: name a folder that a run wrote, as in results/NAME")
    try:
        meta = read_meta(folder / _META)
        check_schema(folder, meta["schema"])
        if meta["schema"] != SCHEMA:
            raise VqbenchError(
                f"{folder}: written with schema {meta['schema']}, this vqbench reads {SCHEMA}: run it again"
            )
        check_meta(folder / _META, meta)
        check_tables(folder, meta)
        optional = partial(_optional, folder, meta)
        frames = {name: read_csv(folder / name) for name in ("metrics.csv", "ledger.csv")}
        frames["comparisons.csv"] = optional("comparisons.csv", read_csv)
        check_together(folder, meta, frames)
        return Results(
            folder,
            frames["metrics.csv"],
            frames["ledger.csv"],
            frames["comparisons.csv"],
            optional("per_query.parquet", read_parquet),
            optional("samples.parquet", read_parquet),
            optional("timings.csv", read_csv),
            meta,
            optional("backends.csv", read_csv),
        )
    except OSError as error:
        missing = Path(error.filename or folder).name
        if missing == _META and (folder / "metrics.csv").is_file():
            raise VqbenchError(
                f"{folder}: holds metrics.csv and no {_META}, which says what it is of: give the run's command again, "
                "which writes both; finished cells are kept"
            ) from None
        if missing == _META and (folder / "cells").is_dir():
            cells = sum(1 for _ in (folder / "cells").glob("*/*.cell"))
            raise VqbenchError(
                f"{folder}: its run was not finished: {cells:,} cell{'s are' if cells != 1 else ' is'} there, and no "
                "tables yet: give the same command again; finished cells are kept"
            ) from None
        raise VqbenchError(f"{folder}: holds no {missing}: run vqbench first") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise VqbenchError(f"{folder}: is not a complete results folder ({error}): run vqbench again") from None


def holds_results(folder: Path) -> bool:
    """Whether the tables in ``folder`` have a result, or are such that one cannot tell."""
    try:
        return bool((read_csv(folder / "metrics.csv")["status"] == "ok").any())
    except FileNotFoundError:
        return False
    except (OSError, VqbenchError):
        return True


def check_schema(folder: Path, schema: object) -> None:
    """Raise VqbenchError where results of a later version lie in ``folder``: not to be read, nor written over."""
    if isinstance(schema, int) and schema > SCHEMA:
        raise VqbenchError(
            f"{folder}: holds results of a later vqbench (schema {schema}; this one has {SCHEMA}): install that one "
            "(pip install -U vqbench), or choose another folder"
        )


def check_not_later(folder: Path) -> None:
    """Raise VqbenchError where a run into ``folder`` would replace results of a later version, or of no sweep."""
    try:
        with open_regular(folder / _META) as file:
            meta = json.loads(file.read())
    except (OSError, ValueError, RecursionError):  # none yet, or nothing that could be lost
        return
    if not isinstance(meta, dict):
        return
    check_schema(folder, meta.get("schema"))
    if "schema" not in meta:
        raise VqbenchError(
            f"{folder}: holds results of another program, which this run would replace: name another folder by out="
        )


def check_tables(
    folder: Path, meta: Mapping[str, Any], remedy: str = "give the same command again; finished cells are kept"
) -> None:
    """Raise VqbenchError where a table is not the one that meta.json was written with. One may be missing."""
    for name, wanted in meta.get("tables", {}).items():
        if (folder / name).is_file() and name.endswith(".csv"):
            check_size(folder / name)
        if (folder / name).is_file() and _hash(folder / name) != wanted:
            raise VqbenchError(
                f"{folder / name}: is not the table that meta.json was written with (a run was stopped between "
                f"the two, or is at work, or the file was edited): {remedy}"
            )


def _optional(folder: Path, meta: Mapping[str, Any], name: str, read: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """A table, or an empty one: where it is missing, or left by another run than the one that wrote meta.json."""
    of_this_run = name in meta.get("tables", {name: ""}) or name.endswith("timings.csv")
    return read(folder / name) if of_this_run and (folder / name).is_file() else pd.DataFrame()
