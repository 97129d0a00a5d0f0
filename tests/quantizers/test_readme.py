"""The quantizer that the folder's README shows: its code runs as it stands there."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import vqbench.quantizers.base
from vqbench.errors import VqbenchError

README = Path(vqbench.quantizers.base.__file__).parent / "README.md"


def test_the_example_quantizer_packs_counts_and_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("nibble")
    monkeypatch.setitem(sys.modules, "nibble", module)
    source = re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert source
    exec(source[1], module.__dict__)
    x_nd = np.array([[0, 15, 3], [7, 30, -9]], np.float32)
    codec = module.Nibble().fit(x_nd[:1], np.random.default_rng(0))
    assert codec.encode(x_nd).tolist() == [[0x0F, 0x30], [0x7F, 0x00]]
    assert codec.decode(codec.encode(x_nd)).tolist() == [[0, 15, 3], [7, 15, 0]]
    items = [("code", "vector", 1.5), ("padding", "vector", 0.5), ("ends", "once", 8)]
    assert [(item.name, item.scope, item.bytes) for item in codec.ledger().items] == items
    with pytest.raises(VqbenchError, match="bits = 9: must be from 1 to 8"):
        module.Nibble(bits=9)
