"""Arguments of the commands beside the sweep."""

from __future__ import annotations

import argparse
import difflib
from typing import NoReturn

from vqbench.errors import VqbenchError


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are errors of ours: one line, exit status 2."""

    def error(self, message: str) -> NoReturn:
        command = self.prog.removeprefix("vqbench ")
        kinds = {"invalid float value": "must be a number, not", "invalid int value": "must be a whole number, not"}
        for words, ours in kinds.items():
            message = message.replace(f"{words}:", ours)
        if message.startswith("unrecognized arguments: "):
            first = message.removeprefix("unrecognized arguments: ").split()[0]
            named = f"--{first.lstrip('-').partition('=')[0]}"
            close = difflib.get_close_matches(named, self._option_string_actions, n=1) if first != named[2:] else []
            what = "is no option" if first.startswith("-") else "is one argument too many"
            message = f"{first}: {what}{f'; did you mean {close[0]}?' if close else ''}"
        joint = " " if message.endswith("?") else "; "
        raise VqbenchError(f"{command}: {message.removeprefix('argument ')}{joint}see vqbench {command} --help")


def whole(text: str) -> int:
    """10_000_000, 10,000,000 or 1e7, and at least 1."""
    try:
        number = float(text.replace(",", ""))
        found = int(number)
    except (ValueError, OverflowError):
        number, found = 0.5, 0
    if number != found or found < 1:
        raise argparse.ArgumentTypeError(f"{text}: needs a whole number of at least 1, as in 10_000_000")
    return found
