"""A TCP sender's way out: a packet goes to the stack, unless pacing or small queues hold it back.

After tcp_transmit_skb, tcp_wfree, tcp_pacing_check and tcp_small_queue_check (net/ipv4/tcp_output.c) of Linux 6.12.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Protocol

from ringwire.netdev import NetDevice
from ringwire.skb import Skb
from ringwire.sock import Sock
from ringwire.transport import pacing
from ringwire.transport.congestion import ALGORITHMS, Window
from ringwire.transport.congestion.cubic import Cubic
from ringwire.transport.pacing import NO_MIN_RTT, NO_RATE_LIMIT, PacingStatus
from ringwire.transport.packet import GSO_LEGACY_MAX, MAX_TCP_HEADER, SEQ, PacketMaker
from ringwire.transport.rack import Rack
from ringwire.transport.recovery import Recovery
from ringwire.transport.rtt import UNKNOWN_US, RttEstimator
from ringwire.transport.scoreboard import Scoreboard, Segment
from ringwire.transport.settings import TcpSettings
from ringwire.transport.timers import Timer

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
WINDOW_FIELD = 502
"""What packets advertise, scaled by 2^7: the sender receives no data."""
UNPACED_SEGMENTS = 10
"""So many segments leave before pacing starts."""


class Host(Protocol):
    """What a sender needs of the machine that it runs on."""

    dev: NetDevice

    def now_ns(self) -> int: ...
    def call_at(self, when_ns: int, fn: Callable[[], None]) -> object: ...

    def send(self, skb: Skb, written_ns: int | None) -> int:
        """Charge for a packet's making and hand it to the stack; what dev_queue_xmit returns."""
        ...


class Output(ABC):
    """What a connection knows of its path, and how its packets leave."""

    def __init__(self, host: Host, sock: Sock, maker: PacketMaker, settings: TcpSettings, isn: int) -> None:
        self.host, self.sock, self.maker, self.settings = host, sock, maker, settings
        self.mss = mss = maker.mss
        self.board = Scoreboard(mss)
        self.rtt = RttEstimator(settings.rto_min_us)
        self.window = Window(cwnd=settings.initial_cwnd, snd_una=1, snd_nxt=1)
        self.congestion = ALGORITHMS.find(settings.congestion)(self.window)
        if isinstance(self.congestion, Cubic) and not settings.hystart:
            self.congestion.hystart = None
        self.rack = Rack(self.board, self.rtt)
        self.recovery = Recovery(self.board, self.window, self.congestion, self.rack)
        self.wmem = 0
        """sk_wmem_alloc: bytes of truesize in the qdisc and the ring."""
        self.data_segments = self.local_drops = self.small_queue_waits = 0

        self._isn = isn
        self._echo = 0
        """The receiver's last time stamp."""
        self._throttled = self._tasklet_pending = False
        self._departure_ns = 0
        """When the last packet departs, or the next may (tcp_wstamp_ns)."""
        self._last_sent_ns = 0
        self._pace = Timer(host, self.tasklet)
        limit = settings.max_pacing_rate
        sock.max_pacing_rate = limit
        self._max_rate = NO_RATE_LIMIT if limit is None else limit
        self._update_rate()

    @abstractmethod
    def tasklet(self) -> None:
        """tcp_tsq_write: what waited for room below, or for its time."""

    @property
    def pacing_status(self) -> PacingStatus:
        sock = self.sock
        if sock.paced_by_fq:
            return PacingStatus.FQ
        return PacingStatus.NEEDED if sock.max_pacing_rate is not None else PacingStatus.NONE

    @property
    def _gso_max_size(self) -> int:
        size = self.host.dev.gso_max_size
        return (size if size < GSO_LEGACY_MAX else GSO_LEGACY_MAX) - MAX_TCP_HEADER - 1

    def tso_segments(self) -> int:
        """Segments of the largest packet to be sent now."""
        dev, settings, min_us = self.host.dev, self.settings, self.rtt.min_us
        return pacing.tso_autosize(
            self.sock.pacing_rate or 0,
            settings.pacing_shift,
            NO_MIN_RTT if min_us == UNKNOWN_US else min_us,
            settings.tso_rtt_log,
            self._gso_max_size,
            dev.gso_max_segs if dev.gso else 1,
            self.mss,
            settings.min_tso_segs,
        )

    def _update_rate(self) -> None:
        """tcp_update_pacing_rate."""
        window = self.window
        rate = pacing.pacing_rate_of(
            self.mss, window.cwnd, window.ssthresh, self.board.packets_out, self.rtt.srtt_shl3, self._max_rate
        )
        self.sock.pacing_rate = window.pacing_rate = rate

    def _transmit(self, segment: Segment, flags: int, ecn: int, written_ns: int | None, now_ns: int) -> bool:
        """tcp_transmit_skb: a copy of a packet goes to the stack. False: it was dropped there."""
        before_ns = self._departure_ns
        departure_ns = now_ns if now_ns > before_ns else before_ns
        payload = segment.end - segment.seq
        skb = self.maker.make(
            self._isn + segment.seq, payload, 1, flags, WINDOW_FIELD, departure_ns // NS_PER_MS & SEQ, self._echo, ecn
        )
        skb.tstamp = departure_ns
        skb.truesize = segment.truesize
        skb.destructor = partial(self._freed, segment)
        segment.in_host += 1
        self.wmem += segment.truesize
        rc = self.host.send(skb, written_ns)
        if rc:
            if rc > 0:
                self.recovery.congested(by_mark=False)
            if rc != 2:
                self.local_drops += 1
                return False
        self.data_segments += segment.count
        self._last_sent_ns = now_ns
        segment.sent_ns = self._departure_ns = departure_ns
        rate = self.sock.pacing_rate
        status = self.window.pacing_status = self.pacing_status
        if status and rate and self.data_segments >= UNPACED_SEGMENTS:
            gap_ns = payload * NS_PER_S // rate
            self._departure_ns += gap_ns - min(gap_ns // 2, departure_ns - before_ns)
        return True

    def paced(self, now_ns: int) -> bool:
        """Nothing may depart yet, and a timer of the socket's own is set (tcp_pacing_check)."""
        if self._departure_ns <= now_ns or self.pacing_status != PacingStatus.NEEDED:
            return False
        self._pace.set(self._departure_ns)
        return True

    def throttled(self, truesize: int, factor: int) -> bool:
        """TCP Small Queues: enough of this socket is below already; what leaves there lets it go on."""
        settings = self.settings
        if settings.limit_output_bytes is None or len(self.board.segments) < 2:
            return False
        if not pacing.small_queue_throttled(
            self.sock.pacing_rate or 0,
            settings.pacing_shift,
            self.pacing_status,
            settings.limit_output_bytes,
            truesize,
            factor,
            self.wmem,
            len(self.board.segments),
        ):
            return False
        self._throttled = True
        self.small_queue_waits += 1
        return True

    def _freed(self, segment: Segment, skb: Skb) -> None:
        """tcp_wfree: a packet has left the host, or was dropped in it; a tasklet sends more."""
        self.wmem -= skb.truesize
        segment.in_host -= 1
        if self._throttled and not self._tasklet_pending:
            self._throttled, self._tasklet_pending = False, True
            self.host.call_at(self.host.now_ns(), self._run_tasklet)

    def _run_tasklet(self) -> None:
        self._tasklet_pending = False
        self.tasklet()
