"""``vqbench list``: every config, one line a variant; ``vqbench list NAME``: one config in detail."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from vqbench.cli.commands.parser import Parser
from vqbench.cli.console import console
from vqbench.errors import VqbenchError
from vqbench.experiment.config.about import About
from vqbench.experiment.config.folders import GROUPS, check_folder, conf_folder, config_files, first_comment
from vqbench.experiment.config.targets import CLASSES, build
from vqbench.experiment.config.variants import about_of, build_variant
from vqbench.experiment.config.yaml_bounds import load_yaml
from vqbench.text import did_you_mean, shortened

#: The order in which families are shown; products follow by name.
_FAMILIES = ("float", "scalar", "lloyd-max", "binary", "rabitq", "turboquant", "osq", "product", "faiss")
_D = 384  # what is stored per vector weighs less in a longer one


def list_configs(arguments: list[str]) -> int:
    """Print every config of every group, of one group, or one config in detail."""
    parser = Parser(prog="vqbench list", description="Variants, metrics, datasets, experiments, engines.")
    parser.add_argument("what", nargs="?", help=f"{', '.join(GROUPS)}; a name; or part of a variant's name or family")
    parser.add_argument("--config-dir", type=Path, metavar="DIR", help="a folder of your own configs, listed as well")
    options = parser.parse_intermixed_args(arguments)
    folders = [] if options.config_dir is None else [options.config_dir]
    for folder in folders:
        check_folder(folder, "--config-dir")
    files = {group: config_files(group, folders) for group in GROUPS}
    what = options.what or ""
    group = what.removesuffix("s")
    if group in GROUPS and group != "quantizer":
        _print_group(group, files[group])
        return 0
    homes = [home for home in GROUPS if what in files[home]]
    for home in homes:
        _print_details(home, what, files[home][what])
    if not homes:
        _print_variants(files["quantizer"], "" if group == "quantizer" else what.casefold())
        for other in GROUPS if not what else ():
            _print_names(other, files[other])
        console().print("* part of the default run; details: vqbench list NAME")
    return 0


def _print_group(group: str, files: Mapping[str, Path]) -> None:
    """One line a config, from the first comment of its YAML."""
    console().print(f"[bold]{GROUPS[group]}: {group}=NAME[/bold]", highlight=False)
    for name in files:
        _print_line(f"{_marked(group, name, max(map(len, files)))}  ", _comment(files[name]), "")


def _print_names(group: str, files: Mapping[str, Path]) -> None:
    """The names of a group in one paragraph."""
    if group != "quantizer":
        console().print(f"[bold]{GROUPS[group]}:[/bold] {group}=NAME, as in vqbench list {group}", highlight=False)
        names = [f"{'*' if name in default_names(group) else ''}{name}" for name in files]
        console().print("  " + ", ".join(names), markup=False)


def _print_variants(files: Mapping[str, Path], part: str) -> None:
    """One line a variant, by family: name, bits, what it is, and what its product rescores."""
    abouts = {name: _about(name, path) for name, path in files.items()}
    abouts = {name: about for name, about in abouts.items() if part in f"{name}\n{about.family}".casefold()}
    if not abouts:
        hint = did_you_mean(part, [*GROUPS, *files], otherwise="see vqbench list; --config-dir DIR lists your own too")
        raise VqbenchError(f"{part}: no variant or family has that in its name; {hint}")
    console().print(
        f"[bold]Variants: quantizer=NAME[/bold] (bits per dimension at d = {_D}, what it is, \\[rescoring])",
        highlight=False,
    )
    ordered = sorted(abouts, key=lambda name: (_rank(abouts[name].family), _bits(abouts[name]), name))
    for family, members in groupby(ordered, key=lambda name: abouts[name].family):
        names = list(members)
        console().print(family or "of no family", style="bold", markup=False)
        for name in names:
            about = abouts[name]
            bits = f"{_bits(about):.3g}" if about.bits else "?"
            advice = about.rescoring.partition(";")[0].rstrip(".")
            start = f"{_marked('quantizer', name, max(map(len, names)))} {bits:>4}  "
            _print_line(start, about.what, f"  [{advice}]" if advice else "")
    if unknown := [name for name, about in abouts.items() if not (about.what and about.family and about.bits)]:
        console().print(
            f"{shortened(', '.join(unknown))}: to describe a variant, write "
            "'about: {what: ..., family: ..., bits: 4 + 64/d, source: ...}' under its name",
            markup=False,
            soft_wrap=True,
        )


def _print_line(start: str, text: str, end: str) -> None:
    """One line of the screen, with ``text`` cut where there is no room."""
    screen = console()
    room = max(screen.width - len(start) - len(end), 10)
    text = text if len(text) <= room else f"{text[: room - 3].rstrip(' ,;:(')}..."
    screen.print(f"{start}{text}{end}", markup=False, soft_wrap=True)


def _print_details(group: str, name: str, path: Path) -> None:
    """What a config is, its YAML, and the fields that keep their defaults."""
    tree = load_yaml(path)
    node = tree.get(name, tree) if group in ("quantizer", "metric", "backend") else tree
    about = about_of(node.pop("about", None), name) if group == "quantizer" else About(what=first_comment(path))
    screen = console()
    screen.print(f"[bold]{group}={name}[/bold]", highlight=False)
    for field in dataclasses.fields(about):
        if value := getattr(about, field.name):
            screen.print(f"{field.name}: {value}", markup=False)
    screen.print(f"file: {path}", markup=False, soft_wrap=True)
    screen.print(yaml.safe_dump(node, sort_keys=False, allow_unicode=True).rstrip(), markup=False, soft_wrap=True)
    if unset := list(_unset(group, node, name)):
        screen.print(f"defaults: {', '.join(unset)}", markup=False)


def _unset(group: str, node: dict[str, Any], name: str) -> Iterator[str]:
    """The fields that a config leaves at their defaults, as settings."""
    if group == "quantizer":
        parts = [("quantizer.", build_variant(node, name).quantizer, node["quantizer"])]
    elif group == "backend":
        parts = [("engine.", build(node["engine"], "backends", name), node["engine"])]
    else:
        parts = [("", build(node, CLASSES[group], name), node)] if group in CLASSES else []
    for prefix, spec, keys in parts:
        for field in dataclasses.fields(spec):
            if field.name not in keys:
                value = getattr(spec, field.name)
                yield f"{prefix}{field.name}={'null' if value is None else value}"


def _about(name: str, path: Path) -> About:
    """What a variant says about itself; of one that cannot be used, why, so that it hides no other."""
    try:
        node = load_yaml(path).get(name) or {}
        about = about_of(node.get("about"), name)
        _bits(about)
    except (VqbenchError, AttributeError) as error:
        return About(what=f"cannot be used: {error}")
    return about


def _comment(path: Path) -> str:
    try:
        load_yaml(path)
    except VqbenchError as error:
        return f"cannot be used: {error}"
    return first_comment(path)


def _bits(about: About) -> float:
    return about.bits_at(_D) if about.bits else float("inf")


def _rank(family: str) -> tuple[int, str]:
    return (_FAMILIES.index(family), "") if family in _FAMILIES else (len(_FAMILIES), family.casefold())


def _marked(group: str, name: str, width: int) -> str:
    return f"{'*' if name in default_names(group) else ' '} {name:<{width}}"


@cache
def default_names(group: str) -> list[str]:
    """Return what the default run uses of a group."""
    defaults = load_yaml(conf_folder() / "config.yaml")["defaults"]
    names = next((entry[group] for entry in defaults if isinstance(entry, dict) and group in entry), None) or []
    return [names] if isinstance(names, str) else names
