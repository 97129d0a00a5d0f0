"""Lists of numbers that are written as text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqbench.datasets.text_lists import is_whole_list, numbers_in


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("[0.5, -2e-3]", [0.5, -0.002]),
        (" [1,2,3] ", [1, 2, 3]),
        ("{0.5,1}", [0.5, 1]),
        ("(0.5,1)", [0.5, 1]),
        ("[0.5 1.\\n -3e+2]", [0.5, 1, -300]),
        ("[np.float32(0.5), np.float64(-1.0)]", [0.5, -1]),
        ("[]", []),
        ("[7]", [7]),
    ],
)
def test_lists(text: str, numbers: list[float]) -> None:
    parsed = numbers_in(text.replace("\\n", "\n"))
    assert parsed is not None
    assert parsed.tolist() == numbers


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "0.5, 1",
        "[0.5, 1",
        "[0.5, 1}",
        "[0.5,, 1]",
        "[0.5, 1,]",
        "[0.1 ... 0.5]",
        "[nan, 1]",
        "[1, inf]",
        "[1_0]",
        "[a, b]",
        "['1', '2']",
        "[[1, 2]]",
        "[1, e]",
        "[--1]",
        "[0x10]",
        "[1 2, 3]",
        '{"a": 1}',
        "[np.float32(x)]",
    ],
)
def test_what_is_none(text: str) -> None:
    assert numbers_in(text) is None


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_what_python_writes_is_read(numbers: list[float]) -> None:
    for text in (str(numbers), str(tuple(numbers)) if len(numbers) > 1 else str(numbers), str(list(np.array(numbers)))):
        np.testing.assert_array_equal(numbers_in(text), numbers)


def test_whole_numbers() -> None:
    assert is_whole_list("[101, 2, 0]")
    assert not any(map(is_whole_list, ("[1.0, 2]", "[1e3, 2]", "[np.float32(1), 2]")))
