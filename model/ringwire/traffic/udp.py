"""UDP: datagrams of one size at a constant rate, at random (Poisson), or in bursts (on-off)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from ringwire.qdisc.base import XMIT_CN, XMIT_SUCCESS
from ringwire.ranges import check
from ringwire.skb import Skb
from ringwire.socket import SNDBUF_MIN, Socket
from ringwire.traffic.datagrams import UDP_HLEN, Datagrams
from ringwire.traffic.flow import Environment

PATTERNS = ("constant", "poisson", "onoff")
_NS_PER_S = 1_000_000_000
MAX_DATAGRAM = 16_640
AGAIN_NS = 10_000
"""After which a sender whose tries take no time tries again where the queue was full."""


@dataclass
class Udp(Datagrams):
    """Sends at ``rate_bps`` of its frames' bits, or ``pps`` datagrams a second.

    Without either, it sends as fast as its socket's send buffer lets it; on a host whose work takes no time, one that
    finds the queue full tries again after 10 us, for it would do so without end in the same moment. With
    ``sndbuf_bytes`` a write waits for room in that buffer, as a blocking socket's does, and what follows is late by as
    much; without, nothing waits, and what finds the queue full is dropped.
    """

    kind: ClassVar[str] = "udp"

    size_bytes: int = 1514
    """Of the frame, with all headers, without FCS."""
    rate_bps: int | None = None
    pps: float | None = None
    pattern: str = "constant"
    """constant; poisson: times between datagrams are exponential; onoff: bursts, and pauses between them."""
    on_ns: int = field(default=1_000_000, metadata={"needs": ("pattern", "onoff")})
    """Of onoff: how long a burst lasts on average (exponential)."""
    off_ns: int = field(default=1_000_000, metadata={"needs": ("pattern", "onoff")})
    """... and a pause. The rate is that of a burst."""
    sndbuf_bytes: int | None = None
    """Send buffer, bytes of truesize."""
    packets: int | None = None
    """How many to send; None: until it is stopped."""
    _stopped: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check("size_bytes", self.size_bytes, self.l4 + UDP_HLEN, MAX_DATAGRAM)
        if self.rate_bps is not None and self.pps is not None:
            raise ValueError("pps: there is a rate already; allowed: one of them")
        check("rate_bps", self.rate_bps, 1, 1 << 60)
        if self.pps is not None:
            check("pps", self.pps, 1e-3, 1e9)
        if self.pattern not in PATTERNS:
            raise ValueError(f"pattern {self.pattern}; allowed: {', '.join(PATTERNS)}")
        check("on_ns", self.on_ns, 1, 1 << 60)
        check("off_ns", self.off_ns, 1, 1 << 60)
        if self.sndbuf_bytes is not None:
            check("sndbuf_bytes", self.sndbuf_bytes, SNDBUF_MIN, 1 << 40)
        if self.packets is not None:
            check("packets", self.packets, 1, 1 << 60)
        self._unlimited = self.rate_bps is None and self.pps is None
        if self._unlimited and self.sndbuf_bytes is None:
            raise ValueError("rate_bps is missing: without a rate or pps only sndbuf would bound what is sent; add one")
        if self._unlimited and self.pattern != "constant":
            raise ValueError(f"pattern {self.pattern}: there is no rate; add rate or pps")
        pps = self.pps if self.rate_bps is None else self.rate_bps / (8 * self.size_bytes)
        self._gap_ns = _NS_PER_S / pps if pps else 0.0

    def start(self, env: Environment) -> None:
        self._env = env
        self._due_ns = float(env.now_ns())
        self._written_ns = 0
        self._left = self.packets
        self._burst_ends_ns = self._due_ns
        self._refused = False
        self._socket: Socket | None = None
        if self.sndbuf_bytes is not None:
            self._socket = Socket(
                env.dev,
                self.sndbuf_bytes,
                clock=env.clock,
                syscall_ns=env.syscall_ns,
                batch=1 if env.syscall_ns else 16,
                transmit=self._transmit,
            )
        if self._unlimited:
            assert self._socket is not None
            self._socket.send(self._next, self._again)
        else:
            if self.pattern == "onoff":
                self._burst_ends_ns += env.random.expovariate(1 / self.on_ns)
            env.clock.call_at(round(self._due_ns), self._write)

    def stop(self) -> None:
        self._stopped = True

    def totals(self) -> Mapping[str, float]:
        """How often it had to wait for its send buffer."""
        return {"waits": self._socket.waits} if self._socket is not None else {}

    # -- a rate

    def _write(self) -> None:
        """A datagram is due."""
        if self._stopped:
            return
        skb = self._next()
        if skb is None:
            return
        self._written_ns = round(self._due_ns)
        if self._socket is not None:
            self._socket.send((skb,))
        else:
            self._env.charge(self._env.syscall_ns)
            self._transmit(skb)

    def _schedule(self) -> None:
        """The datagram before has been written: when is the next?"""
        random = self._env.random
        gap_ns = self._gap_ns
        if self.pattern == "poisson":
            gap_ns = random.expovariate(1 / gap_ns)
        self._due_ns += gap_ns
        if self.pattern == "onoff" and self._due_ns >= self._burst_ends_ns:
            self._due_ns = self._burst_ends_ns + random.expovariate(1 / self.off_ns)
            self._burst_ends_ns = self._due_ns + random.expovariate(1 / self.on_ns)
        if self._socket is not None:
            # a write that had to wait has put off those behind it
            self._due_ns = max(self._due_ns, float(self._env.now_ns()))
        self._env.clock.call_at(round(self._due_ns), self._write)

    # -- as fast as the buffer lets it

    def _again(self) -> None:
        """The socket has nothing more to write: it is over, or the queue was full."""
        if self._refused:
            self._refused = False
            env, socket = self._env, self._socket
            assert socket is not None
            env.clock.call_at(env.now_ns() + AGAIN_NS, lambda: socket.send(self._next, self._again))

    def _next(self) -> Skb | None:
        if self._stopped or self._left == 0 or self._refused:
            return None
        if self._left is not None:
            self._left -= 1
        return self.datagram(self.size_bytes)

    def _transmit(self, skb: Skb) -> int:
        """A datagram is written, there is room for it."""
        env = self._env
        if self._unlimited:
            rc = env.send(self, skb)
            self._refused = not env.syscall_ns and rc not in (XMIT_SUCCESS, XMIT_CN)
            return rc
        rc = env.send(self, skb, self._written_ns)
        self._schedule()
        return rc
