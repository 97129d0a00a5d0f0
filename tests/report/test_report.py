"""The report's content: the numbers of the tables, nothing unescaped, nothing from outside, every link at home."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pandas as pd
import pytest
from folders import row, write_extras, write_folder
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from places import RESULTS

from vqbench.cli.main import main
from vqbench.errors import VqbenchError
from vqbench.report.figures.embedded import embedded, titled
from vqbench.report.figures.settings_charts import across, front_of, pareto
from vqbench.report.page import render, write_report
from vqbench.report.tables import timings
from vqbench.results.folder import Results, read_results
from vqbench.results.measured_settings import Setting, StoredToday

EVIL = "<script>alert(1)</script>\"'&{{ 7*7 }}"
MOANA = "モアナと伝説の海 موانا"


class Page(HTMLParser):
    """Tags with their attributes, the text outside scripts and styles, and the cells of one table."""

    def __init__(self, text: str, table: str = "") -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.rows: list[list[tuple[str, str | None]]] = []
        self._table, self._in, self._skip = table, False, 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self._skip += tag in ("script", "style")
        if tag == "table":
            self._in = found.get("id") == self._table
        if tag == "tr" and self._in:
            self.rows.append([])
        if tag in ("td", "th") and self._in:
            self.rows[-1].append(("", found.get("data-value")))

    def handle_endtag(self, tag: str) -> None:
        self._skip -= tag in ("script", "style")
        if tag == "table":
            self._in = False

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self.words.append(data)
            if self._in and self.rows and self.rows[-1]:
                text, value = self.rows[-1][-1]
                self.rows[-1][-1] = (text + data, value)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two settings of each of three variants, one that failed, names and ids that would break a careless page."""
    rows = [row("float32", 0, 1.0, 0.003), row("bits", 0, 0.612345, 0.01), row("bits", 4, 0.96, 0.005),
            row(EVIL, 0, 0.98, 0.004), row(EVIL, 4, 0.9996, 0.0003), row("float32", 4, 1.0, 0.003),
            row("lost", 0, float("nan"), 0.0, status="failed", reason=f"ValueError: {EVIL}")]  # fmt: skip
    stored = {"float32": (128.0, 0.0), "bits": (4.0, 16.0), EVIL: (32.0, 0.0)}
    folder = write_folder(tmp_path / "run", rows, stored)
    ids = [f"{EVIL} {at}" if at % 2 else f"{MOANA} {at}" for at in range(13)]
    return write_extras(folder, "bits", queries=[EVIL, MOANA], ids=ids)


@pytest.fixture
def page(folder: Path) -> str:
    return render([read_results(folder)])


def test_the_table_holds_the_values_of_metrics_csv(folder: Path, page: str) -> None:
    table = pd.read_csv(folder / "metrics.csv", dtype=str)
    table = table[table["status"] == "ok"]
    rows = Page(page, "d0-0-settings").rows[1:]
    assert len(rows) == len(table) == 6
    shown = {(row[0][0], row[4][1]): (row[2][1], row[1][1]) for row in rows}
    sizes = {"float32": 128, "bits": 4.016, EVIL: 32}
    for one in table.itertuples():
        value, size = shown[one.variant, one.oversample]
        assert float(value) == float(one.value)
        assert float(size) == pytest.approx(sizes[one.variant])
    printed = {row[2][0][:5] for row in rows}
    assert printed == {"1.000", "0.612", "0.960", "0.980", "0.999"}  # 0.9996: only 1 is shown as 1


def test_nothing_from_the_data_is_markup(page: str) -> None:
    """One script, ours; the names come out as they went in."""
    found = Page(page)
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert not [attrs for _, attrs in found.tags if any(name.startswith("on") for name in attrs)]
    assert "<script>alert" not in page
    assert found.text.count("alert(1)") > 10
    assert "{{ 7*7 }}" in found.text
    assert f"{MOANA} 0" in found.text
    assert f"lost failed: ValueError: {EVIL}" in found.text


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    for _, attrs in Page(page).tags:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert re.fullmatch(r"#[\w-]+|data:,", attrs.get(name) or "#x"), attrs
    assert not re.search(r"https?://|url\(|@import|\bimport\s*\(|fetch\(|XMLHttpRequest", page)
    assert "default-src 'none'" in page


def check_links(page: str) -> None:
    found = Page(page).tags
    ids = Counter(attrs["id"] for _, attrs in found if "id" in attrs)
    assert not [name for name, count in ids.items() if count > 1]
    targets = {(attrs.get("href") or "#")[1:] for tag, attrs in found if tag == "a"}
    for name in ("aria-labelledby", "data-table"):
        targets |= {one for _, attrs in found for one in (attrs.get(name) or "").split()}
    assert targets <= set(ids), targets - set(ids)
    for tag, attrs in found:
        if tag == "svg":
            assert attrs["role"] == "img"
            assert len((attrs["aria-labelledby"] or "").split()) == 2


