"""What a source of traffic is: it sends packets into the stack, and is told of its frames once they are on the wire.

A kind of flow is one class in one file of this package, or offered by a package of its own under the entry point
``ringwire.flows``; its dataclass fields are the keys of a ``[[flow]]`` table in an experiment's file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from random import Random
from typing import ClassVar, Final, Protocol

from ringwire.netdev import NetDevice
from ringwire.netdev.device import Clock
from ringwire.registry import Registry
from ringwire.skb import Skb
from ringwire.sock import Sock

NEVER_NS: Final = 1 << 62
"""A ``lookahead_ns``: it does not matter when this flow learns of a frame."""


class UnknownFlow(LookupError):
    """There is no flow of this kind; says which there are."""


FLOWS: Registry[Flow] = Registry("kind of flow", "ringwire.traffic", "ringwire.flows", UnknownFlow)


class Environment(Protocol):
    """What an experiment gives to a flow when it starts."""

    dev: NetDevice
    clock: Clock
    """Of the CPU that the flow's sender runs on, behind interrupts and softirqs."""
    random: Random
    """The flow's own: no other flow changes what it draws."""

    def now_ns(self) -> int:
        """Simulated time on the CPU that is running."""
        ...

    def charge(self, cost_ns: int) -> None:
        """Let the running CPU spend some time, such as ``syscall_ns``."""
        ...

    @property
    def syscall_ns(self) -> int:
        """What one send call costs."""
        ...

    def send(self, flow: Flow, skb: Skb, written_ns: int | None = None) -> int:
        """Hand a packet of ``flow`` to the stack; what dev_queue_xmit returns.

        ``written_ns`` is when the application had it ready (now, if not given): what lies between the two counts as
        the socket's share of its latency. ``skb.sk`` becomes the flow's, ``skb.destructor`` stays the caller's.
        """
        ...


class Flow(ABC):
    """A source of traffic. The kinds are dataclasses; ``start`` is called once, before anything else."""

    kind: ClassVar[str]
    name: str
    sk: Sock

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        FLOWS.note(cls)

    @property
    def lookahead_ns(self) -> int:
        """How long after a frame's end the flow may be told of it; 0: at once, so that each wakes the host."""
        return NEVER_NS

    @abstractmethod
    def start(self, env: Environment) -> None:
        """Begin: schedule the first packet on ``env.clock``."""

    def arrived(self, skb: Skb, frame: bytes, end_ns: int) -> int | None:
        """One of its frames has left: the last byte of its FCS, at ``end_ns``. ``skb`` is what the driver was given.

        Called in order of the wire, at most ``lookahead_ns`` after ``end_ns``. Returns when the frame is with its
        receiver, in ns, if the flow has a path of its own and the frame is not lost on it.
        """
        return None

    def stop(self) -> None:
        """Send no more; what is on its way goes on."""
        return None

    def state(self) -> Mapping[str, float]:
        """What the experiment's time series show of it, by name with unit: ``{"cwnd_packets": 10}``."""
        return {}

    def totals(self) -> Mapping[str, float]:
        """What its row of the summary shows beside what the wire shows, by name with unit."""
        return {}


FLOWS.base = Flow


__all__ = ["FLOWS", "NEVER_NS", "Environment", "Flow", "UnknownFlow"]
