"""One HTML page from one or several results folders: no file beside it, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vqbench.analysis import recommend_text
from vqbench.errors import VqbenchError
from vqbench.report import tables
from vqbench.report.figures import settings_charts
from vqbench.report.figures.embedded import Chart
from vqbench.report.figures.engines import BYTES, engine_chart, engine_rows
from vqbench.report.figures.style import p_value, size
from vqbench.report.recommendations import cards
from vqbench.results.columns import headline_k
from vqbench.results.folder import Results
from vqbench.results.measured_settings import StoredToday, ledger_of, measured_ks, settings_of
from vqbench.storage.atomic import write_atomically, write_text
from vqbench.text import share, signed

NAME = "report.html"


def write_report(*several: Results, out: Path | None = None) -> Path:
    """Write the page of one results folder, or of several.

    Args:
        out: The file to write; by default ``report.html`` in the folder, if there is only one.

    Returns:
        The file written.

    Raises:
        VqbenchError: There are several folders and no ``out``, or ``out`` is a folder.
    """
    if out is None:
        if len(several) != 1:
            raise VqbenchError(f"{len(several)} folders make one report: name its file with --out FILE")
        out = several[0].folder / NAME
    if out.is_dir():
        raise VqbenchError(f"--out {out}: is a folder: name a file in it, as in {out / NAME}")
    page = render(several)
    write_atomically(out, lambda path: write_text(path, page))
    return out


def render(several: Sequence[Results]) -> str:
    """Make the page as text; the same results give the same text."""
    parts = [
        _part(_only(results, dataset), dataset, f"d{folder}-{place}")
        for folder, results in enumerate(several)
        for place, dataset in enumerate(results.meta["datasets"])
    ]
    loader = PackageLoader("vqbench.report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters = (breakable, recommend_text.human, share, signed, size, tables.bounds, tables.exact, p_value)
    environment.filters |= {each.__name__: each for each in filters}
    # Our own style sheet and script stay as they are: neither is a template.
    css, js = (Markup(loader.get_source(environment, name)[0]) for name in ("report.css", "report.js"))
    names = list(dict.fromkeys(part["title"] for part in parts))
    where = f"{len(several)} folder{'s' * (len(several) > 1)}"
    return environment.get_template("report.html.j2").render(
        title=names[0] if len(names) == 1 else f"{len(names)} datasets of {where}",
        parts=parts,
        css=css,
        js=js,
        across=_across(parts),
        advice=recommend_text,
        relative_to=settings_charts.relative_to(part["today"] for part in parts),
        targets=settings_charts.TARGETS,
        engine_bytes=BYTES,
    )


def breakable(name: str) -> Markup:
    """Let a name go on in a second line after each underscore."""
    return Markup("_<wbr>").join(name.split("_"))


def _only(results: Results, dataset: str) -> Results:
    """The tables of one dataset, so that they are searched once."""
    names = ("metrics", "ledger", "comparisons", "samples", "timings", "backends")
    own = {name: getattr(results, name) for name in names}
    return replace(results, **{name: t[t["dataset"] == dataset] if "dataset" in t else t for name, t in own.items()})


def _part(results: Results, dataset: str, ident: str) -> dict[str, Any]:
    """One dataset of one folder, as the template wants it."""
    about, k = results.meta["datasets"][dataset], headline_k(measured_ks(results, dataset, "overlap"))
    n, today = int(about["n"]), StoredToday.of(about)
    settings = settings_of(results, dataset=dataset, metric="overlap", k=k)
    answers = cards(results, dataset, k) if settings and "doubt" not in about else []
    chosen = [card["rec"].chosen for card in answers if card["rec"].chosen]
    smaller = [s for s in settings if s.vector_bytes < today.bytes]
    alone = sorted((s for s in settings if not s.oversample), key=lambda s: (s.ram(n), s.variant))
    engines = engine_rows(results.backends, k)
    engine_k = k if engines.empty else int(engines["k"].iloc[0])
    named = list(dict.fromkeys(s.variant for s in [*chosen, *settings_charts.front_of(settings, n)]))
    return {
        "ident": ident,
        "title": dataset,
        "folder": results.folder.name or str(results.folder),
        "k": k,
        "n": n,
        "today": today,
        "about": about,
        "answers": answers,
        "settings": settings,
        "pareto": settings_charts.pareto(settings, n, k, chosen, f"{ident}-pareto") if settings else None,
        "table": tables.settings_table(results),
        "comparisons": tables.comparisons(results, k),
        "ledgers": [(s, ledger_of(results, s)) for s in alone],
        "rescoring": settings_charts.rescoring(smaller, n, k, f"{ident}-rescoring") if smaller else None,
        "worst": tables.worst_queries(results, named, about),
        "timings": tables.timings(results),
        "lost": tables.lost(results.metrics, "variant"),
        "engines": engines.to_dict("records"),
        "engine_k": engine_k,
        "engine_chart": None if engines.empty else engine_chart(engines, engine_k, f"{ident}-engines"),
        "lost_engines": tables.lost(results.backends, "backend"),
        "facts": _facts(results, dataset),
    }


def _across(parts: Sequence[dict[str, Any]]) -> Chart | None:
    """One line a dataset, where there are several: settings of several folders on the same data are taken together."""
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for part in parts:
        if part["settings"]:
            groups.setdefault((part["title"], str(part["about"].get("sha256")), part["k"]), []).append(part)
    names = [title for title, *_ in groups]
    lines = {}
    for (title, _, k), same in groups.items():
        name = title if names.count(title) == 1 else f"{title} ({same[0]['folder']}, k = {k})"
        lines[name] = ([s for part in same for s in part["settings"]], same[0]["n"], same[0]["today"])
    return settings_charts.across(lines, "across") if len(lines) > 1 else None


def _facts(results: Results, dataset: str) -> list[tuple[str, str, str]]:
    """How it was measured: what, value, entry of the glossary or nothing."""
    about, meta = results.meta["datasets"][dataset], results.meta
    calibration, machine = about.get("calibration", {}), meta.get("machine", {})
    groups = f" in {int(about['groups']):,} groups, which is what intervals count" if about.get("groups") else ""
    unit = ", scaled to unit length" if about.get("normalized") else ""
    stated = about.get("neighbors")
    learned = f"{int(calibration.get('rows', 0)):,} rows, drawn {calibration.get('drawn', '')}"
    return [
        ("vectors", f"{int(about['n']):,} of {int(about['d']):,} dimensions{unit}", ""),
        ("queries", f"{int(about['queries']):,}{groups}, {about.get('queries_are', '')}", ""),
        ("judgements", "yes" if about.get("judged") else "none", "ndcg"),
        *([] if stated is None else [("neighbors", str(stated["sentence"]), "")]),
        ("calibration", learned, "calibration"),
        ("data", str(about.get("sha256", "")), "fingerprint"),
        ("seeds", ", ".join(map(str, meta.get("seeds", []))), "seed"),
        ("versions", ", ".join(f"{name} {number}" for name, number in meta.get("versions", {}).items()), ""),
        ("machine", f"{machine.get('cpu', '')}, {machine.get('system', '')}, {machine.get('threads', '')} threads", ""),
        ("commit", str(meta.get("git_commit") or "not from a checkout"), ""),
    ]
