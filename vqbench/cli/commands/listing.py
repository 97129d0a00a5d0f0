"""``vqbench list``: every config of every group, a line each; variants by family, with bits and source."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import yaml
from rich.markup import escape
from rich.table import Table

from vqbench.cli.commands.parser import Parser
from vqbench.cli.console import console
from vqbench.errors import VqbenchError
from vqbench.experiment.config.compose import names
from vqbench.experiment.config.foreign import check_config_dir
from vqbench.experiment.config.headers import Header, first_comment, read_header
from vqbench.experiment.config.targets import conf_folder
from vqbench.experiment.config.yaml_bounds import yaml_text
from vqbench.text import did_you_mean, shortened

_GROUPS = {
    "quantizer": "Variants",
    "metric": "Metrics",
    "dataset": "Datasets",
    "experiment": "Experiments",
    "parallel": "Where shards are searched",
    "backend": "Real engines",
}
#: The order in which families are shown; presets follow, by product.
_FAMILIES = (
    "float",
    "scalar",
    "lloyd-max",
    "binary",
    "rabitq",
    "turboquant",
    "osq",
    "product",
    "faiss",
    "truncated",
)
_HEAD = (
    "what is not known of a config stands in comments that its YAML begins with: '# what it is', and lines of "
    "'# family: scalar', '# bits: 4 + 64/d' (stored for each dimension) and '# source: where it comes from'"
)
_D = 384  # what is stored per vector weighs less in a longer one


def listing(arguments: list[str]) -> int:
    """Print every config of every group, or of one; those of a folder of one's own too."""
    parser = Parser(prog="vqbench list")
    parser.add_argument("group", nargs="?", help=f"one of {', '.join(_GROUPS)}; or PART of a variant's name")
    parser.add_argument("part", nargs="?", default="", help="only names or families with this in them, as in qdrant")
    parser.add_argument("--config-dir", type=Path, metavar="DIR", help="a folder of your own configs, listed as well")
    given = parser.parse_args(arguments)
    chosen, part = given.group, given.part.casefold()
    if chosen is not None and chosen.removesuffix("s") in _GROUPS:
        chosen = chosen.removesuffix("s")
    elif chosen is not None:  # as in "vqbench list qdrant"
        chosen, part = "quantizer", chosen.casefold()
    if given.config_dir is not None:
        check_config_dir(given.config_dir)
    for group, title in _GROUPS.items():
        if chosen not in (None, group):
            continue
        paths = _paths(group, given.config_dir)
        if group == "quantizer":
            _variants(title, paths, part, given.config_dir)
        else:
            _others(group, title, paths, part)
    console().print("* part of the default run")
    return 0


def _paths(group: str, own: Path | None) -> dict[str, Path]:
    """The configs of a group by name, ours first: Hydra takes ours where a folder of one's own has the same name."""
    folders = [conf_folder(), *([own] if own else [])]
    found: dict[str, Path] = {}
    for folder in folders:
        for name in names(folder, group):
            found.setdefault(name, folder / group / f"{name}.yaml")
    return found


def _others(group: str, title: str, paths: Mapping[str, Path], part: str) -> None:
    table = _table(f"{title}: {group}=NAME")
    for name in [name for name in paths if part in name.casefold()]:
        table.add_row(_marked(group, name), escape(_first(paths[name])))
    if not table.row_count:
        raise VqbenchError(f"{part}: no {group} has that in its name; {did_you_mean(part, paths)}")
    console().print(table, "")


def _variants(title: str, paths: Mapping[str, Path], part: str, own: Path | None) -> None:
    headers = {name: _header(path) for name, path in paths.items()}
    headers = {n: head for n, head in headers.items() if part in n.casefold() or part in head.family.casefold()}
    if not headers:
        elsewhere = "" if own else ", or name a folder of your own with --config-dir DIR"
        close = did_you_mean(part, [*_GROUPS, *paths], otherwise="")
        meant = f"{close} " if close.endswith("?") else ""
        raise VqbenchError(
            f"{part}: no variant or family has that in its name; {meant}see vqbench list quantizer{elsewhere}"
        )
    console().print(
        f"[bold]{title}: quantizer=NAME[/bold] (number: bits stored per dimension at d = {_D}, "
        "with a vector's own norms and corrections, padding apart)",
        highlight=False,
    )
    ordered = sorted(headers, key=lambda name: (_rank(headers[name].family), _bits(headers[name]), name))
    for family, members in groupby(ordered, key=lambda name: headers[name].family):
        table = _table(escape(f"\n{family or 'of no family'}"))
        source = ""
        for name in members:
            header = headers[name]
            told = "same source" if header.source and header.source == source else header.source
            source = header.source
            text = f"{escape(header.description)} [dim]{escape(told)}[/dim]"
            bits = f"{_bits(header):.3g}" if header.bits else "?"
            table.add_row(_marked("quantizer", name), bits, text)
        console().print(table)
    console().print("")
    unsaid = sorted(name for name, head in headers.items() if not (head.description and head.family and head.bits))
    if unsaid:
        console().print(f"{escape(shortened(', '.join(unsaid)))}: {_HEAD}\n", soft_wrap=True, highlight=False)


def _header(path: Path) -> Header:
    """What stands at the head of a variant; of one that cannot be used, why, so that it hides no other."""
    try:
        _bound(path)
        header = read_header(path)
        _bits(header)
    except VqbenchError as error:
        return Header(f"cannot be used: {error}")
    return header


def _first(path: Path) -> str:
    try:
        _bound(path)
        return first_comment(path)
    except VqbenchError as error:
        return f"cannot be used: {error}"


def _bound(path: Path) -> None:
    """Raise VqbenchError for a config of one's own that is too large, or no YAML."""
    if not path.is_relative_to(conf_folder()):
        yaml_text(path)


def _bits(header: Header) -> float:
    return header.bits_at(_D) if header.bits else math.inf


def _rank(family: str) -> tuple[int, str]:
    return (_FAMILIES.index(family), "") if family in _FAMILIES else (len(_FAMILIES), family.casefold())


def _table(title: str) -> Table:
    table = Table(
        title=title, show_header=False, box=None, title_justify="left", title_style="bold", padding=(0, 2, 0, 0)
    )
    table.add_column(no_wrap=True)
    if "=" not in title:
        table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    return table


def _marked(group: str, name: str) -> str:
    return f"{'*' if name in defaults(group) else ' '} {escape(name)}"


def defaults(group: str) -> list[str]:
    """What the default run uses of a group."""
    listed = yaml.safe_load((conf_folder() / "config.yaml").read_text("utf-8"))["defaults"]
    found = next((entry[group] for entry in listed if isinstance(entry, dict) and group in entry), None) or []
    return [found] if isinstance(found, str) else found
