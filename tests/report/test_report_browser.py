"""The report in a real browser: sorting, filtering, dark, on a phone, on paper, silent and off the network."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import row, write_extras, write_folder
from PIL import Image

from vqbench.report.page import write_report
from vqbench.results.folder import read_results

pytestmark = pytest.mark.slow
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run")  # fmt: skip
IDS = [
    "モアナと伝説の海",
    "موانا",
    "Vaiana <b>&amp;",
    *(f"a_long_id_without_a_blank_{'x' * 60}_{at}" for at in range(10)),
]


def _chromium() -> tuple[str, str]:
    """Paths of Chromium and its driver, installed where that is possible; else the test is skipped."""

    def found() -> list[str | None]:
        return [shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")]

    if not all(found()):
        if not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")):
            pytest.skip("no chromium and chromedriver: install the Debian packages chromium and chromium-driver")
        apt = ["apt-get", "-o", "DPkg::Lock::Timeout=240"]
        try:
            subprocess.run([*apt, "update"], check=True, capture_output=True, timeout=300)
            subprocess.run(
                [*apt, "install", "-y", "chromium", "chromium-driver"], check=True, capture_output=True, timeout=300
            )
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"chromium could not be installed: {error}")
    chromium, driver = found()
    if chromium is None or driver is None:
        pytest.skip("no chromium and chromedriver after their installation")
    return chromium, driver


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium comes with the extra dev")
    chromium, driver = _chromium()
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    except Exception as error:  # a browser that cannot start here says nothing about the page
        pytest.skip(f"chromium does not start: {str(error).splitlines()[0]}")
    yield found
    found.quit()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two folders in one page: every kind of section is there."""
    base = tmp_path_factory.mktemp("report")
    rows = [row("float32", 0, 1.0, 0.003), row("bits", 0, 0.61, 0.01), row("bits", 4, 0.96, 0.005),
            row("int8", 0, 0.98, 0.004), row("int8", 4, 1.0, 0.003), row("bits", 0, 0.5, 0.01, k=1),
            row("unknown", 0, 0.7, float("nan"), metric="top1")]  # fmt: skip
    stored = {"float32": (128.0, 0.0), "int8": (32.0, 0.0), "bits": (4.0, 16.0), "unknown": (8.0, 0.0)}
    first = write_extras(write_folder(base / "first", rows, stored), "bits", queries=IDS[:3], ids=IDS)
    other = write_folder(base / "other", [row("bits", 0, 0.8, 0.01, dataset="e")], {"bits": (4.0, 0.0)})
    return write_report(read_results(first), read_results(other), out=base / "report.html").as_uri()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The freshly loaded page, of 1200 x 900 pixels, in light colours."""
    browser.get_log("browser")
    shown(browser, 1200)
    browser.get(address)
    yield browser
    assert browser.get_log("browser") == []


def shown(browser: Any, width: int, *, scheme: str = "light", media: str = "") -> None:
    """Set the width and what the style sheet's media queries ask for."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def column(page: Any, at: int, attribute: str = "") -> list[str]:
    """One column of the first table of settings: texts or attributes of the rows that are shown."""
    script = """const rows = [...document.querySelector("#d0-0-settings tbody").rows].filter(r => !r.hidden);
                const cells = rows.map(r => r.cells[arguments[0]]);
                return cells.map(c => arguments[1] ? c.dataset[arguments[1]] : c.innerText)"""
    return page.execute_script(script, at, attribute)


def header(page: Any, name: str) -> Any:
    """A heading's button in the first table of settings."""
    found = page.find_elements("css selector", "#d0-0-settings th button")
    return next(button for button in found if button.text.startswith(name))


def order(page: Any, name: str) -> str | None:
    return page.execute_script("return arguments[0].closest('th').getAttribute('aria-sort')", header(page, name))


def test_sorting_by_click_and_by_keyboard(page: Any) -> None:
    header(page, "overlap").click()
    values = column(page, 2, "value")
    known = [float(value) for value in values if value]
    assert known == sorted(known, reverse=True)
    assert values[-1] == ""  # what is not known comes last, both ways
    assert order(page, "overlap") == "descending"
    assert order(page, "bytes") is None
    header(page, "overlap").send_keys("\ue007")  # Enter
    values = column(page, 2, "value")
    assert [float(value) for value in values if value] == sorted(known)
    assert values[-1] == ""
    assert order(page, "overlap") == "ascending"
    header(page, "variant").send_keys(" ")
    assert column(page, 0) == sorted(column(page, 0))
    header(page, "bytes").click()
    assert [float(value) for value in column(page, 1, "value")] == sorted(float(x) for x in column(page, 1, "value"))


