"""A SYN flood: SYNs from many addresses, none of which will ever answer.

They leave through the stack as any packet, reach a listener over a path, and fill its SYN queue, or have it send
cookies (RFC 4987). With a ``tcp`` flow at the same listener it shows what connection set-up goes through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import ClassVar

from ringwire.ranges import check
from ringwire.skb import Skb
from ringwire.sock import Sock
from ringwire.traffic.flow import Environment, Flow
from ringwire.transport.connect import WINDOW, WINDOW_SCALE
from ringwire.transport.listen import Listener
from ringwire.transport.packet import SEQ, SYN, Endpoints, PacketMaker, read_segment
from ringwire.transport.path import Path
from ringwire.transport.shared import shared

_NS_PER_S = 1_000_000_000
_PORTS = 1 << 16


@dataclass(eq=False)
class SynFlood(Flow):
    """One attacker; the fields are the keys of a ``[[flow]]`` table with ``kind = "syn-flood"``.

    ``path`` and ``listener`` are objects, which whoever runs the flow puts in place of their names before ``start``.
    ValueError, naming field, value and what is allowed, for what can't be.
    """

    kind: ClassVar[str] = "syn-flood"

    name: str = "syn-flood"
    rate_pps: int = 10_000
    """SYNs a second, evenly spaced or, with ``poisson``, as a Poisson process."""
    poisson: bool = False
    packets: int | None = None
    """How many in all; None: without end."""
    path: Path | str = ""
    listener: Listener | str = ""
    sources: str = "172.16.0.0/12"
    """The IPv4 network whose addresses are drawn from."""
    destination: str = "10.0.0.2"
    destination_port: int = 5_001
    source_mac: str = "02:00:00:00:00:01"
    destination_mac: str = "02:00:00:00:00:02"
    priority: int = 0
    """skb.priority."""
    mark: int = 0
    """skb.mark."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("rate_pps", 1, 1_000_000_000),
            ("packets", 1, 1 << 62),
            ("priority", 0, 0xFFFFFFFF),
            ("mark", 0, 0xFFFFFFFF),
        ):
            check(name, getattr(self, name), low, high)
        try:
            self._network = IPv4Network(self.sources)
        except ValueError:
            raise ValueError(f"sources {self.sources!r}; allowed: an IPv4 network, as 172.16.0.0/12") from None
        Endpoints(
            str(self._network[0]), self.destination, 1, self.destination_port, self.source_mac, self.destination_mac
        )  # refuses what can't be
        self.sk = Sock(connected=False)
        self.sent = self.refused = 0
        """SYNs handed to the stack, and those that it dropped."""
        self._due = 0
        """When the next one is due, in units of 1 / rate_pps ns."""
        self._stopped = False

    @property
    def lookahead_ns(self) -> int:
        """The path's round trip: others that share the listener are to find it in order."""
        self.path = shared(self.path, Path, "path")
        return self.path.lookahead_ns

    def start(self, env: Environment) -> None:
        self.path = path = shared(self.path, Path, "path")
        self.listener = listener = shared(self.listener, Listener, "listener")
        self._env, self._path, self._listener, self._far = env, path, listener, path.far(env.clock)
        self._due = env.now_ns() * self.rate_pps
        self._schedule()

    def _schedule(self) -> None:
        self._env.clock.call_at(-(-self._due // self.rate_pps), self._send)

    def _send(self) -> None:
        env = self._env
        if self._stopped or self.sent == self.packets:
            return
        self.sent += 1
        env.charge(env.syscall_ns)
        random = env.random
        host = random.randrange(self._network.num_addresses)
        endpoints = Endpoints(
            str(self._network[host]),
            self.destination,
            random.randrange(1024, _PORTS),
            self.destination_port,
            self.source_mac,
            self.destination_mac,
        )
        maker = PacketMaker(endpoints, priority=self.priority, mark=self.mark)
        stamp = env.now_ns() // 1_000_000 & SEQ
        skb = maker.make_syn(random.getrandbits(32), SYN, WINDOW, env.dev.mtu - 40, WINDOW_SCALE, stamp)
        if env.send(self, skb) == 1:
            self.refused += 1
        self._due += int(random.expovariate(1) * _NS_PER_S) if self.poisson else _NS_PER_S
        self._schedule()

    def stop(self) -> None:
        self._stopped = True

    def arrived(self, skb: Skb, frame: bytes, end_ns: int) -> int | None:
        read = read_segment(frame)
        fate = None if read is None else self._path.forward(end_ns, len(frame), 0, self._env.random)
        if fate is None:
            return None
        now_ns = fate[0]
        self._far.run_until(now_ns)
        l3 = 14 if frame[12] != 0x81 else 18
        # addresses and ports: a connection of its own, whose owner will not answer
        self._listener.syn(now_ns, self._far, frame[l3 + 12 : l3 + 24], None)
        return now_ns

    def state(self) -> Mapping[str, float]:
        if isinstance(self.listener, str):
            return {}
        return {"syn_queue": self.listener.syn_queue}

    def totals(self) -> Mapping[str, float]:
        found: dict[str, float] = {"syns_sent": self.sent, "syns_refused": self.refused}
        return found | (self.listener.totals() if isinstance(self.listener, Listener) else {})
