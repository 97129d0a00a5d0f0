"""What a cell depends on: all that its name is a hash of. What is missing here would let a stale cell be taken.

NumPy and SciPy stand in meta.json alone. A new version may move the last digit of what linear algebra learns, as
another processor does; ``ARITHMETIC`` is raised where more would change.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from vqbench.datasets.base import Data
from vqbench.errors import VqbenchError
from vqbench.evaluation.truth import ARITHMETIC
from vqbench.experiment.plan import Plan
from vqbench.quantizers.parts.provided import Provided
from vqbench.quantizers.variant import Variant
from vqbench.results.records import CellName


def cell_name(plan: Plan, data: Data, variant: str, seed: int, sources: Sequence[str]) -> CellName:
    """Name the cell of one variant.

    Args:
        sources: what ``plugin_hashes`` gave.
    """
    settings, spec = plan.settings, plan.variants[variant]
    asked = (plan.options.example, tuple(settings.oversample), tuple(settings.metrics), settings.getsizeof)
    if isinstance(spec.quantizer, Provided) and data.provided is not None:
        asked = (*asked, data.provided.digest)
    return CellName(data.name, variant, seed, _depends_on(plan, data, spec, seed, asked, sources))


def engine_name(plan: Plan, data: Data, backend: str, seed: int, sources: Sequence[str]) -> CellName:
    """Name the cell of one engine, beside the variant that predicts it."""
    pairing = plan.backends[backend]
    asked = (pairing, pairing.engine.version)
    return CellName(
        data.name, f"backend-{backend}", seed, _depends_on(plan, data, pairing.variant, seed, asked, sources)
    )


def _depends_on(plan: Plan, data: Data, spec: Variant, seed: int, asked: tuple, sources: Sequence[str]) -> str:
    shared = (ARITHMETIC, data.fingerprint, data.corpus.normalize, data.stored, spec, seed)
    return repr((*shared, tuple(plan.settings.k), plan.settings.calibration, asked, *spec.libraries, *sources))


def plugin_hashes(folders: Sequence[Path], out: Path) -> list[str]:
    """Hash the user's own quantizers, by name and content: a file that is edited or renamed makes new cells.

    Every Python file below the folders counts, and every file beside one: a codebook, say. So configs, notes and
    results in folders of their own do not, nor do hidden files, what Python caches, and tables of this run in ``out``.

    Raises:
        VqbenchError: a file cannot be read.
    """
    return [
        f"{path.relative_to(folder).as_posix()} {_hash(path)}"
        for folder in folders
        for path in sorted(_counted(folder, out))
    ]


def _counted(folder: Path, out: Path) -> list[Path]:
    found: list[Path] = []
    for home, below, names in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".") and name != "__pycache__"]
        code = [name for name in names if name.endswith(".py")]
        counted = names if code and Path(home) != out.resolve() else code
        found += [Path(home, name) for name in counted if not name.startswith(".") and Path(home, name).is_file()]
    return found


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise VqbenchError(
            f"plugins: {path}: cannot be read ({error.strerror or error}), and finished cells depend on its content: "
            "check its permissions, or move it out of the folder"
        ) from error
