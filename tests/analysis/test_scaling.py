"""The law against simulation and integration, the fit against exact curves, forecasts against held-out sizes."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from folders import row, write_folder
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import integrate
from scipy.stats import norm

from vqbench.analysis.scaling.fit import DRIFT, Curve, fit_curve
from vqbench.analysis.scaling.law import noise_of, overlap_of
from vqbench.cli.screens.scale import show
from vqbench.results.folder import read_results


@pytest.mark.parametrize(("r", "c"), [*itertools.product([0.05, 0.4, 1.0, 2.5, 5.0], [1, 2, 4, 20])])
def test_the_law_is_its_integral(r: float, c: int) -> None:
    """Over the true scores u above the k-th, in units of s: e^-u, times the chance that noise keeps the document
    above the threshold, which the noise itself has moved by r^2 / 2 and oversampling by ln c."""
    whole, _ = integrate.quad(lambda u: np.exp(-u) * norm.cdf((u - r * r / 2 + np.log(c)) / r), 0, 60, limit=400)
    assert overlap_of(np.array([r]), c)[0] == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize(("r", "c"), [(0.3, 1), (1.0, 1), (1.2, 4)])
def test_the_law_holds_for_a_simulated_process(r: float, c: int) -> None:
    """Points of the Poisson process, noise, two sorts: k = 100 is near enough to many."""
    rng, k, found = np.random.default_rng(3), 100, []
    for _ in range(60):
        true_m = -np.log(np.cumsum(rng.exponential(size=round(4 * k * np.exp(r * r / 2 + 4 * r)) + 20 * k)))
        noisy_m = true_m + r * rng.standard_normal(len(true_m))
        found.append((noisy_m[:k] >= np.sort(noisy_m)[-k * c]).mean())
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    # 4 standard errors, and what k = 100 lacks to a continuum: .004 at most by simulation with more points.
    assert np.mean(found) == pytest.approx(overlap_of(np.array([r]), c)[0], abs=4 * error + 0.005)


@given(overlap=st.floats(1e-4, 1 - 1e-6), c=st.integers(0, 50))
def test_noise_is_the_inverse(overlap: float, c: int) -> None:
    noise = noise_of(np.array([overlap]), c)
    assert overlap_of(noise, c)[0] == pytest.approx(overlap, abs=1e-9)


@given(r=st.floats(1e-3, 20), c=st.integers(1, 50))
def test_more_noise_finds_less_and_more_candidates_find_more(r: float, c: int) -> None:
    assert overlap_of(np.array([r * 1.1]), c)[0] <= overlap_of(np.array([r]), c)[0]
    assert overlap_of(np.array([r]), c)[0] <= overlap_of(np.array([r]), c + 1)[0]


def test_the_ends() -> None:
    for c in (0, 1, 4):
        assert overlap_of(noise_of(np.array([1.0, 0.0]), c), c) == pytest.approx([1.0, 0.0], abs=1e-5)


def _curve(noise: np.ndarray, n: np.ndarray, k: np.ndarray, c: int = 0, error: float = 1e-4) -> Curve:
    """Exact overlaps of given noises, each mean with an independent error."""
    value_m = overlap_of(noise, c)
    draws_rm = np.random.default_rng(0).standard_normal((400, len(n)))
    return Curve(n_m=n, k_m=k, value_m=value_m, means_rm=np.clip(value_m + error * draws_rm, 0, 1), oversample=c)


N, K = np.array([500, 1000, 3000, 10000, 3000, 10000]), np.array([10, 10, 10, 10, 100, 100])


@pytest.mark.parametrize(("slope", "c"), [*itertools.product([0.0, 0.2, 0.5], [0, 4])])
def test_a_line_in_log_n_over_k_is_continued(slope: float, c: int) -> None:
    """Exact points of a line: the forecast is the line, and lies within its interval."""
    wanted = np.array([10_000, 100_000, 1_000_000])
    fit = fit_curve(_curve(0.9 + slope * np.log10(N / K / 50), N, K, c), 10)
    found = fit.predict(wanted)
    exact = overlap_of(0.9 + slope * np.log10(wanted / 10 / 50), c)
    assert fit.drift == DRIFT
    # Beyond the points the line is shrunk a little to the prior slope of 0.
    np.testing.assert_allclose(found.value, exact, atol=0.02)
    assert (found.low <= exact).all()
    assert (exact <= found.high).all()


def test_the_interval_widens_with_the_distance() -> None:
    fit = fit_curve(_curve(0.5 + 0.2 * np.log10(N / K), N, K), 10)
    found = fit.predict(np.array([10_000, 30_000, 100_000, 1_000_000]))
    assert (np.diff(found.high - found.low) > 0).all()
    assert found.high[0] - found.low[0] < 0.01


def test_a_bend_raises_the_drift() -> None:
    """From falling to rising within a decade: more than the usual drift, and so a wider band than a line has."""
    x, asked = np.log10(N / K), np.array([30_000])
    straight, bent = (fit_curve(_curve(r, N, K), 10) for r in (0.5 + 0.2 * x, 1.2 - 0.9 * np.abs(x - 2.2)))
    assert straight.drift == DRIFT
    assert bent.drift > 2 * DRIFT
    wide, narrow = (np.ptp(noise_of(np.array([x.low[0], x.high[0]]), 0)) / fit.unit
                    for fit, x in ((bent, bent.predict(asked)), (straight, straight.predict(asked))))  # fmt: skip
    assert wide > narrow


def test_what_k_10_shows_is_known_of_k_100_at_ten_times_the_size() -> None:
    """A bump at n / k = 100, seen by k = 10 alone, is foreseen for k = 100, which was only measured before it."""
    bump = lambda x: 1.0 - 0.6 * np.exp(-(((x - 2) / 0.2) ** 2))  # noqa: E731
    n = np.array([300, 500, 800, 1000, 1300, 2000, 4000, 8000, 2000, 4000])
    k = np.array([10] * 8 + [100] * 2)
    found = fit_curve(_curve(bump(np.log10(n / k)), n, k), 100).predict(np.array([10_000]))
    assert found.value[0] == pytest.approx(overlap_of(np.array([0.4]), 0)[0], abs=0.05)


@given(order=st.permutations(range(6)))
def test_the_order_of_points_does_not_matter(order: list[int]) -> None:
    noise = 0.5 + 0.2 * np.log10(N / K)
    curve = _curve(noise, N, K)
    other = Curve(
        n_m=N[order], k_m=K[order], value_m=curve.value_m[order], means_rm=curve.means_rm[:, order], oversample=0
    )
    # The largest size of k = 10 gives the unit: it stands last of its k in both.
    last = max(order.index(at) for at in range(4))
    if order[last] == 3:
        a, b = (fit_curve(x, 10).predict(np.array([50_000])) for x in (curve, other))
        assert a.value[0] == pytest.approx(b.value[0], abs=1e-7)
        assert a.low[0] == pytest.approx(b.low[0], abs=1e-6)


def _overlaps(rows: int, d: int, decay: float, seed: int, sizes: list[int], q: int = 300) -> dict[int, np.ndarray]:
    """overlap@10 of signs with a float query in a normal cloud, at nested sizes, by plain sorting."""
    rng = np.random.default_rng(seed)
    scale_d = np.arange(1, d + 1) ** -decay
    x_nd, query_qd = (rng.standard_normal((count, d)) * scale_d for count in (rows, q))
    x_nd /= np.linalg.norm(x_nd, axis=1, keepdims=True)
    true_qn, code_qn = query_qd @ x_nd.T, query_qd @ np.sign(x_nd).T
    found = {}
    for n in sizes:
        best = np.argpartition(-true_qn[:, :n], 9, axis=1)[:, :10]
        edge_q = -np.partition(-code_qn[:, :n], 9, axis=1)[:, 9]
        found[n] = (np.take_along_axis(code_qn, best, axis=1) >= edge_q[:, None]).mean(axis=1)
    return found


@pytest.mark.slow
def test_intervals_hold_the_held_out_size() -> None:
    """24 clouds of different dimension and spectrum: fitted up to n, asked at 8 n of other queries.

    The 95 % interval, widened by the error of the answer, must hold in at least 20 of 24: fewer have a probability
    of .005 if each holds with 95 %.
    """
    sizes, held, rng = [250, 500, 1000, 2000], 16_000, np.random.default_rng(1)
    inside = 0
    for at, (d, decay) in enumerate(itertools.product([16, 32, 64, 128], [0.0, 0.2, 0.4])):
        for seed in (0, 1):
            own = _overlaps(held, d, decay, 10 * at + seed, [*sizes, held])
            fitted, asked = slice(0, 150), slice(150, 300)
            values_mq = np.array([own[n][fitted] for n in sizes])
            weight_rq = rng.multinomial(150, np.full(150, 1 / 150), size=500)
            curve = Curve(
                n_m=np.array(sizes), k_m=np.full(4, 10), value_m=values_mq.mean(axis=1),
                means_rm=weight_rq @ values_mq.T / 150, oversample=0,
            )  # fmt: skip
            found, answer = fit_curve(curve, 10).predict(np.array([held])), own[held][asked]
            slack = 1.96 * answer.std(ddof=1) / np.sqrt(len(answer))
            low = found.value[0] - np.hypot(found.value[0] - found.low[0], slack)
            high = found.value[0] + np.hypot(found.high[0] - found.value[0], slack)
            inside += low <= answer.mean() <= high
    assert inside >= 20


@pytest.mark.parametrize("by_query", [True, False])
def test_a_folder_of_nested_sizes_gets_a_table(by_query: bool, tmp_path: Path) -> None:
    """Overlaps of a known law in tables written by hand, with values per query and without."""
    rng, rows, per_query = np.random.default_rng(4), [], []
    for n, k in itertools.product((500, 1000, 3000), (10, 100)):
        mean = float(overlap_of(np.array([0.9 + 0.2 * np.log10(n / k)]), 0)[0])
        values_q = rng.binomial(k, mean, 200) / k
        value, half = float(values_q.mean()), float(1.96 * values_q.std() / np.sqrt(200))
        rows.append(row("v", 0, value, half, dataset=f"c_{n}", k=k, n_queries=200))
        per_query.append(pd.DataFrame({"dataset": f"c_{n}", "variant": "v", "seed": 0, "metric": "overlap", "k": k,
                                       "oversample": 0, "query": range(200), "value": values_q}))  # fmt: skip
    folder = write_folder(tmp_path, rows, {"v": (4, 0)})
    if by_query:
        pd.concat(per_query).assign(low=0.0, high=1.0).to_parquet(folder / "per_query.parquet")
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    for name, about in meta["datasets"].items():
        n = int(name.removeprefix("c_"))
        about |= {"n": n, "sha256": f"s{n}", "sha256_whole": "s3000", "rows_seed": 0}
    (folder / "meta.json").write_text(json.dumps(meta), "utf-8")
    screen = Console(width=100, file=io.StringIO(), highlight=False)
    show(read_results(folder), 10_000, None, screen)
    text = screen.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert "c: overlap@10 at 10,000 rows, from 3 nested sizes, 1,000 queries" in text
    assert "yes: x3.3" in text
    assert ("no values per query" in text) != by_query
