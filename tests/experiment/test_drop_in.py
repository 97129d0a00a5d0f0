"""Adding a quantizer, a metric and an engine: one Python file and one YAML each, and no other line anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from places import ROOT

from vqbench.cli.main import main

QUANTIZER = '''
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vqbench.quantizers.base import Codec, Quantizer
from vqbench.quantizers.parts.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class Thirds(Quantizer):
    """Three levels, one to a byte."""

    edge: float = 0.1

    def fit(self, sample_nd, rng):
        return ThirdsCodec(d=sample_nd.shape[1], edge=self.edge)


@dataclass(frozen=True, kw_only=True)
class ThirdsCodec(Codec):
    edge: float

    def encode(self, x_nd):
        return (1 + (x_nd > self.edge) - (x_nd < -self.edge)).astype(np.uint8)

    def decode(self, codes_nb):
        return codes_nb.astype(np.float32) - 1

    def ledger(self):
        return Ledger.of_bits(bits=8 * self.d)
'''
METRIC = '''
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vqbench.metrics.base import RowMetric


@dataclass(frozen=True, kw_only=True)
class Zeros(RowMetric):
    """Share of components that are decoded to zero."""

    name: ClassVar[str] = "zeros"
    label: ClassVar[str] = "zeros"
    unit: ClassVar[str] = "share"
    lowest: ClassVar[float] = 0
    highest: ClassVar[float] = 1
    higher_is_better: ClassVar[bool] = False

    def measure(self, x_nd, decoded_nd, codec):
        return np.mean(decoded_nd == 0, axis=1)
'''
BACKEND = '''
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vqbench.evaluation.backends.base import Backend, Engine, Held


@dataclass(frozen=True, kw_only=True)
class Scan(Backend):
    """A scan of float vectors by NumPy."""

    engine: ClassVar[str] = "NumPy"
    package: ClassVar[str] = "numpy"
    module: ClassVar[str] = "numpy"

    def build(self, corpus, rng, folder):
        return ScanEngine(corpus.block(0, corpus.n))


@dataclass(frozen=True)
class ScanEngine(Engine):
    x_nd: np.ndarray

    def search(self, queries_qd, k):
        return np.argsort(-(queries_qd @ self.x_nd.T), axis=1, kind="stable")[:, :k]

    def held(self):
        return (Held("vectors", "memory", self.x_nd.nbytes),)
'''
ABOUT = "{what: Three levels, family: ours, bits: 8, source: this test}"
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
    "quantizer=[float32,thirds]",
    "metric=[overlap,zeros]",
    "backend=[scan]",
    "quantizer.thirds.quantizer.edge=0.2",
]


def yamls(quantizer: str, metric: str, backend: str) -> dict[str, str]:
    """The three configs, by group and name; the arguments are the modules of their classes."""
    return {
        "quantizer/thirds.yaml": f"thirds: {{about: {ABOUT}, quantizer: {{_target_: {quantizer}.Thirds}}}}\n",
        "metric/zeros.yaml": f"# Share of components that are decoded to zero.\nzeros: {{_target_: {metric}.Zeros}}\n",
        "backend/scan.yaml": f"# A scan.\nscan: {{engine: {{_target_: {backend}.Scan}}, variant: float32}}\n",
    }


def write(files: dict[str, str]) -> None:
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        assert not Path(path).exists(), "nothing that was there is changed"
        Path(path).write_text(text, "utf-8")


def assert_measured(folder: Path) -> None:
    values = pd.read_csv(folder / "metrics.csv").set_index(["variant", "metric"])["value"]
    assert values["float32", "overlap"] == 1
    assert 0.2 < values["thirds(edge=0.2)", "overlap"] < 1
    assert 0.2 < values["thirds(edge=0.2)", "zeros"] < 1
    engines = pd.read_csv(folder / "backends.csv")
    assert set(engines["backend"]) == {"scan"}
    assert set(engines["status"]) == {"ok"}


def test_in_a_folder_of_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write({f"mine/{name}.py": text for name, text in (("q", QUANTIZER), ("m", METRIC), ("e", BACKEND))})
    write({f"mine/{path}": text for path, text in yamls("q", "m", "e").items()})
    assert main([*SMALL, "plugins=[mine]", "out=x"]) == 0
    assert_measured(Path("x"))


@pytest.mark.slow
def test_in_the_package_and_its_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a copy of the package: a family of variants is a new folder, and needs no line elsewhere either."""
    monkeypatch.chdir(tmp_path)
    for name in ("vqbench", "conf"):
        shutil.copytree(ROOT / name, name, ignore=shutil.ignore_patterns("__pycache__", "data"))
    write(
        {
            "vqbench/quantizers/thirds.py": QUANTIZER,
            "vqbench/metrics/zeros.py": METRIC,
            "vqbench/evaluation/backends/scan.py": BACKEND,
        }
    )
    homes = yamls("vqbench.quantizers.thirds", "vqbench.metrics.zeros", "vqbench.evaluation.backends.scan")
    write({f"conf/{'ours/' if 'quantizer/' in path else ''}{path}": text for path, text in homes.items()})
    for words in ([*SMALL, "out=x"], ["list", "thirds"]):
        done = subprocess.run(
            [sys.executable, "-m", "vqbench", *words],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )
        assert done.returncode == 0, done.stderr
    assert "what: Three levels" in done.stdout
    assert str(tmp_path) in done.stdout
    assert_measured(Path("x"))
