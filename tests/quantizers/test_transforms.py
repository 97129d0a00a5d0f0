"""Transforms: what each promises, against scipy and plain sums; and what all of them promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest
from oracles import skewed_rows
from scipy.linalg import inv, sqrtm

from vqbench.errors import NotApplicableError, VqbenchError
from vqbench.numerics.arrays import unit_rows
from vqbench.quantizers.binary import Binary
from vqbench.quantizers.cast import Cast
from vqbench.quantizers.offset_int8 import OffsetInt8
from vqbench.quantizers.transforms.base import FittedTransform, Transform
from vqbench.quantizers.transforms.center import Center
from vqbench.quantizers.transforms.itq import ITQ
from vqbench.quantizers.transforms.normalize import Normalize
from vqbench.quantizers.transforms.pca import PCA
from vqbench.quantizers.transforms.rotation import Hadamard, Orthogonal
from vqbench.quantizers.transforms.truncate import Truncate
from vqbench.quantizers.variant import Variant

ALL = {
    "normalize": Normalize(),
    "center": Center(),
    "whiten": Center(whiten=True),
    "truncate": Truncate(m=7),
    "pca": PCA(),
    "pca_centred": PCA(m=7, center=True),
    "orthogonal": Orthogonal(),
    "hadamard": Hadamard(),
    "itq": ITQ(rounds=5),
    "itq_projected": ITQ(m=7, rounds=5, rows=20),
}
EVERY = pytest.mark.parametrize("spec", ALL.values(), ids=ALL)
# Those that give up nothing: the way back leads to the row itself.
LOSSLESS = [name for name in ALL if name not in ("normalize", "truncate", "pca_centred", "itq_projected")]


def _fit(spec: Transform, sample_nd: np.ndarray, seed: int = 0) -> FittedTransform:
    return spec.fit(sample_nd, np.random.default_rng(seed))


@EVERY
def test_rows_are_mapped_independently(spec: Transform) -> None:
    x_nd = skewed_rows(90, 13)
    before = x_nd.tobytes()
    fitted = _fit(spec, x_nd)
    y_nw = fitted.apply(x_nd)
    back_nd = fitted.restore(y_nw)
    assert (fitted.d, fitted.width) == (13, y_nw.shape[1])
    assert y_nw.dtype == back_nd.dtype == np.float32
    order = np.random.default_rng(1).permutation(90)
    assert fitted.apply(x_nd[order]).tobytes() == y_nw[order].tobytes()
    assert fitted.restore(y_nw[order]).tobytes() == back_nd[order].tobytes()
    for row in range(90):
        assert fitted.apply(x_nd[row : row + 1]).tobytes() == y_nw[row].tobytes()
        assert fitted.restore(y_nw[row : row + 1]).tobytes() == back_nd[row].tobytes()
    assert x_nd.tobytes() == before


@EVERY
@pytest.mark.parametrize(
    "kind", ["one row", "constant", "zeros", "fewer rows than dimensions", "tiny", "denormal", "huge"]
)
def test_any_sample_and_any_row(spec: Transform, kind: str) -> None:
    """Nothing divides by zero, nothing overflows float32, no warning (they are errors in this test suite)."""
    usual_nd = skewed_rows(30, 13)
    sample_nd = {
        "one row": usual_nd[:1],
        "constant": np.repeat(usual_nd[:1], 30, axis=0),
        "zeros": np.zeros_like(usual_nd),
        "fewer rows than dimensions": usual_nd[:5],
        "tiny": usual_nd * np.float32(1e-30),
        "denormal": usual_nd * np.float32([1e-44] * 12 + [0]),  # and a constant dimension
        "huge": usual_nd * np.float32(1e30),
    }[kind]
    fitted = _fit(spec, sample_nd)
    extreme_nd = np.array([[0] * 13, [1e30] * 13, [-1e30] * 13, [1e-40] * 13], np.float32)
    for x_nd in (sample_nd, extreme_nd):
        y_nw = fitted.apply(x_nd)
        assert np.isfinite(y_nw).all()
        assert np.isfinite(fitted.restore(y_nw)).all()


@EVERY
def test_items_are_the_bytes_of_all_that_is_learned(spec: Transform) -> None:
    first, second = _fit(spec, skewed_rows(50, 13), 1), _fit(spec, skewed_rows(60, 13, 5) * np.float32(1.5), 2)
    learned = [
        np.asarray(getattr(first, field.name)).nbytes
        for field in fields(first)
        if not np.array_equal(getattr(first, field.name), getattr(second, field.name))
    ]
    assert [item.scope for item in first.items()] == ["once"] * len(learned)
    assert sum(item.bytes for item in first.items()) == sum(learned)


@pytest.mark.parametrize("name", LOSSLESS)
def test_the_way_back_leads_to_the_row(name: str) -> None:
    """Numbers around 1, 13 of them, each stored to 2**-24 or 2**-23: 1e-6 is some ten roundings."""
    x_nd = skewed_rows(200, 13)
    fitted = _fit(ALL[name], x_nd)
    np.testing.assert_allclose(fitted.restore(fitted.apply(x_nd)), x_nd, atol=2e-6, rtol=0)


def test_unit_rows() -> None:
    fitted = _fit(Normalize(), np.ones((1, 2), np.float32))
    x_nd = np.float32([[3, 4], [0, 0], [-1e30, 0]])
    np.testing.assert_array_equal(fitted.apply(x_nd), np.float32([[0.6, 0.8], [0, 0], [-1, 0]]))
    np.testing.assert_array_equal(fitted.restore(x_nd), x_nd)


def test_centring_takes_the_mean_away() -> None:
    x_nd = skewed_rows(500, 13)
    fitted = _fit(Center(), x_nd)
    mean_d = [sum(column) / 500 for column in x_nd.T.tolist()]
    np.testing.assert_allclose(fitted.mean_d, mean_d, rtol=1e-6)  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_allclose(fitted.apply(x_nd), x_nd - np.array(mean_d), atol=1e-6)


def test_whitening_makes_the_covariance_the_identity() -> None:
    """And is the inverse square root by scipy: symmetric, not just any whitening."""
    x_nd = skewed_rows(2000, 24)
    covariance_dd = np.cov(x_nd.T.astype(np.float64), bias=True)
    fitted = _fit(Center(whiten=True), x_nd)
    white_nd = fitted.apply(x_nd).astype(np.float64)
    np.testing.assert_allclose(white_nd.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.cov(white_nd.T, bias=True), np.eye(24), atol=2e-6)
    expected_nd = (x_nd - x_nd.mean(axis=0, dtype=np.float64)) @ inv(np.real(sqrtm(covariance_dd)))
    np.testing.assert_allclose(white_nd, expected_nd, atol=1e-5)


def test_axes_of_little_variance_are_not_blown_up() -> None:
    """Variances 1, 1 and 0 (a constant): the third is divided by the root of floor times the mean, .001 * 2/3."""
    x_nd = np.array([[a, b, 5] for a in (-1, 1) for b in (-1, 1)], np.float32)
    for floor in (1e-3, 0.5):
        fitted = _fit(Center(whiten=True, floor=floor), x_nd)
        np.testing.assert_allclose(fitted.apply(x_nd), x_nd - [0, 0, 5], atol=1e-6)
        off_13 = np.float32([[0, 0, 6]])
        np.testing.assert_allclose(fitted.apply(off_13), [[0, 0, (floor * 2 / 3) ** -0.5]], rtol=1e-6, atol=1e-5)


def test_a_sample_without_variance_is_left_as_it_is() -> None:
    x_nd = skewed_rows(30, 13)
    fitted = _fit(Center(whiten=True), np.repeat(x_nd[:1], 5, axis=0))
    np.testing.assert_allclose(fitted.apply(x_nd), x_nd - x_nd[0], atol=1e-6)


@pytest.mark.parametrize("m", [1, 7, 13])
def test_truncated_rows_meet_as_their_first_dimensions_do(m: int) -> None:
    x_nd = skewed_rows(40, 13)
    fitted = _fit(Truncate(m=m), x_nd)
    cut_nm = x_nd[:, :m].astype(np.float64)
    cut_nm /= np.linalg.norm(cut_nm, axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.apply(x_nd), cut_nm, atol=1e-7)
    back_nd = fitted.restore(fitted.apply(x_nd))
    assert back_nd.shape == (40, 13)
    np.testing.assert_allclose(back_nd.astype(np.float64) @ back_nd.T, cut_nm @ cut_nm.T, atol=3e-7)
    assert not back_nd[:, m:].any()


@pytest.mark.parametrize("make", [Truncate, PCA, ITQ])
def test_more_dimensions_than_there_are(make: Callable[..., Transform]) -> None:
    with pytest.raises(NotApplicableError, match="m = 14"):
        _fit(make(m=14), skewed_rows(20, 13))
    with pytest.raises(VqbenchError, match="m = 0"):
        make(m=0)


@pytest.mark.parametrize(("make", "field", "value"), [(Center, "floor", 0.0), (Center, "floor", 1.5),
                                                      (ITQ, "rounds", -1), (ITQ, "rows", 0)])  # fmt: skip
def test_settings_without_sense_are_refused(make: Callable[..., Transform], field: str, value: float) -> None:
    with pytest.raises(VqbenchError, match=f"{field} = {value}"):
        make(**{field: value})


STACKS = [
    (Orthogonal(),),
    (Hadamard(),),
    (Center(), Orthogonal()),
    (PCA(), Hadamard()),
    (Orthogonal(), Center(), Hadamard()),
]


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: "-".join(type(step).__name__ for step in stack))
def test_transforms_stack_and_restore(stack: tuple[Transform, ...]) -> None:
    """Rotations keep the length of the error: int8 at midpoints is off by 1/254 in each dimension at most."""
    x_nd = unit_rows(skewed_rows(200, 100))
    variant = Variant(transforms=stack, quantizer=OffsetInt8(half_step=True))
    codec = variant.fit(x_nd, 7)
    codes_nb = codec.encode(x_nd)
    width = codec.core.d
    assert width == (128 if any(isinstance(step, Hadamard) for step in stack) else 100)
    assert codes_nb.shape[1] == codec.ledger().total("vector") == width
    errors_n = np.linalg.norm(codec.decode(codes_nb) - x_nd, axis=1)
    assert errors_n.max() <= np.sqrt(width) / 254 + 1e-5
    assert errors_n.min() > np.sqrt(100) / 254 / 4
    steps = [spec.fit(x_nd, np.random.default_rng(0)) for spec in stack]  # sizes alone, whatever the sample
    held = sum(item.bytes for step in steps for item in step.items())
    assert codec.ledger().total("once") == held > 0
    assert np.array_equal(variant.fit(x_nd, 7).encode(x_nd), codes_nb)
    assert not np.array_equal(variant.fit(x_nd, 8).encode(x_nd), codes_nb)
    exact = Variant(transforms=stack, quantizer=Cast(dtype="float32")).fit(x_nd, 7)
    np.testing.assert_allclose(exact.decode(exact.encode(x_nd)), x_nd, atol=1e-6)


def test_projected_bits_are_counted_as_projected() -> None:
    """Few dimensions through PCA: that many bits, and the axes once."""
    x_nd = skewed_rows(100, 100)
    codec = Variant(transforms=(PCA(m=20),), quantizer=Binary(), similarity="hamming").fit(x_nd, 0)
    assert codec.core.code_bits == 20
    assert codec.encode(x_nd).shape == (100, 3)
    assert codec.ledger().total("vector") == 3
    assert codec.ledger().total("once") == 4 * 100 * 20
