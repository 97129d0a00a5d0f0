"""A recommendation on the screen, or as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from vqbench.analysis import recommend_text
from vqbench.analysis.recommend import Recommendation
from vqbench.analysis.rerun_command import command_of, yaml_of
from vqbench.cli.screens.fit_width import fitted, left_out_of
from vqbench.results.folder import Results
from vqbench.results.measured_settings import Setting, ledger_of
from vqbench.text import share

_PLACES = {"ram": "memory", "disk": "disk"}
_LISTED = 3  # undecided settings that are named
_NAME = 25  # columns that names may take whole
_FRAME = 4  # columns of a panel's border and padding


def show(results: Results, rec: Recommendation, screen: Console, shipped: Collection[str] | None = None) -> None:
    """Print one panel: the answer, its bytes, what else there is, what to know, how to run it.

    Args:
        shipped: the variants that vqbench knows by name; another one's command names its YAML.
    """
    parts: list[RenderableType] = [f"[bold]{escape(recommend_text.answer(rec))}[/bold]"]
    if rec.chosen is not None:
        parts += ["", _bytes(results, rec, rec.chosen)]
    if options := recommend_text.options(rec):
        parts += ["", *_options(rec, options, screen)]
    cases = recommend_text.open_cases(rec)
    if cases and rec.chosen is not None:
        parts.append(f"Undecided, and cheaper: {escape('. '.join(cases[:_LISTED]))}.")
    if known := recommend_text.notes(rec):
        parts += ["", *map(escape, known)]
    if rec.chosen is not None:
        line, yaml = command_of(results.meta, rec.chosen, rec.k, shipped), yaml_of(results.meta, rec.chosen.variant)
        parts += ["", f"[bold]To measure it again:[/bold] {escape(line)}"]
        if yaml is not None:
            where = f" (as mine/quantizer/{yaml.partition(':')[0]}.yaml)" if "plugins=[mine]" in line else ""
            parts += [f"[bold]Its YAML[/bold]{where}[bold]:[/bold]", escape(yaml)]
    title = f"{rec.dataset}: {recommend_text.axis(rec)} of at least {rec.target:g}, {rec.n:,} vectors"
    screen.print(Panel(Group(*parts), title=f"[bold]{escape(title)}[/bold]", title_align="left", box=box.ROUNDED))


def _bytes(results: Results, rec: Recommendation, chosen: Setting) -> Table:
    """The ledger of the choice for ``n`` vectors, against what is stored today."""
    table = _table("bytes", "for each", f"for {rec.n:,}", "where")
    lines = ledger_of(results, chosen, rec.floats)
    for line in sorted(lines, key=lambda line: line.place == "disk"):
        each = f"{line.each:,.4g} B" if line.each else "once"
        table.add_row(escape(line.item), each, recommend_text.human(line.total(rec.n)), _PLACES[line.place])
    table.add_section()
    memory, on_disk = chosen.ram(rec.n, rec.floats), chosen.oversample and rec.floats == "disk"
    sums = {
        "memory": (memory, f"{recommend_text.times_less(rec, chosen)} less memory"),
        **({"memory and disk": (memory + chosen.store_bytes, "")} if on_disk else {}),
        rec.today.line: (rec.today.bytes, ""),
    }
    for item, (size, note) in sums.items():
        table.add_row(item, f"{size:,.1f}".removesuffix(".0") + " B", recommend_text.human(size * rec.n), note)
    return table


def _options(rec: Recommendation, options: Sequence[tuple[str, Setting]], screen: Console) -> list[RenderableType]:
    """The table of settings, less what the screen has no room for, and a word on that."""
    of, size, interval, versus = recommend_text.axis(rec), "bytes/\nvector", "95 % CI", "against choice"
    headings = ["", "setting", "rescored", size, of, interval, *([versus] if rec.chosen else [])]

    def make(left_out: list[str]) -> Table:
        kept = [heading for heading in headings if heading not in left_out]
        table = _table(*kept)
        table.columns[1].no_wrap = max(len(setting.variant) for _, setting in options) <= _NAME  # roles wrap first
        for role, setting in options:
            cells = {
                "": role,
                "setting": escape(setting.variant),
                "rescored": recommend_text.rescored(setting.oversample, setting.store),
                size: f"{setting.ram(rec.n, rec.floats):,.0f}",
                of: share(setting.value),
                interval: "" if role == "reference" else recommend_text.interval(setting),
                versus: "" if setting is rec.chosen else recommend_text.versus(rec, setting),
            }
            table.add_row(*(cells[heading] for heading in kept))
        return table

    table, left_out = fitted(make, [name for name in (versus, interval) if name in headings], screen, frame=_FRAME)
    return [table, *([left_out_of(left_out)] if left_out else [])]


def _table(*headings: str) -> Table:
    """Numbers stay whole, words continue in the next line."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for at, heading in enumerate(headings):
        words = heading in ("", "setting", "where") or at == 0
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    return table


def as_json(results: Results, rec: Recommendation, shipped: Collection[str] | None = None) -> Mapping[str, Any]:
    """Everything on the screen as plain data; numbers that are not known are null."""
    settings = ("chosen", "runner_up", "step_down", "step_up", "kept_beside", "closest", "fallback")
    lines = [] if rec.chosen is None else ledger_of(results, rec.chosen, rec.floats)
    return {
        **vars(rec),
        "today": vars(rec.today),
        **{name: recommend_text.described(rec, getattr(rec, name)) for name in settings},
        "undecided": [
            {"setting": recommend_text.described(rec, one.setting), "queries": one.queries} for one in rec.undecided
        ],
        "survives": rec.survives,
        "too_few_queries": rec.too_few_queries,
        "answer": recommend_text.answer(rec),
        "notes": recommend_text.notes(rec),
        "ledger": [{**vars(line), "total": line.total(rec.n)} for line in lines],
        "command": rec.chosen and command_of(results.meta, rec.chosen, rec.k, shipped),
        "yaml": rec.chosen and yaml_of(results.meta, rec.chosen.variant),
    }
