"""What a ``show`` command prints, as text and as JSON from the same description."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class Repeated(str):
    """A key that an object may have several times, as tc's JSON has some."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass(slots=True)
class Output:
    """One discipline, class or filter on its way out; flags are those of the command line."""

    details: bool = False
    statistics: bool = False
    pretty: bool = False
    text: str = ""
    json: dict[str, Any] = field(default_factory=dict)

    def item(self, key: str, text: str, value: Any = None) -> None:
        """A value: ``text`` goes into the text as it is, ``value`` into the JSON object under ``key``.

        An empty ``text`` or a ``value`` None is left out there.
        """
        self.text += text
        if value is not None:
            self.json[key] = value

    def nested(self, key: str) -> Output:
        """An object within: same flags, to be closed with :meth:`close`."""
        return Output(self.details, self.statistics, self.pretty)

    def close(self, key: str, inner: Output) -> None:
        """Take in what a nested object holds."""
        self.text += inner.text
        self.json[key] = inner.json
