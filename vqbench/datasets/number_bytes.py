"""Which type of number bytes hold: one test for blobs of Parquet, Arrow and SQLite and for base64 in JSON.

Bytes have no type. Read as a narrower type than theirs, every second number is the lower part of a longer one: noise,
or 0. Read as a wider type than theirs, both halves of each number are like each other, as numbers of one vector are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT32, FLOAT64, FLOAT16, BFLOAT16 = "float32", "float64", "float16", "bfloat16"
_SIZES = {FLOAT32: 4, FLOAT64: 8, FLOAT16: 2, BFLOAT16: 2}
_FEW, _FEWEST, _MANY = 2, 4, 32  # numbers in a row at least, if there are so many in all; else; in all
_SMALL, _LARGE, _SHARE = 1e-18, 1e18, 0.95  # sizes of numbers in vectors of any scale; noise lies anywhere
_SMALL_16, _LARGE_16 = 1e-9, 1e6  # of numbers of 16 bits
_NORMAL, _NORMAL_SHARE = 2.0**-14, 0.85  # the smallest float16 of full precision, and how many are larger
_SPREAD, _FAR = 0.4, 20  # of the median: the 5th percentile of sizes is below, the 99th too, if the type is right
_SIGN, _INFINITE_16 = 0x7FFF, 0x7C00
_BAND, _MARGIN, _WIDEST = (0.01, 0.99), 1 << 10, 1 << 14  # quantiles of 16 bits without sign, what lies beside them
_INSIDE, _FEWEST_16, _KINDS = 0.9, 8, 4  # share within that band; numbers that tell of it; times as many patterns
_ZEROS = 0.25  # zeros in one half of each number may differ so much from those in the other


def number_types(blobs: Sequence[bytes]) -> tuple[str, ...]:
    """Return the types that rows of bytes can have; ``()`` where they are no vectors, two for float16 or bfloat16.

    >>> import numpy as np
    >>> row = np.random.default_rng(0).standard_normal(64)
    >>> [number_types([row.astype(kind).tobytes()]) for kind in ("<f2", "<f4", "<f8")]
    [('float16',), ('float32',), ('float64',)]
    """
    content = b"".join(blobs)
    if not content or _is_text(content):
        return ()
    if _long_enough(blobs, FLOAT16) and _of_16_bits(content):
        return _types_of_16_bits(np.frombuffer(content, "<u2") & _SIGN)
    if _long_enough(blobs, FLOAT32) and _of_32_bits(content, whole=_long_enough(blobs, FLOAT64)):
        return (FLOAT32,)
    if _long_enough(blobs, FLOAT64) and _plausible(np.frombuffer(content, "<f8"), _SMALL, _LARGE):
        return (FLOAT64,)
    return ()


def of_16_bits(blobs: Sequence[bytes]) -> tuple[tuple[str, ...], str]:
    """The types of rows of 16-bit numbers, and what a row is in words: ``64 numbers as float16 (32 as float32)``."""
    types, sizes = number_types(blobs), [len(blob) for blob in blobs]
    if not types or _SIZES[types[0]] != 2:
        return (), ""
    length = max(sizes, key=sizes.count)
    other = f" ({length // 4} as float32)" if length % 4 == 0 else ""
    return types, f"{length // 2} numbers as {' or '.join(types)}{other}"


def as_float32(types: Sequence[str], value: str) -> str:
    """The term in Python that makes float32 of a row of 16-bit numbers, the first of these types."""
    if types[0] == FLOAT16:
        return f"np.frombuffer({value},'<f2').astype('<f4')"
    return f"(np.frombuffer({value},'<u2').astype('<u4')<<16).view('<f4')"


def _long_enough(blobs: Sequence[bytes], kind: str) -> bool:
    size = _SIZES[kind]
    counts = [len(blob) // size for blob in blobs]
    fewest = _FEW if sum(counts) >= _MANY else _FEWEST
    return all(len(blob) % size == 0 for blob in blobs) and min(counts) >= fewest


def _is_text(content: bytes) -> bool:
    try:
        return all(char.isprintable() or char.isspace() for char in content.decode())
    except UnicodeDecodeError:
        return False


def _plausible(numbers: NDArray[Any], small: float, large: float) -> bool:
    """Whether numbers are finite, and those that are not 0 of a usual size."""
    with np.errstate(invalid="ignore"):
        sizes = np.abs(numbers.astype(np.float64))
    some = sizes[sizes != 0]
    return bool(np.isfinite(sizes).all()) and len(some) > 0 and ((some >= small) & (some <= large)).mean() >= _SHARE


def _of_32_bits(content: bytes, *, whole: bool) -> bool:
    """Whether bytes are float32. whole: whether they could be float64 as well."""
    numbers = np.frombuffer(content, "<f4")
    if not _plausible(numbers, _SMALL, _LARGE):
        return False
    if not whole or not _plausible(np.frombuffer(content, "<f8"), _SMALL, _LARGE):
        return True
    low, high = numbers[::2], numbers[1::2]
    if (low == 0).mean() - (high == 0).mean() > _ZEROS:  # the lower half of a float64 that needs few digits
        return False
    return _plausible(low, _SMALL, _LARGE)


def _of_16_bits(content: bytes) -> bool:
    """Whether the two halves of each 32 bits are like each other, and of few sizes, as noise is not."""
    patterns = np.frombuffer(content, "<u2") & _SIGN
    low, high = patterns[::2], patterns[1::2]
    noise = 2 * (0.5 / max(1, len(high))) ** 0.5  # of the difference between two shares
    if abs((low == 0).mean() - (high == 0).mean()) > max(_ZEROS, noise):
        return False
    low, high = low[low != 0], high[high != 0]
    if min(len(low), len(high)) < _FEWEST_16:
        return False
    kinds = sorted([len(np.unique(low)), len(np.unique(high))])  # float32 of whole numbers has few lower halves
    return _KINDS * kinds[0] >= kinds[1] and _within(low, high) and _within(high, low)


def _within(some: NDArray[Any], others: NDArray[Any]) -> bool:
    """Whether nearly all of some patterns lie between most of the others, and these are of few sizes."""
    lowest, highest = np.quantile(others, _BAND)
    inside = (some >= lowest - _MARGIN) & (some <= highest + _MARGIN)
    return highest - lowest < _WIDEST and inside.mean() >= _INSIDE


def _types_of_16_bits(patterns: NDArray[Any]) -> tuple[str, ...]:
    """float16, bfloat16, or both where the numbers are plausible as both."""
    halves = patterns[patterns != 0].view("<f2").astype(np.float64)
    types = list[str]()
    if (patterns < _INFINITE_16).all() and (halves >= _NORMAL).mean() >= _NORMAL_SHARE:
        types.append(FLOAT16)
    if _plausible((patterns.astype("<u4") << 16).view("<f4"), _SMALL_16, _LARGE_16):
        types.append(BFLOAT16)
    if len(types) > 1:
        # Numbers of a vector have sizes of every order below the largest. bfloat16 read as float16 has not: its
        # exponent stands among the digits.
        if _spread(halves):
            return (FLOAT16,)
        return (BFLOAT16,) if _spread((patterns.astype("<u4") << 16).view("<f4")) else (BFLOAT16, FLOAT16)
    return tuple(types)


def _spread(numbers: NDArray[Any]) -> bool:
    sizes = numbers[numbers != 0]
    low, middle, high = np.quantile(sizes, [0.05, 0.5, 0.99])
    return bool(low < _SPREAD * middle and high < _FAR * middle)
