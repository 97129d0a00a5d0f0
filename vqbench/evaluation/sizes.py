"""Sizes as the seed notebook took them, to stand beside the true ones."""

from __future__ import annotations

import sys

from vqbench.errors import NotApplicableError
from vqbench.numerics.arrays import Floats
from vqbench.quantizers.base import Codec

SCOPE = "getsizeof"


def notebook_sizes(codec: Codec, x_1d: Floats) -> list[dict[str, object]]:
    """What ``sys.getsizeof`` says of one vector, ``(1, d)``, as a ledger's rows.

    The notebook holds floats in a list, which counts a header and pointers but not the floats, and
    codes in an array, one number to a byte even where it is a bit, with a header of 112 bytes.
    """
    codes_1b = codec.encode(x_1d)
    try:
        held: object = codec.integers(codes_1b)[0].copy()
        name = "one array, a byte for each number"
    except NotApplicableError:
        numbers: list[float] = x_1d[0].tolist()
        held, name = numbers, "one list of floats, without the floats"
        whole = sys.getsizeof(numbers) + sum(map(sys.getsizeof, numbers))
        return [_row(name, sys.getsizeof(held)), _row("one list of floats, with the floats", whole)]
    return [_row(name, sys.getsizeof(held)), _row("one array of the packed code", sys.getsizeof(codes_1b[0].copy()))]


def _row(item: str, size: int) -> dict[str, object]:
    return {"item": f"sys.getsizeof: {item}", "scope": SCOPE, "bytes": size}
