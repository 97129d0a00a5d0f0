"""The experiment ``scale`` on one corpus of one's own: nested subsamples of sizes that suit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vqbench.errors import VqbenchError
from vqbench.experiment.config.compose import compose_jobs
from vqbench.experiment.effects import check_effects, names_dataset
from vqbench.experiment.plan import Options, Plan, datasets_of, make_plan
from vqbench.text import shortened

EXPERIMENT = "scale"
#: With fewer rows there are no three sizes at which the top 10 is a small part of the corpus.
LEAST = 500
_ROWS_PER_RANK = 5  # at the smallest size; a deeper rank is left out


def sizes(n: int) -> list[int]:
    """Return the sizes of subsamples that show how overlap falls up to ``n`` rows: 1, 2, 5, 10 ... below half of it.

    >>> sizes(10_000), sizes(500)
    ([1000, 2000, 5000], [50, 100, 200])
    """
    least = max(n / 100, min(1000, n / 10))
    steps = (digit * 10**zeros for zeros in range(len(str(n))) for digit in (1, 2, 5))
    return [size for size in steps if least <= size <= n / 2]


def scale_plan(settings: Sequence[str], k: int | None) -> Plan:
    """Plan the experiment ``scale`` with the command line's dataset in several sizes.

    Args:
        settings: those of a run; they name the dataset.
        k: a rank that must be measured too.

    Raises:
        VqbenchError: a setting is wrong, names the sizes itself, or the corpus is too small.
    """
    for setting in settings:
        if setting.lstrip("+").partition("=")[0] in ("experiment", "dataset.rows", "dataset.rows_seed"):
            raise VqbenchError(f"{shortened(setting)}: has no effect, since scale draws the sizes itself; leave it out")
    (job,) = compose_jobs([*settings, f"experiment={EXPERIMENT}"]).jobs
    overrides = [setting.lstrip("+") for setting in job.settings]
    if not names_dataset(overrides):
        raise VqbenchError("scale: name vectors, as in vqbench scale mine.npy --n 10_000_000, or a results folder")
    config: dict[str, Any] = {**job.plain(), "datasets": {}}
    check_effects(config, overrides, None)
    plugins = Options(plugins=config.get("plugins") or []).plugin_folders
    ((name, spec),) = datasets_of(config, overrides, plugins).items()
    n = len(spec.load().corpus_nd)
    if n < LEAST:
        raise VqbenchError(f"{name}: {n:,} rows: scale compares several sizes and needs at least {LEAST} rows")
    if not any(override.startswith("k=") for override in overrides):
        ranks = [rank for rank in config["k"] if _ROWS_PER_RANK * rank <= sizes(n)[0]]
        config["k"] = sorted({*ranks, *([] if k is None else [k])})
    if not any(override.startswith("doctor=") for override in overrides):
        config["doctor"] = False  # the sizes are of one corpus
    node = config["dataset"]
    config["datasets"] = {**{f"{name}_{size}": {**node, "rows": size} for size in sizes(n)}, name: node}
    other = [override for override in overrides if override.partition("=")[0].partition(".")[0] != "dataset"]
    return make_plan(config, other, f"{EXPERIMENT}-{name}")
