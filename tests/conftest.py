"""Fixtures: corpora full of ties, views built from plain score matrices, real embeddings."""

from __future__ import annotations

import os

# Tests run on every core already; a BLAS thread each on top would only make them wait for one another.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("COLUMNS", None)  # what is printed is as wide as it says, and a runner of tests may say something

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import oracles
import pytest
from hypothesis import HealthCheck, settings

from vqbench.evaluation.bench import Bench
from vqbench.evaluation.deep_search import views
from vqbench.evaluation.placement import place
from vqbench.evaluation.settings import Settings
from vqbench.evaluation.truth import Truth
from vqbench.metrics.base import View
from vqbench.numerics.arrays import unit_rows
from vqbench.search.topk import Hits

settings.register_profile(
    "vqbench", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("vqbench")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how to run what the default leaves out."""
    if config.option.markexpr == "not slow":
        terminalreporter.write_line("The slow tests were left out: pytest -m 'slow or not slow' runs all of them.")


MakeViews = Callable[..., list[View]]


def _hits(scores_qn: np.ndarray, k: int, priority_n: Sequence[int], exclude_q: Sequence[int]) -> Hits:
    found = [
        oracles.top(scores, k, exclude=exclude, priority_n=priority_n)
        for scores, exclude in zip(scores_qn, exclude_q, strict=True)
    ]
    ids, scores, dropped = zip(*found, strict=True)
    return Hits(np.array(ids, dtype=np.int64), np.array(scores), np.array(dropped, dtype=np.int64))


@pytest.fixture(scope="session")
def make_views() -> MakeViews:
    """Views as an evaluation makes them, from all true and code scores ``(q, n)`` written down by hand.

    The searches are naive sorts, so that only places, cuts and metrics are under test.
    """

    def make(
        true_qn: np.ndarray,
        code_qn: np.ndarray,
        *,
        k: Sequence[int],
        oversample: Sequence[int] = (0,),
        gain_qn: np.ndarray | None = None,
        priority_n: Sequence[int] | None = None,
        exclude_q: Sequence[int] | None = None,
    ) -> list[View]:
        true_qn, code_qn = np.asarray(true_qn, dtype=float), np.asarray(code_qn, dtype=float)
        q, n = true_qn.shape
        gain_qn = np.zeros((q, n)) if gain_qn is None else np.asarray(gain_qn, dtype=float)
        priority_n = range(n) if priority_n is None else priority_n
        left_out_q = [-1] * q if exclude_q is None else exclude_q
        chosen = Settings(k, oversample, [])
        findable = n - (exclude_q is not None)
        hits = _hits(true_qn, max(k), priority_n, left_out_q)
        documents = [
            (query, row)
            for query in range(q)
            for row in range(n)
            if row != left_out_q[query]
            and (true_qn[query, row] >= hits.scores_qk[query, -1] or gain_qn[query, row] > 0)
        ]
        documents.sort(key=lambda at: (at[0], -true_qn[at], priority_n[at[1]]))
        query_f, row_f = np.array(documents, dtype=np.int64).T
        true_f, gain_f = true_qn[query_f, row_f], gain_qn[query_f, row_f]
        truth = Truth(hits, query_f, row_f, true_f, gain_f, place(hits, query_f, true_f))
        bench = SimpleNamespace(truth=truth, data=SimpleNamespace(findable=findable))
        deepest = chosen.fetched(max(k), max(oversample), findable)
        coded = _hits(code_qn, deepest, priority_n, left_out_q)
        true_qm = np.take_along_axis(true_qn, coded.ids_qk, axis=1)
        last_q = np.array(
            [
                true_qn[at][(code_qn[at] == scores[-1]) & (np.arange(code_qn.shape[1]) != left_out_q[at])].mean()
                for at, scores in enumerate(coded.scores_qk)
            ]
        )
        return list(views(cast(Bench, bench), chosen, coded, code_qn[query_f, row_f], true_qm, last_q))

    return make


@pytest.fixture(scope="session")
def tied_rows() -> np.ndarray:
    """Rows ``(120, 16)`` whose cosines are exact multiples of 1/16: copies, scaled copies, constant rows."""
    rng = np.random.default_rng(5)
    base_nd = rng.choice([-1.0, 1.0], size=(30, 16))
    base_nd[7] = base_nd[8] = 1.0
    scaled = [base_nd, base_nd[::-1] * 2, base_nd * 3, base_nd * np.float32(0.1)]
    return np.concatenate(scaled).astype(np.float32)


@pytest.fixture(scope="session")
def gaussian() -> np.ndarray:
    """Unit rows ``(300, 16)`` without a tie."""
    return unit_rows(np.random.default_rng(11).standard_normal((300, 16)) + 0.2)


def real_embeddings(name: str) -> np.ndarray:
    """Rows from ``$VQBENCH_DATA/NAME/embeddings.npy``; the test is skipped where they are not at hand."""
    folder = Path(os.environ.get("VQBENCH_DATA", Path(__file__).parents[2] / "shared" / "data"))
    path = folder / name / "embeddings.npy"
    if not path.is_file():
        pytest.skip(f"{name} is not at hand: set VQBENCH_DATA to a folder that holds {name}/embeddings.npy")
    return np.load(path, allow_pickle=False)


@pytest.fixture(scope="session")
def embeddings() -> Callable[[str], np.ndarray]:
    return real_embeddings


@pytest.fixture(params=["x.parquet", "x.feather", "x.arrows"])
def table_path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Where a table is written: as Parquet, as a file of Arrow, as a stream."""
    return tmp_path / request.param
