"""What every kind of world hands back of the wire."""

from __future__ import annotations

from typing import Protocol


class Frame(Protocol):
    """A frame as the device sent it: padded, without FCS."""

    @property
    def start_ps(self) -> int:
        """Its first beat, on the world's clock."""
        ...

    @property
    def queue(self) -> int: ...
    @property
    def data(self) -> bytes: ...
