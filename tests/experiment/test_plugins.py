"""A quantizer from outside: one Python file and one YAML in a folder, nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from vqbench.cli.main import main

SOURCE = '''
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.quantizers.parts.ledger import Ledger
from vqbench.quantizers.base import Codec, Quantizer

(__import__("pathlib").Path(__file__).parent / "imported").touch()


@dataclass(frozen=True, kw_only=True)
class Nibble(Quantizer):
    """Sixteen steps, one to a byte."""

    top: float = 1.0

    def fit(self, sample_nd, rng):
        return NibbleCodec(d=sample_nd.shape[1], top=self.top)


@dataclass(frozen=True, kw_only=True)
class NibbleCodec(Codec):
    top: float

    def encode(self, x_nd):
        return np.clip(np.rint((x_nd / self.top + 1) * 7.5), 0, 15).astype(np.uint8)

    def decode(self, codes_nb):
        return ((codes_nb / 7.5 - 1) * self.top).astype(np.float32)

    def ledger(self):
        return Ledger.of_bits(bits=8 * self.d)
'''
YAML = """\
# A made-up quantizer of sixteen steps.
nibble:
  quantizer:
    _target_: made_up.Nibble
    top: 0.3
  similarity: decoded
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    folder = tmp_path / "my quantizers"
    (folder / "quantizer").mkdir(parents=True)
    (folder / "made_up.py").write_text(SOURCE, "utf-8")
    (folder / "quantizer" / "nibble.yaml").write_text(YAML, "utf-8")
    return folder


SMALL = [
    "dataset=synthetic",
    "dataset.n=200",
    "dataset.d=16",
    "n_queries=20",
    "figures=false",
    "doctor=false",
    "report=false",
    "cache=off",
    "k=[10]",
    "oversample=[0]",
    "metric=[overlap]",
]


def _run(folder: Path, *more: str) -> int:
    return main([*SMALL, f"out={folder.parent / 'out'}", *more])


def test_one_file_and_one_yaml_add_a_quantizer(plugin: Path) -> None:
    chosen = "quantizer=[float32,nibble]"
    assert _run(plugin, f"plugins=['{plugin}']", chosen, "quantizer.nibble.quantizer.top=0.5") == 0
    table = pd.read_csv(plugin.parent / "out" / "metrics.csv")
    value = table.set_index("variant")["value"]
    assert value["float32"] == 1
    assert 0.5 < value["nibble(top=0.5)"] < 1
    ledger = pd.read_csv(plugin.parent / "out" / "ledger.csv").set_index(["variant", "item"])["bytes"]
    assert ledger["nibble(top=0.5)", "bytes_per_vector"] == 16


def test_a_plugin_that_was_not_named_is_not_imported(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = f"hydra.searchpath=[file://{plugin}]"
    assert _run(plugin, path.replace("my quantizers", "my\\ quantizers"), "quantizer=[nibble]") == 2
    told = capsys.readouterr().err
    assert "made_up.Nibble: not a class of vqbench.quantizers; if made_up.py is yours: name its folder with" in told
    assert "plugins=[FOLDER]" in told
    assert not (plugin / "imported").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, f"plugins=[{tmp_path / 'nowhere'}]") == 2
    assert f"plugins: {tmp_path / 'nowhere'}: no such folder" in capsys.readouterr().err