def test_every_link_leads_somewhere_and_every_picture_has_a_name(page: str) -> None:
    check_links(page)
    used = set(re.findall(r'class="term" href="#(g-\w+)"', page))
    assert len(used) > 12


def test_headings_follow_the_order_of_a_reader(page: str) -> None:
    order = ["The answer", "Quality against size", "All settings", "Real or noise?", "Where the bytes go",
             "What rescoring recovers", "Queries that lose most", "What the vectors are like", "Seconds",
             "How it was measured", "Glossary"]  # fmt: skip
    places = [page.index(f">{heading}<") for heading in order]
    assert all(a < b for a, b in pairwise(places))


def test_what_runs_add_is_shown(page: str) -> None:
    text = Page(page).text
    for words in ("worse", "−0.388", "< 0.001", "within ±0.010", "keeps 7 of 10", "Common mean (0.60)", "0.0042",
                  "The vectors share a direction & more.", "a cpu, Linux, 2 threads", "5a7e33b8"):  # fmt: skip
        assert words in text, words
    assert page.count('<li class="lost">') == page.count('<li class="gained">') == 2 * 3
    assert "This folder has no" not in text


def test_the_answer_comes_in_sentences(page: str) -> None:
    text = Page(page).text
    assert "1,000 vectors of 32 dimensions take 128 kB as float32." in text
    assert "To keep 90 % and 95 %" in text
    assert "Use bits rescored ×4 (float32): 4 bytes/vector, 31.9x less memory than float32" in text
    assert "It finds 96.0 % of float's top 10 (95 % interval 95.5 to 96.5 %)" in text
    assert "To keep 99 %" in text
    assert "oversample=[4]" in text


def test_what_is_missing_gets_a_plain_note(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "bare", [row("bits", 0, 0.5, 0.01)], {"bits": (4.0, 0.0)})
    text = Page(render([read_results(folder)])).text
    for words in ("no comparisons.csv", "no samples.parquet", "no timings.csv", "were not examined",
                  "Only one oversample factor", "Nothing smaller than float32 is shown to reach"):  # fmt: skip
        assert words in text, words
    worst = write_folder(tmp_path / "worst", [row("bits", 0, 0.5, 0.01, metric="worst")], {"bits": (4.0, 0.0)})
    text = Page(render([read_results(worst)])).text
    assert "overlap was not measured" in text


def test_several_folders_make_one_page(folder: Path, tmp_path: Path) -> None:
    other = write_folder(tmp_path / "other", [row("bits", 0, 0.8, 0.01, dataset="e")], {"bits": (4.0, 0.0)})
    with pytest.raises(VqbenchError, match="--out FILE"):
        write_report(read_results(folder), read_results(other))
    with pytest.raises(VqbenchError, match="is a folder"):
        write_report(read_results(folder), read_results(other), out=tmp_path)
    assert main(["report", str(folder), str(other), "--out", str(tmp_path / "both.html")]) == 0
    page = (tmp_path / "both.html").read_text("utf-8")
    check_links(page)
    assert "across-wide" in page
    assert "2 datasets of 2 folders" in Page(page).text
    assert "none, or too few queries" in Page(page).text
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_text("utf-8") == render([read_results(folder)])


def test_a_run_writes_the_report_unless_told_not_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = ["dataset=synthetic", "dataset.n=200", "dataset.d=8", "dataset.queries=20", "k=[5]", "oversample=[0]",
           "metric=[overlap]", "quantizer=[binary_zero]", "figures=false", "cache=off", "out=x"]  # fmt: skip
    assert main([*run, "report=false"]) == 0
    assert not Path("x/report.html").exists()
    assert main(run) == 0
    check_links(Path("x/report.html").read_text("utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in RESULTS.iterdir() if (path / "metrics.csv").is_file()))
def test_every_committed_folder_makes_a_page(name: str) -> None:
    results = read_results(RESULTS / name)
    page = render([results])
    check_links(page)
    for at, dataset in enumerate(results.meta["datasets"]):
        rows = Page(page, f"d0-{at}-settings").rows[1:]
        ok = results.metrics[(results.metrics["dataset"] == dataset) & results.metrics["k"].notna()]
        assert len(rows) == len(ok[["variant", "k", "oversample"]].drop_duplicates())
        own = ok[ok["metric"] == "overlap"].groupby(["variant", "k", "oversample"])["value"].mean()
        for cells in rows:
            key = cells[0][0], int(cells[-2][1]), int(cells[-3][1])
            assert float(cells[2][1]) == pytest.approx(own[key], rel=1e-9)


_settings = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from([0.1, 0.5, 0.7, 0.9, 1.0])), min_size=1, max_size=12
).map(
    lambda drawn: [
        Setting(
            dataset="d", variant=f"v{at}", oversample=0, value=value, ci_low=value, ci_high=value, queries=10,
            vector_bytes=size, once_bytes=0, store_bytes=0,
        )
        for at, (size, value) in enumerate(drawn)
    ]
)  # fmt: skip


