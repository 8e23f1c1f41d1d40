"""The receiver: puts segments in order, and acknowledges them as Linux does.

Acknowledgements (RFC 5681 4.2, tcp_ack_snd_check of Linux 6.12): at once for every second full segment, for what comes
out of order, fills a hole or was there already, and for the first ones of a connection (quick acknowledgements); else
after 40 ms. They carry SACK blocks (RFC 2018), a first one for what came twice (RFC 2883), the ECN echo until the
sender has said that it has reduced (RFC 3168), and a window that grows with what the application reads in a round trip
(tcp_rcv_space_adjust). The application reads at once.

Sequence numbers are counted from the SYN's, 0, without end. Times are those at the receiver, exact to a nanosecond.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ringwire.transport.packet import CE, CWR
from ringwire.transport.ranges import MAX_BLOCKS, Ranges
from ringwire.transport.timers import FarClock

DELAYED_ACK_NS = 40_000_000
"""TCP_DELACK_MIN: HZ/25."""
MAX_QUICK_ACKS = 16
RMEM_DEFAULT = 131_072
RMEM_MAX = 6_291_456
"""sysctl net.ipv4.tcp_rmem, bytes of memory: half of it is window (tcp_adv_win_scale 1)."""
MAX_FIELD = 65_535
_MASK = 0xFFFFFFFF
_HALF = 1 << 31
_NS_PER_MS = 1_000_000


class Ack(NamedTuple):
    """An acknowledgement on its way back."""

    ack: int
    """All before it has come."""
    window: int
    """Bytes beyond it that the receiver takes."""
    stamp: int
    """The receiver's time stamp, ms."""
    echo: int
    """The sender's."""
    blocks: tuple[tuple[int, int], ...] = ()
    """SACK blocks [start, end)."""
    ece: bool = False


