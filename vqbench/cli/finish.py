"""The end of a run: tables, figures and report of a folder, and what stands on the screen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vqbench.cli.console import progress_bar
from vqbench.cli.screens.summary import closing, no_result, print_answers, summary
from vqbench.results.assemble import TABLES_CLAIM, assemble
from vqbench.results.folder import Results, holds_results, read_results
from vqbench.results.records import MEANWHILE, RunRecord
from vqbench.storage.atomic import faults
from vqbench.storage.locks import claimed


def finish(runs: Sequence[RunRecord]) -> int:
    """Write tables and figures of one folder and show the table, while no other run does.

    Where every cell failed, results of an earlier run are worth more than a list of failures, and stay.

    Returns:
        1 where a cell failed, else 0.
    """
    out, written = runs[0].out, ["tables"]
    cells = [cell for run in runs for cell in run.cells]
    failed = {
        f"{cell.name.dataset}, {cell.backend or cell.name.variant}": cell.reason
        for cell in cells
        if cell.status == "failed"
    }
    with contextlib.ExitStack() as held:
        with faults(out):
            held.enter_context(claimed(out / TABLES_CLAIM, wait=True))
        if failed and not any(cell.status in ("ok", "reused") for cell in cells) and holds_results(out):
            no_result(out, failed)
            return 1
        results = read_results(assemble(runs))  # once: figures, report and screen get the same
        try:
            written += _drawn(results, runs[0].meta["config"])
        finally:  # without figures, too
            summary(results)
        if len(results.backends):
            from vqbench.cli.screens.engines import print_engines

            print_engines(results)
        reused = [cell.reason for cell in cells if cell.status == "reused"]
        closing(out, before=reused.count(""), meanwhile=reused.count(MEANWHILE), written=written)
        print_answers(results)
    return int(bool(failed))


def _drawn(results: Results, config: Mapping[str, Any]) -> Iterator[str]:
    """Draw figures and report from the tables, if the config wants them; what was written."""
    if config.get("figures", True):
        from vqbench.report.figures.folder import draw_all

        with progress_bar() as progress:
            if draw_all(results, progress):
                yield "figures"
    if config.get("report", True):
        from vqbench.report.page import write_report

        write_report(results)
        yield "report.html"