@given(_settings)
def test_on_the_front_is_what_nothing_beats(settings: list[Setting]) -> None:
    front = front_of(settings, 100)

    def beaten(s: Setting) -> bool:
        size, value = s.vector_bytes, s.value
        return any(
            o.vector_bytes <= size and o.value >= value and (o.vector_bytes, o.value) != (size, value) for o in settings
        )

    assert {(s.vector_bytes, s.value) for s in front} == {(s.vector_bytes, s.value) for s in settings if not beaten(s)}
    assert [s.vector_bytes for s in front] == sorted({s.vector_bytes for s in front})


def test_a_chart_is_plain_svg_with_ids_of_its_own() -> None:
    """Nothing of the file that matplotlib writes is left: no header, no style for the whole page, no address."""

    def draw(ax: Axes) -> None:
        ax.plot([1, 2], [1, 2], marker="o", gid=titled(EVIL))
        ax.plot([1], [2], marker="s")

    charts = [embedded(draw, ident, EVIL, [], EVIL).pictures for ident in ("a", "b")]
    page = "".join(charts)
    assert page.count("<svg") == page.count("</svg>") == 4
    assert not re.search(r"<\?xml|<!DOCTYPE|<style|<metadata|http|url\(|font-family", page)
    assert page.count("<title>&lt;script&gt;alert(1)") == 4
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 8
    assert {*re.findall(r'href="#([^"]+)"', page)} <= set(ids)
    assert {one.partition("-")[0] for one in ids} == {"a", "b"}
    assert embedded(draw, "a", EVIL, [], EVIL).pictures == charts[0], "the same bytes each time"


def test_a_line_for_each_dataset_with_its_number() -> None:
    """Also where many lines begin in one place, and where no setting is smaller than float32."""
    some, today = [_setting("a", 0.5, 8), _setting("b", 0.9, 16)], StoredToday("float32", 32)
    chart = across(
        {**{f"d{at}": (some, 100, today) for at in range(11)}, "large": ([_setting("c", 1.0, 64)], 100, today)}, "x"
    )
    assert [(entry.number, entry.name) for entry in chart.key][-2:] == [("11", "d10"), ("12", "large")]
    assert chart.key[0].facts == "from 0.500 at 1/4 of the memory (a)"
    for number in range(1, 13):
        assert len(re.findall(rf"font-weight: 700[^>]*>{number}</text>", chart.pictures)) == 2, number


@pytest.mark.parametrize(("seconds", "shown"), [(0.0038, ["0.0038", "0.0400"]), (12.3, ["12.30", "0.04"])])
def test_a_table_of_seconds_has_one_unit(seconds: float, shown: list[str]) -> None:
    table = pd.DataFrame({"dataset": "x", "variant": ["a", "b"], "seed": 0, "fit": [seconds, 0.04], "search": 1.0})
    results = cast(Results, SimpleNamespace(timings=table))
    headings, rows = timings(results)
    assert (headings, [values[0] for _, values in rows]) == (["fit", "search"], shown)


def _setting(variant: str, value: float, vector_bytes: int) -> Setting:
    return Setting(
        dataset="d", variant=variant, oversample=0, value=value, ci_low=value, ci_high=value, queries=100,
        vector_bytes=vector_bytes, once_bytes=0, store_bytes=0,
    )  # fmt: skip


def test_a_recommended_setting_off_the_front_is_in_the_key_without_a_number() -> None:
    best, chosen, other = _setting("best", 0.9, 8), _setting("chosen", 0.8, 9), _setting("other", 0.7, 9)
    chart = pareto([best, chosen, other], 1000, 10, [chosen], "x")
    assert [(entry.number, entry.name) for entry in chart.key] == [("1", "best"), ("\N{LARGE CIRCLE}", "chosen")]
    assert chart.pictures.count("<title>chosen: 9 bytes, 0.800") == 4, "the mark and its ring, twice"


def test_one_value_is_written_alike_everywhere(page: str) -> None:
    text = Page(page).text
    assert "finds 96.0 % of float's top 10 (95 % interval 95.5 to 96.5 %)" in text
    assert "bits rescored ×4 (float32) 4 bytes, 0.960 (95 % interval 0.955 to 0.965)" in text, "the key of the chart"
    assert "0.960 0.955-0.965" in text, "the table"
    assert "1.000 0.997-1.000" not in text, "the reference has no interval"
