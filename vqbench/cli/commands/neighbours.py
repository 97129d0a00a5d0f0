"""The seed notebook's ``most_similar``: the neighbours of one row, one column a variant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from omegaconf import OmegaConf
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from vqbench.datasets.base import Data, Dataset
from vqbench.datasets.file import File
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.evaluation.encoding import encode_corpus
from vqbench.experiment.config.compose import names
from vqbench.experiment.config.targets import build, conf_folder
from vqbench.experiment.plan import build_variant
from vqbench.quantizers.variant import Variant
from vqbench.search.similarity import code_search
from vqbench.search.tie_order import top_by_id
from vqbench.text import did_you_mean, shortened, shown


@dataclass(frozen=True)
class Neighbours:
    """Lists by variant: (rank in float search or None, id, score in words), best first."""

    title: str
    dataset: str
    lists: Mapping[str, Sequence[tuple[int | None, str, str]]]


def neighbours(
    title: str, dataset: str, ids: str | None, variants: Sequence[str], top: int, progress: Progress
) -> Neighbours:
    """Search one row's neighbours under each variant. Raises VqbenchError for unknown names."""
    specs = {name: _variant(name) for name in (part.strip() for part in variants)}
    spec = _dataset(dataset, ids)
    data = prepare(spec.load(), spec.title, queries="self", n_queries=1, normalize=True)
    row = _row(title, data)
    if not 1 <= top < data.corpus.n:
        raise VqbenchError(f"--top {top}: must be between 1 and {data.corpus.n - 1}, the other rows of {data.name}")
    task = progress.add_task(f"neighbours of {shown(data.ids[row])}", total=len(specs))
    float_rank = {hit: rank for rank, (hit, _) in enumerate(_search(data, row, _variant("float32"), top), 1)}
    lists = {}
    for name, variant in specs.items():
        found = _search(data, row, variant, top)
        bits = variant.similarity == "hamming"
        lists[name] = [
            (float_rank.get(hit), shown(data.ids[hit]), f"{-score:.0f} bits" if bits else f"{score:.4f}")
            for hit, score in found
        ]
        progress.advance(task)
    return Neighbours(shown(data.ids[row]), data.name, lists)


def _search(data: Data, row: int, variant: Variant, top: int) -> list[tuple[int, float]]:
    codec = variant.fit(data.sample(variant.calibration or 100_000, 0, variant.draw), 0)
    encoded = encode_corpus(codec, data.corpus, [])
    search = code_search(codec, data.corpus.take(np.array([row])), encoded.codes, variant.similarity)
    hits = top_by_id(replace(search, exclude_q=np.array([row])), top, data.ids)
    return list(zip(hits.ids_qk[0].tolist(), hits.scores_qk[0].tolist(), strict=True))


def _variant(name: str) -> Variant:
    if name not in names(conf_folder(), "quantizer"):
        hint = did_you_mean(name, names(conf_folder(), "quantizer"))
        raise VqbenchError(f"--quantizer {shortened(repr(name))}: no such variant; {hint}")
    node = OmegaConf.to_container(OmegaConf.load(conf_folder() / "quantizer" / f"{name}.yaml"))
    assert isinstance(node, dict)
    return build_variant(node[name], f"quantizer.{name}")


def _dataset(name: str, ids: str | None) -> Dataset:
    if name in names(conf_folder(), "dataset") and name != "file":
        return build(
            OmegaConf.to_container(OmegaConf.load(conf_folder() / "dataset" / f"{name}.yaml")),
            "datasets",
            f"dataset={name}",
        )
    if Path(name).suffix:
        return File(path=name, ids=ids)
    hint = did_you_mean(name, names(conf_folder(), "dataset"))
    raise VqbenchError(f"--dataset {shortened(name)}: no such dataset; {hint}; a file is called as in mine.npy")


def _row(title: str, data: Data) -> int:
    """The row whose id is the title, or the only one that begins with it, ignoring case."""
    ids = list(data.ids)
    if title in ids:
        return ids.index(title)
    wanted = title.casefold()
    folded = [i.casefold() for i in ids]
    for begins in (lambda i: i == wanted, lambda i: i.startswith(wanted + " ("), lambda i: i.startswith(wanted)):
        found = [row for row, i in enumerate(folded) if begins(i)]
        if len(found) == 1:
            return found[0]
        if found:
            raise VqbenchError(f"{title}: which one? {', '.join(ids[row] for row in found[:8])}")
    close = difflib.get_close_matches(title, ids, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(close)}?" if close else f"; its ids are called {', '.join(ids[:3])}, ..."
    raise VqbenchError(f"{title}: {data.name} has no such id{hint}")


def show(found: Neighbours, screen: Console) -> None:
    """Print the lists side by side; how a rank differs from float search stands before the score."""
    table = Table(
        title=escape(f"Most similar to {found.title} in {found.dataset}"),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("", justify="right")
    for name in found.lists:
        table.add_column(name, overflow="fold")
    for rank, row in enumerate(zip(*found.lists.values(), strict=True), start=1):
        table.add_row(str(rank), *(_cell(rank, *hit) for hit in row))
    screen.print(table)
    screen.print(  # not the table's caption, which would be no wider than the table
        "= same rank as in float search, ▲3 three places up, ▼1 one down, new: not in float's list; then the score "
        "(cosine, or how many bits differ; equal scores in the order of ids) and the id"
    )


def _cell(rank: int, float_rank: int | None, name: str, score: str) -> str:
    if float_rank is None:
        mark, style = "new", "red"
    elif float_rank == rank:
        mark, style = "=", "green"
    else:
        mark, style = (f"▲{float_rank - rank}" if float_rank > rank else f"▼{rank - float_rank}"), "yellow"
    return f"[{style}]{mark:>3}[/{style}] {score} {escape(name)}"
