"""The errors that vqbench raises on purpose."""


class VqbenchError(Exception):
    """A mistake that the user can mend. The message names place, value, rule and remedy.

    The command line prints it as one line and exits with status 2; what was there before is kept.
    """


class NotApplicableError(VqbenchError):
    """A variant that makes no sense on this dataset: its cell is ``skipped``, with this reason."""


def one_line(text: str, most: int = 300) -> str:
    """Text of a file's, fit for a message or the screen: cut, on one line, control characters as escapes."""
    cut = text if len(text) <= most else f"{text[: most - 4]} ..."
    return "".join(x if x.isprintable() else x.encode("unicode_escape").decode() for x in cut)
