"""The way between software and device, and what may stand in it: an observer, or something that goes wrong.

Layers lie on one another. A register access goes down through them to the device, an interrupt comes up:

    driver's port -> ... -> BusLayer -> BusLayer -> World
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from ringwire.host.cpu import Cpu


class Bus(Protocol):
    """What a port needs of the world below it. Times in ps on the world's clock."""

    def post_write(self, due_ps: int, register: int, value: int) -> None:
        """Have a register written at ``due_ps``."""
        ...

    def post_read(self, due_ps: int, register: int, answer: Callable[[int, int], None]) -> None:
        """Have a register read at ``due_ps``; then ``answer(time_ps, value)``."""
        ...

    def listen(self, vector: int, cpu: Cpu, handler: Callable[[], None]) -> None:
        """Have ``handler`` run on ``cpu`` for each interrupt of ``vector``."""
        ...


class BusLayer:
    """Hands everything on. A subclass looks at what passes, or changes it.

    ``world.bus = Layer(world.bus)`` puts it on top, for the ports that are made from then on.
    """

    def __init__(self, below: Bus) -> None:
        self.below = below
        for name in ("post_write", "post_read", "listen"):
            if getattr(type(self), name) is getattr(BusLayer, name):
                with suppress(AttributeError):  # a compiled layer keeps its methods, which cost little
                    setattr(self, name, getattr(below, name))  # what a layer does not look at goes past it

    def post_write(self, due_ps: int, register: int, value: int) -> None:
        """A register write on its way down."""
        self.below.post_write(due_ps, register, value)

    def post_read(self, due_ps: int, register: int, answer: Callable[[int, int], None]) -> None:
        """A register read on its way down."""
        self.below.post_read(due_ps, register, answer)

    def listen(self, vector: int, cpu: Cpu, handler: Callable[[], None]) -> None:
        """A handler on its way down; each of its calls is an interrupt on its way up."""
        self.below.listen(vector, cpu, handler)
