"""What rows and queries that a report lists are called beside their ids: labels and the beginnings of texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from vqbench.datasets.base import Data
from vqbench.results.cell_files import load_cell
from vqbench.results.records import CellRecord
from vqbench.storage.ids import positions

_QUERIES = ("worst", "worst_float")  # kinds of samples whose ``id`` is a query's
_LISTS = ("nearest", *_QUERIES)


def captions(data: Data, cells: Iterable[CellRecord], out: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Return the entry of meta.json with captions of rows and queries that samples.parquet lists; empty without any.

    They are no part of a cell, since they change no number: texts that are named later are shown without a new search.
    """
    if data.texts is None and data.labels is None and data.query_texts is None:
        return {}
    done = [each for each in cells if each.status in ("ok", "reused") and not each.backend]
    tables = [(each.cell or load_cell(out, each.name)).samples for each in done]
    listed = pd.concat(tables or [pd.DataFrame(columns=["kind", "id", "other"])], ignore_index=True)
    listed = listed[listed["kind"].isin(_LISTS)]
    asked = listed["kind"].isin(_QUERIES)
    rows = positions(data.ids, {*listed["other"], *listed["id"][~asked]})
    queries = positions(data.query_ids, set(listed["id"][asked]))
    named = {
        "rows": {name: caption for name, row in rows.items() if (caption := data.caption(row))},
        "queries": {name: caption for name, row in queries.items() if (caption := data.query_caption(row))},
    }
    return {"captions": named}
