"""All checks on one dataset, worst first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vqbench.datasets.base import Data
from vqbench.evaluation.doctor import centre, lengths, neighbours, queries, rows, spectrum, spread
from vqbench.evaluation.doctor.base import LEVELS, Finding
from vqbench.evaluation.doctor.sample import LEAST, Advance, Subject, look

Check = Callable[[Subject], Finding | None]

#: Checks by name, in the order in which equally bad findings are shown; None where a check does not apply.
CHECKS: Mapping[str, Check] = {
    "rows": rows.count,
    "range": lengths.value_range,
    "offset": centre.offset,
    "mean": centre.common_mean,
    "scales": spread.scales,
    "outliers": spread.outliers,
    "tails": lengths.tails,
    "balance": centre.balance,
    "gap": neighbours.gap,
    "shift": queries.shift,
    "duplicates": rows.duplicates,
    "near_duplicates": rows.near_duplicates,
    "norms": lengths.norms,
    "constant": spread.constant,
    "dimension": spectrum.dimension,
    "truncation": spectrum.truncation,
    "correlation": spectrum.correlation,
    "hubness": neighbours.hubness,
}
#: Checks that need no neighbours.
ANY_SIZE = ("rows", "duplicates", "norms", "constant")


def examine(data: Data, advance: Advance = lambda _: None) -> list[Finding]:
    """What makes these vectors easy or hard to quantize: warnings first, then notes, then what is fine.

    ``advance`` is called with a few words before each step, for a progress bar. The findings depend on the
    vectors and ids alone: not on the order of rows, on block sizes or on threads.
    """
    subject = look(data, advance)
    found = []
    for name, check in CHECKS.items():
        if subject.whole.n >= LEAST or name in ANY_SIZE:
            advance(name)
            found.append(check(subject))
    present = [finding for finding in found if finding is not None]
    return sorted(present, key=lambda finding: -LEVELS.index(finding.level))
