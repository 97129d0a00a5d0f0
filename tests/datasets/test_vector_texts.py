"""What counts as a vector in one value, and what only looks like one."""

from __future__ import annotations

import base64
import hashlib
import uuid

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vqbench.datasets.vector_texts import BASE64, FLOAT32, FLOAT64, LIST, form_of, numbers

RNG = np.random.default_rng(0)
X = RNG.standard_normal((8, 6)).astype("<f4")


@pytest.mark.parametrize("scale", [1e-3, 1, 300])
def test_float32_in_bytes_and_base64(scale: float) -> None:
    rows = (X * scale).astype("<f4")
    assert form_of([row.tobytes() for row in rows]) == (FLOAT32, 6)
    assert form_of([base64.b64encode(row.tobytes()).decode() for row in rows]) == (BASE64, 6)
    assert form_of([row.astype("<f8").tobytes() for row in rows]) == (FLOAT64, 6)
    assert form_of([np.rint(row * 10).astype("<f8").tobytes() for row in X]) == (FLOAT64, 6)


@pytest.mark.parametrize(
    "values",
    [
        [hashlib.sha256(bytes([at])).hexdigest() for at in range(8)],
        [base64.b64encode(hashlib.sha256(bytes([at])).digest()).decode() for at in range(8)],
        [hashlib.sha256(bytes([at])).digest() for at in range(8)],
        [uuid.UUID(int=at * 7**40 % 2**128).bytes for at in range(8)],
        ["abcdefghijklmnopqrstuvwxyz", "thequickbrownfoxjumpsoverthelazydog"],
        ["[a list]", "[1, 2]"],
        ['["1", "2"]'],
        ["[[1, 2]]"],
        ["[NaN, 1]"],
        ["a text", ""],
        [],
        [b"\x80\x04" + bytes(20)],
    ],
)
def test_what_is_none(values: list) -> None:
    assert form_of(values) is None


@settings(max_examples=50)
@given(row=hnp.arrays("<f4", 5, elements=st.floats(-1e4, 1e4, width=32)))
def test_numbers_come_back_bit_for_bit(row: np.ndarray) -> None:
    packed = {
        FLOAT32: row.tobytes(),
        FLOAT64: row.astype("<f8").tobytes(),
        BASE64: base64.b64encode(row.tobytes()).decode(),
        LIST: str(row.tolist()),
    }
    for form, value in packed.items():
        vector = numbers(value, form)
        assert vector is not None
        assert vector.astype("<f4").tobytes() == row.tobytes()
        assert all(numbers(value, other) is None for other in packed if type(packed[other]) is not type(value))
