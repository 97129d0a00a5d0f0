"""A rotation learned so that signs lose little: iterative quantization."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import Floats, blocks
from vqbench.numerics.draws import content_keys, drawn
from vqbench.numerics.exact_products import exact_product
from vqbench.numerics.orthonormal import completed, haar, on_unit_grid, principal_axes
from vqbench.quantizers.parts.ledger import Item
from vqbench.quantizers.transforms.base import Fitted, Transform, projected

_ROWS = 4096


@dataclass(frozen=True, kw_only=True)
class ITQ(Transform):
    """Centred PCA to ``m`` dimensions (none: all ``d``), then the rotation that brings rows near their signs.

    Gong and Lazebnik, Iterative quantization: a Procrustean approach to learning binary codes, CVPR
    2011, eq. 2: from a random rotation R, signs B = sign(V R) and the R that minimises |B - V R|
    (the orthogonal Procrustes problem, by SVD) take turns, ``rounds`` times; the loss never rises.
    rows: at most so many of the sample's rows are used in the turns, drawn by their content (none: all).
    The principal axes come from all of them.
    """

    m: int | None = None
    rounds: int = 50
    rows: int | None = 20_000

    def __post_init__(self) -> None:
        for name, least in (("m", 1), ("rounds", 0), ("rows", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise VqbenchError(f"{name} = {value}: must be at least {least}")

    def fit(self, sample_nd: Floats, rng: np.random.Generator) -> Fitted:
        d = sample_nd.shape[1]
        m = projected(self.m, d)
        mean_d = sample_nd.mean(axis=0, dtype=np.float64).astype(np.float32)
        values_d, axes_dd = principal_axes(sample_nd, mean_d, rng)
        rank = min(m, int(np.count_nonzero(values_d)))
        turn_rm, salt = haar(m, rng)[:rank], int(rng.integers(2**32))
        if self.rows is not None and self.rows < len(sample_nd):
            sample_nd = sample_nd[drawn(content_keys(sample_nd), self.rows, salt, "itq")]
        for _ in range(self.rounds):
            turn_rm = _turned(sample_nd, mean_d, axes_dd[:, :rank], turn_rm)
        rotation_mm = completed(turn_rm.T, m, rng).T
        return ITQProjection(d=d, width=m, mean_d=mean_d, matrix_dm=on_unit_grid(axes_dd[:, :m] @ rotation_mm))


def _turned(sample_nd: Floats, mean_d: Floats, axes_dr: Floats, turn_rm: Floats) -> Floats:
    """One turn: the best rotation for the signs that the last one gave.

    Only its ``r`` rows for axes along which the sample varies: no sign says anything about the others.
    """
    matrix_dm = axes_dr @ turn_rm
    towards_dm = np.zeros_like(matrix_dm)
    for start, stop in blocks(len(sample_nd), _ROWS):
        about_nd = sample_nd[start:stop] - mean_d.astype(np.float64)
        towards_dm += about_nd.T @ np.where(about_nd @ matrix_dm > 0, 1.0, -1.0)
    left_rr, _, right_rm = np.linalg.svd(axes_dr.T @ towards_dm, full_matrices=False)
    return left_rr @ right_rm


@dataclass(frozen=True, kw_only=True)
class ITQProjection(Fitted):
    """``mean_d`` float32; ``matrix_dm`` float32: principal axes and rotation in one, columns orthonormal."""

    mean_d: Floats
    matrix_dm: Floats

    def apply(self, x_nd: Floats) -> Floats:
        return exact_product(x_nd - self.mean_d.astype(np.float64), self.matrix_dm).astype(np.float32)

    def restore(self, y_nw: Floats) -> Floats:
        return (exact_product(y_nw, self.matrix_dm.T) + self.mean_d).astype(np.float32)

    def items(self) -> tuple[Item, ...]:
        return (Item("mean", "once", self.mean_d.nbytes), Item("matrix", "once", self.matrix_dm.nbytes))
