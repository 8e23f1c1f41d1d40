"""The client's half of the handshake: SYNs until an answer comes.

After tcp_connect and tcp_retransmit_timer of Linux 6.12: the first SYN is sent again after a second, four times at that
pace (tcp_syn_linear_timeouts), then six times ever slower (tcp_syn_retries).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ringwire.skb import Skb
from ringwire.transport.packet import SEQ, SYN, Flag, PacketMaker
from ringwire.transport.timers import Clock, Timer

TIMEOUT_NS = 1_000_000_000
LINEAR_TIMEOUTS = 4
RETRIES = 6
WINDOW = 64_240
"""Bytes, as a SYN's field has it: unscaled."""
WINDOW_SCALE = 7
_ECN_SETUP = int(Flag.ECE | Flag.CWR)


class Host(Clock, Protocol):
    """What it needs of the machine that it runs on."""

    def send(self, skb: Skb, written_ns: int | None) -> int: ...


class Connect:
    """Begins at once. ``failed`` is called if there is no answer; ``mss`` is what the SYN offers, in bytes."""

    def __init__(
        self, host: Host, maker: PacketMaker, isn: int, mss: int, *, ecn: bool, failed: Callable[[], None]
    ) -> None:
        self.syns = 0
        self.begun_ns = self.sent_ns = host.now_ns()
        """When the first SYN was sent, and the last."""
        self._host, self._maker, self._isn, self._mss, self._failed = host, maker, isn, mss, failed
        self._flags = SYN | (_ECN_SETUP if ecn else 0)
        self._timer = Timer(host, self._expire)
        self._timeout_ns = TIMEOUT_NS
        self._send()

    def answered(self) -> None:
        """The SYN-ACK is here."""
        self._timer.cancel()

    def _send(self) -> None:
        now_ns = self.sent_ns = self._host.now_ns()
        self.syns += 1
        stamp = now_ns // 1_000_000 & SEQ
        skb = self._maker.make_syn(self._isn, self._flags, WINDOW, self._mss, WINDOW_SCALE, stamp)
        self._host.send(skb, None)
        self._timer.set(now_ns + self._timeout_ns)

    def _expire(self) -> None:
        if self.syns > RETRIES + LINEAR_TIMEOUTS:
            self._failed()
            return
        if self.syns > LINEAR_TIMEOUTS:
            self._timeout_ns *= 2
        self._send()