def test_settings_of_a_plugin_are_checked(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = [f"plugins=['{plugin}']", "quantizer=[nibble]", "quantizer.nibble.quantizer.tip=2"]
    assert _run(plugin, *told) == 2
    assert "quantizer.nibble.quantizer.tip: Nibble has no such key; did you mean top?" in capsys.readouterr().err


def test_a_plugin_that_cannot_be_imported_is_one_line(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (plugin / "made_up.py").write_text(SOURCE + "\nraise ValueError('no luck')\n", "utf-8")
    assert _run(plugin, f"plugins=['{plugin}']", "quantizer=[nibble]") == 2
    line = SOURCE.count("\n") + 2
    assert f"made_up.py, line {line}: ValueError: no luck" in capsys.readouterr().err


def test_a_plugin_that_is_no_python_is_told_by_its_line(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (plugin / "made_up.py").write_text("x = 1\ndef f(:\n", "utf-8")
    assert _run(plugin, f"plugins=['{plugin}']", "quantizer=[nibble]") == 2
    told = capsys.readouterr().err
    assert f"plugin {plugin / 'made_up.py'}, line 2: is not Python: invalid syntax" in told
    assert "unknown" not in told


def test_an_error_inside_a_plugin_has_its_line(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a cell, and where the class looks at its own settings."""
    broken = SOURCE.replace("np.rint(", "np.reshape(d, ")
    own = SOURCE.replace("    def fit", "    def __post_init__(self):\n        1 / 0\n\n    def fit")
    (plugin / "own.py").write_text(own, "utf-8")
    (plugin / "made_up.py").write_text(broken, "utf-8")
    line = next(at for at, text in enumerate(broken.splitlines(), 1) if "np.reshape" in text)
    assert _run(plugin, f"plugins=['{plugin}']", "quantizer=[float32,nibble]") == 1
    told = " ".join(capsys.readouterr().out.split())
    assert f"nibble: made_up.py, line {line}: NameError: name 'd' is not defined" in told
    assert "nibble failed and could not be compared" in told
    assert "Stay with float32" not in told
    (plugin / "quantizer" / "nibble.yaml").write_text(YAML.replace("made_up", "own"))
    assert _run(plugin, f"plugins=['{plugin}']", "quantizer=[nibble]") == 2
    assert "quantizer.nibble.quantizer: own.py, line " in (told := capsys.readouterr().err)
    assert "ZeroDivisionError: division by zero" in told


def test_a_class_that_is_no_quantizer_is_told_so(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = plugin / "made_up.py"
    path.write_text(SOURCE.replace("class Nibble(Quantizer)", "class Nibble"), "utf-8")
    assert _run(plugin, f"plugins=['{plugin}']", "quantizer=[nibble]") == 2
    told = capsys.readouterr().err
    assert f"{path} has the class, but not the base class that it needs: write class Nibble(Quantizer)" in told
    path.rename(plugin / "other.py")
    assert _run(plugin, f"plugins=['{plugin}']", "quantizer=[nibble]") == 2
    assert f"no made_up.py lies in {plugin}: name its folder with plugins=[FOLDER]" in capsys.readouterr().err


def test_a_config_that_is_elsewhere_is_told_where_it_belongs(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(plugin, "quantizer=[float32,nibble]") == 2
    assert (
        "--config-dir DIR finds DIR/quantizer/NAME.yaml, plugins=[DIR] its Python file as well"
        in capsys.readouterr().err
    )
    assert _run(plugin, f"plugins=['{plugin}']", "quantizer=[float32,nible]") == 2
    told = capsys.readouterr().err
    assert "did you mean nibble" in told
    assert f"also looked in {plugin}/quantizer/" in told


def _overlap(folder: Path) -> float:
    table = pd.read_csv(folder.parent / "out" / "metrics.csv")
    return float(table.set_index("variant").loc["nibble", "value"])


@pytest.mark.slow
def test_an_edited_plugin_is_evaluated_again(plugin: Path) -> None:
    """Finished cells are those of the file as it was."""
    told = [f"plugins=['{plugin}']", "quantizer=[nibble]"]
    assert _run(plugin, *told) == 0
    before = _overlap(plugin)
    path = plugin / "made_up.py"
    path.write_text(SOURCE.replace("return ((codes_nb", "return (-(codes_nb"), "utf-8")
    # A process imports a plugin once; a new command is a new process.
    script = "import sys; from vqbench.cli.main import main; sys.exit(main(sys.argv[1:]))"
    told = [*SMALL, f"out={plugin.parent / 'out'}", *told]
    assert subprocess.run([sys.executable, "-c", script, *told], capture_output=True).returncode == 0
    assert before > 0.5
    assert _overlap(plugin) < 0.1


def test_a_ledger_that_does_not_count_all_fails_the_variant(plugin: Path) -> None:
    (plugin / "short.py").write_text(SOURCE.replace("8 * self.d", "3 * self.d").replace("Nibble", "Short"), "utf-8")
    (plugin / "quantizer" / "short.yaml").write_text(
        YAML.replace("nibble", "short").replace("made_up.Nibble", "short.Short")
    )
    assert _run(plugin, f"plugins=['{plugin}']", "quantizer=[float32,short]") == 1
    rows = pd.read_csv(plugin.parent / "out" / "metrics.csv").set_index("variant")
    assert rows.loc["short", "status"] == "failed"
    assert "a code has 16 bytes, its ledger says 6" in rows.loc["short", "reason"]


def test_a_class_that_lacks_a_method_is_one_line(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (plugin / "half.py").write_text(SOURCE.replace("def fit", "def fitt").replace("Nibble", "Half"), "utf-8")
    (plugin / "quantizer" / "half.yaml").write_text(
        YAML.replace("nibble", "half").replace("made_up.Nibble", "half.Half")
    )
    assert _run(plugin, f"plugins=['{plugin}']", "quantizer=[half]") == 2
    assert "quantizer.half.quantizer: Can't instantiate abstract class Half" in capsys.readouterr().err


def test_a_folder_that_hydra_would_take_for_configs_is_named(plugin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (plugin / "out").mkdir()
    assert _run(plugin, f"plugins=['{plugin}']", "quantizer=[nibble]") == 2
    assert "out: Hydra would take this folder for configs of out; move or rename it" in capsys.readouterr().err
