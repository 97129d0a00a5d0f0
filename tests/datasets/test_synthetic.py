"""The generator: reproducible, and its knobs do what they say."""

from __future__ import annotations

import numpy as np
import pytest

from vqbench.datasets.synthetic import Synthetic
from vqbench.errors import VqbenchError


def test_it_is_reproducible() -> None:
    first, again = (Synthetic(n=50, d=8, queries=7, seed=3).load() for _ in range(2))
    np.testing.assert_array_equal(first.corpus_nd, again.corpus_nd)
    np.testing.assert_array_equal(first.queries_qd, again.queries_qd)
    assert first.corpus_nd.shape == (50, 8)
    assert first.queries_qd.shape == (7, 8)
    assert first.corpus_nd.dtype == np.float32
    other = Synthetic(n=50, d=8, queries=7, seed=4).load()
    assert np.mean(np.not_equal(other.corpus_nd, first.corpus_nd)) > 0.99


def _rows(spec: Synthetic) -> np.ndarray:
    rows_nd = spec.load().corpus_nd
    assert isinstance(rows_nd, np.ndarray)
    return rows_nd


def test_decay_scales_the_dimensions() -> None:
    """Standard deviation (i + 1) ** -decay, in a ratio to dimension 0."""
    x_nd = _rows(Synthetic(n=20_000, d=5, queries=1, clusters=5000, decay=1.5))
    deviations = x_nd.std(axis=0)
    wanted = np.arange(1, 6) ** -1.5
    np.testing.assert_allclose(deviations / deviations[0], wanted, rtol=0.05)


def test_spread_is_the_noise_around_the_centres() -> None:
    """One cluster: what is left around the mean is noise of that deviation; none without spread."""
    x_nd = _rows(Synthetic(n=20_000, d=4, queries=1, clusters=1, spread=0.3))
    np.testing.assert_allclose(x_nd.std(axis=0), 0.3, rtol=0.03)
    x_nd = _rows(Synthetic(n=500, d=4, queries=1, clusters=3, spread=0))
    assert len(np.unique(x_nd, axis=0)) == 3


def test_offset_is_shared_by_all_rows() -> None:
    """Its length, in units of the root mean square length of the rows without it; queries have it too."""
    plain, moved = (Synthetic(n=5000, d=20, queries=500, clusters=2000, offset=o).load() for o in (0, 2))
    for left, right in ((plain.corpus_nd, moved.corpus_nd), (plain.queries_qd, moved.queries_qd)):
        assert isinstance(left, np.ndarray)
        shift_nd = right - left
        np.testing.assert_allclose(shift_nd, np.broadcast_to(shift_nd[0], shift_nd.shape), atol=1e-5)
        unit = np.sqrt((left.astype(float) ** 2).sum(axis=1).mean())
        assert np.linalg.norm(shift_nd[0]) == pytest.approx(2 * unit, rel=0.05)


@pytest.mark.parametrize("field", ["n", "d", "queries", "clusters", "spread", "offset", "seed"])
def test_bad_fields(field: str) -> None:
    with pytest.raises(VqbenchError, match=f"synthetic: .*{field}"):
        Synthetic(**{field: -1})
