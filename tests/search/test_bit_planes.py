"""Products by counting bits are those of the rows written out, and find the same."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.api import code_topk
from vqbench.experiment.config.variants import named_variant
from vqbench.numerics.arrays import unit_rows
from vqbench.numerics.kernels.choice import working
from vqbench.quantizers.base import TwoValued
from vqbench.search.bit_planes import Planes
from vqbench.search.scorers import Inner
from vqbench.search.similarity import CodeArray, CodeRows, code_search

pytestmark = pytest.mark.skipif(
    find_spec("numba") is None, reason="numba is not installed: pip install 'vqbench[fast]'"
)
VARIANTS = ("rabitq1_query4", "osq1_query4", "elasticsearch_bbq")


def _rows(seed: int, n: int, d: int) -> np.ndarray:
    """Unit rows around a few centres, off the origin."""
    rng = np.random.default_rng(seed)
    return unit_rows((rng.standard_normal((n, d)) + rng.standard_normal((3, d))[rng.integers(3, size=n)]).astype("f4"))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.integers(1, 600), st.booleans())
def test_products_are_those_of_rows_written_out(seed: int, d: int, n: int, shifted: bool) -> None:
    rng = np.random.default_rng(seed)
    shift_d = rng.standard_normal(d) * shifted
    low_n, width_n = rng.standard_normal(n), rng.random(n)
    rows = TwoValued(
        rng.integers(0, 256, (n, -(-d // 8)), np.uint8), low_n, width_n, rng.standard_normal((2, n)), shift_d
    )
    written_nw = np.column_stack(
        [low_n[:, None] + width_n[:, None] * np.unpackbits(rows.bits_nb, axis=1, count=d), rows.rest_en.T]
    )
    np.testing.assert_allclose(rows.norms(), np.linalg.norm(written_nw, axis=1), rtol=1e-12)
    level_qd = rng.integers(0, 16, (5, d))
    grid_qd = rng.standard_normal((5, 1)) + rng.random((5, 1)) * level_qd
    query_qw = np.column_stack([grid_qd - shift_d, rng.standard_normal((5, 2))])
    with working(kernels="numba"):
        planes = Planes.of(query_qw, shift_d, n)
        if planes is None:  # levels so few that the gaps between them are of several widths
            assert d < 40
            return
        found_qn = np.empty((5, n))
        planes.products(rows, 0, 5, found_qn)
    np.testing.assert_allclose(found_qn, query_qw @ written_nw.T, atol=1e-9 * d)


def test_queries_off_a_grid_are_multiplied() -> None:
    query_qw = np.random.default_rng(0).standard_normal((4, 66))
    with working(kernels="numba"):
        assert Planes.of(query_qw, np.zeros(64), 10) is None
        seventeen_qd = np.tile(np.arange(17.0), (2, 4))
        assert Planes.of(seventeen_qd, np.zeros(68), 10) is None
        assert Planes.of(seventeen_qd[:, :16], np.zeros(16), 10) is not None
        nudged_qd = seventeen_qd[:, :16].copy()
        nudged_qd[1, 3] += 1e-4
        assert Planes.of(nudged_qd, np.zeros(16), 10) is None
    with working(kernels="numpy"):
        assert Planes.of(seventeen_qd[:, :16], np.zeros(16), 10) is None


@pytest.mark.parametrize("name", VARIANTS)
def test_shipped_variants_are_met_by_planes_within_the_bound(name: str) -> None:
    """Both sides of each variant are what planes take, and no product is off by more than the search allows for."""
    x_nd, y_qd = _rows(1, 500, 72), _rows(2, 20, 72)
    variant = named_variant(name, "test", ())
    codec = variant.fit(x_nd, 0)
    with working(kernels="numba"):
        search = code_search(codec, y_qd, CodeArray(codec.encode(x_nd)), variant.similarity)
        rows, scorer = search.rows, search.scorer
        assert isinstance(scorer, Inner)
        assert isinstance(rows, CodeRows)
        planes = rows.planes(scorer.prepare(search.queries_qd))
        assert planes is not None
        bits = rows.two_valued(0, 500)
        assert bits is not None
        found_qn = np.empty((20, 500), np.float32)
        planes.products(bits, 0, 20, found_qn)
    exact_qn = search.queries_qd @ rows.block(0, 500).T
    assert np.abs(found_qn - exact_qn).max() < scorer.error(rows.d)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(VARIANTS), st.integers(0, 2**32 - 1), st.integers(2, 150), st.integers(1, 40))
def test_hits_are_the_same_with_and_without(name: str, seed: int, d: int, k: int) -> None:
    x_nd, y_qd = _rows(seed, 300, d), _rows(seed + 1, 7, d)
    x_nd[100:200] = x_nd[:100]  # ties
    variant = named_variant(name, "test", ())
    codec = variant.fit(x_nd, 0)
    codes_nb = codec.encode(x_nd)
    found = []
    for kernels in ("numpy", "numba"):
        with working(kernels=kernels):
            hits = code_topk(codec, y_qd, codes_nb, k, similarity=variant.similarity)
            found.append((hits.ids_qk.tolist(), hits.scores_qk.tolist(), hits.dropped_ties_q.tolist()))
    assert found[0] == found[1]


def test_rows_without_planes_are_searched_as_before() -> None:
    rows = CodeRows(CodeArray(np.zeros((2, 1), np.uint8)), lambda codes_nb: codes_nb.astype(np.float64), 1)
    assert rows.two_valued(0, 1) is None
    assert rows.planes(np.zeros((1, 1))) is None


@pytest.mark.parametrize("low", [1e3, 1e11, 1e14])
def test_rows_whose_terms_cancel_are_multiplied(low: float) -> None:
    """Codes that no encoder writes: all bits set, low ends far off. What is left of the terms is their rounding."""
    rng, d = np.random.default_rng(3), 8
    variant = named_variant("osq1_query4", "test", ())
    codec = replace(variant.quantizer, center=False).fit(_rows(1, 50, d), rng)  # pyright: ignore[reportArgumentType]
    codes_nb = codec.encode(_rows(2, 300, d))
    ends_n2 = np.stack([-low * (1 + rng.random(300)), 1 + rng.random(300) / 8], axis=1).astype("<f4")
    codes_nb[:, : d // 8] = 255
    codes_nb[:, -10:-2] = ends_n2.view(np.uint8)
    query_qd = rng.integers(-7, 9, (5, d)).astype(np.float32)
    found = []
    for kernels in ("numpy", "numba"):
        with working(kernels=kernels):
            rows = code_search(codec, query_qd, CodeArray(codes_nb), "estimate").rows
            assert isinstance(rows, CodeRows)
            assert (rows.bits_view is None) == (low > 1e6)
            hits = code_topk(codec, query_qd, codes_nb, 10, similarity="estimate")
            found.append((hits.ids_qk.tolist(), hits.scores_qk.tolist()))
    assert found[0] == found[1]
