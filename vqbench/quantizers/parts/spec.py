"""Settings that check themselves: the choices of a field, and the limits that stand beside its type."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from vqbench.errors import VqbenchError


@dataclass(frozen=True)
class Limits:
    """Limits of a number, written beside the type of a field.

    >>> Limits(1, 8).rule
    'from 1 to 8'
    """

    least: float = -np.inf  # the smallest number that is allowed
    most: float = np.inf  # the largest one
    above: bool = False  # whether ``least`` itself is excluded
    advice: str = ""  # what to choose instead, after the rule

    @property
    def rule(self) -> str:
        """The limits in words."""
        if self.most == np.inf:
            return f"{'above' if self.above else 'at least'} {self.least:g}"
        return (
            f"above {self.least:g} and at most {self.most:g}" if self.above else f"from {self.least:g} to {self.most:g}"
        )

    def check(self, name: str, value: float) -> None:
        """Raise VqbenchError where ``value`` is outside, or is not finite."""
        if not (self.least <= value <= self.most and np.isfinite(value)) or (self.above and value == self.least):
            raise VqbenchError(f"{name} = {value}: must be {self.rule}{self.advice}")


#: Bits of one number: at most a byte, in which it can be kept alone.
Bits = Annotated[int, Limits(1, 8)]
#: A number of rows, rounds or dimensions.
Count = Annotated[int, Limits(1)]


@dataclass(frozen=True, kw_only=True)
class Spec(ABC):  # noqa: B024  # its subclasses say what ``fit`` returns
    """A setting without state: a frozen dataclass whose fields are checked when it is made.

    A ``Literal`` takes one of its values; ``Annotated[float, Limits(...)]`` a number within limits.
    A subclass with rules of its own calls ``super().__post_init__()`` first.
    """

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def computed_by(self) -> str:
        """The library that computes the result, with its version, as ``faiss 1.9.0``; empty for vqbench's own code.

        Finished cells are valid for that version only.
        """
        return ""


def check_fields(spec: object) -> None:
    """Raise VqbenchError for the first field of a dataclass whose value its type or its limits exclude."""
    for name, options in _options(type(spec)).items():
        value = getattr(spec, name)
        for option in options if value is not None else ():
            if get_origin(option) is Literal and value not in get_args(option):
                choices = ", ".join(map(str, get_args(option)))
                raise VqbenchError(f"{name} = {value!r}: must be one of {choices}")
            for limits in getattr(option, "__metadata__", ()):
                limits.check(name, value)


@cache
def _options(spec: type) -> dict[str, tuple[Any, ...]]:
    """The alternatives of each field's type; a field without alternatives has one."""
    hints = get_type_hints(spec, include_extras=True)
    return {name: (hint, *get_args(hint)) for name, hint in hints.items()}
