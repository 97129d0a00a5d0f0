"""The parser of the commands' arguments."""

from __future__ import annotations

import argparse
import difflib
from typing import NoReturn

from vqbench.errors import VqbenchError


class Parser(argparse.ArgumentParser):
    """An argument parser that raises VqbenchError with one line, instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        """Raise VqbenchError with argparse's message, in plainer words."""
        for kind, ours in (("float", "a number"), ("int", "a whole number")):
            message = message.replace(f"invalid {kind} value:", f"must be {ours}, not")
        if message.startswith("unrecognized arguments: "):
            word = message.split()[2]
            option = word.partition("=")[0]
            close = difflib.get_close_matches(option, self._option_string_actions, n=1) if word.startswith("-") else []
            what = "is no option" if word.startswith("-") else "is one argument too many"
            message = f"{word}: {what}{f'; did you mean {close[0]}?' if close else ''}"
        command = f"{self.prog.removeprefix('vqbench ')}: " if self.prog != "vqbench" else ""
        joint = " " if message.endswith("?") else "; "
        raise VqbenchError(f"{command}{message.removeprefix('argument ')}{joint}see {self.prog} --help")


def whole(text: str) -> int:
    """Read 10_000_000, 10,000,000 or 1e7 as a whole number of at least 1."""
    try:
        number = float(text.replace(",", ""))
        if number == int(number) >= 1:
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"{text}: needs a whole number of at least 1, as in 10_000_000")
