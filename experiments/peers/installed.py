"""The disk space of the core: vqbench and every package that its requirements install."""

from __future__ import annotations

import importlib.util
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import vqbench
from experiments.peers.contest import Goal, version_of
from experiments.peers.table import Row

_MB = 1e6


def size_row(threads: int) -> Row:
    """The bytes on disk, as ``du`` counts them, of the installed files; nothing is downloaded."""
    sizes = core_sizes()
    largest = ", ".join(f"{x} {sizes[x] / _MB:.0f}" for x in sorted(sizes, key=sizes.__getitem__, reverse=True)[:5])
    return Row(
        family="startup",
        contestant="installed size of the core",
        version=version_of("vqbench"),
        threads=threads,
        megabytes=sum(sizes.values()) / _MB,
        goal=Goal("at most", 450, "MB"),
        reason=f"{len(sizes)} packages and their bytecode; MB: {largest}",
    )


def core_sizes() -> dict[str, int]:
    """Bytes on disk by package, for vqbench and everything that its core needs."""
    own = Path(vqbench.__file__).parent
    sizes = {"vqbench": sum(_on_disk(path) for path in own.rglob("*") if path.is_file())}
    waiting = list(_requirements())
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in sizes or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            package = distribution(requirement.name)
        except PackageNotFoundError:  # needed elsewhere only: nothing to count here
            continue
        sizes[name] = sum(_on_disk(path) for path in files_of(package))
        waiting += package.requires or []
    return sizes


def _requirements() -> list[str]:
    """The core's requirements: the checkout's, or what was installed."""
    project = Path(vqbench.__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        return tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"]
    return distribution("vqbench").requires or []


def files_of(package: Distribution) -> set[Path]:
    """The files of an installed package, with the bytecode that Python has compiled since."""
    files = {Path(str(package.locate_file(file))) for file in package.files or []}
    compiled = {Path(importlib.util.cache_from_source(str(path))) for path in files if path.suffix == ".py"}
    return {path.resolve() for path in files | compiled if path.is_file()}


def _on_disk(path: Path) -> int:
    status = path.stat()
    return status.st_blocks * 512 if hasattr(status, "st_blocks") else status.st_size
