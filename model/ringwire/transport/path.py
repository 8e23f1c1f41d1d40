"""What lies between the wire and a receiver: delay both ways and, if asked for, a bottleneck with a buffer of its own.

A frame reaches the bottleneck ``delay_ns`` after its end on the wire, waits there for those before it, and is with the
receiver once its last byte has been sent on; acknowledgements come back after ``reverse_delay_ns``. Flows that name one
path share it. Nothing here is an event: a frame's fate follows from those before it, and is known when it is told of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from ringwire.qdisc.psched import cells
from ringwire.ranges import check
from ringwire.transport.timers import Clock, FarClock

ETHERNET_OVERHEAD = 24
"""Bytes a frame beside itself: preamble 8, FCS 4, gap 12."""
_NS_BITS = 8_000_000_000
MAX_DELAY_NS = 60 * 1_000_000_000
MAX_RATE_BPS = 10**12
OF_BOTTLENECK = {"needs": ("rate_bps", None)}
"""Of keys that have no effect without a bottleneck."""
LINK_LAYERS = ("ethernet", "atm", "adsl")
"""As in lines of tc; the last two are the same."""


@dataclass(eq=False)
class Path:
    """One path; the fields are the keys of a ``[[path]]`` table. ValueError for what can't be.

    Frames have to be told of in order of the wire, whichever flow they are of.
    """

    name: str = ""
    delay_ns: int = 500_000
    """From the wire to the bottleneck, or to the receiver if there is none."""
    reverse_delay_ns: int | None = None
    """From the receiver to the sender; as ``delay_ns``, if not given."""
    rate_bps: int | None = None
    """Of the bottleneck; None: there is none."""
    limit_packets: int | None = field(default=1000, metadata=OF_BOTTLENECK)
    """Frames in the bottleneck's buffer, the one being sent included; what comes beyond is dropped. None: no limit."""
    limit_bytes: int | None = field(default=None, metadata=OF_BOTTLENECK)
    """Their bytes."""
    ecn_threshold_bytes: int | None = field(default=None, metadata=OF_BOTTLENECK)
    """A frame that finds as much before it is marked, if its sender takes part in ECN."""
    loss: float = 0.0
    """Share of the frames that get lost at random behind the bottleneck."""
    overhead_bytes: int = field(default=ETHERNET_OVERHEAD, metadata=OF_BOTTLENECK)
    """What a frame costs the bottleneck beside its bytes; may be negative, as where it has no Ethernet header."""
    mpu_bytes: int = field(default=60, metadata=OF_BOTTLENECK)
    """The least that a frame counts as, without overhead."""
    linklayer: str = field(default="ethernet", metadata=OF_BOTTLENECK)
    """Of the bottleneck; atm, adsl: frame and overhead fill whole cells, 53 bytes for each 48."""

    frames: int = field(default=0, init=False, repr=False)
    """Of all flows: those that came."""
    drops: int = field(default=0, init=False, repr=False)
    """... that found the buffer full."""
    marks: int = field(default=0, init=False, repr=False)
    losses: int = field(default=0, init=False, repr=False)
    on_frame: Callable[[int, int, int, int, int], None] | None = field(default=None, init=False, repr=False)
    """Told of each frame that comes to the bottleneck: when (ns), the frames and bytes that are in its buffer then, and
    how many frames have been dropped and marked so far.
    """

    def __post_init__(self) -> None:
        for name, low, high in (
            ("delay_ns", 0, MAX_DELAY_NS),
            ("reverse_delay_ns", 0, MAX_DELAY_NS),
            ("rate_bps", 1000, MAX_RATE_BPS),
            ("limit_packets", 1, 1 << 30),
            ("limit_bytes", 1514, 1 << 40),
            ("ecn_threshold_bytes", 0, 1 << 40),
            ("overhead_bytes", -64, 1024),
            ("mpu_bytes", 0, 9216),
        ):
            check(name, getattr(self, name), low, high)
        if self.linklayer not in LINK_LAYERS:
            raise ValueError(f"linklayer {self.linklayer}; allowed: {', '.join(LINK_LAYERS)}")
        self._cells = self.linklayer != "ethernet"
        if not 0 <= self.loss < 1:
            raise ValueError(f"loss {self.loss}; allowed: 0 to below 1")
        self._back_ns = self.delay_ns if self.reverse_delay_ns is None else self.reverse_delay_ns
        self._free = 0
        """When the bottleneck's link is free, in units of 1 / rate_bps ns: no rounding adds up."""
        self._held: deque[tuple[int, int]] = deque()
        """(departure in ns, bytes) of the frames in the buffer."""
        self._held_bytes = 0
        self._far: FarClock | None = None

    @property
    def back_ns(self) -> int:
        """The way of an acknowledgement."""
        return self._back_ns

    @property
    def lookahead_ns(self) -> int:
        """The least time from a frame's end on the wire to what comes back of it."""
        return self.delay_ns + self._back_ns

    def far(self, clock: Clock) -> FarClock:
        """The time at its other end, the same for all flows; ``clock`` of the first that asks is what wakes it."""
        if self._far is None:
            self._far = FarClock(clock, self._back_ns)
        return self._far

    def forward(self, end_ns: int, length: int, ecn: int, random: Random) -> tuple[int, int] | None:
        """When a frame of ``length`` bytes is with the receiver and its ECN field then; None: it is lost."""
        arrival_ns = end_ns + self.delay_ns
        self.frames += 1
        rate = self.rate_bps
        if rate is not None:
            held = self._held
            while held and held[0][0] <= arrival_ns:
                self._held_bytes -= held.popleft()[1]
            if (self.limit_packets is not None and len(held) >= self.limit_packets) or (
                self.limit_bytes is not None and self._held_bytes + length > self.limit_bytes
            ):
                self.drops += 1
                if self.on_frame is not None:
                    self.on_frame(arrival_ns, len(held), self._held_bytes, self.drops, self.marks)
                return None
            if ecn and self.ecn_threshold_bytes is not None and self._held_bytes >= self.ecn_threshold_bytes:
                self.marks += ecn != 3
                ecn = 3
            size = (length if length > self.mpu_bytes else self.mpu_bytes) + self.overhead_bytes
            if self._cells:
                size = cells(size)
            came_ns = arrival_ns
            free = arrival_ns * rate
            if self._free > free:
                free = self._free
            self._free = free = free + size * _NS_BITS
            arrival_ns = -(-free // rate)
            held.append((arrival_ns, length))
            self._held_bytes += length
            if self.on_frame is not None:
                self.on_frame(came_ns, len(held), self._held_bytes, self.drops, self.marks)
        if self.loss and random.random() < self.loss:
            self.losses += 1
            return None
        return arrival_ns, ecn
