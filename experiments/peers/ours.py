"""Our side of every family, and the matrix product that bounds whoever decodes."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from experiments.peers.contest import Ask, Contestant, Goal
from experiments.peers.problem import Problem
from vqbench.api import code_topk
from vqbench.experiment.config.variants import named_variant
from vqbench.numerics.arrays import Codes, Floats, Ints, blocks
from vqbench.quantizers.base import Codec

PRODUCT = "matrix product alone"
_BLOCK = 8192
_TRIED = 65_536  # rows on which the shapes of a block are tried


def coded(name: str) -> Contestant:
    """``vqbench.code_topk`` over the codes of a variant of conf/quantizer, under its own similarity."""

    def build(problem: Problem) -> Ask:
        codec, codes_nb = fitted(problem, name)
        similarity = named_variant(name, "peers", ()).similarity
        return lambda queries_qd, k: code_topk(codec, queries_qd, codes_nb, k, similarity=similarity).ids_qk

    return Contestant(f"vqbench {name}", "vqbench", build)


def fitted(problem: Problem, name: str) -> tuple[Codec, Codes]:
    """The codec of a variant, and the corpus in its codes."""
    codec = named_variant(name, "peers", ()).fit(problem.sample_nd, problem.seed)
    return codec, encoded(codec, problem.corpus_nd)


def encoded(codec: Codec, corpus_nd: Floats) -> Codes:
    """The corpus in codes ``(n, code_bytes)``."""
    return np.concatenate([codec.encode(corpus_nd[slice(*part)]) for part in blocks(len(corpus_nd), _BLOCK)])


def product_alone(against: dict[str, Goal | None]) -> Contestant:
    """Every float32 product of queries and rows, block by block into one buffer, and nothing done with it.

    Of eight shapes of a block, the fastest on the first rows.
    """
    return Contestant(PRODUCT, "numpy", _fastest_product, against)


def _fastest_product(problem: Problem) -> Ask:
    x_nd, y_qd = problem.corpus_nd, problem.queries_qd
    shapes = [(rows, first) for rows in (1024, 2048, 4096, 8192) for first in (True, False)]
    few_nd = x_nd[:_TRIED]
    tried = {shape: min(_seconds(_product(few_nd, y_qd, *shape)) for _ in range(3)) for shape in shapes}
    run = _product(x_nd, y_qd, *min(tried, key=tried.__getitem__))

    def ask(queries_qd: Floats, k: int) -> Ints | None:
        return run()

    return ask


def _product(x_nd: Floats, y_qd: Floats, rows: int, rows_first: bool) -> Callable[[], None]:
    """Products with ``rows`` rows at a time, as ``(rows, q)`` or ``(q, rows)``."""
    rows = min(rows, len(x_nd))
    buffer = np.empty((rows, len(y_qd)) if rows_first else (len(y_qd), rows), dtype=np.float32)

    def run() -> None:
        for start, stop in blocks(len(x_nd), rows):
            if rows_first:
                np.matmul(x_nd[start:stop], y_qd.T, out=buffer[: stop - start])
            else:
                np.matmul(y_qd, x_nd[start:stop].T, out=buffer if stop - start == rows else None)

    return run


def _seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
