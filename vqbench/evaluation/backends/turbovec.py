"""turbovec: TurboQuant in 2 or 4 bits. Every vector is scanned; a first pass over one bit plane picks candidates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.evaluation.backends.base import Backend, Engine, Held, padded, row_blocks
from vqbench.numerics.arrays import Rows


@dataclass(frozen=True, kw_only=True)
class Turbovec(Backend, engine="turbovec", package="turbovec", module="turbovec"):
    """``TurboQuantIndex``, not calibrated. Its rotation is fixed: it takes no seed and draws nothing.

    >>> Turbovec(bits=4).repeats
    True
    """

    bits: Literal[2, 4]

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        module = self.load()
        if corpus.d % 8:
            raise NotApplicableError(f"turbovec: d = {corpus.d}: it takes multiples of 8 dimensions only")
        index = module.TurboQuantIndex(dim=corpus.d, bit_width=self.bits)
        for _, x_nd in row_blocks(corpus):
            index.add(x_nd)
        size, codes = len(index.to_bytes()), corpus.n * corpus.d * self.bits // 8
        held = (Held("codes", "disk", codes, codes=True), Held("scales, ids, header", "disk", size - codes))
        return Engine(lambda queries_qd, k: padded(index.search(queries_qd, k)[1], k), held)
