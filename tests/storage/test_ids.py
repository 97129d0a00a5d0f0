"""Ids that are made or read when they are asked for, and what is drawn and summed without lists of all rows."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqbench.datasets.base import Source
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.numerics import arrays
from vqbench.numerics.arrays import unit_rows
from vqbench.numerics.draws import draw_keys, drawn, id_keys, mixed
from vqbench.numerics.exact_sum import ExactSum
from vqbench.search.scorers import Cosine
from vqbench.search.tie_order import top_by_id
from vqbench.search.topk import Search
from vqbench.storage import ids
from vqbench.storage.ids import Numbered, PackedIds, PickedIds, positions
from vqbench.storage.vectors import Vectors

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from("\r\n\u2028 a"), max_size=40
)


@given(text=TEXT, read=st.integers(1, 7))
def test_lines_are_those_that_python_reads(tmp_path: Path, text: str, read: int) -> None:
    """Whatever ends them, wherever a read ends; only \\n, \\r\\n and \\r end a line."""
    path = tmp_path / "ids.txt"
    path.write_text(text or "x", "utf-8", newline="")
    wanted = path.read_text("utf-8-sig").removesuffix("\n").split("\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "_READ", read)
        found = PackedIds.lines(path)
    assert list(found) == wanted
    assert [found[row] for row in range(-len(wanted), len(wanted))] == wanted * 2
    assert found[1:3] == wanted[1:3]
    assert found == wanted


def test_a_mark_of_utf8_is_no_part_of_the_first_id(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("a\nb", "utf-8-sig")
    assert PackedIds.lines(tmp_path / "ids.txt") == ["a", "b"]


def test_a_nul_is_no_text(tmp_path: Path) -> None:
    """As in UTF-16 without a mark."""
    (tmp_path / "ids.txt").write_bytes("a\nb".encode("utf-16-le"))
    with pytest.raises(VqbenchError, match=r"ids\.txt: is not UTF-8 text \(byte 1 is 0\): give one id a line"):
        PackedIds.lines(tmp_path / "ids.txt")


def test_text_that_is_no_utf8(tmp_path: Path) -> None:
    for content in (b"a\n\xff\n", b"a\n\xc3"):  # a wrong byte; an end in the middle of a character
        (tmp_path / "ids.txt").write_bytes(content)
        with pytest.raises(VqbenchError, match=r"ids\.txt: is not UTF-8 text"):
            PackedIds.lines(tmp_path / "ids.txt")


@given(rows=st.lists(st.integers(0, 99), max_size=30), dense=st.sampled_from([0, 8, 100]))
def test_picked_ids(rows: list[int], dense: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "_DENSE", dense)
        picked = PickedIds(Numbered(100, "q"), np.array(rows, dtype=np.int64))
        assert picked == [f"q{row}" for row in rows]
    assert positions(picked, ["q7", "q8", "no"]) == {
        i: rows.index(row) for i, row in (("q7", 7), ("q8", 8)) if row in rows
    }


def test_a_repeated_id_is_found_by_its_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """And two ids that share a key are no repetition."""
    x_nd = np.arange(1, 13.0).reshape(4, 3)
    monkeypatch.setattr("vqbench.datasets.row_checks.id_keys", lambda ids: np.zeros(len(ids), np.uint64))
    prepare(Source("here", x_nd, list("abcd")), "t", queries="self", n_queries=2, normalize=True)
    with pytest.raises(VqbenchError, match="id 'c' occurs at rows 1 and 3"):
        prepare(Source("here", x_nd, list("acdc")), "t", queries="self", n_queries=2, normalize=True)


def _mixed_by_hand(key: int, seed: int) -> int:
    z = (key + seed * 0x9E3779B97F4A7C15 + 1) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


@given(
    keys=st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), min_size=1, max_size=40),
    seed=st.integers(0, 2**64 - 1),
    count=st.integers(0, 50),
)
def test_draws_are_the_first_of_a_sorted_list(keys: list[int], seed: int, count: int) -> None:
    """However many are drawn, equal keys in the order of rows."""
    keys_n = np.array(keys, dtype=np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_CACHED", 7)
        assert mixed(keys_n, seed).tolist() == [_mixed_by_hand(key, seed) for key in keys]
        order = np.argsort(draw_keys(keys_n, seed, "x"), kind="stable")
        np.testing.assert_array_equal(drawn(keys_n, count, seed, "x"), order[:count])
        words = [str(key) for key in keys]
        digests = [hashlib.blake2b(word.encode(), digest_size=8).digest() for word in words]
        assert id_keys(words).tolist() == [int.from_bytes(digest, "little") for digest in digests]


@pytest.mark.parametrize("count", [1, 7, 20, 40])
def test_a_sorted_sample_is_the_head_of_the_sorted_corpus(count: int) -> None:
    rng = np.random.default_rng(0)
    x_nd = np.column_stack([rng.integers(-2, 3, 40), np.arange(1, 41)]).astype(np.float32)
    data = prepare(Source("here", x_nd, [str(i) for i in range(40)]), "t", queries="self", n_queries=2, normalize=False)
    order = drawn(data.keys_n, 40, 3, "calibration").tolist()
    wanted = sorted(range(40), key=lambda row: (x_nd[row, 0], order.index(row)))[:count]
    np.testing.assert_array_equal(data.sample(count, 3, "sorted"), x_nd[wanted])
    np.testing.assert_array_equal(data.sample(count, 3, "prefix"), x_nd[:count])
    np.testing.assert_array_equal(data.sample(count, 3), x_nd[order[:count]])


FLOATS = st.floats(allow_nan=False, allow_infinity=False, max_value=1e300, min_value=-1e300)


@given(parts=st.lists(st.lists(FLOATS | st.floats(-1, 1) | st.just(0.1), max_size=20), max_size=5))
def test_a_sum_in_parts_is_that_of_fsum(parts: list[list[float]]) -> None:
    total, values = ExactSum(), [x for part in parts for x in part]
    for part in parts:
        total.add(np.array(part))
    assert total.value == math.fsum(values)
    assert total.count == len(values)
    assert math.isnan(total.mean) if not values else total.mean == math.fsum(values) / len(values)


@pytest.mark.parametrize("special", [[math.inf], [-math.inf, 1e300], [math.nan], [math.nan, math.inf]])
def test_a_sum_of_what_is_not_finite(special: list[float]) -> None:
    total = ExactSum()
    total.add(np.array([1.0, *special, 0.1]))
    total.add(np.array([2.0]))
    np.testing.assert_equal(total.value, math.fsum([1.0, *special, 0.1, 2.0]))


def test_lists_by_id_of_rows_that_tie(tied_rows: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a sort of all rows, with ids whose order is not that of the rows, and few pairs at a time."""
    monkeypatch.setattr("vqbench.search.topk.PAIRS", 50)
    names = [str(row * 7919 % 120) for row in range(120)]
    queries_qd, own = tied_rows[:9], np.arange(9)
    found = top_by_id(Search(queries_qd, Vectors(tied_rows, normalize=True), Cosine(), own), 8, names)
    for query in range(9):
        cosines = Cosine().scores(unit_rows(tied_rows), queries_qd, np.full(120, query))
        rows = sorted((row for row in range(120) if row != query), key=lambda row: (-cosines[row], names[row]))
        assert found.ids_qk[query].tolist() == rows[:8]
        assert found.scores_qk[query].tolist() == cosines[rows[:8]].tolist()
