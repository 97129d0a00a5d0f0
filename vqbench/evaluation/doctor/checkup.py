"""All checks on one dataset, worst first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from vqbench.datasets.base import Data
from vqbench.evaluation.doctor import centre, lengths, neighbours, numbers, queries, rows, spectrum, spread
from vqbench.evaluation.doctor.base import LEVELS, Finding
from vqbench.evaluation.doctor.sample import LEAST, Advance, Sample, VariantOf, draw_sample

#: Title and function of each check, in the order in which equally bad findings are shown.
CHECKS: Mapping[str, tuple[str, Callable[[Sample], Finding | None]]] = {
    "rows": ("Number of rows", rows.count),
    "numbers": ("Kind of numbers", numbers.kind),
    "range": ("Range of numbers", lengths.value_range),
    "offset": ("Offset of dimensions", centre.offset),
    "mean": ("Common mean", centre.common_mean),
    "scales": ("Evenness of scales", spread.scales),
    "outliers": ("Outlier dimensions", spread.outliers),
    "tails": ("Heavy tails", lengths.tails),
    "balance": ("Balance of sign bits", centre.balance),
    "gap": ("Gap at rank 10", neighbours.gap),
    "shift": ("Queries and corpus", queries.shift),
    "duplicates": ("Equal rows", rows.duplicates),
    "near_duplicates": ("Near-copies", rows.near_duplicates),
    "norms": ("Length of rows", lengths.norms),
    "constant": ("Constant dimensions", spread.constant),
    "dimension": ("Effective dimension", spectrum.dimension),
    "truncation": ("First half alone", spectrum.truncation),
    "correlation": ("Correlation of bits", spectrum.correlation),
    "hubness": ("Hubs", neighbours.hubness),
}
#: Checks that need no neighbours, and so run on any number of rows.
ANY_SIZE = ("rows", "numbers", "duplicates", "norms", "constant")


def checkup(data: Data, variant_of: VariantOf, advance: Advance = lambda _: None) -> list[Finding]:
    """Find what makes these vectors easy or hard to quantize.

    The findings depend on the vectors and ids alone: not on the order of rows, block sizes or threads.

    Args:
        data: the dataset, as a run gets it.
        variant_of: returns the variant of a name under conf/quantizer; checks try some of them on the sample.
        advance: called with a few words before each step, for a progress bar.

    Returns:
        Warnings first, then notes, then what is fine.
    """
    sample = draw_sample(data, variant_of, advance)
    findings = [run_check(name, sample) for name in CHECKS if sample.whole.n >= LEAST or name in ANY_SIZE]
    applicable = [finding for finding in findings if finding is not None]
    return sorted(applicable, key=lambda finding: -LEVELS.index(finding.level))


def run_check(name: str, sample: Sample) -> Finding | None:
    """Run one check; None where it does not apply to the dataset."""
    sample.advance(name)
    title, check = CHECKS[name]
    finding = check(sample)
    return None if finding is None else replace(finding, check=name, title=title)
