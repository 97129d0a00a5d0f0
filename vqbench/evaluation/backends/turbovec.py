"""turbovec: TurboQuant in 2 or 4 bits. Every vector is scanned; a first pass over one bit plane names candidates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from vqbench.errors import NotApplicableError
from vqbench.evaluation.backends.base import NONE, Backend, Engine, Held, parts
from vqbench.numerics.arrays import Floats, Ints, Rows


@dataclass(frozen=True, kw_only=True)
class Turbovec(Backend):
    """``TurboQuantIndex``, not calibrated. Its rotation is fixed: it takes no seed and draws nothing."""

    bits: Literal[2, 4]

    engine: ClassVar[str] = "turbovec"
    package: ClassVar[str] = "turbovec"
    module: ClassVar[str] = "turbovec"

    def build(self, corpus: Rows, rng: np.random.Generator, folder: Path) -> Engine:
        module = self.load()
        if corpus.d % 8:
            raise NotApplicableError(f"turbovec: d = {corpus.d}: it takes multiples of 8 dimensions only")
        index = module.TurboQuantIndex(dim=corpus.d, bit_width=self.bits)
        for _, x_nd in parts(corpus):
            index.add(x_nd)
        return TurbovecEngine(index, corpus.n * corpus.d * self.bits // 8)


@dataclass(frozen=True)
class TurbovecEngine(Engine):
    """An index in memory."""

    index: Any
    code_bytes: int

    def search(self, queries_qd: Floats, k: int) -> Ints:
        ids_qk = np.asarray(self.index.search(np.ascontiguousarray(queries_qd, dtype=np.float32), k)[1], dtype=np.int64)
        return np.pad(ids_qk, ((0, 0), (0, k - ids_qk.shape[1])), constant_values=NONE)

    def held(self) -> tuple[Held, ...]:
        size = len(self.index.to_bytes())
        return (
            Held("codes", "disk", self.code_bytes, codes=True),
            Held("scales, ids, header", "disk", size - self.code_bytes),
        )
