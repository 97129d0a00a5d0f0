"""``vqbench list``: every config of every group, a line each; variants by family, with bits and source."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import yaml
from rich.markup import escape
from rich.table import Table

from vqbench.commands.parser import Parser
from vqbench.composing import names
from vqbench.config import conf_folder
from vqbench.errors import VqbenchError
from vqbench.headers import first_comment, read_header
from vqbench.terminal import console

_GROUPS = {"quantizer": "Variants", "metric": "Metrics", "dataset": "Datasets", "experiment": "Experiments",
           "parallel": "Where shards are searched", "backend": "Real engines"}  # fmt: skip
#: The order in which families are shown; presets follow, by product.
_FAMILIES = (
    "float", "scalar", "lloyd-max", "binary", "rabitq", "turboquant", "osq", "product", "faiss", "truncated",
)  # fmt: skip
_D = 384  # what is stored per vector weighs less in a longer one


def listing(arguments: list[str]) -> int:
    """Print every config of every group, or of one."""
    parser = Parser(prog="vqbench list")
    parser.add_argument("group", nargs="?", help=f"one of {', '.join(_GROUPS)}; or PART of a variant's name")
    parser.add_argument("part", nargs="?", default="", help="only names or families with this in them, as in qdrant")
    given = parser.parse_args(arguments)
    chosen, part = given.group, given.part.casefold()
    if chosen is not None and chosen.removesuffix("s") in _GROUPS:
        chosen = chosen.removesuffix("s")
    elif chosen is not None:  # as in "vqbench list qdrant"
        chosen, part = "quantizer", chosen.casefold()
    for group, title in _GROUPS.items():
        if chosen not in (None, group):
            continue
        if group == "quantizer":
            _variants(title, part)
        else:
            table = _table(f"{title}: {group}=NAME")
            for name in [name for name in names(conf_folder(), group) if part in name]:
                table.add_row(_marked(group, name), escape(first_comment(conf_folder() / group / f"{name}.yaml")))
            console().print(table, "")
    console().print("* part of the default run")
    return 0


def _variants(title: str, part: str) -> None:
    console().print(
        f"[bold]{title}: quantizer=NAME[/bold] (number: bits stored per dimension at d = {_D}, "
        "with a vector's own norms and corrections, padding apart)", highlight=False,
    )  # fmt: skip
    headers = {name: read_header(_path(name)) for name in names(conf_folder(), "quantizer")}
    headers = {name: head for name, head in headers.items() if part in name or part in head.family.casefold()}
    if not headers:
        raise VqbenchError(f"{part}: no variant or family has that in its name; see vqbench list quantizer")
    ordered = sorted(headers, key=lambda name: (_rank(headers[name].family), headers[name].bits_at(_D), name))
    for family, members in groupby(ordered, key=lambda name: headers[name].family):
        table = _table(f"\n{family}")
        source = ""
        for name in members:
            header = headers[name]
            told = "same source" if header.source == source else header.source
            source = header.source
            text = f"{escape(header.description)} [dim]{escape(told)}[/dim]"
            table.add_row(_marked("quantizer", name), f"{header.bits_at(_D):.3g}", text)
        console().print(table)
    console().print("")


def _rank(family: str) -> tuple[int, str]:
    return (_FAMILIES.index(family), "") if family in _FAMILIES else (len(_FAMILIES), family.casefold())


def _path(name: str) -> Path:
    return conf_folder() / "quantizer" / f"{name}.yaml"


def _table(title: str) -> Table:
    table = Table(title=title, show_header=False, box=None, title_justify="left", title_style="bold",
                  padding=(0, 2, 0, 0))  # fmt: skip
    table.add_column(no_wrap=True)
    if "=" not in title:
        table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    return table


def _marked(group: str, name: str) -> str:
    return f"{'*' if name in defaults(group) else ' '} {name}"


def defaults(group: str) -> list[str]:
    """What the default run uses of a group."""
    listed = yaml.safe_load((conf_folder() / "config.yaml").read_text("utf-8"))["defaults"]
    found = next((entry[group] for entry in listed if isinstance(entry, dict) and group in entry), None) or []
    return [found] if isinstance(found, str) else found
