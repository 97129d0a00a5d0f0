"""The doctor finds each fault where it was planted, is quiet elsewhere, and depends on the rows alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from doctored import PLANTED, QUIET, clusters, data_of, variant_of
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT

from vqbench.datasets.base import Data
from vqbench.errors import VqbenchError
from vqbench.evaluation.doctor import sample
from vqbench.evaluation.doctor.base import LEVELS, Finding, Gain, graded, highest, number, points, rounded, share
from vqbench.evaluation.doctor.checkup import ANY_SIZE, CHECKS, checkup, run_check
from vqbench.experiment.config.folders import config_names
from vqbench.storage import vectors


@cache
def quiet(name: str) -> dict[str, Finding]:
    return {finding.check: finding for finding in checkup(QUIET[name](), variant_of)}


def test_every_check_has_a_planted_fault_and_its_own_name() -> None:
    assert set(PLANTED) == set(CHECKS)
    found = {finding.check for name in QUIET for finding in quiet(name).values()}
    assert found == set(CHECKS)


@pytest.mark.parametrize("check", sorted(PLANTED))
def test_a_planted_fault_is_found(check: str) -> None:
    planted = PLANTED[check]
    found = run_check(check, sample.draw_sample(planted.make(), variant_of))
    assert found is not None
    assert found.check == check
    assert found.level == planted.level, found
    assert planted.variants <= set(found.variants)
    known = config_names("quantizer")
    assert all(variant in known for variant in found.variants)


@pytest.mark.parametrize("name", sorted(QUIET))
def test_it_is_quiet_where_nothing_is_wrong(name: str) -> None:
    for finding in quiet(name).values():
        assert finding.level == "fine", finding
        assert finding.variants == ()


def test_only_queries_apart_can_be_shifted() -> None:
    assert "shift" not in quiet("clusters")
    assert "shift" in quiet("clusters and queries of the same kind")


def test_the_worst_stands_first() -> None:
    levels = [LEVELS.index(finding.level) for finding in checkup(PLANTED["offset"].make(), variant_of)]
    assert levels == sorted(levels, reverse=True)
    assert len(set(levels)) == 3


def test_few_rows_get_the_checks_that_need_no_neighbours() -> None:
    assert {finding.check for finding in checkup(data_of(clusters(n=sample.LEAST - 1)), variant_of)} == set(ANY_SIZE)
    assert len(checkup(data_of(clusters(n=sample.LEAST)), variant_of)) > len(ANY_SIZE)


def plain(data: Data) -> list[dict]:
    return [finding.plain() for finding in checkup(data, variant_of)]


@pytest.mark.parametrize("ids", [True, False], ids=["with ids", "without ids"])
def test_row_order_does_not_show(ids: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples smaller than the data, copies among the rows, queries that are rows: all drawn by key."""
    monkeypatch.setattr(sample, "_ROWS", 400)
    monkeypatch.setattr(sample, "_SEARCHED", 900)
    x_nd = clusters(n=1000) + 0.1
    x_nd[900:930] = x_nd[:30]
    order_n = np.random.default_rng(0).permutation(len(x_nd))
    names_n = [f"row {row}" for row in range(len(x_nd))]
    first = plain(data_of(x_nd, ids=names_n if ids else None))
    second = plain(data_of(x_nd[order_n], ids=[names_n[row] for row in order_n] if ids else None))
    assert json.dumps(first) == json.dumps(second)


def test_block_size_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    x_nd = clusters(n=700) + 0.1
    first = plain(data_of(x_nd, queries_qd=clusters(n=90, seed=5)))
    monkeypatch.setattr(sample, "_BLOCK", 97)
    monkeypatch.setattr(vectors, "_KEPT", 0)  # rows are read again for each block
    assert json.dumps(plain(data_of(x_nd, queries_qd=clusters(n=90, seed=5)))) == json.dumps(first)


@pytest.mark.slow
def test_the_same_on_one_thread() -> None:
    """Sums that threads may order otherwise differ by less than what is shown."""
    import os
    import subprocess
    import sys

    code = (
        "import json; from doctored import *; from vqbench.evaluation.doctor.checkup import checkup\n"
        "print(json.dumps([f.plain() for f in checkup(data_of(clusters(d=200) + 0.05), variant_of)]))"
    )
    shown = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'tests' / 'helpers'}:{ROOT}",
                 "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        ).stdout
        for threads in ("1", "3")
    ]  # fmt: skip
    assert shown[0] == shown[1]
    assert len(json.loads(shown[0])) > len(ANY_SIZE)


