"""Objects that several flows may share, and that a flow names: paths and listeners."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def shared(given: T | str, kind: type[T], key: str) -> T:
    """The object that a flow is to use: the one given, or one of its own if it names none.

    ValueError for a name: whoever runs flows looks names up before the start.
    """
    if not isinstance(given, str):
        return given
    if given:
        raise ValueError(f"{key} {given!r}; allowed: the name of a [[{key}]] table, looked up before the start")
    return kind()
