"""``python -m vqbench`` and the ``vqbench`` script."""

from __future__ import annotations

import sys

from vqbench.cli import main


def run() -> None:
    """Run the command line and exit with its status."""
    sys.exit(main())


if __name__ == "__main__":
    run()
