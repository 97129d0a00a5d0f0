"""Sign-flip permutation test of paired differences (Fisher, The Design of Experiments, 1935, section 21).

If two settings are alike, each query's difference could as well have had the other sign. So random assignments of
signs (all of them where few differences are not 0) tell how often chance alone moves the mean as far as was seen.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from vqbench.numerics.arrays import Floats
from vqbench.numerics.stats.distributions import t_below

FLIPS = 9_999  # and the assignment that was seen is one more
_ALL = 12  # up to so many differences that are not 0, each of the 2^m assignments is tried
_LEAST = 1e-12
_SEED = 20240607
_GRID_BITS = 40  # differences so rounded add up without rounding, whatever the order: 2^40 x 8,000 < 2^53
_PART = 512


def sign_flip(d_nm: Floats, *, two_sided: bool = True) -> Floats:
    """Return p of each column of differences ``(n, m)``: that their mean is 0 (two-sided) or not below 0.

    The same signs are tried for every sample of this size. Where d is symmetric around 0 the test is exact.
    Where none of the draws goes as far, Student's p stands in, since a corrected p may need more than 1 / 10,000.
    Sums count as equal within what rounding to the grid can do to them: half a unit for each difference, on both sides.
    """
    scale_m = np.abs(d_nm).max(axis=0, initial=0)
    grid = 2.0 ** min(_GRID_BITS, 52 - len(d_nm).bit_length())  # leaves room for the sum of all
    whole_nm = np.rint(d_nm / np.where(scale_m == 0, 1, scale_m) * grid)
    if two_sided:  # d and -d are the same question
        whole_nm *= np.where(whole_nm.sum(axis=0) < 0, -1, 1)
    whole_nm = np.sort(whole_nm, axis=0)  # which query meets which sign must not depend on their order
    p_m = np.ones(d_nm.shape[1])
    busy_m = np.count_nonzero(whole_nm, axis=0)
    for i in np.flatnonzero((busy_m > 0) & (busy_m <= _ALL)):
        p_m[i] = _exact(whole_nm[whole_nm[:, i] != 0, i], two_sided)
    many = np.flatnonzero(busy_m > _ALL)
    if len(many):
        seen_m = _extreme(whole_nm[:, many].sum(axis=0), two_sided) - len(d_nm)
        count_m = np.ones(len(many))
        for signs_rn in _signs(len(d_nm)):
            count_m += (_extreme(signs_rn.astype(np.float64) @ whole_nm[:, many], two_sided) >= seen_m).sum(axis=0)
        p_m[many] = count_m / (FLIPS + 1)
        for i in many[count_m == 1]:  # beyond what so many draws can tell: Student's tail, if 2^-m allows it
            p_m[i] = min(p_m[i], max(_student(whole_nm[:, i], two_sided), (1 + two_sided) * 0.5 ** busy_m[i]))
    return p_m


def _student(d_n: Floats, two_sided: bool) -> float:
    """p of the one-sample t test, no smaller than a p can be meant."""
    n, spread = len(d_n), float(d_n.std(ddof=1))
    if spread == 0:
        return _LEAST
    t = float(d_n.mean()) / spread * n**0.5
    return max(_LEAST, 2 * t_below(-abs(t), n - 1) if two_sided else t_below(t, n - 1))


def _extreme(sums: Floats, two_sided: bool) -> Floats:
    return np.abs(sums) if two_sided else -sums


def _exact(d_n: Floats, two_sided: bool) -> float:
    sums = np.array(list(product((1.0, -1.0), repeat=len(d_n)))) @ d_n
    return float(np.mean(_extreme(sums, two_sided) >= _extreme(d_n.sum(), two_sided) - len(d_n)))


@lru_cache(maxsize=2)
def _signs(n: int) -> tuple[NDArray[np.int8], ...]:
    """Rows of +1 and -1, in parts."""
    rng = np.random.default_rng(_SEED)
    sizes = [min(_PART, FLIPS - start) for start in range(0, FLIPS, _PART)]
    return tuple(rng.integers(0, 2, size=(size, n), dtype=np.int8) * np.int8(2) - np.int8(1) for size in sizes)
