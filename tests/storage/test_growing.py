"""Rows and texts that are added one after the other, near or in a scratch file."""

from __future__ import annotations

import numpy as np
import pytest

from vqbench.storage import growing, ids
from vqbench.storage.growing import GrowingRows
from vqbench.storage.ids import Packing
from vqbench.storage.raw_rows import RawRows


@pytest.mark.parametrize("kept", [0, 100, 1 << 20])
def test_rows_and_texts_come_back_in_order(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "_KEPT", kept)
    monkeypatch.setattr(ids, "_HELD", kept)
    x_nd = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    texts = [f"é{row}" * (row % 5) for row in range(50)]
    rows, words = GrowingRows(3, x_nd.dtype), Packing()
    for start in range(0, 50, 7):
        rows.add(x_nd[start : start + 7])
    for text in texts:
        words.add([text])
    found_nd, found = rows.finish(), words.packed()
    np.testing.assert_array_equal(found_nd[:], x_nd)
    assert list(found) == texts
    assert isinstance(found_nd, RawRows) == (kept < 1000)


def test_nothing_was_added() -> None:
    assert GrowingRows(3, np.dtype("f4")).finish().shape == (0, 3)
    assert list(Packing().packed()) == []
    with pytest.raises(UnicodeEncodeError):
        Packing().add(["\ud800"])
