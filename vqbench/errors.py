"""The errors that vqbench raises on purpose."""


class VqbenchError(Exception):
    """A mistake that the user can fix. The message says what is wrong, where, and what to do.

    The command line prints it as one line and exits with status 2. Earlier results are kept.
    """


class NotApplicableError(VqbenchError):
    """A variant cannot run on this dataset: its cell is ``skipped``, with this message as the reason."""