@settings(max_examples=25)
@given(
    n=st.integers(1, 70), d=st.integers(1, 9), distinct=st.integers(1, 4), normalize=st.booleans(),
    apart=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_rows_get_finite_findings(n: int, d: int, distinct: int, normalize: bool, apart: bool, seed: int) -> None:
    """Copies, constant dimensions, one dimension, one row: nothing breaks, and JSON can hold it."""
    rng = np.random.default_rng(seed)
    x_nd = rng.integers(-distinct, distinct + 1, size=(n, d)).astype(np.float32)
    x_nd[~x_nd.any(axis=1)] = 1
    found = plain(data_of(x_nd, queries_qd=x_nd[: max(2, n // 2)] if apart else None, normalize=normalize))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {finding["level"] for finding in found} <= set(LEVELS)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_lengths_far_from_one_do_not_overflow(scale: float) -> None:
    found = {
        finding.check: finding for finding in checkup(data_of(clusters(n=300) * scale, normalize=False), variant_of)
    }
    same = {finding.check: finding for finding in checkup(data_of(clusters(n=300), normalize=False), variant_of)}
    for check in ("mean", "offset", "scales", "balance", "dimension", "hubness"):
        assert found[check].value == pytest.approx(same[check].value, rel=1e-4), check


def test_a_finding_refuses_what_it_cannot_show() -> None:
    with pytest.raises(VqbenchError, match="finite"):
        Finding(float("nan"), "", "")


def test_words_and_levels() -> None:
    assert [share(x) for x in (0, 0.0012, 0.05, 0.123, 1)] == ["0 %", "0.12 %", "5 %", "12 %", "100 %"]
    assert [points(x) for x in (0, 0.5, 0.994, 0.996)] == [".00", ".50", ".99", "1.00"]
    assert [number(x) for x in (0.01234, -3.456, 65535.6)] == ["0.0123", "-3.46", "65,536"]
    assert [rounded(x) for x in (123456.789, -0.0, 1.00000049)] == [123457.0, 0.0, 1.0]
    assert highest([]) == "fine"
    assert highest(["note", "fine", "warning"]) == "warning"
    assert [graded(x, 0.1, 0.5) for x in (0.09, 0.1, 0.5)] == ["fine", "note", "warning"]


@pytest.mark.parametrize(("shift", "level"), [(0.01, "fine"), (0.05, "note"), (0.2, "warning"), (-0.2, "fine")])
def test_a_gain_counts_from_two_points_on(shift: float, level: str) -> None:
    before_q = np.tile([0.3, 0.5, 0.7], 60)
    assert Gain.between(before_q, before_q + shift).level == level


def test_a_gain_within_three_standard_errors_may_be_chance() -> None:
    before_q, after_q = np.zeros(50), np.random.default_rng(0).normal(0.1, 0.5, 50)
    gain = Gain.between(before_q, after_q)
    assert gain.error == pytest.approx(np.std(after_q, ddof=1) / np.sqrt(50))
    assert 0.02 < gain.difference < 3 * gain.error
    assert gain.level == "fine"


@pytest.mark.parametrize("name", ["clip-lvis-vitb32", "sift-ngt-5k", "banking77-minilm"])
def test_real_embeddings_get_their_own_diagnosis(name: str, embeddings: Callable[[str], np.ndarray]) -> None:
    """What is known of these sets, and is not said of the others."""
    rows = embeddings(name)  # some of them lie sorted: every so many rows, not the first ones
    found = {f.check: f for f in checkup(data_of(rows[:: max(1, len(rows) // 3000)]), variant_of)}
    known = {
        "clip-lvis-vitb32": {"outliers": "warning", "mean": "warning", "offset": "fine", "dimension": "fine"},
        "sift-ngt-5k": {"outliers": "fine", "offset": "warning", "balance": "warning", "dimension": "fine"},
        "banking77-minilm": {"outliers": "fine", "offset": "fine", "balance": "fine", "dimension": "note"},
    }
    assert {check: found[check].level for check in known[name]} == known[name]
