"""Parameters as dataclass fields that say how a front end reads and prints them.

The units that there are, and how each is read and printed, is in :mod:`ringwire.tools.tc.options`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


def option(
    unit: str,
    *,
    shown: str | None = None,
    default: Any = None,
    name: str | None = None,
    negative: str | None = None,
    choices: Sequence[str] = (),
) -> Any:
    """A parameter: the unit ``tc`` reads it in, and the one it is printed in ("" = not printed).

    ``name`` is its word where that is not the field's name. A ``flag`` has no value: its word sets it, and the word
    ``negative``, if given, clears it. A ``choice`` is one of ``choices``.
    """
    return field(
        default=default,
        metadata={
            "unit": unit,
            "shown": unit if shown is None else shown,
            "name": name,
            "negative": negative,
            "choices": tuple(choices),
        },
    )


def shown(unit: str, *, default: Any = None, name: str | None = None) -> Any:
    """A parameter or statistic that is printed but can't be set."""
    return field(default=default, metadata={"shown": unit, "name": name})


@dataclass(frozen=True, slots=True)
class NoParams:
    """Parameters of a discipline or class that has none."""
