"""Where numbers come from: data, variants, settings, versions, machine. The content of meta.json."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vqbench.datasets.base import Data
from vqbench.evaluation.truth import ARITHMETIC
from vqbench.experiment.plan import Plan
from vqbench.metrics.base import Metric
from vqbench.numerics.draws import drawn, named
from vqbench.numerics.thread_pool import threads
from vqbench.results.columns import SCHEMA
from vqbench.version import __version__

_PACKAGES = ("numpy", "scipy", "pandas", "pyarrow", "matplotlib", "seaborn", "hydra-core", "omegaconf")


def describe(plan: Plan, prepared: Mapping[str, Data]) -> dict[str, Any]:
    """Describe how a results folder was made.

    Args:
        plan: what was run.
        prepared: its datasets, as they were evaluated.

    Returns:
        The content of meta.json.
    """
    config = {key: value for key, value in plan.config.items() if key not in ("out", "cache")}
    return {
        "schema": SCHEMA,
        "arithmetic": ARITHMETIC,
        "title": plan.title,
        "config": config,
        "seeds": list(plan.seeds),
        "compared": {"baseline": plan.options.baseline, "margin": plan.options.margin},
        "datasets": {name: _dataset(plan, name, data) for name, data in prepared.items()},
        "metrics": {metric.name: _metric(metric) for metric in plan.settings.metrics},
        **{kind: {name: vars(x) for name, x in origins.items()} for kind, origins in plan.origins.items()},
        "versions": {"vqbench": __version__, "python": platform.python_version(), **_versions(plan)},
        "machine": {
            "cpu": cpu(),
            "system": platform.system(),
            "threads": threads(),
            "kernels": "numba" if "numba" in sys.modules else "numpy",
        },
        "git_commit": commit(),
    }


def _dataset(plan: Plan, name: str, data: Data) -> dict[str, Any]:
    count = min(plan.settings.calibration, data.corpus.n)
    samples = {}
    for seed in plan.seeds:
        ids = "\n".join(named(data.ids, drawn(data.keys_n, count, seed, "calibration")))
        samples[str(seed)] = hashlib.sha256(ids.encode()).hexdigest()
    return {
        "node": (plan.config.get("datasets") or {name: plan.config["dataset"]})[name],
        "taken": list(data.taken),
        "notes": list(data.notes),
        "sha256": data.fingerprint,
        "sha256_whole": data.whole,
        "sha256_corpus": data.corpus_digest,
        "rows_seed": plan.datasets[name].rows_seed,
        "n": data.corpus.n,
        "d": data.corpus.d,
        "queries": len(data.query_ids),
        "queries_are": _queries_are(data),
        "groups": None if data.groups_q is None else len(set(data.groups_q)),
        "judged": data.qrels is not None,
        "judgements": None if data.qrels is None else dict(data.qrels.about),
        **({} if data.stored.floats else {"stored": data.stored.plain()}),
        **({"doubt": data.numbers.doubt} if data.numbers and data.numbers.doubt else {}),
        "normalized": data.corpus.normalize,
        "dropped": {of: some.plain() for of, some in data.dropped.items()},
        "calibration": {"rows": count, "drawn": "uniformly, by key and seed", "ids_sha256": samples},
    }


def _queries_are(data: Data) -> str:
    own = 0 if data.exclude_q is None else int((data.exclude_q >= 0).sum())
    if own == len(data.query_ids):
        return "corpus rows, each left out of its own result"
    return f"{own:,} of them corpus rows, left out of their own results" if own else "apart from the corpus"


def _metric(metric: Metric) -> dict[str, Any]:
    names = ("label", "unit", "lowest", "highest", "higher_is_better")
    return {name: getattr(metric, name) for name in names}


def _versions(plan: Plan) -> dict[str, str]:
    """The versions of the packages that every run uses, and of those that compute a variant's codes."""
    libraries = [library.partition(" ") for spec in plan.variants.values() for library in spec.libraries]
    versions = {name: number for name, _, number in libraries}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def cpu() -> str:
    """Return the processor's name, which Linux has only in /proc/cpuinfo."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit() -> str | None:
    """Return the checkout's commit, with ``+`` where files differ from it; None outside a checkout."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        git = ["git", "-C", str(folder)]
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "vqbench", "conf", "experiments"])
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+" if changed.returncode else "")
