"""Indexes of faiss that can give their vectors back, with their ids. Needs the extra ``faiss``.

Flat, HNSW and IVF indexes of whole vectors give the floats that were added. Indexes of codes (PQ, scalar quantizers)
and those behind a transform give what their codes stand for, which is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqbench.datasets.readers.base import Content, Wanted, refusal
from vqbench.datasets.unpacking import Sheet
from vqbench.errors import VqbenchError
from vqbench.extras import runnable
from vqbench.numerics.arrays import blocks
from vqbench.text import python_command

ENDINGS = (".faiss", ".index")
NEEDS = ("needs a whole index of faiss, with its vectors", "write it again with faiss.write_index")
USES = ()
IMPORTS = ("faiss",)
_BLOCK = 1 << 22  # bytes that are reconstructed at a time
_EXACT = {"IndexFlat", "IndexFlatL2", "IndexFlatIP", "IndexFlat1D", "IndexHNSWFlat", "IndexNSGFlat", "IndexIVFFlat",
          "IndexRefineFlat"}  # fmt: skip
_CODES = {"IndexPQ", "IndexScalarQuantizer", "IndexIVFPQ", "IndexIVFScalarQuantizer", "IndexHNSWSQ", "IndexHNSWPQ",
          "IndexPreTransform", "IndexResidualQuantizer", "IndexLocalSearchQuantizer"}  # fmt: skip


def unpack(path: Path, wanted: Wanted, sheet: Sheet) -> Content:
    """Read all vectors of the index in the order of their ids, which are row numbers unless it was given others."""
    try:
        import faiss
    except ImportError:
        raise VqbenchError(runnable(f"{path}: faiss is not installed: pip install 'vqbench[faiss]'")) from None
    _check_kind(path)
    # An index may name other files; read only, none is changed, and what lies there is refused below.
    whole = faiss.read_index(str(path), faiss.IO_FLAG_READ_ONLY)  # owns what the names below refer to
    index: Any = faiss.downcast_index(whole)
    n, ids, name = index.ntotal, None, type(index).__name__
    metric = {faiss.METRIC_INNER_PRODUCT: "dot", faiss.METRIC_L2: "euclidean", faiss.METRIC_L1: "l1"}
    if name in ("IndexIDMap", "IndexIDMap2"):
        ids = faiss.vector_to_array(index.id_map)
        inner = faiss.downcast_index(index.index)
        if not len(ids) == n == inner.ntotal:
            raise ValueError(f"{len(ids)} ids for {inner.ntotal} vectors")
        index, name = inner, f"{name} of {type(inner).__name__}"
    base = faiss.downcast_index(index.index) if type(index).__name__ == "IndexPreTransform" else index
    for each in (index, base):
        _check_able(path, faiss, each)
    if n < 1:
        raise refusal(path, problem="0 vectors", rule="needs at least one", remedy="add them before it is written")
    kept = _listed_ids(faiss, base) if hasattr(base, "invlists") else np.arange(n, dtype=np.int64)
    if ids is None and not np.array_equal(kept, np.arange(n)):
        ids = kept
    exact = type(index).__name__ in _EXACT
    words = f"{name} (float32, {n:,} x {index.d:,}" + ("" if exact else "; decoded from codes, not the original floats")
    rows_nd = sheet.table(n, _vectors(index, kept))
    return Content(
        rows_nd=rows_nd,
        ids=None if ids is None else sheet.texts(n, (list(map(str, ids[a:b].tolist())) for a, b in blocks(n, 1 << 14))),
        distance=metric.get(whole.metric_type, ""),
        taken=f"{path.name}: {words}){', with its ids' if ids is not None else ''}",
    )


def _check_kind(path: Path) -> None:
    """Raise VqbenchError for an index of bits, which has functions of its own."""
    with open(path, "rb") as file:
        begin = file.read(4)
    if begin[:2] == b"IB":
        code = (
            f"import faiss,numpy; i=faiss.read_index_binary({str(path)!r}); "
            "numpy.save('bits.npy',faiss.vector_to_array(i.xb).reshape(i.ntotal,-1))"
        )
        raise refusal(
            path,
            problem=f"a binary index ({begin.decode('ascii', 'replace')})",
            rule="only indexes of floats are read",
            remedy=f"save its bits and read them with dataset.codes=packed: {python_command(code)}",
        )


def _check_able(path: Path, faiss: Any, index: Any) -> None:
    """Raise VqbenchError for an index whose vectors cannot be had."""
    name = type(index).__name__
    if name not in _EXACT | _CODES:
        raise refusal(
            path,
            problem=name,
            rule="it cannot give its vectors back; flat, HNSW, NSG and IVF indexes can, and PQ or scalar codes",
            remedy="save the vectors themselves with numpy.save",
        )
    behind = (getattr(index, name, None) for name in ("refine_index", "storage"))
    for each in (index, *(faiss.downcast_index(x) for x in behind if x is not None)):
        codes, size = getattr(each, "codes", None), getattr(each, "code_size", 0)
        if codes is not None and (codes.size() != each.ntotal * size or each.ntotal != index.ntotal):
            raise ValueError(f"{codes.size()} bytes of codes for {index.ntotal} vectors of {size}")


def _listed_ids(faiss: Any, index: Any) -> NDArray[np.int64]:
    """The ids in the lists of an IVF index, in order; it is made ready to give each one's vector."""
    lists = faiss.downcast_InvertedLists(index.invlists)
    if type(lists).__name__ != "ArrayInvertedLists":
        raise ValueError(f"its lists ({type(lists).__name__}) lie elsewhere")
    sizes = [lists.list_size(each) for each in range(lists.nlist)]
    parts = (faiss.rev_swig_ptr(lists.get_ids(each), size) for each, size in enumerate(sizes) if size)
    ids = np.sort(np.fromiter(chain.from_iterable(part.tolist() for part in parts), np.int64))
    if len(ids) != index.ntotal or (np.diff(ids) == 0).any():
        raise ValueError(f"{len(np.unique(ids))} ids for {index.ntotal} vectors")
    index.set_direct_map_type(faiss.DirectMap.Hashtable)
    return ids


def _vectors(index: Any, ids: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
    index.reconstruct(int(ids[0]))  # what cannot be done is told here; in a batch it would end the process
    step = max(1, _BLOCK // (4 * max(1, index.d)))
    for start, stop in blocks(len(ids), step):
        yield index.reconstruct_batch(ids[start:stop])
