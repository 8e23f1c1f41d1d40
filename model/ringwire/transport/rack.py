"""RACK: what was sent before something that has arrived is lost, if it has not come a little later (RFC 8985).

After net/ipv4/tcp_recovery.c of Linux 6.12. Times in nanoseconds.
"""

from __future__ import annotations

from ringwire.transport.rtt import RttEstimator
from ringwire.transport.scoreboard import EVER_RETRANS, LOST, RETRANS, Scoreboard, Segment


class Rack:
    """The most recently sent packet that is known to have arrived, and what follows from it."""

    __slots__ = ("_advanced", "_board", "_end", "_rtt", "_rtt_ns", "_sent_ns", "now_ns")

    def __init__(self, board: Scoreboard, rtt: RttEstimator) -> None:
        self._board = board
        self._rtt = rtt
        self._sent_ns = -1
        self._end = 0
        self._rtt_ns = 0
        """Its round trip."""
        self._advanced = False
        self.now_ns = 0
        """When the acknowledgement that is being read came."""

    def delivered(self, segment: Segment) -> None:
        """A packet is now known to have arrived."""
        sent_ns = segment.sent_ns
        rtt_ns = self.now_ns - sent_ns
        if segment.state & EVER_RETRANS and rtt_ns < self._rtt.min_us * 1000:
            return  # too early to be of the retransmission
        self._advanced = True
        self._rtt_ns = rtt_ns
        if sent_ns > self._sent_ns or (sent_ns == self._sent_ns and segment.end > self._end):
            self._sent_ns, self._end = sent_ns, segment.end

    def detect(self, in_recovery: bool) -> tuple[int, int]:
        """Mark what is lost; (segments newly lost, when to look again in ns or 0).

        Nothing is looked at unless something has arrived since.
        """
        if not self._advanced:
            return 0, 0
        self._advanced = False
        return self.mark(in_recovery)

    def mark(self, in_recovery: bool) -> tuple[int, int]:
        """:meth:`detect`, whatever has arrived: time has passed."""
        board, now_ns = self._board, self.now_ns
        window_ns = self._window_ns(in_recovery)
        lost = again_ns = 0
        for segment in board.oldest_first():
            if segment.state & (LOST | RETRANS) == LOST:
                continue
            sent_ns = segment.sent_ns
            if sent_ns > self._sent_ns or (sent_ns == self._sent_ns and segment.end >= self._end):
                break
            due_ns = sent_ns + self._rtt_ns + window_ns
            if due_ns <= now_ns:
                board.mark_lost(segment)
                lost += segment.count
            elif due_ns > again_ns:
                again_ns = due_ns
        return lost, again_ns

    def overdue(self, segment: Segment) -> bool:
        """A round trip has passed since it was sent (for a retransmission timeout)."""
        return segment.sent_ns + self._rtt_ns <= self.now_ns

    def _window_ns(self, in_recovery: bool) -> int:
        """How late a packet may be (tcp_rack_reo_wnd): not at all, once enough have overtaken it."""
        board = self._board
        if not board.reordered and (in_recovery or board.sacked_out >= board.reordering):
            return 0
        return min(self._rtt.min_us >> 2, self._rtt.srtt_us) * 1000
