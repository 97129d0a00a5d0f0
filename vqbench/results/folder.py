"""The tables of a results folder, written together and read together.

meta.json holds the hashes of the tables that belong to it, and takes its place last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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
DIGITS = "%.10g"  # of numbers in CSV


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame | str], meta: Mapping[str, Any]) -> None:
    """Put tables in place, and meta.json with their hashes after them.

    Files of seconds beside a sweep are not hashed: meta.json would change with each run. Nor is Markdown, for people.

    Args:
        tables: by file name, which says whether a frame becomes CSV or Parquet.

    Raises:
        VqbenchError: one cannot be written; then all are what they were.
    """
    hashes: dict[str, str] = {}

    def table(name: str, path: Path) -> None:
        content = tables[name]
        if isinstance(content, str):
            write_text(path, content)
        elif path.suffix == ".csv":  # the same bytes on every platform
            content.to_csv(path, index=False, float_format=DIGITS, lineterminator="\n")
        else:
            content.to_parquet(path, index=False, compression="zstd")
        if not name.endswith(("timings.csv", ".md")):
            hashes[name] = _hash(path)

    def description(path: Path) -> None:
        text = json.dumps({**meta, "tables": hashes}, indent=2, ensure_ascii=False, default=str)
        write_text(path, text + "\n")

    files: dict[Path, Write] = {folder / name: partial(table, name) for name in tables}
    write_together({**files, folder / _META: description})


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Results:
    """A results folder as it was written.

    Tables that the folder lacks are empty: committed results hold the small ones alone.
    """

    folder: Path
    metrics: pd.DataFrame
    ledger: pd.DataFrame
    comparisons: pd.DataFrame
    per_query: pd.DataFrame
    samples: pd.DataFrame
    timings: pd.DataFrame
    meta: dict
    backends: pd.DataFrame = field(default_factory=pd.DataFrame)  #: real engines beside their prediction

    @property
    def pooled(self) -> pd.DataFrame:
        """Return one row of metrics.csv for each dataset, variant, metric, k and oversample factor.

        Where a variant ran with several seeds, the row over all of them. Cells without a result are left out.
        """
        ok = self.metrics[self.metrics["status"] == "ok"]
        seeds = ok.groupby(["dataset", "variant"])["seed"].transform("nunique")
        return ok[(seeds == 1) | (ok["seed"] == ALL_SEEDS)]


def read_results(folder: Path) -> Results:
    """Read the tables of a results folder.

    Raises:
        VqbenchError: it is no such folder, of another schema, or holds tables of two runs.
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
        results = Results(
            folder=folder,
            metrics=read_csv(folder / "metrics.csv"),
            ledger=read_csv(folder / "ledger.csv"),
            comparisons=optional("comparisons.csv"),
            per_query=optional("per_query.parquet"),
            samples=optional("samples.parquet"),
            timings=optional("timings.csv"),
            meta=meta,
            backends=optional("backends.csv"),
        )
        check_together(folder, meta, results.metrics, results.ledger, results.comparisons)
        return results
    except OSError as error:
        missing = Path(error.filename or folder).name
        message = f"holds no {missing}: run vqbench first"
        again = "give the same command again; finished cells are kept"
        if missing == _META and (folder / "metrics.csv").is_file():
            message = f"holds metrics.csv and no {_META}, which says what it is of: {again}"
        elif missing == _META and (folder / "cells").is_dir():
            cells = len([*(folder / "cells").glob("*/*.cell")])
            message = f"its run was not finished ({cells:,} finished cells, no tables): {again}"
        elif missing == _META and (inside := sorted(path.parent.name for path in folder.glob(f"*/{_META}"))):
            message = f"is no results folder, but holds some: name one of {', '.join(inside[:8])}"
        raise VqbenchError(f"{folder}: {message}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise VqbenchError(f"{folder}: is not a complete results folder ({error}): run vqbench again") from None


def holds_results(folder: Path) -> bool:
    """Say whether the tables in ``folder`` have a result, or are such that one cannot tell."""
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


def _optional(folder: Path, meta: Mapping[str, Any], name: str) -> pd.DataFrame:
    """A table, or an empty one: where it is missing, or left by another run than the one that wrote meta.json."""
    of_this_run = name in meta.get("tables", {name: ""}) or name.endswith("timings.csv")
    read = read_csv if name.endswith(".csv") else read_parquet
    return read(folder / name) if of_this_run and (folder / name).is_file() else pd.DataFrame()
