"""Transforms learned from the sample's principal axes: PCA against SVD, ITQ against scipy and faiss."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import skewed_rows
from scipy.linalg import orthogonal_procrustes

from vqbench.numerics.orthonormal import completed, on_unit_grid, principal_axes
from vqbench.quantizers.transforms.base import FittedTransform, Transform
from vqbench.quantizers.transforms.center import Center
from vqbench.quantizers.transforms.itq import ITQ
from vqbench.quantizers.transforms.pca import PCA
from vqbench.quantizers.transforms.rotation import Orthogonal


def _fit(spec: Transform, sample_nd: np.ndarray, seed: int = 0) -> FittedTransform:
    return spec.fit(sample_nd, np.random.default_rng(seed))


@pytest.mark.parametrize(
    "spec", [PCA(), PCA(m=7, center=True), Center(whiten=True), ITQ(rounds=5)], ids=["pca", "centred", "whiten", "itq"]
)
@pytest.mark.parametrize("n", [200, 9])
def test_the_order_of_the_sample_does_not_matter(spec: Transform, n: int) -> None:
    """Also where the sample leaves directions open: sums differ in their last bits, the matrices in none."""
    x_nd = skewed_rows(n, 13)
    one, two = _fit(spec, x_nd), _fit(spec, x_nd[::-1])
    for field in fields(one):
        assert np.asarray(getattr(one, field.name)).tobytes() == np.asarray(getattr(two, field.name)).tobytes()


def test_the_number_of_threads_does_not_matter() -> None:
    program = (
        "import numpy as np, hashlib\n"
        "from vqbench.quantizers.transforms.rotation import Orthogonal\n"
        "from vqbench.quantizers.transforms.pca import PCA\n"
        "from vqbench.quantizers.transforms.itq import ITQ\n"
        "x = np.random.default_rng(0).standard_normal((300, 120)) * np.geomspace(1, .1, 120)\n"
        "x = x.astype(np.float32)\n"
        "for spec in (Orthogonal(), PCA(), ITQ(rounds=1)):\n"
        "    print(hashlib.sha256(spec.fit(x, np.random.default_rng(0)).apply(x).tobytes()).hexdigest())\n"
    )
    said = set()
    for threads in ("1", "2"):
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        run = subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, **limits}, capture_output=True, text=True, check=True
        )
        said.add(run.stdout)
    assert len(said) == 1
    assert len(set(said.pop().split())) == 3


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("m", [None, 1, 5])
def test_principal_axes_are_those_of_the_svd(center: bool, m: int | None) -> None:
    """Right singular vectors; how much each keeps is its singular value squared."""
    x_nd = skewed_rows(600, 13)
    exact_nd = x_nd.astype(np.float64)
    about_nd = exact_nd - exact_nd.mean(axis=0) * center
    _, singular_d, right_dd = np.linalg.svd(about_nd, full_matrices=False)
    kept = m or 13
    fitted = _fit(PCA(m=m, center=center), x_nd)
    y_nm = fitted.apply(x_nd).astype(np.float64)
    signs_m = np.sign(right_dd[range(13), np.abs(right_dd).argmax(axis=1)])[:kept]
    np.testing.assert_allclose(y_nm, (about_nd @ right_dd[:kept].T) * signs_m, atol=1e-5)
    np.testing.assert_allclose((y_nm**2).sum(axis=0), singular_d[:kept] ** 2, rtol=1e-6)
    left_out = ((fitted.restore(y_nm.astype(np.float32)) - exact_nd) ** 2).sum()
    assert left_out == pytest.approx((singular_d[kept:] ** 2).sum(), rel=1e-4, abs=1e-8)


def test_a_sample_of_few_rows_leaves_axes_open() -> None:
    """5 rows about their mean span 4 directions; the rest is drawn, orthogonal to them."""
    x_nd = skewed_rows(5, 13)
    mean_d = x_nd.mean(axis=0, dtype=np.float64)
    values_d, axes_dd = principal_axes(x_nd, mean_d, np.random.default_rng(0))
    assert np.count_nonzero(values_d) == 4
    np.testing.assert_allclose(axes_dd.T @ axes_dd, np.eye(13), atol=1e-12)
    np.testing.assert_allclose((x_nd - mean_d) @ axes_dd[:, 4:], 0, atol=1e-6)
    other_dd = principal_axes(x_nd, mean_d, np.random.default_rng(1))[1]
    np.testing.assert_allclose(other_dd[:, :4], axes_dd[:, :4], atol=1e-12)
    assert np.abs(other_dd[:, 4:] - axes_dd[:, 4:]).max() > 0.1


@given(d=st.integers(1, 9), data=st.data())
def test_frames_are_completed(d: int, data: st.DataObject) -> None:
    r = data.draw(st.integers(0, d))
    m = data.draw(st.integers(r, d))
    rng = np.random.default_rng(d)
    frame_dr = np.linalg.qr(rng.standard_normal((d, r)))[0]
    whole_dm = completed(frame_dr, m, rng)
    np.testing.assert_array_equal(whole_dm[:, :r], frame_dr)
    np.testing.assert_allclose(whole_dm.T @ whole_dm, np.eye(m), atol=1e-10)


def test_numbers_on_the_grid() -> None:
    """Within 2**-23 although a column is a rounding error longer than 1; no zero with a sign."""
    matrix_22 = np.array([[1 + 1e-15, -1e-9], [-1e-9, 1]])
    rounded_22 = on_unit_grid(matrix_22)
    assert np.abs(rounded_22 - matrix_22).max() <= 2**-23
    assert not np.signbit(rounded_22).any()
    angle_22 = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]) * (1 + 1e-15)
    assert np.abs(on_unit_grid(angle_22) - angle_22).max() <= 2**-23


def _loss(y_nm: np.ndarray) -> float:
    """Gong and Lazebnik's eq. 2, for each number."""
    y_nm = y_nm.astype(np.float64)
    return float(((np.where(y_nm > 0, 1, -1) - y_nm) ** 2).mean())


