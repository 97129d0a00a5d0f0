"""The command line for notebooks and scripts: ``vqbench.run`` measures vectors as ``vqbench mine.npy`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from vqbench.analysis.recommend import Recommendation, recommend
from vqbench.analysis.recommend_text import answer
from vqbench.errors import VqbenchError
from vqbench.experiment.array import IN_MEMORY, Array, with_array
from vqbench.results.folder import Results
from vqbench.text import expanded, shortened

if TYPE_CHECKING:
    from vqbench.experiment.plan import Plan

_FINDINGS = ["level", "title", "shown", "sentence", "variants"]


@dataclass(frozen=True)
class Advice:
    """The cheapest setting that reaches a target; shown as a sentence."""

    #: Everything that the choice rests on.
    recommendation: Recommendation

    @property
    def variant(self) -> str | None:
        """The variant to use; None where nothing smaller than float32 reaches the target."""
        return self.recommendation.chosen and self.recommendation.chosen.variant

    @property
    def oversample(self) -> int | None:
        """How many times k candidates are re-ranked with float vectors; 0 for none."""
        return self.recommendation.chosen and self.recommendation.chosen.oversample

    def __repr__(self) -> str:
        return answer(self.recommendation)


@dataclass(frozen=True, repr=False)
class Run:
    """What a run measured, and what can be made of it. A notebook shows it as a table."""

    #: The results folder as it was read.
    results: Results

    @property
    def folder(self) -> Path:
        """Where the tables lie."""
        return self.results.folder

    @property
    def metrics(self) -> pd.DataFrame:
        """The table of metrics.csv: a row for each variant, metric, k and oversample factor."""
        return self.results.metrics

    def recommend(self, *, keep: float = 0.95, dataset: str | None = None, **more: Any) -> Advice:
        """Find the cheapest setting whose lower confidence bound reaches a target.

        Args:
            keep: the share of float search's top k that must be kept.
            dataset: needed where the run has several.
            more: ``k``, ``metric``, ``n`` (vectors to store), ``floats`` ("disk" or "ram") and ``max_bytes``.
        """
        return Advice(recommend(self.results, dataset=dataset or self._only(), target=keep, **more))

    def doctor(self) -> pd.DataFrame:
        """Return what makes the vectors easy or hard to quantize: a row for each finding, worst first.

        Raises:
            VqbenchError: the run was made with ``doctor=False``.
        """
        findings = [
            {"dataset": name, **finding}
            for name, about in self.results.meta["datasets"].items()
            for finding in about.get("doctor", ())
        ]
        if not findings:
            raise VqbenchError("doctor: the vectors were not examined (doctor=False): run again with doctor=True")
        several = ["dataset"] if len(self.results.meta["datasets"]) > 1 else []
        return pd.DataFrame(findings)[[*several, *_FINDINGS]]

    def report(self, path: str | Path | None = None) -> Path:
        """Write the HTML page, by default as report.html in the folder; return its path."""
        from vqbench.report.page import write_report

        return write_report(self.results, out=None if path is None else expanded(str(path)))

    def figures(self, folder: str | Path | None = None, *, format: str | Sequence[str] = ("png", "svg")) -> list[Path]:
        """Draw the figures, by default into figures/ of the results folder.

        Args:
            folder: where to.
            format: one or several of matplotlib's, as in ``"pdf"``.

        Returns:
            The files written.
        """
        from vqbench.cli.console import progress_bar
        from vqbench.report.figures.folder import draw_all

        formats = [format] if isinstance(format, str) else list(format)
        with progress_bar() as progress:
            return draw_all(
                self.results, progress, folder=None if folder is None else expanded(str(folder)), formats=formats
            )

    def _only(self) -> str:
        names = list(self.results.meta["datasets"])
        if len(names) > 1:
            raise VqbenchError(f"the run has several datasets: name one, as in dataset={names[0]!r}")
        return names[0]

    def __repr__(self) -> str:
        from vqbench.cli.console import text_of
        from vqbench.cli.screens.summary import summary

        return f"{text_of(lambda screen: summary(self.results, screen))}Results: {self.folder}"

    def _repr_html_(self) -> str:
        from vqbench.cli.screens.about_data import notes_of
        from vqbench.cli.screens.summary import table_rows
        from vqbench.results.measured_settings import shown_k

        parts = list[str]()
        for name, about in self.results.meta["datasets"].items():
            k = shown_k(self.results, name) or shown_k(self.results, name, "ndcg_kept")
            rows, factor, _, _ = table_rows(self.results, name, k)
            headings = {"bytes": "bytes/vector", "overlap": f"overlap@{k}", "rescored": f"rescored x{factor}"}
            parts += [f"<p>{escape(line)}</p>" for line in about.get("taken", ())]
            parts.append(f"<h4>{escape(name)}: {about['n']:,} x {about['d']}, {about['queries']:,} queries</h4>")
            parts.append(rows.rename(columns=headings).round(3).to_html(index=False))
        notes = notes_of(self.results.meta["datasets"])
        parts += [f"<p><b>{kind}</b>: {escape(', '.join(names))}: {escape(text)}</p>" for kind, text, names in notes]
        return "\n".join(parts)


def run(
    vectors: str | Path | Sequence[str] | ArrayLike | None = None,
    *,
    queries: str | Path | ArrayLike | None = None,
    ids: str | Path | Sequence[Any] | None = None,
    query_ids: str | Path | Sequence[Any] | None = None,
    name: str | None = None,
    variants: Sequence[str] | None = None,
    out: str | Path | None = None,
    **settings: Any,
) -> Run:
    """Measure vectors as the command ``vqbench mine.npy`` does, with its defaults (1,000 queries), and keep results.

    Finished parts are not computed twice. Figures and report are made by the methods of what it returns.

    Args:
        vectors: a file, a folder or a glob, several files that are parts of one corpus, or an array ``(n, d)``; None:
            the dataset that ``dataset="movies"`` names, else the bundled one.
        queries: a file, or an array ``(q, d)`` where the vectors are one; or "self" or "holdout".
        ids: of the rows: a file, or a sequence where the vectors are an array.
        query_ids: of the queries, in the same way.
        name: what tables and figures call the vectors; an array is called "array" without one.
        variants: names of variants, as in ``["int8_minmax", "rabitq1"]``; None: the default sweep.
        out: the results folder; None: results/NAME.
        settings: any other setting of the command line, as in ``k=[10]`` and ``n_queries=500``; one of the dataset
            (``dataset.key=emb``) by its last name, as in ``key="emb"``.

    Raises:
        VqbenchError: a setting or the vectors do not fit, or no variant has a result.

    >>> import numpy as np, tempfile, vqbench
    >>> corpus_nd = np.random.default_rng(0).normal(size=(300, 16))
    >>> kept = {"out": tempfile.mkdtemp(), "cache": "off", "doctor": False}
    >>> run = vqbench.run(corpus_nd, name="noise", variants=["float32", "scalar8"], k=[10], **kept)
    >>> run.recommend(keep=0.95).variant
    'scalar8'
    >>> run.metrics.query("metric == 'overlap'")["dataset"].unique().tolist()
    ['noise']
    """
    from vqbench.cli.console import progress_bar
    from vqbench.cli.finish import settle
    from vqbench.experiment.config.python_values import written_settings
    from vqbench.experiment.run import run as evaluate

    array = None
    if vectors is not None and not isinstance(vectors, str | Path) and not _all_paths(vectors):
        array = _array(vectors, queries, ids, query_ids, name or "array")
        words = written_settings({"dataset": "file", "path": IN_MEMORY, "name": array.name, **settings})
        if isinstance(queries, str | Path):
            words += written_settings({"queries": queries})
    else:
        parts = {"queries": queries, "ids": ids, "query_ids": query_ids, "name": name}
        named = {part: value for part, value in parts.items() if value is not None}
        words = [*_vectors(vectors), *written_settings({**_checked(named), **settings})]
    extra = {"out": out, "quantizer": None if variants is None else list(variants)}
    words += written_settings({key: value for key, value in extra.items() if value is not None})
    words += [f"{key}=false" for key in ("figures", "report") if key not in settings]
    plan = _plan(words)
    if array is not None:
        plan = with_array(plan, array)
    with progress_bar() as progress:
        record = evaluate(plan, progress)
    return Run(settle(record))


def _plan(words: Sequence[str]) -> Plan:
    from vqbench.cli.commands.run import plan_of
    from vqbench.experiment.config.compose import compose_jobs

    (job,) = compose_jobs(words).jobs
    return plan_of(job)


def _vectors(vectors: Any) -> list[str]:
    """The settings for vectors that are named by their files."""
    from vqbench.cli.commands.words import settings_of

    if vectors is None:
        return []
    return settings_of([str(vectors)] if isinstance(vectors, str | Path) else [*map(str, vectors)], "run")


def _all_paths(vectors: Any) -> bool:
    return isinstance(vectors, list | tuple) and all(isinstance(each, str | Path) for each in vectors)


def _array(vectors: Any, queries: Any, ids: Any, query_ids: Any, name: str) -> Array:
    """The dataset of an array. Raises VqbenchError where its queries or ids are in files."""
    for part, value in {"queries": queries, "ids": ids, "query_ids": query_ids}.items():
        if isinstance(value, str | Path) and value not in ("self", "holdout"):
            raise VqbenchError(
                f"{part} = {shortened(value)}: is a file, and the vectors are an array: give both as files or neither"
            )
    if query_ids is not None and (queries is None or isinstance(queries, str)):
        raise VqbenchError("query_ids: has no effect without queries=ARRAY; corpus rows have the ids of ids=")
    own = None if isinstance(queries, str) else queries
    return Array(name=name, corpus_nd=vectors, queries_qd=own, ids=ids, query_ids=query_ids)


def _checked(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of vectors in a file. Raises VqbenchError where one is an array."""
    for part, value in parts.items():
        if not isinstance(value, str | Path):
            raise VqbenchError(
                f"{part}: is no file, and the vectors are in one: give both as files or neither "
                "(numpy.save writes an array)"
            )
    return dict(parts)
