"""A listening socket: requests that wait for the handshake's third packet, and connections that wait for accept().

After tcp_conn_request (net/ipv4/tcp_input.c), tcp_check_req, reqsk_timer_handler (inet_connection_sock.c) and
tcp_v4_syn_recv_sock of Linux 6.12, for flows without a history: no peer counts as proven.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from ringwire.ranges import check
from ringwire.transport.timers import FarClock

TIMEOUT_INIT_NS = 1_000_000_000
TIMEOUT_MAX_NS = 120_000_000_000
COOKIE_LIFE_NS = 120_000_000_000
"""A cookie is looked at only so long after the last one was sent (tcp_synq_no_recent_overflow)."""

SynAck = Callable[[int], None]
"""Told when a SYN-ACK leaves; not at all where nobody would answer."""


@dataclass(slots=True)
class _Request:
    """A half-open connection."""

    syn_ack: SynAck | None
    timeouts: int = 0


@dataclass(eq=False)
class Listener:
    """One listening socket; the fields are the keys of a ``[[listener]]`` table. ValueError for what can't be."""

    name: str = ""
    backlog: int = 4096
    """What the application gave listen()."""
    somaxconn: int = 4096
    """sysctl net.core.somaxconn bounds it."""
    tcp_max_syn_backlog: int = 1024
    """Without cookies the last quarter of this many half-open connections is for peers that are known; none is."""
    tcp_syncookies: int = 1
    """0: never, 1: when the SYN queue is full, 2: always."""
    tcp_abort_on_overflow: bool = False
    """Answer with a reset, when the accept queue is full, and not with silence."""
    accept_interval_ns: int = 0
    """What the application takes for a connection before it accepts the next one."""
    tcp_synack_retries: int = 5

    syns: int = field(default=0, init=False, repr=False)
    established: int = field(default=0, init=False, repr=False)
    """Connections that were put into the accept queue."""
    listen_overflows: int = field(default=0, init=False, repr=False)
    """ListenOverflows: the accept queue was full."""
    listen_drops: int = field(default=0, init=False, repr=False)
    """ListenDrops: SYNs and third packets dropped, for whatever reason."""
    syncookies_sent: int = field(default=0, init=False, repr=False)
    syncookies_received: int = field(default=0, init=False, repr=False)
    req_q_full_drop: int = field(default=0, init=False, repr=False)
    """TCPReqQFullDrop: SYNs dropped because there were too many requests and no cookies."""
    syn_acks: int = field(default=0, init=False, repr=False)
    syn_ack_retransmits: int = field(default=0, init=False, repr=False)
    expired: int = field(default=0, init=False, repr=False)
    """Requests that were given up."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("backlog", 0, 1 << 31),
            ("somaxconn", 0, 1 << 31),
            ("tcp_max_syn_backlog", 0, 1 << 31),
            ("tcp_syncookies", 0, 2),
            ("accept_interval_ns", 0, 1 << 62),
            ("tcp_synack_retries", 0, 255),
        ):
            check(name, getattr(self, name), low, high)
        self._requests: dict[Hashable, _Request] = {}
        self._young = 0
        """Requests whose SYN-ACK was not sent again."""
        self._accepting: deque[int] = deque()
        """When each connection in the accept queue is taken out of it."""
        self._application_free_ns = 0
        self._last_cookie_ns = -COOKIE_LIFE_NS

    @property
    def max_backlog(self) -> int:
        """sk_max_ack_backlog: bounds both queues."""
        return min(self.backlog, self.somaxconn)

    @property
    def syn_queue(self) -> int:
        """Half-open connections."""
        return len(self._requests)

    def accept_queue(self, now_ns: int) -> int:
        """Connections that the application has not accepted by ``now_ns``."""
        accepting = self._accepting
        while accepting and accepting[0] <= now_ns:
            accepting.popleft()
        return len(accepting)

    def totals(self) -> dict[str, float]:
        """Counts, by the names of ``nstat`` where it has them."""
        return {
            "syns": self.syns,
            "established": self.established,
            "ListenOverflows": self.listen_overflows,
            "ListenDrops": self.listen_drops,
            "SyncookiesSent": self.syncookies_sent,
            "SyncookiesRecv": self.syncookies_received,
            "TCPReqQFullDrop": self.req_q_full_drop,
            "syn_acks": self.syn_acks,
            "syn_ack_retransmits": self.syn_ack_retransmits,
            "requests_expired": self.expired,
        }

    def syn(self, now_ns: int, far: FarClock, peer: Hashable, syn_ack: SynAck | None) -> None:
        """A SYN of ``peer`` has come. ``syn_ack`` is called for each SYN-ACK, None: the peer won't answer."""
        self.syns += 1
        request = self._requests.get(peer)
        if request is not None:
            self._answer(now_ns, request.syn_ack)  # it is sent again (tcp_check_req)
            return
        cookie = False
        if self.tcp_syncookies == 2 or len(self._requests) >= self.max_backlog:
            if not self.tcp_syncookies:
                self.req_q_full_drop += 1
                self.listen_drops += 1
                return
            cookie = True
        if self._accept_queue_is_full(now_ns):
            self.listen_overflows += 1
            self.listen_drops += 1
            return
        if cookie:
            self.syncookies_sent += 1
            self._last_cookie_ns = now_ns
        else:
            known = self.tcp_max_syn_backlog
            if not self.tcp_syncookies and known - len(self._requests) < known >> 2:
                self.listen_drops += 1
                return
            self._requests[peer] = _Request(syn_ack)
            self._young += 1
            far.call_at(now_ns + TIMEOUT_INIT_NS, lambda due_ns: self._expire(due_ns, far, peer))
        self._answer(now_ns, syn_ack)

    def ack(self, now_ns: int, peer: Hashable) -> bool | None:
        """The third packet of ``peer``, or data: True, its connection is established; None, it is to be reset."""
        request = self._requests.get(peer)
        if request is None:
            if not self.tcp_syncookies or now_ns - self._last_cookie_ns >= COOKIE_LIFE_NS:
                return None
            self.syncookies_received += 1
        if self._accept_queue_is_full(now_ns):
            self.listen_overflows += 1
            self.listen_drops += 1
            if request is not None and self.tcp_abort_on_overflow:
                self._forget(peer, request)
                return None
            return False
        if request is not None:
            self._forget(peer, request)
        self.established += 1
        taken_ns = max(now_ns, self._application_free_ns)
        self._application_free_ns = taken_ns + self.accept_interval_ns
        self._accepting.append(taken_ns)
        return True

    def _accept_queue_is_full(self, now_ns: int) -> bool:
        """One more than the backlog fits, as ever."""
        return self.accept_queue(now_ns) > self.max_backlog

    def _answer(self, now_ns: int, syn_ack: SynAck | None) -> None:
        self.syn_acks += 1
        if syn_ack is not None:
            syn_ack(now_ns)

    def _forget(self, peer: Hashable, request: _Request) -> None:
        del self._requests[peer]
        self._young -= request.timeouts == 0

    def _expire(self, now_ns: int, far: FarClock, peer: Hashable) -> None:
        """A request's timer: its SYN-ACK again, or the end; the fuller the queue, the earlier."""
        request = self._requests.get(peer)
        if request is None:
            return
        retries, length = self.tcp_synack_retries, len(self._requests)
        if 2 * length > max(8, self.max_backlog):
            young = 2 * self._young
            while retries > 2 and length >= young:
                retries -= 1
                young *= 2
        if request.timeouts >= retries:
            self._forget(peer, request)
            self.expired += 1
            return
        if not request.timeouts:
            self._young -= 1
        request.timeouts += 1
        self.syn_ack_retransmits += 1
        self._answer(now_ns, request.syn_ack)
        due_ns = now_ns + min(TIMEOUT_INIT_NS << request.timeouts, TIMEOUT_MAX_NS)
        far.call_at(due_ns, lambda due_ns: self._expire(due_ns, far, peer))
