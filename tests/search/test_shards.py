"""A search cut into shards is the whole search: any cut, any order, many ties, own rows left out."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.errors import VqbenchError
from vqbench.numerics.arrays import processors
from vqbench.search.scorers import Cosine, Hamming
from vqbench.search.shards import Shard, Sharded, shard_best
from vqbench.search.similarity import CodeArray, CodeRows, hamming_search
from vqbench.search.topk import Hits, Search
from vqbench.search.topk_merge import Best
from vqbench.storage.mapped import Mapped
from vqbench.storage.vectors import Vectors


@dataclass(frozen=True)
class Loop:
    """Shards between given cuts, worked on here, one after the other in a given order, each sent through pickle."""

    cuts: tuple[int, ...]
    order: tuple[int, ...] | None = None

    def shards(self, n: int) -> list[tuple[int, int]]:
        edges = [0, *self.cuts, n]
        return list(zip(edges, edges[1:], strict=False))

    def map(self, function, common, pieces) -> Iterator:
        for at in self.order or range(len(pieces)):
            sent = common, pieces[at]
            yield function(*pickle.loads(pickle.dumps(sent)))


@dataclass(frozen=True)
class Case:
    """A corpus of few different rows, so that most scores tie, and a way to cut it."""

    x_nd: np.ndarray
    queries: np.ndarray
    exclude_q: np.ndarray | None
    priority_n: np.ndarray | None
    k: int
    loop: Loop


@st.composite
def cases(draw: st.DrawFn) -> Case:
    n = draw(st.integers(2, 24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x_nd = rng.choice([-1.0, 1.0], size=(n, draw(st.integers(1, 4)))).astype(np.float32)
    queries = rng.integers(0, n, size=draw(st.integers(1, 5)))
    leave_out = draw(st.booleans())
    exclude_q = np.where(rng.random(len(queries)) < 0.7, queries, -1) if leave_out else None
    priority_n = rng.permutation(n) if draw(st.booleans()) else None
    cuts = tuple(sorted(draw(st.sets(st.integers(1, n - 1)))))
    order = tuple(draw(st.permutations(range(len(cuts) + 1))))
    return Case(x_nd, queries, exclude_q, priority_n, draw(st.integers(1, n - leave_out)), Loop(cuts, order))


def _search(case: Case, bits: bool) -> Search:
    """The whole search, of the rows or of their signs."""
    d, rows, scorer = case.x_nd.shape[1], case.x_nd, Cosine()
    if bits:
        rows, scorer = np.packbits(case.x_nd > 0, axis=1), Hamming(d)
    seen = CodeRows(CodeArray(rows), np.asarray, d) if bits else Vectors(rows, normalize=False)
    return Search(rows[case.queries], seen, scorer, case.exclude_q, case.priority_n)


def _sharded(case: Case, bits: bool) -> Sharded:
    return Sharded(**vars(_search(case, bits)), spread=case.loop)


@given(cases(), st.booleans())
def test_any_cut_and_any_order_give_the_naive_result(case: Case, bits: bool) -> None:
    hits = _sharded(case, bits).top(case.k)
    score = oracles.hamming if bits else oracles.cosines
    for query, scores_n in enumerate(score(case.x_nd[case.queries], case.x_nd)):
        exclude = -1 if case.exclude_q is None else int(case.exclude_q[query])
        ids, scores, dropped = oracles.top(scores_n, case.k, exclude=exclude, priority_n=case.priority_n)
        assert hits.ids_qk[query].tolist() == ids
        assert hits.scores_qk[query].tolist() == scores
        assert hits.dropped_ties_q[query] == dropped


@settings(max_examples=50)
@given(cases(), st.integers(-4, 0))
def test_all_rows_at_a_score_or_above(case: Case, least: int) -> None:
    part = np.unique(np.arange(len(case.queries)) // 2 * 2)
    found, wanted = (
        search.at_least(part, np.full(len(case.queries), float(least)))
        for search in (_sharded(case, True), _search(case, True))
    )
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def _bests(case: Case) -> list[Best]:
    sharded = _sharded(case, True)
    return [shard_best((sharded._common(), case.k), shard) for shard in sharded._shards()]


def _same(left: Best, right: Best) -> None:
    for name in ("scores_qk", "ids_qk", "dropped_q"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)


@given(cases(), st.data())
def test_the_merge_is_associative_and_commutative(case: Case, data: st.DataObject) -> None:
    """Over every tree: the leaves in any order, any two neighbours joined first, either side first."""
    leaves = _bests(case)
    straight = Best.empty(len(case.queries), case.k)
    for leaf in leaves:
        straight = straight.plus(leaf)
    heap = [leaves[at] for at in data.draw(st.permutations(range(len(leaves))))]
    while len(heap) > 1:
        at = data.draw(st.integers(0, len(heap) - 2))
        left, right = heap[at : at + 2]
        heap[at : at + 2] = [right.plus(left) if data.draw(st.booleans()) else left.plus(right)]
    _same(heap[0], straight)
    _same(Best.empty(len(case.queries), case.k).plus(straight), straight)


def test_ties_are_counted_across_shards_by_hand() -> None:
    """Six rows of one score in three shards, k = 2: four are dropped, whichever shard they lie in."""
    x_nd = np.ones((6, 3), dtype=np.float32)
    rows, priority_n = Vectors(x_nd, normalize=False), np.array([5, 4, 3, 2, 1, 0])
    hits = Sharded(x_nd[:1], rows, Cosine(), priority_n=priority_n, spread=Loop((1, 4))).top(2)
    assert hits.ids_qk.tolist() == [[5, 4]]
    assert hits.dropped_ties_q.tolist() == [4]


def test_a_worse_shard_with_ties_of_its_own_drops_nothing() -> None:
    x_nd = np.array([[1, 1], [1, 1], [1, -1], [1, -1], [1, -1]], dtype=np.float32)
    hits = Sharded(x_nd[:1], Vectors(x_nd, normalize=False), Cosine(), spread=Loop((2,), (1, 0))).top(2)
    assert hits.ids_qk.tolist() == [[0, 1]]
    assert hits.dropped_ties_q.tolist() == [0]


@pytest.mark.parametrize("copy", [False, True])
def test_codes_in_memory_travel_as_their_slice(copy: bool) -> None:
    codes_nb = np.random.default_rng(1).integers(0, 256, size=(4000, 4), dtype=np.uint8)
    whole = hamming_search(codes_nb[:20], CodeArray(codes_nb.copy() if copy else codes_nb), 30)
    sharded = Sharded(**vars(whole), spread=Loop((1000, 1001, 3000)))
    _hits_equal(sharded.top(50), whole.top(50))
    sent: Any = sharded._shards()[1].rows
    assert len(sent.codes.codes_nb) == sent.n == 1


def _hits_equal(left: Hits, right: Hits) -> None:
    for name in ("ids_qk", "scores_qk", "dropped_ties_q"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)


VIEWS = {
    "whole": lambda x: x,
    "rows": lambda x: x[100:200],
    "steps": lambda x: x[5:900:7, 2:],
    "backwards": lambda x: x[::-1],
    "turned": lambda x: x.T[:3],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_view_of_an_array_on_disk_travels_by_path(tmp_path: Path, view, order: str) -> None:
    x_nd = np.asarray(np.random.default_rng(2).random((1000, 6), dtype=np.float32), order=order)
    np.save(tmp_path / "x.npy", x_nd)
    seen = view(np.lib.format.open_memmap(tmp_path / "x.npy", mode="r"))
    place = Mapped.of(seen)
    assert len(pickle.dumps(place)) < 600
    opened = pickle.loads(pickle.dumps(place)).open()
    np.testing.assert_array_equal(opened, view(x_nd))
    assert not opened.flags.writeable


def test_what_is_not_on_disk_as_it_stands_has_no_place(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(3))
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", mode="r")
    private = np.load(tmp_path / "x.npy", mmap_mode="c")
    for array in (np.eye(3), mapped[[0, 2]], mapped * 2, private, mapped[:0]):
        assert Mapped.of(array) is None


@pytest.mark.parametrize("rows", [None, np.array([7, 3, 900, 3])])
@pytest.mark.parametrize("normalize", [False, True])
def test_vectors_on_disk_travel_in_few_bytes(tmp_path: Path, rows, normalize: bool) -> None:
    x_nd = np.random.default_rng(3).random((1000, 64)).astype(np.float16)
    np.save(tmp_path / "x.npy", x_nd)
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", mode="r")
    there, here = (Vectors(array, normalize=normalize, rows=rows) for array in (mapped, x_nd))
    there.block(0, 2)  # what is kept in memory stays here
    sent = pickle.dumps(there)
    assert there.on_disk
    assert not here.on_disk
    assert len(sent) < 1500
    for vectors in (pickle.loads(sent), pickle.loads(pickle.dumps(here)), pickle.loads(pickle.dumps(here.span(0, 4)))):
        np.testing.assert_array_equal(vectors.block(0, 4), here.block(0, 4))
    np.testing.assert_array_equal(there.span(1, 4).block(0, 3), here.block(1, 4))
    assert len(pickle.dumps(here.span(0, 4))) < 2000


def test_a_worker_without_the_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.eye(3, dtype=np.float32))
    sent = pickle.dumps(Vectors(np.lib.format.open_memmap(path, mode="r"), normalize=False))
    np.save(path, np.eye(3, dtype=np.float32)[::-1])
    with pytest.raises(VqbenchError, match=r"x.npy: a worker on .* sees another file .* share"):
        pickle.loads(sent).block(0, 1)
    path.write_bytes(b"short")
    with pytest.raises(VqbenchError, match=r"sees another file under this path \(5 bytes\)"):
        pickle.loads(sent).block(0, 1)
    path.unlink()
    with pytest.raises(VqbenchError, match=r"x.npy: a worker on .* cannot read it \(No such file.*\): put the file"):
        pickle.loads(sent).take(np.array([0]))


def test_a_part_holds_no_more_than_its_rows(tmp_path: Path) -> None:
    """A hundredth of the corpus: a hundredth of the bytes in memory, next to nothing on disk."""
    x_nd = np.random.default_rng(4).random((10_000, 32), dtype=np.float32)
    np.save(tmp_path / "x.npy", x_nd)
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", mode="r")
    for array, most in ((x_nd, 100 * 32 * 4 + 1000), (mapped, 1000)):
        assert len(pickle.dumps(Shard(0, Vectors(array, normalize=True).span(0, 100), None))) < most


def test_processors_heed_what_a_worker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    everything = processors()
    for told, wanted in (("1", 1), ("1,2", 1), ("100000", everything), ("", everything), ("0", everything)):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        assert processors() == wanted