def test_every_control_can_be_reached_and_seen_with_the_keyboard(page: Any) -> None:
    reached = set()
    for _ in range(120):
        page.switch_to.active_element.send_keys("\ue004")  # Tab
        name, outline = page.execute_script(
            "const e = document.activeElement, name = e.tagName + ' ' + (e.name || e.innerText).trim();"
            "return [name, getComputedStyle(e).outlineStyle]"
        )
        if name.startswith("BODY"):
            break
        assert outline != "none", name
        reached.add(name)
    for name in ("A Skip to the answer", "INPUT text", "SELECT k", "SELECT factor", "BUTTON overlap", "SUMMARY bits"):
        assert name in reached, name


def test_filters(page: Any) -> None:
    output = page.find_element("css selector", "form[data-table=d0-0-settings] output")
    assert output.text == "4 of 7 shown"  # k = 10 and the codes alone first
    field = page.find_element("css selector", "form[data-table=d0-0-settings] input")
    field.send_keys("BI")
    assert column(page, 0) == ["bits"]
    assert output.text == "1 of 7 shown"
    page.find_element("css selector", "form[data-table=d0-0-settings] select[name=factor] option[value='4']").click()
    assert (column(page, 0), column(page, 5)) == (["bits"], ["×4"])
    field.send_keys("\ue007")  # Enter must not load the page again
    assert output.text == "1 of 7 shown"
    page.find_element("css selector", "form[data-table=d0-0-settings] select[name=k] option[value='']").click()
    page.find_element("css selector", "form[data-table=d0-0-settings] select[name=factor] option[value='']").click()
    assert output.text == "3 of 7 shown"


def contrast(page: Any, selector: str) -> float:
    """WCAG 2.1 contrast of an element's text with the page, by its definition of relative luminance."""
    script = """const e = document.querySelector(arguments[0]);
                return [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"""
    lights = []
    for color in page.execute_script(script, selector):
        channels = [float(part) / 255 for part in color.split("(")[1].rstrip(")").split(",")[:3]]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in channels]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_can_be_read(page: Any, scheme: str) -> None:
    shown(page, 1200, scheme=scheme)
    back = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")
    for selector in ("h1", ".muted", "a.term", ".verdict.worse", "li.gained", "small", ".level"):
        assert contrast(page, selector) >= 4.5, selector
    chart = page.find_element("css selector", "svg.wide")
    pixels = np.asarray(Image.open(io.BytesIO(chart.screenshot_as_png)).convert("L"))
    ground, darkest, lightest = np.median(pixels), pixels.min(), pixels.max()
    assert (ground > 200 > 100 > darkest) if scheme == "light" else (ground < 50 < 180 < lightest)


@pytest.mark.parametrize("width", [320, 360, 800, 1200])
def test_the_page_never_scrolls_sideways(page: Any, width: int) -> None:
    shown(page, width)
    page.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    over = page.execute_script(
        """return [...document.querySelectorAll("main *")].filter(e => !e.closest(".scroll, pre, svg, .sr") &&
                  e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert over == []
    kind = "narrow" if width < 640 else "wide"
    visible = page.execute_script(
        "return [...document.querySelectorAll('svg')].filter(s => s.getClientRects().length).map(s => s.classList[0])"
    )
    assert set(visible) == {kind}


def test_a_phone_shows_numbers_beside_the_name(page: Any) -> None:
    shown(page, 390)
    seen = page.execute_script(
        """return [...document.querySelectorAll("#d0-0-settings th[scope=col]")].filter(e =>
                  e.getBoundingClientRect().right <= innerWidth).map(e => e.innerText.trim())"""
    )
    assert seen[:3] == ["variant", "bytes", "overlap"]


def test_on_paper(page: Any) -> None:
    """Dark screens print dark on white, controls stay away, nothing is folded or cut off."""
    shown(page, 800, scheme="dark", media="print")
    state = page.execute_script(
        """return [getComputedStyle(document.body).backgroundColor,
                  getComputedStyle(document.querySelector(".filters")).display,
                  getComputedStyle(document.querySelector(".scroll")).maxHeight,
                  getComputedStyle(document.querySelector("svg")).filter]"""
    )
    assert state == ["rgb(255, 255, 255)", "none", "none", "none"]
    folded = "return document.querySelectorAll('details:not([open])').length"
    before = page.execute_script(folded)
    assert before > 0
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert page.execute_script(folded) == 0
    page.execute_script("dispatchEvent(new Event('afterprint'))")
    assert page.execute_script(folded) == before
    printed = base64.b64decode(page.print_page())
    assert printed.startswith(b"%PDF")


def test_nothing_is_asked_of_the_network(browser: Any, address: str) -> None:
    browser.get_log("performance")
    browser.get(address)
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
    assert urls
    assert not [url for url in urls if not url.startswith(("file:", "data:"))]


def test_without_scripts_everything_is_there(browser: Any, address: str, tmp_path: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        shown_rows = browser.find_elements("css selector", "#d0-0-settings tbody tr")
        assert [one.is_displayed() for one in shown_rows] == [True] * 7
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
