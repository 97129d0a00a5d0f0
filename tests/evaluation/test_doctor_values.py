"""The doctor's numbers against loops, scipy, simulation, and the evaluation of the same variants."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from doctored import PLANTED, clusters, data_of, isotropic, sample_of, variant_of
from scipy import stats

import vqbench
from vqbench.evaluation.doctor.base import Finding
from vqbench.evaluation.doctor.centre import entropy
from vqbench.evaluation.doctor.checkup import run_check
from vqbench.evaluation.doctor.neighbours import errors, expected_overlap
from vqbench.evaluation.doctor.sample import Sample, draw_sample
from vqbench.evaluation.doctor.spectrum import participation
from vqbench.evaluation.doctor.spread import constant
from vqbench.evaluation.doctor.trials import cosines, overlaps, relevant
from vqbench.quantizers.offset_int8 import OffsetInt8

ROWS = clusters(n=220, d=24) * np.linspace(1, 2, 24) + np.linspace(-0.3, 0.4, 24)


@cache
def sample() -> Sample:
    return sample_of(ROWS)


def value(check: str, of: Sample | None = None) -> float:
    found = run_check(check, of or sample())
    assert isinstance(found, Finding)
    return found.value


def unit() -> np.ndarray:
    rows = ROWS.astype(np.float32).astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


#: Variants that checks try, and that 72 dimensions allow.
TRIED = [
    "offset_int8",
    "int8_minmax",
    "int8_minmax_global",
    "int8_quantile",
    "int4_minmax",
    "int4_vector",
    "int4_quantile",
    "binary_zero",
    "binary_zero_decoded",
    "binary_mean_dimension",
    "binary_mean_dimension_levels",
    "binary_hadamard",
    "rabitq1_hadamard",
    "truncate64_float32",
]


@pytest.mark.parametrize("name", TRIED)
def test_a_trial_finds_what_an_evaluation_finds(name: str) -> None:
    """All rows are the sample and all are queries, so both see the same."""
    rows = np.tile(clusters(n=150, d=24), 3) + np.linspace(-0.3, 0.4, 72)
    rows[140:] = rows[:10]  # ties count alike too
    table = vqbench.evaluate(rows, variants={name: variant_of(name)}, queries="self", k=[10])
    expected = table[table["metric"] == "overlap"]["value"].item()
    assert sample_of(rows).overlap(name).mean() == pytest.approx(expected, abs=1e-12)


def test_overlap_is_the_expectation_over_ties() -> None:
    rng = np.random.default_rng(0)
    true_qm = rng.integers(0, 9, size=(6, 30)).astype(float)
    code_qm = rng.integers(0, 5, size=(6, 30)).astype(float)
    true_qm[:, 0] = -np.inf
    for true_m, code_m, found in zip(
        true_qm, code_qm, overlaps(true_qm, code_qm, relevant(true_qm, 4), 4), strict=True
    ):
        best = set(np.flatnonzero(true_m >= np.sort(true_m)[-4]))
        trials = []
        for _ in range(4000):
            order = np.lexsort((rng.random(29), -code_m[1:])) + 1
            trials.append(len(best & set(order[:4])) / 4)
        assert found == pytest.approx(np.mean(trials), abs=5 * 0.5 / np.sqrt(4000))


def test_cosines_are_those_of_a_loop() -> None:
    x, y = ROWS[:3], np.concatenate([ROWS[5:9], np.zeros((1, 24))])
    loop = [[a @ b / (np.linalg.norm(a) * (np.linalg.norm(b) or 1)) for b in y] for a in x]
    assert cosines(x, y) == pytest.approx(np.array(loop), abs=1e-9)


def test_shares_and_spreads_are_those_of_formulas() -> None:
    x_nd = unit()
    mean_d, variance_d = x_nd.mean(axis=0), x_nd.var(axis=0)
    squares_d = (x_nd**2).mean(axis=0)
    assert value("mean") == pytest.approx((mean_d**2).sum() / 1, rel=1e-5)
    assert value("offset") == pytest.approx(np.median(abs(mean_d) / np.sqrt(variance_d)), rel=1e-5)
    assert value("scales") == pytest.approx(variance_d.sum() ** 2 / (variance_d**2).sum() / 24, rel=1e-5)
    assert value("outliers") == pytest.approx(squares_d.max() / squares_d.sum(), rel=1e-5)
    assert value("tails") == pytest.approx(stats.kurtosis(x_nd, axis=0).mean(), rel=1e-5)
    lengths = np.linalg.norm(ROWS, axis=1)
    assert value("norms") == pytest.approx(lengths.max() / lengths.min(), rel=1e-5)


def test_codes_used_are_those_that_offset_int8_gives() -> None:
    codec = OffsetInt8().fit(sample().rows_md, np.random.default_rng(0))
    codes = codec.encode(sample().rows_md)
    assert value("range") == pytest.approx((int(codes.max()) - int(codes.min()) + 1) / 255)
    loud = sample_of(ROWS * 3, normalize=False)
    assert value("range", loud) == pytest.approx((np.abs(ROWS * 3) > 1).mean())


def test_entropy_is_that_of_scipy() -> None:
    ones_d = np.array([0, 0.001, 0.3, 0.5, 1])
    assert entropy(ones_d) == pytest.approx(stats.entropy([ones_d, 1 - ones_d], base=2, axis=0))
    above_d = (unit() > 0).mean(axis=0)
    assert value("balance") == pytest.approx(stats.entropy([above_d, 1 - above_d], base=2, axis=0).mean())


def test_hubness_counts_as_a_loop_does() -> None:
    x_nd = unit()
    often = np.zeros(len(x_nd))
    for row, x_d in enumerate(x_nd):
        scores = x_nd @ x_d
        scores[row] = -np.inf
        often[np.argsort(-scores)[:10]] += 1
    assert value("hubness") == pytest.approx(stats.skew(often), rel=1e-6)


def test_equal_and_nearly_equal_rows_are_counted() -> None:
    x_nd = clusters(n=200)
    x_nd[50:55] = x_nd[:5] * 2  # equal once scaled by a power of two
    x_nd[60:63] = x_nd[10:13] + 1e-3 * isotropic(n=3)
    found = sample_of(x_nd)
    assert value("duplicates", found) == 5
    assert value("near_duplicates", found) == 6 / 200
    x_nd[:, [4, 9]] = 0
    assert value("constant", sample_of(x_nd)) == 2


@pytest.mark.parametrize(("dead", "level"), [(0, "fine"), (1, "note"), (40, "warning")])
def test_a_constant_dimension_is_never_fine_since_something_is_to_be_done(dead: int, level: str) -> None:
    high_d = np.ones(384)
    high_d[:dead] = 0
    found = constant(cast(Sample, SimpleNamespace(whole=SimpleNamespace(d=384, low_d=np.zeros(384), high_d=high_d))))
    assert (found.value, found.level, "Leave them out" in found.sentence) == (dead, level, dead > 0)


def test_the_gap_is_that_of_sorted_lists() -> None:
    x_nd = unit()
    scores = x_nd @ x_nd.T
    np.fill_diagonal(scores, -np.inf)
    ranked = -np.sort(-scores, axis=1)
    found = run_check("gap", sample())
    assert isinstance(found, Finding)
    some = sample().nearest_ak
    asking_ad = data_of(ROWS).queries_qd[: len(some)]
    assert some == pytest.approx(ranked[np.argmax(asking_ad @ x_nd.T, axis=1), : some.shape[1]], abs=1e-6)
    error = np.median(errors(sample())[1][:, 9])
    assert found.value == pytest.approx(np.median(some[:, 9] - some[:, 10]) / error)


def test_expected_overlap_is_what_simulated_errors_leave() -> None:
    rng = np.random.default_rng(1)
    scores = -np.sort(-rng.random((3, 60)), axis=1)
    for error in (0.002, 0.02, 0.1):
        error_ak = error * rng.uniform(0.5, 1.5, scores.shape)
        kept = [
            len(set(np.argsort(-(s + rng.normal(0, e)))[:10]) & set(range(10))) / 10
            for s, e in zip(scores, error_ak, strict=True)
            for _ in range(1500)
        ]
        assert expected_overlap(scores, error_ak) == pytest.approx(np.mean(kept), abs=0.01)


def test_the_expected_overlap_is_that_of_an_evaluation() -> None:
    """Theory of errors against the codes themselves, on rows that share half of their squared length.

    Within three standard errors of 300 queries: below 2 points for int8, 3 for one bit, with which most queries lose
    much. No clusters, since rows that lie close together share part of their errors, which the theory leaves out.
    """
    rows = isotropic(n=3000, d=128) + 1 / np.sqrt(128)
    seen = sample_of(rows)
    within = {"offset_int8": 0.02, "int8_minmax": 0.02, "rabitq1_hadamard": 0.03}
    table = vqbench.evaluate(rows, variants={name: variant_of(name) for name in within}, n_queries=300, k=[10])
    for (name, tolerance), error_ak in zip(within.items(), errors(seen), strict=True):
        measured = table[(table["metric"] == "overlap") & (table["variant"] == name)]["value"].item()
        assert expected_overlap(seen.nearest_ak, error_ak) == pytest.approx(measured, abs=tolerance), name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip-lvis-vitb32", "sift-ngt-5k", "banking77-minilm", "wiki-movies-minilm"])
def test_the_expected_overlap_holds_on_real_embeddings(name: str, embeddings: Callable[[str], np.ndarray]) -> None:
    seen = sample_of(embeddings(name))
    fixed_ak, ranged_ak, _ = errors(seen)
    rows = embeddings(name).astype(np.float32)
    table = vqbench.evaluate(
        rows, variants={name: variant_of(name) for name in ("offset_int8", "int8_minmax")}, n_queries=500, k=[10]
    )
    for variant, error_ak in (("offset_int8", fixed_ak), ("int8_minmax", ranged_ak)):
        measured = table[(table["metric"] == "overlap") & (table["variant"] == variant)]["value"].item()
        assert expected_overlap(seen.nearest_ak, error_ak) == pytest.approx(measured, abs=0.02)


@pytest.mark.parametrize(("m", "d"), [(2000, 40), (60, 90)], ids=["more rows", "more dimensions"])
def test_the_effective_dimension_is_that_of_the_population(m: int, d: int) -> None:
    """From few rows too: the mean over samples is the ratio of the true spectrum, within 10 %."""
    scale_d = np.arange(1, d + 1) ** -0.5
    true = (scale_d**2).sum() ** 2 / (scale_d**4).sum()
    rng = np.random.default_rng(2)
    found = [participation(rng.standard_normal((m, d)) * scale_d) for _ in range(20)]
    assert np.mean(found) == pytest.approx(true, rel=0.1)


def test_the_first_half_keeps_what_a_truncating_variant_keeps() -> None:
    made = draw_sample(PLANTED["truncation"].make(), variant_of)
    assert value("truncation", made) == pytest.approx(made.overlap("truncate64_float32").mean(), abs=1e-3)


def test_a_shift_is_measured_in_variances() -> None:
    """Means that lie sqrt(s) standard deviations apart, all dimensions together, show s; chance shows nearly 0."""
    rng = np.random.default_rng(3)
    x_nd, q_nd = rng.standard_normal((4000, 20)) + 5, rng.standard_normal((250, 20)) + 5
    same = sample_of(x_nd, queries_qd=q_nd, normalize=False)
    moved = sample_of(x_nd, queries_qd=q_nd + 1, normalize=False)
    assert value("shift", same) < 0.005
    assert value("shift", moved) == pytest.approx(1, abs=0.1)


def test_own_rows_are_left_out_of_trials() -> None:
    """A query that is a corpus row never finds itself, whether queries are rows or a file with their ids."""
    seen = sample()
    assert np.isneginf(seen.true_qm[np.arange(len(seen.own_q)), seen.own_q]).all()
    assert np.isneginf(seen.true_qm).sum() == len(seen.own_q)
    assert not np.isneginf(sample_of(ROWS, queries_qd=ROWS[:20] + 0.01).true_qm).any()
