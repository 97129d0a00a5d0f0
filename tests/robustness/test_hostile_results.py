"""Names and texts in a results folder are its writer's: they stay text on the screen, in the report and in figures."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from fuzz_results import good_folder

from vqbench.cli.main import main
from vqbench.errors import VqbenchError
from vqbench.results.folder import read_results
from vqbench.results.validation import read_csv, read_meta
from vqbench.text import shown

#: What a page, a screen, a spreadsheet or a drawing might take for more than a name.
NAMES = [
    "<script>alert(1)</script>",
    "</style></script></svg><img src=x onerror=alert(1)>",
    "\"'><b onmouseover=alert(1)>&lt;{{ 7*7 }}{% for %}",
    "\x1b]0;owned\x07\x1b[2J\x9b31m",
    "[/b][link=file:///x]",
    r"$\frac{$ $\undefined$",
    "a\0b",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "x" * 300,
]


def _sweep(folder: Path, variant: str, dataset: str, name: str) -> Path:
    """The sweep of the fuzzer with hostile names of a variant and a dataset, and ``name`` in every free text."""
    folder.mkdir()
    for file, content in good_folder().items():
        (folder / file).write_bytes(content)
    for path in folder.glob("*.csv"):
        table = pd.read_csv(path, keep_default_na=False, dtype=str).replace(
            {"binary": variant, "c": dataset, "two": name}
        )
        if "reason" in table:
            table["reason"] = [f"{text} {name}" if text else "" for text in table["reason"]]
        table.to_csv(path, index=False)
    for path in folder.glob("*.parquet"):
        table = pd.read_parquet(path).astype({"variant": str, "dataset": str})
        table = table.replace({"variant": {"binary": variant}, "dataset": {"c": dataset}})
        if "other" in table:
            table["other"], table["id"] = table["other"] + name, table["id"] + name
        table.to_parquet(path)
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    meta["datasets"][dataset] = meta["datasets"].pop("c")
    for about in meta["datasets"].values():
        about["queries_are"] = name
        for finding in about["doctor"] or []:
            finding.update(title=name, shown=name, sentence=name, variants=[name])
    for metric in meta["metrics"].values():
        metric.update(label=f"{name} @k", unit=name)
    meta |= {
        "title": name,
        "git_commit": name,
        "versions": {name: name},
        "machine": dict.fromkeys(meta["machine"], name),
    }
    (folder / "meta.json").write_text(json.dumps(meta), "utf-8")
    return folder


class _Tags(HTMLParser):
    """The tags of a page, each with its attributes' names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, [name for name, _ in attrs]))


def _plain(text: str) -> bool:
    return all(unicodedata.category(char) not in ("Cc", "Cf", "Cs") or char == "\n" for char in text)


@pytest.fixture(params=range(3))
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Sequence[str], Path]:
    """Three of the names, each in another place, and a folder with them."""
    names = NAMES[request.param :: 3]
    return names, _sweep(tmp_path / "out", *names)


@pytest.mark.slow
def test_screens_and_reports(hostile: tuple[Sequence[str], Path], capfd: pytest.CaptureFixture[str]) -> None:
    names, folder = hostile
    given = str(folder)
    for command in (["recommend", given], ["recommend", given, "--json"], ["compare", given, given], ["report", given],
                    ["scale", given, "--n", "1000"]):  # fmt: skip
        main(command)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        assert _plain(out + err), command
    from vqbench.cli.screens.engines import print_engines
    from vqbench.cli.screens.summary import summary

    summary(read_results(folder))
    print_engines(read_results(folder))
    out, err = capfd.readouterr()
    assert _plain(out + err)
    for name in names[:2]:
        assert "".join(shown(name)[:30].split()) in "".join(out.split())  # lines are folded
    page = (folder / "report.html").read_text("utf-8")
    found = _Tags(page)
    tags = [tag for tag, _ in found.tags]
    assert tags.count("script") == tags.count("style") == 1
    assert not {"img", "iframe", "object"} & set(tags)
    assert not [attrs for _, attrs in found.tags if any(attr.startswith("on") for attr in attrs)]
    assert not any(unicodedata.category(char) == "Cc" for char in set(page) - {"\n", "\t"})
    assert read_results(folder).pooled["variant"].nunique() == 3


@pytest.mark.slow
def test_figures(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each is drawn, and its SVG is one that a browser reads, with no element of the name's making."""
    folder = _sweep(tmp_path / "out", NAMES[5], NAMES[1], NAMES[3])
    assert main(["figures", str(folder)]) == 0
    out, err = capfd.readouterr()
    assert _plain(out + err), err
    drawn = sorted((folder / "figures").glob("*.svg"))
    assert len(drawn) > 10
    for path in drawn:
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert not tags & {"script", "img", "b", "a", "foreignObject"}, path.name


def test_a_name_that_no_run_takes(tmp_path: Path) -> None:
    """Figures would need minutes for one of a million letters."""
    for at, names in enumerate((("x" * 1001, "c"), ("v", "x" * 1001))):
        with pytest.raises(VqbenchError, match="1001 characters in a name"):
            read_results(_sweep(tmp_path / str(at), *names, "text"))


def test_half_a_character_and_what_is_no_file(tmp_path: Path) -> None:
    folder = _sweep(tmp_path / "out", "v", "plain", "text")
    text = (folder / "meta.json").read_text("utf-8")
    (folder / "meta.json").write_text(text.replace("plain", r"\ud800"), "utf-8")
    with pytest.raises(VqbenchError, match=r"meta\.json: is not what a run writes .*surrogates not allowed"):
        read_meta(folder / "meta.json")
    (folder / "meta.json").unlink()
    (folder / "meta.json").symlink_to("/dev/zero")
    (folder / "linked.csv").symlink_to("/dev/zero")
    for read, file in ((read_meta, "meta.json"), (read_csv, "linked.csv")):
        with pytest.raises(VqbenchError, match=r"is not what a run writes \(no file\)"):
            read(folder / file)
