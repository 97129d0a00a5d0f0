"""How long data that LZF packed would be, without unpacking it."""

from __future__ import annotations

from typing import Any

import numpy as np

from vqbench.numerics.kernels.choice import compiled

_SLOWER = 5e-8  # seconds for each packed byte that Python takes longer than compiled code


def unpacked_length(packed: bytes, most: int) -> tuple[int, int]:
    """The bytes that can be read of ``packed``, all of them unless it is damaged or too long, and what they unpack to.

    Counting ends where it passes ``most``.
    """
    kernels = compiled("lzf", _SLOWER * len(packed))
    return kernels.counted(np.frombuffer(packed, np.uint8), most) if kernels else counted(packed, most)


def counted(packed: Any, most: int) -> tuple[int, int]:
    """As ``unpacked_length``, of bytes or an array of uint8; compiled too, so nothing may read beyond the end.

    Packed data is a row of pieces: some bytes as they are, or how far back to find some that came before.
    """
    at = count = 0
    end = len(packed)
    while at < end and count <= most:
        head = packed[at]
        if head < 32:  # that many bytes, and one more
            behind, length = at + head + 2, head + 1
        else:
            behind, length = at + 2, (head >> 5) + 2
            if length == 9:  # the longest have a byte more, which says how much longer
                behind += 1
                if at + 1 < end:
                    length += packed[at + 1]
            if behind > end or (head & 31) * 256 + packed[behind - 1] >= count:
                break
        if behind > end:
            break
        count += length
        at = behind
    return at, count
