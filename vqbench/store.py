"""A results folder: one file a cell, and the tables made from them.

A cell's file is named after what it depends on (data, variant, seed, settings, schema and arithmetic),
so a finished cell is found again and a stale one never is. Everything is written under a temporary
name and renamed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vqbench.errors import VqbenchError
from vqbench.evaluation.cell import Cell
from vqbench.evaluation.tables import ALL_SEEDS, SCHEMA
from vqbench.names import check_no_links, slug
from vqbench.result_files import check_meta, check_together, read_csv, read_meta, read_parquet

_CELL = b"vqbench_cell"
DIGITS = "%.10g"


@dataclass(frozen=True)
class CellName:
    """Which cell, and the hash of all that its numbers depend on."""

    dataset: str
    variant: str
    seed: int
    depends_on: str

    @property
    def path(self) -> Path:
        """Where the cell lies, relative to ``cells/``."""
        named = [SCHEMA, self.dataset, self.variant, self.depends_on]  # two names may share a slug
        key = hashlib.sha256(repr(named).encode()).hexdigest()[:16]
        return Path(slug(self.dataset)) / f"{slug(self.variant)}-s{self.seed}-{key}.parquet"


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with plain line ends on every platform."""
    path.write_text(text, "utf-8", newline="\n")


def check_writable(folder: Path) -> None:
    """Raise VqbenchError unless files can be made in ``folder``."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        check_no_links(folder)
    except OSError as error:
        raise VqbenchError(
            f"out={folder}: cannot be written ({error.strerror}): choose another folder with out=DIR"
        ) from None


def save_cell(folder: Path, name: CellName, cell: Cell) -> None:
    """Write a cell: its per-query table, with the small tables as JSON in the same file."""
    small = {
        "metrics": _plain(cell.metrics),
        "ledger": _plain(cell.ledger),
        "samples": _plain(cell.samples),
        "seconds": cell.seconds,
    }
    table = pa.Table.from_pandas(cell.per_query, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _CELL: json.dumps(small)})
    write_atomically(folder / "cells" / name.path, lambda path: pq.write_table(table, path))


def has_cell(folder: Path, name: CellName) -> bool:
    """Whether the cell is finished."""
    return (folder / "cells" / name.path).is_file()


def load_cell(folder: Path, name: CellName) -> Cell | None:
    """The finished cell, or None."""
    path = folder / "cells" / name.path
    if not path.is_file():
        return None
    table = pq.read_table(path)
    small = json.loads(table.schema.metadata[_CELL])
    return Cell(
        _frame(small["metrics"]).astype({"k": "Int64"}), _frame(small["ledger"]),
        table.to_pandas(), _frame(small["samples"]), small["seconds"],
    )  # fmt: skip


def _plain(frame: pd.DataFrame) -> dict:
    """A frame as plain lists; floats come back bit for bit, text stays text."""
    values = frame.astype(object).where(frame.notna(), None).to_numpy(dtype=object).tolist()
    return {"columns": list(frame.columns), "rows": values}


def _frame(content: dict) -> pd.DataFrame:
    return pd.DataFrame(content["rows"], columns=content["columns"])


def write_csv(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """A table with 10 significant digits and the same bytes on every platform."""
    write_atomically(
        folder / name,
        lambda path: frame.to_csv(path, index=False, float_format=DIGITS, lineterminator="\n"),
    )


def write_parquet(folder: Path, name: str, frame: pd.DataFrame) -> None:
    write_atomically(folder / name, lambda path: frame.to_parquet(path, index=False, compression="zstd"))


def write_json(folder: Path, name: str, content: object) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
    write_atomically(folder / name, lambda path: write_text(path, text))


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
    """The tables of a results folder. Raises VqbenchError where it is none or of another schema."""
    if not folder.is_dir():
        raise VqbenchError(f"{folder}: no such folder: name one that a run wrote, as in results/NAME")
    try:
        meta = read_meta(folder / "meta.json")
        if meta["schema"] != SCHEMA:
            raise VqbenchError(
                f"{folder}: written with schema {meta['schema']}, this vqbench reads {SCHEMA}: run it again"
            )
        check_meta(folder / "meta.json", meta)
        frames = {name: read_csv(folder / name) for name in ("metrics.csv", "ledger.csv")}
        frames["comparisons.csv"] = _optional(folder / "comparisons.csv", read_csv)
        check_together(folder, meta, frames)
        return Results(
            folder, frames["metrics.csv"], frames["ledger.csv"], frames["comparisons.csv"],
            _optional(folder / "per_query.parquet", read_parquet),
            _optional(folder / "samples.parquet", read_parquet), _optional(folder / "timings.csv", read_csv), meta,
            _optional(folder / "backends.csv", _backends_csv),
        )  # fmt: skip
    except OSError as error:
        raise VqbenchError(f"{folder}: holds no {Path(error.filename or folder).name}: run vqbench first") from None
    except (KeyError, ValueError) as error:
        raise VqbenchError(f"{folder}: is not a complete results folder ({error}): run vqbench again") from None


def _backends_csv(path: Path) -> pd.DataFrame:
    text = ("dataset", "backend", "variant", "similarity", "engine", "version", "seed", "status", "reason")
    frame = pd.read_csv(path, dtype=dict.fromkeys(text, str))
    return frame.fillna(dict.fromkeys(text, ""))


def _optional(path: Path, read: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    return read(path) if path.is_file() else pd.DataFrame()
