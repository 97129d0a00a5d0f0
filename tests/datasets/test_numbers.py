"""What a look at the numbers says of planted kinds of data, and that ordinary embeddings give it nothing to say."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqbench.datasets.base import Data, Source
from vqbench.datasets.numbers import looks_packed
from vqbench.datasets.prepare import prepare
from vqbench.evaluation.doctor.numbers import kind
from vqbench.evaluation.doctor.sample import draw_sample
from vqbench.experiment.config.variants import named_variant

RNG = np.random.default_rng(7)
#: Unit rows around 20 centres whose dimensions lie around means of their own, as those of models do.
ROWS = (
    RNG.normal(size=(20, 64))[RNG.integers(0, 20, 1500)] + RNG.normal(size=(1500, 64)) + RNG.normal(size=64)
).astype(np.float32)
ROWS /= np.linalg.norm(ROWS, axis=1, keepdims=True)
LARGEST = float(np.abs(ROWS).max())
BITS = ROWS > 0
INT8 = np.round(ROWS / LARGEST * 127).astype(np.int8)
PACKED = np.packbits(BITS, axis=1)


def _data(rows_nd: np.ndarray, **more) -> Data:
    return prepare(Source("x", rows_nd, **more), "x", queries="self", n_queries=5, normalize=True)


def _said(rows_nd: np.ndarray, **more) -> list[str]:
    return list(_data(rows_nd, **more).notes)


def _levels(rows_nd: np.ndarray) -> list[str]:
    numbers = _data(rows_nd).numbers
    assert numbers is not None
    return [remark.level for remark in numbers.remarks]


def _token_ids(*, left: bool = False) -> np.ndarray:
    ids = RNG.integers(999, 30_522, (300, 48))
    ids[:, 0] = 101
    ids[np.arange(48) >= RNG.integers(5, 48, 300)[:, None]] = 0
    return ids[:, ::-1] if left else ids


@pytest.mark.parametrize(
    "rows_nd",
    [
        ROWS,
        ROWS.astype(np.float64),
        ROWS.astype(np.float16),
        ROWS.astype(np.float16).astype(np.float32),
        ROWS.astype(ml_dtypes.bfloat16).astype(np.float32),
        ROWS[:40],
    ],
    ids=["float32", "float64", "float16", "float16 as float32", "bfloat16 as float32", "few rows"],
)
def test_ordinary_embeddings_get_no_note(rows_nd: np.ndarray) -> None:
    assert _said(rows_nd) == []


@pytest.mark.parametrize(
    ("rows_nd", "level", "words"),
    [
        (PACKED, "warning", "These bytes look like packed bits: "),
        ((PACKED.astype(int) - 128).astype(np.int8), "warning", "If they are bits, set dataset.codes=packed."),
        (BITS, "warning", "these are bits (the 8 bytes/vector of packed bits count as stored today)"),
        (BITS.astype(np.float32), "warning", "Every number is 0 or 1: these are bits (packed: 8 bytes/vector), and"),
        (BITS.astype(np.uint8), "warning", "save numpy.packbits(x > 0, axis=1) and set dataset.codes=packed."),
        (BITS * 2.0 - 1, "note", "-1 or 1: these are bits, and cosine orders rows as Hamming distance does. Packed"),
        (np.eye(30)[RNG.integers(0, 30, 200)], "warning", "Every row holds a single 1 (one-hot): "),
        (_token_ids(), "warning", "zeros only at the end of rows: this is what token ids look like, not vectors."),
        (_token_ids(left=True).astype(np.float32), "warning", "zeros only at the start of rows: this is what token"),
        (INT8, "note", "Vectors arrive as int8: ratios and advice count from the 64 bytes/vector that are stored"),
        (INT8.astype(np.float32), "note", "bytes stored as float32. int8 would hold them exactly in 64 bytes/vector."),
        (np.abs(INT8).astype(np.int64), "note", ", none negative: bytes stored as int64. uint8 would hold them exactl"),
        (INT8 * 40.0, "note", "they were quantized or rounded before"),
        (INT8 / np.float32(127), "note", "values: they were quantized or rounded before, and what is measured here"),
        (np.abs(ROWS), "note", "No number is negative, so a threshold of 0 (binary_zero) tells little. Use one at"),
        (ROWS * np.linspace(1, 4, 1500)[:, None], "note", "Rows have lengths from 1 to 4. Cosine ignores them"),
    ],
)
def test_a_kind_of_numbers_is_named(rows_nd: np.ndarray, level: str, words: str) -> None:
    said = _said(rows_nd)
    assert any(words in sentence for sentence in said), said
    assert _levels(rows_nd)[0] == level


def test_values_that_are_few_in_each_dimension_alone() -> None:
    """An own range for each dimension: 64 times up to 256 values."""
    low_d, high_d = ROWS.min(axis=0), ROWS.max(axis=0)
    quantized_nd = np.round((ROWS - low_d) / (high_d - low_d) * 100) / 100 * (high_d - low_d) + low_d
    most = max(len(np.unique(column_n)) for column_n in quantized_nd.T)
    assert _said(quantized_nd.astype(np.float32))[0].startswith(
        f"In no dimension 1,500 rows take more than {most} values: they were quantized"
    )


@pytest.mark.parametrize("scale", [20, 31, 60])
def test_numbers_in_bytes_are_not_taken_for_bits(scale: int) -> None:
    """Signed, around 128, skewed as SIFT's, and with a range for each dimension."""
    normal_nd = RNG.normal(size=(900, 32)) * scale
    low_d, high_d = normal_nd.min(axis=0), normal_nd.max(axis=0)
    for bytes_nd in (
        np.clip(normal_nd, -128, 127).astype(np.int8).view(np.uint8),
        np.clip(normal_nd + 128, 0, 255).astype(np.uint8),
        np.clip(np.abs(normal_nd), 0, 255).astype(np.uint8),
        np.round((normal_nd - low_d) / (high_d - low_d) * 255).astype(np.uint8),
    ):
        assert not looks_packed(bytes_nd)


