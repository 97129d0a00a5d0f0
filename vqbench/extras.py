"""How an extra is installed where vqbench runs."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from importlib.util import find_spec

_ADVICE = re.compile(r"pip install ('vqbench\[\w+\]')")


def runnable(text: str) -> str:
    """Return a message with its ``pip install 'vqbench[EXTRA]'`` as a command that works here.

    pip must belong to the Python that runs this, which may not be the first one on the PATH. Tables keep the plain
    words, since they are read elsewhere.

    >>> runnable("no extra is named")
    'no extra is named'
    """
    if find_spec("pip") is None or shutil.which("python") == sys.executable:
        return text
    return _ADVICE.sub(lambda match: f"{shlex.quote(sys.executable)} -m pip install {match[1]}", text)
