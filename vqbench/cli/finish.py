"""The end of a run: tables, figures and report of a folder, and what stands on the screen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vqbench.cli.console import progress_bar
from vqbench.cli.screens.summary import closing, no_result, print_answers, summary
from vqbench.errors import VqbenchError
from vqbench.results.assemble import TABLES_CLAIM, assemble
from vqbench.results.folder import Results, holds_results, read_results
from vqbench.results.records import MEANWHILE, RunRecord
from vqbench.storage.atomic import faults
from vqbench.storage.locks import claimed


def finish(runs: Sequence[RunRecord]) -> int:
    """Write tables and figures of one folder and show the table, while no other run does.

    Returns:
        1 where a cell failed, else 0.
    """
    out, written, failed = runs[0].out, ["tables"], _failed(runs)
    with _tables(runs) as results:
        if results is None:
            no_result(out, failed)
            return 1
        try:
            written += _drawn(results, runs[0].meta["config"])
        finally:  # without figures, too
            summary(results)
        if len(results.backends):
            from vqbench.cli.screens.engines import print_engines

            print_engines(results)
        reused = [cell.reason for run in runs for cell in run.cells if cell.status == "reused"]
        closing(out, before=reused.count(""), meanwhile=reused.count(MEANWHILE), written=written)
        print_answers(results)
    return int(bool(failed))


def settle(run: RunRecord) -> Results:
    """Write tables, figures and report of a run as ``finish`` does, without a word.

    Raises:
        VqbenchError: no cell has a result.
    """
    with _tables([run]) as results:
        if results is None:
            cell, reason = next(iter(_failed([run]).items()))
            raise VqbenchError(f"no variant has a result; {cell}: {reason}")
        for _ in _drawn(results, run.meta["config"]):
            pass
    return results


def _failed(runs: Sequence[RunRecord]) -> dict[str, str]:
    """Why cells failed, by dataset and variant."""
    cells = (cell for run in runs for cell in run.cells if cell.status == "failed")
    return {f"{cell.name.dataset}, {cell.backend or cell.name.variant}": cell.reason for cell in cells}


@contextlib.contextmanager
def _tables(runs: Sequence[RunRecord]) -> Iterator[Results | None]:
    """Write the tables of one folder and read them, once for all that is made of them; nobody else writes meanwhile.

    None where every cell failed: results of an earlier run are worth more than a list of failures, and stay.
    """
    out, states = runs[0].out, {cell.status for run in runs for cell in run.cells}
    with contextlib.ExitStack() as held:
        with faults(out):
            held.enter_context(claimed(out / TABLES_CLAIM, wait=True))
        nothing = "failed" in states and not states & {"ok", "reused"}
        yield None if nothing and holds_results(out) else read_results(assemble(runs))


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
