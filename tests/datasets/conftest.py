"""What tests of tables share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(params=["x.parquet", "x.feather", "x.arrows"])
def table_path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Where a table is written: as Parquet, as a file of Arrow, as a stream."""
    return tmp_path / request.param
