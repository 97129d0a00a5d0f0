"""Small files in the shape of what people hand in, and the data that a run makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from vqbench.datasets.base import Data
from vqbench.errors import VqbenchError
from vqbench.experiment.config.compose import compose_jobs
from vqbench.experiment.plan import make_plan
from vqbench.experiment.run import prepared
from vqbench.numerics.arrays import Floats

N, D = 60, 16


def vectors(n: int = N, d: int = D, seed: int = 0) -> Floats:
    """Clustered rows, float32."""
    rng = np.random.default_rng(seed)
    centres_cd = rng.normal(size=(6, d))
    return (centres_cd[rng.integers(0, 6, n)] + 0.6 * rng.normal(size=(n, d))).astype(np.float32)


def near(x_nd: Floats, seed: int = 1, noise: float = 0.25) -> Floats:
    """Rows close to others."""
    return (x_nd + noise * np.random.default_rng(seed).normal(size=x_nd.shape)).astype(np.float32)


def lists(x_nd: np.ndarray, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(list(x_nd), pa.list_(kind or pa.float32()))


def tensor(x_nd: Floats) -> pa.Array:
    """A column of Arrow's fixed-shape tensors."""
    storage = pa.FixedSizeListArray.from_arrays(pa.array(x_nd.ravel()), x_nd.shape[1])
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), [x_nd.shape[1]]), storage)


def lines(path: Path, rows: list[str]) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows), "utf-8")
    return path


def data_of(path: Path | str, *settings: str) -> Data:
    """The data that a run with these settings evaluates."""
    job = compose_jobs(["dataset=file", f"dataset.path={path}", "quantizer=float32", *settings]).jobs[0]
    (data,) = prepared(make_plan(job.plain(), job.settings)).values()
    return data


def rows_of(data: Data) -> Floats:
    return data.corpus.raw(0, data.corpus.n)


def holds(data: Data, x_nd: Floats, ids: list[str] | None = None) -> None:
    """Assert rows and ids, to the bit."""
    np.testing.assert_array_equal(rows_of(data), x_nd)
    assert list(data.ids) == (ids if ids is not None else [str(row) for row in range(len(x_nd))])


def refused(path: Path | str, *settings: str) -> str:
    with pytest.raises(VqbenchError) as error:
        data_of(path, *settings)
    return str(error.value)
