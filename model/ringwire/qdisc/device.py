"""What a discipline uses of its device."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ringwire.skb import Skb

if TYPE_CHECKING:
    from ringwire.qdisc.base import AnyQdisc
    from ringwire.qdisc.offload import Offloads
    from ringwire.qdisc.teql import Equalizer
    from ringwire.qdisc.traffic_classes import TrafficClasses


class Timer(Protocol):
    """A pending ``call_at``."""

    def cancel(self) -> None: ...


class QdiscDevice(Protocol):
    """What a discipline uses of its device."""

    name: str
    mtu: int
    hard_header_len: int
    tx_queue_len: int
    num_tx_queues: int
    real_num_tx_queues: int
    hz: int
    default_qdisc: str
    """Kind that each queue of a multi-queue root gets (sysctl net.core.default_qdisc)."""
    watchdog_armed: Callable[[int, int], None] | None
    """Told (expiry, slack in ns) whenever a discipline asks for its watchdog."""

    random_u32: Callable[[], int]
    """get_random_u32: a number of 32 bits for disciplines that draw lots."""

    tx_dropped: int
    """Packets that were dropped where no discipline counts them."""

    qdisc: AnyQdisc
    """Its root discipline."""

    speed_mbps: int
    """Of its link, as ``ethtool`` shows it; 0 = not known."""
    max_mtu: int
    """Bytes, 0 = no bound."""
    offloads: Offloads
    """What its hardware does for disciplines."""
    equalizers: dict[str, Equalizer]
    """Link equalizers that it may be a slave of, by their names."""

    @property
    def traffic_classes(self) -> TrafficClasses | None:
        """How priorities go to transmit queues; None: they don't matter."""
        ...

    def set_traffic_classes(self, classes: TrafficClasses | None) -> None: ...
    def tx_stopped(self, queue: int) -> bool:
        """netif_xmit_stopped: a transmit queue takes no packets, because of the driver or of byte queue limits."""
        ...

    def now_ns(self) -> int: ...
    def call_at(self, when_ns: int, fn: Callable[[], None]) -> Timer: ...
    def schedule(self, qdisc: AnyQdisc) -> None:
        """Have the root discipline run in the transmit softirq."""
        ...

    def segment_for(self, skb: Skb) -> list[Skb]:
        """Cut a super-packet into packets that the device can take; GsoError if that is impossible."""
        ...

    def jiffies(self) -> int:
        """Linux's coarse clock, ``hz`` ticks a second."""
        ...

    def drop(self, skb: Skb) -> None:
        """Free a packet that will not be sent."""
        ...
