"""How much memory a run takes, and how little more for more rows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vqbench
from vqbench.evaluation import encoding

D = 64
SMALL, LARGE = 300_000, 1_500_000
#: Of each row a run holds a key and a place among ties (8 bytes each), and for a while the same again in a draw
#: and its order (16) and a copy to sort (8).
EACH = 8 + 8 + 16 + 8
RUN = """
import resource, sys
from pathlib import Path
import vqbench.storage.vectors
from vqbench.cli.main import main
vqbench.storage.vectors._KEPT = 2**20  # no finished rows stay in memory
status, peak = main(sys.argv[1:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if Path("/proc/self/status").exists():  # a child's ru_maxrss begins with its parent's, this does not
    peak = next(x.split()[1] for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
print(status, peak)
"""


def _peak(folder: Path, n: int) -> int:
    """Bytes at the highest point of a run in a process of its own, over rows that lie in a file."""
    path, rng = folder / f"{n}.npy", np.random.default_rng(0)
    centres_cd = rng.standard_normal((100, D), dtype=np.float32)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": (n, D)})
        for _ in range(0, n, 50_000):
            x_nd = rng.standard_normal((50_000, D), dtype=np.float32) + centres_cd[rng.integers(100, size=50_000)]
            file.write(x_nd.astype(np.float16).tobytes())
    told = ["dataset=file", f"dataset.path={path}", "n_queries=20", "figures=false", "report=false", "cache=off"]
    told += ["k=[10]", "calibration=10000", f"out={folder / str(n)}"]
    # In a folder of its own the process would take the package that is installed, which may be another one.
    given = {**os.environ, "PYTHONPATH": str(Path(vqbench.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *told], capture_output=True, text=True, timeout=3000, cwd=folder, env=given
    )
    assert done.returncode == 0, done.stderr
    status, peak = done.stdout.split()[-2:]
    assert status == "0"
    path.unlink()
    return int(peak) * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows counts memory otherwise")
def test_memory_grows_by_a_few_bytes_a_row(tmp_path: Path) -> None:
    """All default variants and the doctor. Codes are kept up to a limit of their own."""
    small, large = _peak(tmp_path, SMALL), _peak(tmp_path, LARGE)
    width = 2 * D  # float16 has the longest codes that are kept
    assert width * LARGE < encoding._HELD
    kept = width * (LARGE - SMALL)
    assert large - small <= kept + EACH * (LARGE - SMALL) + 64 * 2**20, (small, large)
