"""One HTML page from one or several results folders: no file beside it, no network."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vqbench.analysis import recommend_text
from vqbench.errors import VqbenchError
from vqbench.report import charts, tables
from vqbench.report.engines import Engines, differences, engines
from vqbench.report.recommendations import Answer, answers, lead
from vqbench.results.folder import Results, read_results
from vqbench.results.measured_settings import FLOAT32, Setting, settings_of, shown_k
from vqbench.storage.atomic import write_atomically, write_text
from vqbench.text import shown

NAME = "report.html"


@dataclass(frozen=True)
class Part:
    """One dataset of one folder, in the form that the template wants."""

    ident: str
    title: str
    folder: str
    k: int
    about: Mapping[str, Any]
    lead: str
    answers: Sequence[Answer]
    settings: Sequence[Setting]
    pareto: charts.Chart | None
    table: tables.Table
    comparisons: Sequence[Mapping[str, Any]]
    ledgers: Sequence[Any]
    rescoring: charts.Chart | None
    worst: Mapping[str, Sequence[tables.Worst]]
    doctor: Sequence[Mapping[str, Any]]
    timings: tuple[Sequence[str], Sequence[Any]]
    lost: Sequence[tuple[str, str, str]]
    engines: Engines | None
    differences: charts.Chart | None
    meta: Mapping[str, Any]

    @property
    def n(self) -> int:
        return int(self.about["n"])


def write_report(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Write the page; by default into the folder, if there is only one.

    Raises VqbenchError where a folder is none of results, or several are given without a file to write.
    """
    if out is None:
        if len(folders) != 1:
            raise VqbenchError(f"{len(folders)} folders make one report: name its file with --out FILE")
        out = folders[0] / NAME
    if out.is_dir():
        raise VqbenchError(f"--out {out}: is a folder: name a file in it, as in {out / NAME}")
    page = render(_readable(folders))
    write_atomically(out, lambda path: write_text(path, page))
    return out


def _readable(folders: Sequence[Path]) -> list[Results]:
    """The results; of several folders those that hold none are left out, with a note."""
    found, mistakes = [], []
    for folder in folders:
        try:
            found.append(read_results(folder))
        except VqbenchError as error:
            mistakes.append(error)
    if not found:
        raise mistakes[0]
    for error in mistakes:
        print(f"vqbench: left out: {shown(str(error))}", file=sys.stderr)
    return found


def render(several: Sequence[Results]) -> str:
    """The page as text; the same results give the same text."""
    parts = [
        _part(_only(results, dataset), dataset, f"d{at}-{place}")
        for at, results in enumerate(several)
        for place, dataset in enumerate(results.meta["datasets"])
    ]
    environment = Environment(
        loader=PackageLoader("vqbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"human": recommend_text.human, "share": recommend_text.share}
    source = {name: Markup(_file(environment, name)) for name in ("report.css", "report.js")}
    names = list(dict.fromkeys(part.title for part in parts))
    where = f"{len(several)} folder{'s' * (len(several) > 1)}"
    title = names[0] if len(names) == 1 else f"{len(names)} datasets of {where}"
    return environment.get_template("report.html.j2").render(
        title=title,
        parts=parts,
        css=source["report.css"],
        js=source["report.js"],
        across=_across(parts) if len(parts) > 1 else None,
        float32=FLOAT32,
        targets=charts.TARGETS,
        sorted_meta=_meta_rows,
    )


def _file(environment: Environment, name: str) -> str:
    """Our own style sheet or script, as it is: neither is a template."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _only(results: Results, dataset: str) -> Results:
    """The tables of one dataset, so that they are searched once."""
    names = ("metrics", "ledger", "comparisons", "samples", "timings", "backends")
    own = {name: getattr(results, name) for name in names}
    return replace(results, **{name: t[t["dataset"] == dataset] if "dataset" in t else t for name, t in own.items()})


def _part(results: Results, dataset: str, ident: str) -> Part:
    k = shown_k(results, dataset)
    about = results.meta["datasets"][dataset]
    settings = settings_of(results, dataset=dataset, metric="overlap", k=k)
    found = answers(results, dataset, k) if settings else []
    chosen = [answer.chosen for answer in found if answer.chosen is not None]
    n = int(about["n"])
    front = charts.front_of(settings, n)
    smaller = [s for s in settings if s.vector_bytes < FLOAT32 * int(about["d"])]
    ran = engines(results, dataset, k)
    shown = list(dict.fromkeys(s.variant for s in [*chosen, *front]))
    return Part(
        ident=ident,
        title=dataset,
        folder=results.folder.name or str(results.folder),
        k=k,
        about=about,
        lead=lead(results, dataset),
        answers=found,
        settings=settings,
        pareto=charts.pareto(settings, n, k, chosen, f"{ident}-pareto") if settings else None,
        table=tables.settings_table(results, dataset),
        comparisons=tables.comparisons(results, dataset, k),
        ledgers=tables.ledgers(results, dataset, k),
        rescoring=charts.rescoring(smaller, n, k, f"{ident}-rescoring") if smaller else None,
        worst=tables.worst_queries(results, dataset, shown),
        doctor=about.get("doctor") or [],
        timings=tables.timings(results, dataset),
        lost=tables.not_measured(results, dataset),
        engines=ran,
        differences=None if ran is None else differences(ran, f"{ident}-engines"),
        meta=results.meta,
    )


def _across(parts: Sequence[Part]) -> charts.Chart | None:
    """One line a dataset: settings of several folders on the same data are taken together."""
    found: dict[tuple[str, str, int], list[Part]] = {}
    for part in parts:
        if part.settings:
            found.setdefault((part.title, str(part.about.get("sha256")), part.k), []).append(part)
    if len(found) < 2:
        return None
    names = [title for title, *_ in found]
    lines = {}
    for (title, _, k), same in found.items():
        name = title if names.count(title) == 1 else f"{title} ({same[0].folder}, k = {k})"
        settings = [s for part in same for s in part.settings]
        lines[name] = (settings, same[0].n, FLOAT32 * int(same[0].about["d"]))
    return charts.across(lines, "across")


def _meta_rows(part: Part) -> list[tuple[str, str, str]]:
    """How it was measured: what, value, term of the glossary or nothing."""
    about, meta = part.about, part.meta
    calibration = about.get("calibration", {})
    versions = ", ".join(f"{name} {number}" for name, number in meta.get("versions", {}).items())
    machine = meta.get("machine", {})
    groups = f" in {int(about['groups']):,} groups, which is what intervals count" if about.get("groups") else ""
    unit = ", scaled to unit length" if about.get("normalized") else ""
    stated = about.get("neighbors")
    learned = f"{int(calibration.get('rows', 0)):,} rows, drawn {calibration.get('drawn', '')}"
    return [
        ("vectors", f"{part.n:,} of {int(about['d']):,} numbers{unit}", ""),
        ("queries", f"{int(about['queries']):,}{groups}, {about.get('queries_are', '')}", ""),
        ("judgements", "yes" if about.get("judged") else "none", "ndcg"),
        *([] if stated is None else [("neighbors", str(stated["sentence"]), "")]),
        ("calibration", learned, "calibration"),
        ("data", str(about.get("sha256", "")), "fingerprint"),
        ("seeds", ", ".join(map(str, meta.get("seeds", []))), "seed"),
        ("versions", versions, ""),
        ("machine", f"{machine.get('cpu', '')}, {machine.get('system', '')}, {machine.get('threads', '')} threads", ""),
        ("commit", str(meta.get("git_commit") or "not from a checkout"), ""),
    ]
