"""The law: what noise in the scores does to the top k, whatever the size of the corpus.

Let a query's best true scores be the points of a Poisson process whose density falls off exponentially, by a factor e
each ``s``: the tail of most distributions that have no heavy one (Leadbetter, Lindgren and Rootzen, Extremes and
Related Properties of Random Sequences and Processes, 1983). Let a code add independent normal noise of deviation sigma
to each score. Then the noisy scores are such a process again, shifted by sigma^2 / 2s, and for large k only the ratio

    r = sigma / s:  the code's noise, measured by how far apart the query's neighbours are

counts. Integrating over the true scores above the k-th (by parts, then completing the square), the expected
overlap with float's top k is

    2 Phi(-r / 2)                                                     of the code alone,
    Phi(ln c / r - r / 2) + c Phi(-ln c / r - r / 2)                  when float re-ranks the best c k.

Neither n nor k occurs. They act through s alone, and s at the k-th best of n is s at the same share k / n of the
corpus: so r is a function of n / k, and what k = 10 shows at n rows, k = 100 shows at 10 n.

Real neighbours are no such process everywhere: queries differ, and clusters make the density bend. ``r`` is then what
a mean overlap amounts to, an effective noise.
"""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from vqbench.numerics.arrays import Floats

_LEAST, _MOST = 1e-6, 60.0  # noise beyond which an overlap is 1 or 0 in every digit
_HALVINGS = 60


def overlap_of(noise: Floats, oversample: int) -> Floats:
    """Expected overlap with float's top k, at least 0 and at most 1, of any shape.

    noise: r, not negative. oversample: 0 or 1: the code alone; c: float re-ranks the code's best c k.
    """
    r = np.clip(noise, _LEAST, _MOST)
    if oversample <= 1:
        return 2 * ndtr(-r / 2)
    reach = np.log(oversample)
    return np.minimum(1.0, ndtr(reach / r - r / 2) + np.exp(reach + log_ndtr(-reach / r - r / 2)))


def noise_of(overlap: Floats, oversample: int) -> Floats:
    """The noise r at which the expected overlap is ``overlap``: the inverse of ``overlap_of``."""
    overlap = np.clip(overlap, 0.0, 1.0)
    if oversample <= 1:
        return np.clip(-2 * ndtri(overlap / 2), _LEAST, _MOST)
    low, high = np.full(overlap.shape, np.log(_LEAST)), np.full(overlap.shape, np.log(_MOST))
    for _ in range(_HALVINGS):  # the overlap falls as the noise grows
        middle = (low + high) / 2
        more = overlap_of(np.exp(middle), oversample) > overlap
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return np.exp((low + high) / 2)
