"""The answer first: what is recommended at three targets, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vqbench.analysis import recommend_text
from vqbench.analysis.recommend import Recommendation, recommend
from vqbench.analysis.rerun_command import command_of, yaml_of
from vqbench.report.charts import TARGETS
from vqbench.results.folder import Results
from vqbench.results.measured_settings import FLOAT32, Line, Setting, ledger_of


@dataclass(frozen=True)
class Answer:
    """One card: the targets (``count`` of them, in words) that one setting meets, or that none does.

    lines: its ledger. steps: what less and what more memory would give. command, yaml: None where nothing is chosen.
    """

    targets: str
    count: int
    chosen: Setting | None
    times: str
    text: str
    notes: Sequence[str]
    undecided: Sequence[str]
    steps: Sequence[str]
    lines: Sequence[Line]
    command: str | None
    yaml: str | None


def answers(results: Results, dataset: str, k: int) -> list[Answer]:
    """A card for each target; targets with the same answer share one, under the higher target's numbers."""
    found = [recommend(results, dataset=dataset, target=target, k=k) for target in TARGETS]
    groups: list[list[Recommendation]] = []
    for rec in found:
        if groups and groups[-1][-1].chosen == rec.chosen:
            groups[-1].append(rec)
        else:
            groups.append([rec])
    return [_answer(results, group) for group in groups]


def _answer(results: Results, group: Sequence[Recommendation]) -> Answer:
    rec = group[-1] if group[-1].chosen else group[0]  # the hardest that is met, the easiest that is not
    chosen = rec.chosen
    words = [f"{one.target * 100:.0f} %" for one in group]
    targets = ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]
    if chosen is None:
        return Answer(
            targets,
            len(group),
            None,
            "",
            recommend_text.answer(rec),
            recommend_text.notes(rec),
            recommend_text.open_cases(rec),
            [],
            [],
            None,
            None,
        )
    return Answer(
        targets,
        len(group),
        chosen,
        f"{recommend_text.smaller(rec, chosen):.1f}",
        recommend_text.answer(rec),
        recommend_text.notes(rec),
        recommend_text.open_cases(rec),
        _steps(rec),
        ledger_of(results, chosen),
        command_of(results.meta, chosen, rec.k),
        yaml_of(results.meta, chosen.variant),
    )


def _steps(rec: Recommendation) -> list[str]:
    """What the neighbours in size would save or buy."""
    assert rec.chosen is not None
    found = []
    if rec.step_down is not None:
        found.append(f"Step down: {_neighbour(rec, rec.step_down)}")
    if rec.step_up is not None:
        found.append(f"Step up: {_neighbour(rec, rec.step_up)}")
    if rec.runner_up is not None:
        found.append(f"Runner-up: {_neighbour(rec, rec.runner_up)}")
    return found


def _neighbour(rec: Recommendation, other: Setting) -> str:
    return (
        f"{other.name}, {other.ram(rec.n):,.0f} bytes, {recommend_text.axis(rec)} {recommend_text.share(other.value)} "
        f"({recommend_text.versus(rec, other)} against the choice)."
    )


def lead(results: Results, dataset: str) -> str:
    """What was asked, for someone who has never seen a quantizer."""
    about = results.meta["datasets"][dataset]
    n, d = int(about["n"]), int(about["d"])
    return (
        f"{n:,} vectors of {d:,} numbers take {recommend_text.human(FLOAT32 * n * d)} as 32-bit floats. How small can they get "
        f"before a search misses what float search finds? {int(about['queries']):,} queries were answered with "
        "exact float search and with every setting below, and the results compared."
    )
