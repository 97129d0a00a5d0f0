"""The errors that vqbench raises on purpose."""


class VqbenchError(Exception):
    """A mistake that the user can mend. The message names place, value, rule and remedy.

    The command line prints it as one line and exits with status 2; what was there before is kept.
    """


class NotApplicableError(VqbenchError):
    """A variant that makes no sense on this dataset: its cell is ``skipped``, with this reason."""
