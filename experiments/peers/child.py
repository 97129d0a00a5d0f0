"""Run by path, as a process of its own: start a command, wait, print its seconds, peak memory and exit status.

A child's peak memory starts from that of the process which starts it, so a large process must not do this itself. Where
the system has no ``wait4`` (Windows), the peak is null.
"""

import json
import os
import subprocess
import sys
import time


def main() -> None:
    """Run the command that follows on the command line; of its output only the end of standard error is kept."""
    with open(os.devnull, "wb") as nowhere:
        start = time.perf_counter()
        process = subprocess.Popen(sys.argv[1:], stdout=nowhere, stderr=subprocess.PIPE)
        assert process.stderr is not None
        errors = process.stderr.read()
        peak = None
        if hasattr(os, "wait4"):
            _, status, used = os.wait4(process.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        else:
            code = process.wait()
        seconds = time.perf_counter() - start
    print(
        json.dumps(
            {"seconds": seconds, "peak": peak, "status": code, "errors": errors.decode("utf-8", "replace")[-2000:]}
        )
    )


if __name__ == "__main__":
    main()