def test_sparse_bits_are_bits() -> None:
    """Fingerprints of molecules: a few per cent of ones."""
    assert looks_packed(np.packbits(RNG.random((2000, 2048)) < RNG.beta(0.3, 8, 2048), axis=1))


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(40)), st.sampled_from([1, 7, 8192]))
def test_neither_the_order_of_rows_nor_blocks_matter(order: list[int], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vqbench.datasets.row_checks._BLOCK", block)
        for rows_nd in (ROWS[:40] * 3, INT8[:40].astype(np.float32), _TOKENS, PACKED[:40]):
            assert _data(rows_nd[order]).numbers == _data(rows_nd).numbers


_TOKENS = _token_ids()[:40]


@pytest.mark.parametrize(
    ("make", "kind_of", "size"),
    [
        (lambda: ROWS, "float32", 256),
        (lambda: ROWS.astype(np.float16), "float32", 256),
        (lambda: INT8, "int8", 64),
        (lambda: INT8.view(np.uint8), "uint8", 64),
        (lambda: BITS, "bits", 8),
        (lambda: BITS[:, :63], "bits", 8),
        (lambda: INT8.astype(np.int16), "float32", 256),
    ],
)
def test_what_is_stored_today(make: Callable[[], np.ndarray], kind_of: str, size: int) -> None:
    assert _data(make()).stored.plain() == {"as": kind_of, "bytes_per_vector": size}


def test_the_doctor_says_the_same() -> None:
    for rows_nd, level in ((PACKED, "warning"), (np.abs(ROWS), "note"), (ROWS, "fine")):
        data = _data(rows_nd)
        found = kind(draw_sample(data, lambda name: named_variant(name, "doctor")))
        assert found is not None
        assert found.level == level
        assert level == "fine" or found.sentence == " ".join(data.notes)
    assert found.shown.startswith("float32 from -0.")
