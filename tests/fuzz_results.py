"""Feed damaged results folders to the commands that read them: only a VqbenchError or an answer may come of it.

    python tests/fuzz_results.py --mutations 2000 --seed 1

One file of a small folder is damaged at a time; ``recommend``, ``compare`` with the whole one, and the table on the
screen then read it. See ``fuzz.py`` for what counts as a problem.
"""

from __future__ import annotations

import argparse
import io
import random
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from folders import row, write_extras, write_folder
from fuzz import fuzz
from mutations import mutated
from rich.console import Console

from vqbench import terminal
from vqbench.compare import compare
from vqbench.errors import VqbenchError
from vqbench.recommend import recommend
from vqbench.store import read_results

FILES = ("meta.json", "metrics.csv", "ledger.csv", "comparisons.csv", "timings.csv", "samples.parquet")


def whole(folder: Path) -> Path:
    """A small folder as a run writes it."""
    rows = [row("float32", 0, 1.0, 0.0), row("binary", 0, 0.6, 0.02), row("binary", 2, 0.9, 0.01)]
    rows.append(row("int8", 0, 0.98, 0.01))
    write_folder(folder, rows, {"float32": (128, 0), "binary": (4, 0), "int8": (32, 256)})
    return write_extras(folder, "binary", queries=["a", "b"], ids=[f"é{at}" for at in range(20)])


def damaged(count: int, seed: int) -> Iterator[bytes]:
    """The name of a file in a line, and what it is damaged to."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        good = {name: (whole(Path(folder, "r")) / name).read_bytes() for name in FILES}
    for _ in range(count):
        name = rng.choice(FILES)
        yield name.encode() + b"\n" + mutated(rng, [good[name]])


def judged(path: Path) -> str:
    """``refused``, ``read``, or what is wrong."""
    name, _, content = path.read_bytes().partition(b"\n")
    good, bad = (whole(path.with_suffix(end)) for end in (".good", ".bad"))
    (bad / name.decode()).write_bytes(content)
    try:
        results = read_results(bad)
        for dataset in results.meta["datasets"]:
            recommend(results, dataset=dataset, target=0.9)
        compare(read_results(good), results)
        with mock.patch.object(terminal, "console", return_value=Console(file=io.StringIO(), width=100)):
            terminal.summary(bad)
        return "read"
    except VqbenchError as error:
        return f"refused: {error}" if "\n" not in str(error) else f"wrong: message {error!r}"
    except Exception:
        return f"exception: {name.decode()}: {traceback.format_exc(limit=-4)}"
    finally:
        shutil.rmtree(good)
        shutil.rmtree(bad)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    outcome = fuzz(".results", damaged(given.mutations, given.seed), judged)
    print(dict(outcome.counts))
    for problem, content in outcome.problems:
        print(f"  {problem[:900]}\n    {content[:60]!r}")
    sys.exit(bool(outcome.problems))


if __name__ == "__main__":
    main()
