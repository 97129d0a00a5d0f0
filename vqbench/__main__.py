"""``python -m vqbench`` and the ``vqbench`` script."""

from __future__ import annotations

import os
import sys

from vqbench.cli.main import main


def run() -> None:
    """Run the command line and exit with its status."""
    try:
        sys.exit(main())
    except BrokenPipeError:  # whoever read the output has gone, as in ``vqbench ... | head``
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    run()
