"""Compiled: how long data that LZF packed would be."""

# pyright: reportMissingImports=false

from __future__ import annotations

import numpy as np
from numba import njit

from vqbench.datasets.readers import lzf

counted = njit(cache=True, nogil=True)(lzf.counted)


def warm() -> None:
    """Compile what is used, or load it where it was compiled before."""
    counted(np.frombuffer(b"\0x", np.uint8), 1)
