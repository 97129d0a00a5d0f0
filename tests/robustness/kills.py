"""Kill a tiny sweep again and again, and look at what it left: ``python tests/robustness/kills.py --kills 1000``.

Each sweep is a child forked from one process that has everything imported, so that a kill costs half a second. A child
counts its steps on files: making, filling, syncing, renaming, removing. It can be killed before or after any of them,
with half of a file's content on the disk, or at a random moment; the plug can be pulled; or a step fails, as on a full
disk. Afterwards the store may hold whole cells only, and the same command must finish, without evaluating a finished
cell, and write the same metrics.csv, byte for byte.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import signal
import sys
import tempfile
from pathlib import Path

from kill_bench import DRAWN, Bench, damaged_cells, passing, tables
from kill_steps import Act, Steps, failing, killed_after, killed_before, torn
from unplugged import unplugged_at


def at_step(bench: Bench, act: Act, at: int) -> list[str]:
    """Kill at one step, in a folder that holds the tables of another run; what is wrong then."""
    bench.fresh()
    ran = bench.run(Steps(bench.out, at, act))
    wrong = [] if ran.status == -signal.SIGKILL else [f"the killed run ended with {ran.status}: {ran.printed[-400:]}"]
    wrong += ["tables of two runs are taken for whole"] * bench.mixed(bench.older, bench.reference)
    wrong += bench.half_drawn()
    return [f"{act.__name__}, step {at}: {each}" for each in wrong + bench.faults_left()]


def at_random(bench: Bench, moment: random.Random) -> tuple[int, list[str]]:
    """Kill one to three runs, each at a random moment, before one may finish: how many died, and what is wrong."""
    bench.fresh()
    ends = [bench.killed_at_random(moment).status for _ in range(moment.randint(1, 3))]
    mixed = ["tables of two runs are taken for whole"] * bench.mixed(bench.older, bench.reference)
    return ends.count(-signal.SIGKILL), mixed + bench.faults_left()


def failed_step(bench: Bench, number: int, at: int) -> list[str]:
    """One step fails with this errno: the run says where and why, and leaves nothing half-written behind.

    What cannot be removed is no fault, and goes with the next run.
    """
    bench.fresh()
    kind = bench.home / "kind"
    act = failing(number, kind)
    ran = bench.run(Steps(bench.out, at, act))
    removing = kind.read_text() == "unlink"
    told = ran.printed + (bench.out / "metrics.csv").read_text()
    wrong = damaged_cells(bench.out) + bench.half_drawn()
    if ran.status != 1:  # else failed cells have rows of their own
        wrong += ["tables of two runs are taken for whole"] * bench.mixed(bench.older, bench.reference)
    if "Traceback" in ran.printed or ran.status not in ((0, 2) if removing else (1, 2)):
        wrong.append(f"status {ran.status}: {ran.printed[-400:]}")
    if ran.status and not (os.strerror(number) in told and str(bench.out) in told and "same command" in told):
        wrong.append(f"does not say what to do: {told[-400:]}")
    if ran.status == 2 and kind.read_text() == "open" and tables(bench.out) not in (bench.older, bench.reference):
        wrong.append("older tables were lost")
    if not removing:
        wrong += [f"left behind: {path}" for path in passing(bench.out)]
    return [f"{os.strerror(number)}, step {at} ({kind.read_text()}): {each}" for each in wrong + bench.faults_left()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="at random moments; then at every step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--drawn", action="store_true", help="with figures and a report; and every step fails, too")
    given = parser.parse_args()
    killed, wrong = 0, list[str]()
    with tempfile.TemporaryDirectory() as home:
        bench = Bench(Path(home), DRAWN if given.drawn else ())
        bench.prepare()
        steps = len(bench.steps)
        print(f"{steps} steps, {bench.seconds:.2f} s a run", flush=True)
        moment = random.Random(given.seed)
        while killed < given.kills:
            died, found = at_random(bench, moment)
            killed, wrong = killed + died, wrong + found
            if found or killed % 50 < died:
                print(f"killed at {killed} random moments: {len(wrong)} faults", flush=True)
        for act in (killed_before, killed_after, torn):
            for at in range(1, steps + 1):
                wrong += at_step(bench, act, at)
            print(f"{act.__name__}, {steps} steps: {len(wrong)} faults in all", flush=True)
        for at in () if given.drawn else range(1, steps + 1):
            wrong += unplugged_at(bench, at, moment)
        print(f"unplugged, {steps} steps: {len(wrong)} faults in all", flush=True)
        for number in (errno.ENOSPC, errno.EIO) if given.drawn else ():
            for at in range(1, steps + 1):
                wrong += failed_step(bench, number, at)
            print(f"{os.strerror(number)}, {steps} steps: {len(wrong)} faults in all", flush=True)
    print("\n".join(wrong) or "no faults")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
