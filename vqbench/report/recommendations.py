"""What is recommended at three targets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from vqbench.analysis.recommend import Recommendation, recommend
from vqbench.analysis.rerun_command import command_of, yaml_of
from vqbench.report.figures.settings_charts import TARGETS
from vqbench.results.folder import Results
from vqbench.results.measured_settings import ledger_of


def cards(results: Results, dataset: str, k: int) -> list[dict[str, Any]]:
    """Make a card for each target; targets with the same answer share one, under the higher target's numbers.

    Returns:
        For each card ``targets`` and their ``count``, the recommendation ``rec``, the ledger ``lines`` of its choice,
        and ``command`` and ``yaml`` that measure it again (None where nothing is chosen).
    """
    recs = [recommend(results, dataset=dataset, target=target, k=k) for target in TARGETS]
    return [_card(results, list(same)) for _, same in groupby(recs, key=lambda rec: rec.chosen)]


def _card(results: Results, same: Sequence[Recommendation]) -> dict[str, Any]:
    rec = same[-1] if same[-1].chosen else same[0]  # the hardest that is met, the easiest that is not
    *others, last = (f"{one.target * 100:.0f} %" for one in same)
    chosen = rec.chosen
    return {
        "targets": f"{', '.join(others)} and {last}" if others else last,
        "count": len(same),
        "rec": rec,
        "lines": ledger_of(results, chosen) if chosen else [],
        "command": command_of(results.meta, chosen, rec.k) if chosen else None,
        "yaml": yaml_of(results.meta, chosen.variant) if chosen else None,
    }
