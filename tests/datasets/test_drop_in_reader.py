"""A format is one file in ``vqbench/datasets/readers``: nothing else names it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vqbench.cli.main import main
from vqbench.datasets import formats, readers
from vqbench.datasets.readers.base import Wanted
from vqbench.errors import VqbenchError

#: Numbers in hexadecimal, a row a line.
HEX = """
import numpy as np
from vqbench.datasets.readers.base import Content

ENDINGS = (".hexes",)
NEEDS = ("needs hexadecimal numbers", "write them again")

def {head}:
    x_nd = np.array([[float.fromhex(x) for x in line.split()] for line in path.read_text().splitlines()])
    return Content(rows_nd={rows})
"""
READ = HEX.format(head="read(path, wanted)", rows="x_nd")
UNPACK = HEX.format(head="unpack(path, wanted, sheet)", rows="sheet.table(len(x_nd), iter([x_nd]))")


@pytest.mark.parametrize(("name", "code"), [("hexes_here", READ), ("hexes_apart", UNPACK)])
def test_a_module_in_the_folder_is_a_format(
    name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether it reads here or in the limited child; what it raises becomes a sentence of its own."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / f"{name}.py").write_text(code)
    monkeypatch.setattr(readers, "__path__", [*readers.__path__, str(tmp_path / "more")])
    x_nd = np.random.default_rng(0).standard_normal((12, 3))
    path = tmp_path / "mine.hexes"
    path.write_text("\n".join(" ".join(x.hex() for x in row) for row in x_nd.tolist()))
    np.testing.assert_array_equal(formats.read(path, Wanted()).rows_nd[:], x_nd)
    assert main(["nearest", "0", str(path), "--top", "3"]) == 0
    assert "Most similar to 0 in mine" in capsys.readouterr().out
    path.write_text("0x1p0 g")
    with pytest.raises(VqbenchError, match=r"cannot be read as \.hexes \(.*\): needs hexadecimal numbers; write them"):
        formats.read(path, Wanted())
    monkeypatch.undo()
    with pytest.raises(VqbenchError, match=r"the ending '\.hexes' is not one of"):
        formats.read(path, Wanted())
