"""Feed damaged results folders to the commands that read them: only a VqbenchError or an answer may come of it.

    PYTHONPATH=tests/helpers python tests/robustness/fuzz_results.py --mutations 2000 --seed 1

One file of a small folder is damaged at a time. ``recommend``, ``compare`` with the
whole one, ``scale``, the tables on the screen, ``report`` and, every ``_FIGURES`` times since it is slow, ``figures``
then read it. See ``fuzz.py`` for what counts as a problem.
"""

from __future__ import annotations

import argparse
import io
import random
import shutil
import sys
import tempfile
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from itertools import islice
from pathlib import Path
from unittest import mock

import pandas as pd
from folders import copied
from fuzz import fuzz, watched
from matplotlib.figure import Figure
from mutations import mutated
from rich.console import Console
from rich.progress import Progress

from vqbench.analysis.compare import compare
from vqbench.analysis.recommend import recommend
from vqbench.cli.screens import engines, scale, summary
from vqbench.experiment.plan import make_plan
from vqbench.experiment.run import run
from vqbench.report.figures import folder as figures
from vqbench.report.page import write_report
from vqbench.results.assemble import assemble
from vqbench.results.columns import BACKENDS
from vqbench.results.folder import read_results

_FIGURES = 10
_SHOWN = 500  # after so many the counts are printed
_SECONDS = 3.0  # of processor time, for all commands but figures
_DRAWING = 20.0  # of them, too
_VARIANTS = {
    "float32": {"quantizer": {"_target_": "vqbench.quantizers.cast.Cast", "dtype": "float32"}},
    "offset_int8": {"quantizer": {"_target_": "vqbench.quantizers.offset_int8.OffsetInt8"}},
    "binary": {"quantizer": {"_target_": "vqbench.quantizers.binary.Binary"}, "similarity": "hamming"},
    "lost": {"quantizer": {"_target_": "vqbench.quantizers.offset_int8.OffsetInt8"}, "similarity": "hamming"},
}


@cache
def good_folder() -> dict[str, bytes]:
    """The files of a sweep over two sizes of one corpus, as a run writes them."""
    data = {"_target_": "vqbench.datasets.synthetic.Synthetic", "n": 80, "d": 16, "queries": 12, "clusters": 4}
    config = {
        "datasets": {"c": data, "c_40": {**data, "rows": 40}}, "quantizer": _VARIANTS, "k": [10], "oversample": [0, 2],
        "metric": {"overlap": {"_target_": "vqbench.metrics.overlap.Overlap"}}, "seed": 0, "cache": "off",
        "doctor": True,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as above, Progress(disable=True) as progress:
        made = assemble([run(make_plan({**config, "out": str(Path(above, "made"))}), progress)])
        folder = copied(made, Path(above, "copy"))
        _engines().to_csv(folder / "backends.csv", index=False)
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _engines() -> pd.DataFrame:
    """Two settings of an engine, and one that did not run."""
    ran = {"dataset": "c", "variant": "binary", "similarity": "hamming", "engine": "faiss", "version": "1",
           "repeats": True, "seed": 0, "k": 10, "predicted": 0.6, "predicted_low": 0.55, "predicted_high": 0.65,
           "obtained": 0.61, "difference": 0.01, "ci_low": -0.01, "ci_high": 0.02, "agreement": 1.0, "shortfall": 0.0,
           "absent": 0, "n_queries": 12, "bytes_predicted": 2, "bytes_codes": 2, "bytes_disk": 2.5,
           "status": "ok"}  # fmt: skip
    lost = {"dataset": "c", "backend": "none", "engine": "none", "seed": 0, "status": "skipped", "reason": "no such"}
    return pd.DataFrame(
        [{**ran, "backend": "one"}, {**ran, "backend": "two", "agreement": 0.9}, lost], columns=BACKENDS
    )


def damaged(count: int, seed: int) -> Iterator[bytes]:
    """The name of a file in a line, and what it is damaged to."""
    rng, good = random.Random(seed), good_folder()
    names = [name for name in good if not name.endswith(".html")]
    for _ in range(count):
        name = rng.choice(names)
        yield f"{name}\n".encode() + mutated(rng, [good[name]])


def judged(path: Path) -> str:
    """``refused``, ``read``, or what is wrong."""
    name, _, content = path.read_bytes().partition(b"\n")
    good, bad = (path.with_suffix(end) for end in (".good", ".bad"))
    for folder in (good, bad):
        folder.mkdir()
        for other, whole in good_folder().items():
            (folder / other).write_bytes(whole)
    (bad / name.decode()).write_bytes(content)
    drawn = zlib.crc32(content) % _FIGURES == 0
    try:
        with ExitStack() as stack:
            for module in (summary, engines):
                screen = Console(file=io.StringIO(), width=100)
                stack.enter_context(mock.patch.object(module, "console", return_value=screen))
            # What recommend says of a dataset is said beside the folder that the user named.
            found = watched(path, lambda: _sweep(good, bad, drawn), _DRAWING if drawn else _SECONDS, named=False)
        return found if found.startswith(("read", "refused")) else f"{found} ({name.decode()})"
    finally:
        shutil.rmtree(good)
        shutil.rmtree(bad)


def _sweep(good: Path, bad: Path, drawn: bool) -> str:
    results = read_results(bad)
    for dataset in results.meta["datasets"]:
        recommend(results, dataset=dataset, target=0.9)
    compare(read_results(good), results)
    summary.summary(results)
    engines.print_engines(results)
    page = write_report(results).read_text("utf-8")
    if page.count("<script") != 1 or any(unicodedata.category(x) == "Cc" for x in set(page) - {"\n", "\t"}):
        return "wrong: a page with more than our script, or with controls"
    if drawn:
        _draw(bad)
    scale.show(results, 1000, None, Console(file=io.StringIO(), width=100))
    return "read"


def _draw(folder: Path) -> None:
    """All figures, laid out but not written: that takes most of the time."""

    def save(figure: Figure, stem: Path) -> list[Path]:
        figure.draw_without_rendering()
        return []

    with mock.patch.object(figures, "save", save), Progress(disable=True) as progress:
        figures.draw_all(read_results(folder), progress)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    status, counts, waiting = 0, Counter[str](), damaged(given.mutations, given.seed)
    while some := list(islice(waiting, _SHOWN)):
        outcome = fuzz(".results", some, judged)
        counts.update(outcome.counts)
        for problem, content in outcome.problems:
            status = 1
            print(f"  {problem[:1900]}\n    {content[:60]!r}")
        print(dict(counts), flush=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
