"""The share of estimates within the bound that the code states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import MakeViews
from scipy.stats import beta

import vqbench
from vqbench.metrics.bound_coverage import BoundCoverage
from vqbench.metrics.overlap import Overlap
from vqbench.numerics.arrays import Floats, row_dots, row_norms, unit_rows
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.rabitq import RaBitQ
from vqbench.quantizers.transforms.rotation import Orthogonal
from vqbench.quantizers.variant import Variant

METRIC = BoundCoverage()
EPSILON = 1.9  # the RaBitQ paper's


def _variant(query: Binary | None = None, **fields) -> Variant:
    return Variant(transforms=[Orthogonal()], quantizer=RaBitQ(**fields), query=query, similarity="estimate")


def _evaluate(corpus_nd: Floats, queries_qd: Floats, k: int, variant: Variant, **fields) -> pd.DataFrame:
    table = vqbench.evaluate(
        corpus_nd, queries_qd, k=[k], metrics=[METRIC, Overlap()], variants={"it": variant}, **fields
    )
    assert "overlap" in set(table["metric"])
    return table[table["metric"] == "bound_coverage"]


def test_estimates_within_the_bound_are_counted_by_query(make_views: MakeViews) -> None:
    """Only documents of the true top k, all that tie at its end; an error as large as the bound is within."""
    true_qn = np.array([[4, 3, 2, 2, 1], [4, 3, 2, 1, 0]]) / 4
    code_qn = true_qn + np.array([[0, 0.5, -0.5, 0.25, 9], [-0.25, 0.75, 0, 0, 0]])
    bound_qn = np.array([[0, 0.25, 0.5, 0, 0], [0.25, 0.5, 0, 0, 0]])
    first, third = make_views(true_qn, code_qn, k=[1, 3])
    assert len(first.query_f) == 4 + 3  # documents 2 and 3 of the first query tie at rank 3
    bound_f = np.concatenate([bound_qn[0, :4], bound_qn[1, :3]])
    assert METRIC.measure(replace(third, bound_f=bound_f)).values_q.tolist() == [2 / 4, 2 / 3]
    assert METRIC.measure(replace(first, bound_f=bound_f)).values_q.tolist() == [1, 1]
    assert np.isnan(METRIC.measure(first).values_q).all()


@pytest.mark.parametrize("bits", [1, 3])
def test_the_row_is_what_a_loop_over_pairs_counts(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries at all distances from the mean, so that each has bounds of its own; several chunks of pairs."""
    monkeypatch.setattr("vqbench.evaluation.cell._PAIRS", 64)
    rng = np.random.default_rng(bits)
    corpus_nd = unit_rows(rng.standard_normal((70, 24)) + 1)
    queries_qd = unit_rows(rng.standard_normal((15, 24)) + rng.uniform(-1, 3, (15, 1)))
    variant = _variant(bits=bits)
    codec = variant.fit(corpus_nd, 5)
    codes_nb, met_qd = codec.encode(corpus_nd), codec.core_queries(queries_qd)
    shares = []
    for query_d, met_d in zip(queries_qd, met_qd, strict=True):
        true_n = corpus_nd.astype(np.float64) @ query_d
        within = []
        for row in np.argsort(-true_n)[:20]:
            (rows_d,) = codec.core.estimate_rows(codes_nb[row : row + 1])
            (bound,) = codec.core.error_bounds(met_d[None], codes_nb[row : row + 1])
            within.append(abs(codec.core.estimate_queries(met_d[None])[0] @ rows_d - true_n[row]) <= bound)
        shares.append(np.mean(within))
    found = _evaluate(corpus_nd, queries_qd, 20, variant, seed=5, oversample=[0, 2])
    assert found["value"].tolist() == [pytest.approx(np.mean(shares), abs=1e-9)]
    assert 0.8 < np.mean(shares) < 1
    assert found["oversample"].tolist() == [0]
    assert found["n_queries"].tolist() == [15]


def test_over_all_pairs_coverage_is_what_geometry_says() -> None:
    """k = n: every pair counts, and each is covered with a known chance (see test_rabitq_estimates).

    The pairs of one query share its direction, but their errors come from documents of their own:
    four binomial standard errors of 40 x 1000 pairs.
    """
    rng = np.random.default_rng(0)
    d, corpus_nd, queries_qd = 100, *(unit_rows(rng.standard_normal((n, 100))) for n in (1000, 40))
    found = _evaluate(corpus_nd, queries_qd, 1000, _variant(center=False))
    cosine_qn = queries_qd.astype(np.float64) @ corpus_nd.T
    chance = beta.cdf(EPSILON**2 / (1 - cosine_qn**2) / (d - 1), 0.5, (d - 2) / 2).mean()
    assert chance == pytest.approx(0.944, abs=0.002)
    assert found["value"].item() == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / 40_000))


@pytest.mark.parametrize(
    "variant",
    [
        Variant(quantizer=RaBitQ(), similarity="decoded"),
        Variant(quantizer=RaBitQ(bounded=False), similarity="estimate"),
        Variant(quantizer=Binary(), similarity="estimate"),
    ],
)
def test_no_row_where_no_bound_is_stated(variant: Variant) -> None:
    x_nd = unit_rows(np.random.default_rng(0).standard_normal((40, 12)))
    assert _evaluate(x_nd, x_nd[:9] + 1, 5, variant).empty


def test_rounding_alone_does_not_break_the_bound() -> None:
    """Copies of one row: nothing is left to code, and what the estimate misses is float32 rounding."""
    rng = np.random.default_rng(1)
    corpus_nd, queries_qd = np.repeat(unit_rows(rng.standard_normal((1, 48))), 30, axis=0), rng.random((50, 48))
    assert _evaluate(corpus_nd, queries_qd.astype(np.float32), 5, _variant())["value"].item() == 1


def test_the_bound_does_not_cover_a_quantized_query() -> None:
    """Far coarser queries, 1 bit of sign and mean size, against 4-bit documents: most errors are the query's."""
    rng = np.random.default_rng(2)
    corpus_nd, queries_qd = unit_rows(rng.standard_normal((300, 64))), unit_rows(rng.standard_normal((40, 64)))
    exact, coarse = (
        _evaluate(corpus_nd, queries_qd, 50, _variant(query=query, bits=4))["value"].item()
        for query in (None, Binary(levels="means"))
    )
    assert exact > 0.9
    assert coarse < 0.5


def test_a_bound_is_wide_enough_for_the_worst_query() -> None:
    """The error bound scales with the query: a query along the error itself meets sqrt(d - 1) / EPSILON of it."""
    x_nd = unit_rows(np.random.default_rng(3).standard_normal((50, 30)))
    codec = RaBitQ(center=False).fit(x_nd, np.random.default_rng(0))
    codes_nb = codec.encode(x_nd)
    along_nd = (codec.decode(codes_nb) - x_nd).astype(np.float32)
    error_n = row_dots(codec.estimate_queries(along_nd), codec.estimate_rows(codes_nb)) - row_dots(along_nd, x_nd)
    ratio_n = error_n / codec.error_bounds(along_nd, codes_nb)
    np.testing.assert_allclose(ratio_n, np.sqrt(29) / EPSILON, rtol=1e-4)
    assert (row_norms(along_nd) > 0.1).all()
