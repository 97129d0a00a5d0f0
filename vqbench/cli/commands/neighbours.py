"""``vqbench nearest``: the neighbours of one row, one column a variant, as the notebook's ``most_similar``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from vqbench.cli.commands.parser import Parser
from vqbench.cli.commands.words import is_setting, settings_of
from vqbench.cli.console import console, progress_bar
from vqbench.cli.screens.about_data import print_taken
from vqbench.datasets.base import Data
from vqbench.datasets.prepare import prepare
from vqbench.errors import VqbenchError
from vqbench.evaluation.encoding import encode_corpus
from vqbench.experiment.config.compose import compose_jobs
from vqbench.experiment.config.variants import named_variant
from vqbench.experiment.plan import Plan, make_plan
from vqbench.quantizers.variant import Variant
from vqbench.search.similarity import code_search
from vqbench.search.tie_order import top_by_id
from vqbench.text import expanded, shortened, shown

_SETTINGS = ("dataset", "normalize", "on_bad_rows", "plugins")  #: keys of a run that ``nearest`` takes


def nearest(arguments: list[str]) -> int:
    """Print the neighbours of one row under each variant, side by side."""
    parser = Parser(prog="vqbench nearest", description="The rows most similar to one row, under each variant.")
    parser.add_argument(
        "words",
        nargs="+",
        metavar="TITLE VECTORS KEY=VALUE",
        help="an id of the vectors, or how it begins; then vectors and their settings, as for a run (dataset=movies)",
    )
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument(
        "--quantizer", default="float32,offset_int8_raw,binary_mean", help="variants, separated by commas"
    )
    options = parser.parse_intermixed_args(arguments)
    title = next((word for word in options.words if not is_setting(word)), None)
    if title is None:
        raise VqbenchError("nearest: name a row first, by its id, as in vqbench nearest Moana")
    words = list(options.words)
    words.remove(title)
    if expanded(title).exists() and all(map(is_setting, words)):
        raise VqbenchError(f"nearest: name a row first, by its id, as in vqbench nearest TITLE {shortened(title)}")
    plan = _plan(words, title)
    names = [name.strip() for name in options.quantizer.split(",")]
    specs = {name: named_variant(name, "--quantizer", plan.options.plugin_folders) for name in names}
    with progress_bar() as progress:
        data = _rows(plan)
        similar = neighbours(title, data, specs, options.top, progress)
    print_taken({data.name: {"taken": data.taken}}, console())
    show(similar, console())
    return 0


def _plan(words: Sequence[str], title: str) -> Plan:
    """A run on the vectors, as far as it says how they are read."""
    try:
        settings = settings_of(words, "nearest")
    except VqbenchError as error:
        swapped = f"{error}. The title comes first, then the vectors" if expanded(title).exists() else error
        raise VqbenchError(str(swapped)) from None
    for setting in settings:
        if setting.lstrip("+~").partition("=")[0].partition(".")[0] not in _SETTINGS:
            raise VqbenchError(
                f"nearest: {shortened(setting)}: has no effect here; it takes --top, --quantizer, and settings of "
                "vectors, as in dataset.key=emb"
            )
    named = any(setting.lstrip("+").startswith("dataset=") for setting in settings)
    ours = ["queries=self", *([] if named else ["dataset=movies"])]
    (job,) = compose_jobs([*ours, *settings]).jobs
    return make_plan(job.plain(), job.settings)


def _rows(plan: Plan) -> Data:
    """The rows of a plan's dataset."""
    ((name, spec),) = plan.datasets.items()
    return prepare(
        spec.load().corpus_alone(),
        name,
        queries="self",
        n_queries=1,
        normalize=plan.options.normalize,
        on_bad_rows=plan.options.on_bad_rows,
        distance=plan.options.distance,
        rows=spec.rows,
        rows_seed=spec.rows_seed,
    )


@dataclass(frozen=True)
class Neighbours:
    """The neighbours of one row."""

    title: str  # id of the row, with its text
    dataset: str
    lists: Mapping[str, Sequence[tuple[int | None, str, str]]]  # variant -> rank in float search, id and text, score


def neighbours(title: str, data: Data, variants: Mapping[str, Variant], top: int, progress: Progress) -> Neighbours:
    """Search one row's neighbours under each variant.

    Args:
        title: an id of the dataset, or how it begins.
        data: what is searched.
        variants: by their names.
        top: how many neighbours.
        progress: shows a bar.

    Raises:
        VqbenchError: there is no such row, or ``top`` is larger than the dataset.
    """
    row = _row(title, data)
    if not 1 <= top < data.corpus.n:
        raise VqbenchError(f"--top {top}: must be between 1 and {data.corpus.n - 1}, the other rows of {data.name}")
    task = progress.add_task(f"neighbours of {shown(data.ids[row])}", total=len(variants))
    float_hits = _search(data, row, named_variant("float32", "float32"), top)
    float_rank = {hit: rank for rank, (hit, _) in enumerate(float_hits, 1)}
    lists = {}
    for name, variant in variants.items():
        bits = variant.similarity == "hamming"
        lists[name] = [
            (float_rank.get(hit), _named(data, hit), f"{-score:.0f} bits" if bits else f"{score:.4f}")
            for hit, score in _search(data, row, variant, top)
        ]
        progress.advance(task)
    caption = data.caption(row)
    return Neighbours(shown(data.ids[row]) + (f" ({caption})" if caption else ""), data.name, lists)


def _named(data: Data, row: int) -> str:
    """A row's id, with its label and text where it has any."""
    return f"{shown(data.ids[row])} {data.caption(row)}".rstrip()


def _search(data: Data, row: int, variant: Variant, top: int) -> list[tuple[int, float]]:
    codec = variant.fit(data.sample(variant.calibration or 100_000, 0, variant.draw), 0)
    encoded = encode_corpus(codec, data.corpus, [])
    search = code_search(codec, data.corpus.take(np.array([row])), encoded.codes, variant.similarity)
    hits = top_by_id(replace(search, exclude_q=np.array([row])), top, data.ids)
    return list(zip(hits.ids_qk[0].tolist(), hits.scores_qk[0].tolist(), strict=True))


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
