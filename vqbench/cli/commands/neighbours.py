"""``vqbench nearest``: the neighbours of one row, one column a variant, as the notebook's ``most_similar``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from vqbench.cli.commands.parser import Parser
from vqbench.cli.console import console, progress_bar
from vqbench.datasets.base import Data, Dataset
from vqbench.datasets.file import File
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.evaluation.encoding import encode_corpus
from vqbench.experiment.config.folders import config_files
from vqbench.experiment.config.targets import build
from vqbench.experiment.config.variants import named_variant
from vqbench.experiment.config.yaml_bounds import load_yaml
from vqbench.quantizers.variant import Variant
from vqbench.search.similarity import code_search
from vqbench.search.tie_order import top_by_id
from vqbench.text import did_you_mean, shortened, shown


def nearest(arguments: list[str]) -> int:
    """Print the neighbours of one row under each variant, side by side."""
    parser = Parser(prog="vqbench nearest", description="The rows most similar to one row, under each variant.")
    parser.add_argument("title", help="an id of the dataset, or how it begins")
    parser.add_argument("--dataset", default="movies", metavar="D", help="a dataset of conf/dataset, or a file")
    parser.add_argument("--ids", help="ids of the rows, one a line, where the dataset is a file")
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument(
        "--quantizer", default="float32,offset_int8_raw,binary_mean", help="variants, separated by commas"
    )
    options = parser.parse_args(arguments)
    names = [name.strip() for name in options.quantizer.split(",")]
    with progress_bar() as progress:
        similar = neighbours(options.title, options.dataset, options.ids, names, options.top, progress)
    show(similar, console())
    return 0


@dataclass(frozen=True)
class Neighbours:
    """The neighbours of one row."""

    title: str  # id of the row
    dataset: str
    lists: Mapping[str, Sequence[tuple[int | None, str, str]]]  # variant -> rank in float search, id, score in words


def neighbours(
    title: str, dataset: str, ids: str | None, variants: Sequence[str], top: int, progress: Progress
) -> Neighbours:
    """Search one row's neighbours under each variant.

    Args:
        title: an id of the dataset, or how it begins.
        dataset: a name of conf/dataset, or a file of vectors.
        ids: file of the rows' ids, where the dataset is a file.
        variants: their names.
        top: how many neighbours.
        progress: shows a bar.

    Raises:
        VqbenchError: a name is unknown, or ``top`` is larger than the dataset.
    """
    specs = {name: named_variant(name, "--quantizer") for name in variants}
    spec = _dataset(dataset, ids)
    data = prepare(spec.load().corpus_alone(), spec.title, queries="self", n_queries=1, normalize=True)
    row = _row(title, data)
    if not 1 <= top < data.corpus.n:
        raise VqbenchError(f"--top {top}: must be between 1 and {data.corpus.n - 1}, the other rows of {data.name}")
    task = progress.add_task(f"neighbours of {shown(data.ids[row])}", total=len(specs))
    float_hits = _search(data, row, named_variant("float32", "float32"), top)
    float_rank = {hit: rank for rank, (hit, _) in enumerate(float_hits, 1)}
    lists = {}
    for name, variant in specs.items():
        bits = variant.similarity == "hamming"
        lists[name] = [
            (float_rank.get(hit), shown(data.ids[hit]), f"{-score:.0f} bits" if bits else f"{score:.4f}")
            for hit, score in _search(data, row, variant, top)
        ]
        progress.advance(task)
    return Neighbours(shown(data.ids[row]), data.name, lists)


def _search(data: Data, row: int, variant: Variant, top: int) -> list[tuple[int, float]]:
    codec = variant.fit(data.sample(variant.calibration or 100_000, 0, variant.draw), 0)
    encoded = encode_corpus(codec, data.corpus, [])
    search = code_search(codec, data.corpus.take(np.array([row])), encoded.codes, variant.similarity)
    hits = top_by_id(replace(search, exclude_q=np.array([row])), top, data.ids)
    return list(zip(hits.ids_qk[0].tolist(), hits.scores_qk[0].tolist(), strict=True))


def _dataset(name: str, ids: str | None) -> Dataset:
    """A dataset of conf, or a file's."""
    files = config_files("dataset")
    if name in files and name != "file":
        return build(load_yaml(files[name]), "datasets", f"dataset={name}")
    if Path(name).suffix:
        return File(path=name, ids=ids)
    hint = did_you_mean(name, files)
    raise VqbenchError(f"--dataset {shortened(name)}: no such dataset; {hint}; a file is called as in mine.npy")


def _row(title: str, data: Data) -> int:
    """The row whose id is the title, or the only one that begins with it, ignoring case."""
    ids = list(data.ids)
    if title in ids:
        return ids.index(title)
    wanted = title.casefold()
    folded = [i.casefold() for i in ids]
    for matches in (lambda i: i == wanted, lambda i: i.startswith(wanted + " ("), lambda i: i.startswith(wanted)):
        rows = [row for row, i in enumerate(folded) if matches(i)]
        if len(rows) == 1:
            return rows[0]
        if rows:
            raise VqbenchError(f"{title}: which one? {', '.join(ids[row] for row in rows[:8])}")
    close = difflib.get_close_matches(title, ids, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(close)}?" if close else f"; its ids are called {', '.join(ids[:3])}, ..."
    raise VqbenchError(f"{title}: {data.name} has no such id{hint}")


def show(similar: Neighbours, screen: Console) -> None:
    """Print the lists side by side; how a rank differs from float search stands before the score."""
    table = Table(
        title=escape(f"Most similar to {similar.title} in {similar.dataset}"),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("", justify="right")
    for name in similar.lists:
        table.add_column(name, overflow="fold")
    for rank, row in enumerate(zip(*similar.lists.values(), strict=True), start=1):
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