def initial_window(mss: int, fixed: int | None) -> int:
    """What a SYN-ACK offers, bytes: its field has 16 bits, and no scale applies to it yet."""
    return min(fixed, MAX_FIELD) if fixed is not None else min(RMEM_DEFAULT // 2, MAX_FIELD) // mss * mss


class Receiver:
    """One connection's. ``reply(time_ns, ack)`` is told of each acknowledgement when it leaves.

    ``isn`` is the SYN's sequence number as on the wire. ``window`` fixes the window, in bytes; otherwise it adapts, up
    to half of ``rmem_max``. ``quick_acks`` and ``delayed_ack_ns`` as above; with ``delayed_ack_ns`` of 0 every segment
    is acknowledged at once.
    """

    def __init__(
        self,
        far: FarClock,
        reply: Callable[[int, Ack], None],
        isn: int,
        mss: int,
        *,
        window: int | None = None,
        rmem_max: int = RMEM_MAX,
        ecn: bool = False,
        delayed_ack_ns: int = DELAYED_ACK_NS,
        quick_acks: int = MAX_QUICK_ACKS,
    ) -> None:
        self.next = 1
        """The next byte in order; bytes received in order are one less."""
        self.duplicate_bytes = 0
        self.out_of_order = 0
        """Segments that came before one they follow."""
        self.ce_marks = 0
        self.acks = 0
        self.delayed_acks = 0
        """Those that the timer sent."""
        self.held = Ranges()

        self._far, self._reply, self._isn, self._mss, self._ecn = far, reply, isn, mss, ecn
        self._delayed_ack_ns = delayed_ack_ns
        self._ack_due_ns: int | None = None
        self._wake_pending = False
        self._acked = 1
        """What the last acknowledgement said."""
        self._echo = 0
        self._ece = False

        self._fixed = window is not None
        self._clamp = window if window is not None else RMEM_DEFAULT // 2
        self._clamp_max = rmem_max // 2
        self._window = initial_window(mss, window)
        """Bytes that it is ready to take; grows with each segment up to the clamp (tcp_grow_window)."""
        self._edge = 1 + self._window
        """Up to where it has said it would: that is never taken back."""
        self._quick = min(self._window // (2 * mss), quick_acks)
        self._rtt_shl3_us = 0
        self._space = min(self._window, 10 * mss)
        """Bytes that the application has read in a round trip, the most so far."""
        self._space_start = 1
        self._adapt_ns = 1 << 62 if self._fixed else 0
        """When this round trip is over."""

    @property
    def window(self) -> int:
        """Bytes beyond :attr:`next` that the sender may send."""
        return self._edge - self.next

    def segment(self, now_ns: int, seq32: int, payload: int, flags: int, ecn: int, stamp: int, echo: int) -> None:
        """Data has arrived: ``payload`` bytes from ``seq32``, as on the wire."""
        if not payload:
            return
        expected = self.next
        start = expected + ((seq32 - self._isn - expected + _HALF & _MASK) - _HALF)
        end = start + payload
        if flags & CWR:
            self._ece = False
        marked = ecn == CE and self._ecn
        if marked:
            self.ce_marks += 1
            self._ece = True
        if start <= self._acked:
            self._echo = stamp
        if start == expected and not self.held.starts:
            self.next = end
            if now_ns >= self._adapt_ns:
                self._adapt(now_ns, echo)
            if self._window < self._clamp:
                self._grow()
            if end - self._acked > self._mss or self._quick > 0 or not self._delayed_ack_ns or marked or flags & CWR:
                self._send(now_ns)
            elif self._ack_due_ns is None:
                self._ack_due_ns = now_ns + self._delayed_ack_ns
                if not self._wake_pending:
                    self._wake_pending = True
                    self._far.call_at(self._ack_due_ns, self._wake)
            return
        self._unusual(now_ns, start, end)

    def _unusual(self, now_ns: int, start: int, end: int) -> None:
        """A segment that is not simply the next one is acknowledged at once."""
        held, twice = self.held, None
        if end <= self.next or held.holds(start, end):
            self.duplicate_bytes += end - start
            twice = (start, end)
        else:
            if start < self.next:
                twice = (start, self.next)
                self.duplicate_bytes += self.next - start
                start = self.next
            if end > self._edge:
                self._send(now_ns)  # beyond the window: not taken
                return
            if self._window < self._clamp:
                self._grow()
            if start == self.next:
                self.next = held.advance(end)
            else:
                self.out_of_order += 1
                held.add(start, end)
        self._send(now_ns, twice)

    def _grow(self) -> None:
        """tcp_grow_window: towards the clamp."""
        self._window = self._clamp if self._fixed else min(self._clamp, self._window + 2 * self._mss)

    def _adapt(self, now_ns: int, echo: int) -> None:
        """Let the clamp follow what the application reads in a round trip: twice that, and more while it rises."""
        if not echo:
            return
        sample_us = max((now_ns // _NS_PER_MS - echo) & _MASK, 1) * 1000
        rtt = self._rtt_shl3_us
        self._rtt_shl3_us = rtt = rtt - (rtt >> 3) + sample_us if rtt else sample_us << 3
        copied = self.next - self._space_start
        if copied > self._space:
            wanted = 2 * copied + 16 * self._mss
            wanted += 2 * (wanted * (copied - self._space) // self._space)
            self._clamp = max(self._clamp, min(wanted, self._clamp_max))
            self._space = copied
        self._space_start = self.next
        self._adapt_ns = now_ns + rtt * 125

    def _wake(self, now_ns: int) -> None:
        """The delayed acknowledgement is due, or was put off meanwhile."""
        self._wake_pending = False
        due_ns = self._ack_due_ns
        if due_ns is None:
            return
        if due_ns > now_ns:
            self._wake_pending = True
            self._far.call_at(due_ns, self._wake)
            return
        self.delayed_acks += 1
        self._send(now_ns)

    def _send(self, now_ns: int, twice: tuple[int, int] | None = None) -> None:
        ack = self._acked = self.next
        self._ack_due_ns = None
        self.acks += 1
        if self._quick:
            self._quick -= 1
        edge = ack + self._window
        if edge > self._edge:
            self._edge = edge
        blocks: tuple[tuple[int, int], ...] = ()
        if twice is not None:
            blocks = (twice, *self.held.blocks(MAX_BLOCKS - 1))
        elif self.held.starts:
            blocks = self.held.blocks()
        self._reply(now_ns, Ack(ack, self._edge - ack, now_ns // _NS_PER_MS & _MASK, self._echo, blocks, self._ece))