@pytest.mark.parametrize("m", [None, 6])
def test_each_turn_of_itq_lowers_the_loss(m: int | None) -> None:
    """A fit of more rounds takes the turns of a shorter one first, and some."""
    x_nd = skewed_rows(800, 13)
    losses = [_loss(_fit(ITQ(m=m, rounds=rounds), x_nd).apply(x_nd)) for rounds in range(9)]
    assert all(after <= before + 1e-9 for before, after in zip(losses, losses[1:], strict=False))
    assert losses[-1] < losses[0] - 1e-3


def test_a_turn_of_itq_is_scipys_procrustes() -> None:
    x_nd = skewed_rows(800, 13)
    before, after = (_fit(ITQ(rounds=rounds), x_nd).apply(x_nd).astype(np.float64) for rounds in (0, 1))
    rotation_dd, _ = orthogonal_procrustes(before, np.where(before > 0, 1.0, -1.0))
    np.testing.assert_allclose(after, before @ rotation_dd, atol=1e-5)


def test_itq_begins_with_principal_axes() -> None:
    """Its columns span the same space as PCA's, centred, and are orthonormal."""
    x_nd = skewed_rows(800, 13)
    itq, pca = _fit(ITQ(m=6, rounds=3), x_nd), _fit(PCA(m=6, center=True), x_nd)
    np.testing.assert_allclose(itq.restore(itq.apply(x_nd)), pca.restore(pca.apply(x_nd)), atol=1e-5)
    matrix_dm = itq.matrix_dm.astype(np.float64)  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(matrix_dm.T @ matrix_dm, np.eye(6), atol=1e-6)


@pytest.mark.slow
def test_itq_is_as_good_as_that_of_faiss() -> None:
    """From the same projected rows, 50 rounds each. Both end in one of many local optima: 1 % of the loss."""
    faiss = pytest.importorskip("faiss")
    x_nd = skewed_rows(2000, 32)
    projected_nd = _fit(PCA(center=True), x_nd).apply(x_nd)
    theirs = faiss.ITQMatrix(32)
    theirs.train(np.ascontiguousarray(projected_nd))
    ours = _loss(_fit(ITQ(), x_nd).apply(x_nd))
    assert ours <= 1.01 * _loss(theirs.apply(projected_nd))
    assert ours < 0.97 * _loss(_fit(Orthogonal(), projected_nd).apply(projected_nd))


def test_itq_turns_on_some_rows_only() -> None:
    x_nd = skewed_rows(300, 13)
    few, all_of_them = _fit(ITQ(rows=40), x_nd), _fit(ITQ(rows=None), x_nd)
    assert np.abs(few.matrix_dm - all_of_them.matrix_dm).max() > 1e-3  # pyright: ignore[reportAttributeAccessIssue]
    assert _loss(all_of_them.apply(x_nd)) < _loss(few.apply(x_nd))
    assert few.matrix_dm.tobytes() == _fit(ITQ(rows=40), x_nd[::-1]).matrix_dm.tobytes()  # pyright: ignore
