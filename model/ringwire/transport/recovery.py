"""When the window is reduced, and how it gets there: fast recovery, marks, timeouts.

After tcp_fastretrans_alert, tcp_cwnd_reduction and tcp_enter_loss (net/ipv4/tcp_input.c) of Linux 6.12.

Proportional rate reduction (RFC 6937) brings the flight down to ssthresh over a round trip: it sends in proportion to
what arrives, and once the flight is below, no faster than slow start would. A loss, a mark (RFC 3168) and a drop in the
host's own queue reduce once in a window; a timeout starts over from one segment (RFC 5681).
"""

from __future__ import annotations

from enum import IntEnum

from ringwire.transport.congestion import CongestionControl, Window
from ringwire.transport.congestion.base import INFINITE_SSTHRESH
from ringwire.transport.rack import Rack
from ringwire.transport.scoreboard import EVER_RETRANS, SACKED, Acked, Scoreboard


class State(IntEnum):
    """Of congestion, by Linux's names."""

    OPEN = 0
    DISORDER = 1
    """SACK blocks, but no loss so far."""
    CWR = 2
    """Reducing because of a mark or a local drop."""
    RECOVERY = 3
    LOSS = 4
    """After a retransmission timeout."""


class Recovery:
    """One connection's. It sets ``window.cwnd`` while reducing, ``congestion`` does otherwise."""

    __slots__ = (
        "_probe_retransmitted",
        "_reducing_from",
        "board",
        "congestion",
        "cwr_pending",
        "ecn_reductions",
        "fast_recoveries",
        "high_seq",
        "local_reductions",
        "probe_end",
        "prr_delivered",
        "prr_out",
        "rack",
        "state",
        "timeouts",
        "window",
    )

    def __init__(self, board: Scoreboard, window: Window, congestion: CongestionControl, rack: Rack) -> None:
        self.board, self.window, self.congestion, self.rack = board, window, congestion, rack
        self.state = State.OPEN
        self.high_seq = 0
        """Where the sender was when the state began; it ends when that is acknowledged."""
        self.cwr_pending = False
        """The next new data is to tell the receiver that the window was reduced."""
        self.prr_delivered = self.prr_out = 0
        """Segments that arrived, and that were sent, since the reduction began."""
        self._reducing_from = 0
        self.probe_end = 0
        """What a tail loss probe covered, 0: there is none out."""
        self._probe_retransmitted = False
        self.fast_recoveries = self.timeouts = self.ecn_reductions = self.local_reductions = 0

    @property
    def reducing(self) -> bool:
        """tcp_in_cwnd_reduction."""
        return self.state == State.CWR or self.state == State.RECOVERY

    # -- what begins a reduction

    def congested(self, by_mark: bool) -> None:
        """tcp_enter_cwr: a mark was echoed, or the host's own queue has dropped a packet."""
        if self.state < State.CWR:
            if by_mark:
                self.ecn_reductions += 1
            else:
                self.local_reductions += 1
            self._begin(State.CWR)

    def _begin(self, state: State) -> None:
        window = self.window
        if not self.reducing:
            self._reducing_from = window.cwnd
            self.prr_delivered = self.prr_out = 0
            self.probe_end = 0
            self.high_seq = window.snd_nxt
            window.ssthresh = self.congestion.after_loss()
            self.cwr_pending = True
        self.state = state

    def timed_out(self, again: bool) -> None:
        """tcp_enter_loss: what is not known to have arrived is lost, but for what was sent within a round trip.

        ``again``: nothing was acknowledged since the timeout before.
        """
        board, window, rack = self.board, self.window, self.rack
        self.timeouts += 1
        for index, segment in enumerate(board.segments):
            if not segment.state & SACKED and (index == 0 or rack.overdue(segment)):
                board.mark_lost(segment)
        in_loss = self.state == State.LOSS
        if self.state <= State.DISORDER or self.high_seq <= window.snd_una or (in_loss and not again):
            window.ssthresh = self.congestion.after_loss()
        self.congestion.timed_out()
        window.cwnd = board.in_flight + 1
        self.state = State.LOSS
        self.high_seq = window.snd_nxt
        self.probe_end = 0
        self.cwr_pending = True

    # -- what an acknowledgement does

    def overdue(self, lost: int) -> None:
        """Time has shown that so many segments are lost (tcp_rack_reo_timeout)."""
        if self.state < State.RECOVERY:
            self.fast_recoveries += 1
            self._begin(State.RECOVERY)
            self.reduce(1, lost, False)

    def acknowledged(self, found: Acked, marked: bool, now_us: int) -> int:
        """An acknowledgement that is not plain: loss, marks, SACK blocks. When RACK is to look again in ns, or 0."""
        board, window = self.board, self.window
        if self.state != State.OPEN and window.snd_una >= self.high_seq:
            if self.state == State.CWR:
                if window.snd_una != self.high_seq:
                    self._end()
                    self.state = State.OPEN
            elif self.state >= State.RECOVERY:
                if self.state == State.RECOVERY:
                    self._end()
                self.state = State.OPEN
        lost, again_ns = self.rack.detect(self.state >= State.RECOVERY)
        if self.state < State.RECOVERY:
            if board.lost_out:
                self.fast_recoveries += 1
                self._begin(State.RECOVERY)
            else:
                if marked:
                    self.congested(by_mark=True)
                if self.state != State.CWR:
                    self._keep_open()
        if self.reducing:
            self.reduce(found.delivered, lost, found.advanced)
        elif found.data_acked:
            self.congestion.acked(found.delivered, now_us)
        return again_ns

    def _keep_open(self) -> None:
        board = self.board
        state = State.OPEN
        if board.sacked_out or board.lost_out or (board.segments and board.segments[0].state & EVER_RETRANS):
            state = State.DISORDER
        if state != self.state:
            self.state = state
            self.high_seq = self.window.snd_nxt

    def reduce(self, delivered: int, lost: int, advanced: bool) -> None:
        """tcp_cwnd_reduction: let as many be sent as PRR says, ``delivered`` segments having arrived."""
        if delivered <= 0:
            return
        window, in_flight = self.window, self.board.in_flight
        self.prr_delivered += delivered
        room = window.ssthresh - in_flight
        if room < 0:
            share = -(-window.ssthresh * self.prr_delivered // self._reducing_from)
            count = share - self.prr_out
        else:
            count = max(self.prr_delivered - self.prr_out, delivered)
            if advanced and not lost:
                count += 1
            count = min(room, count)
        # the first retransmission goes at once
        window.cwnd = max(in_flight + max(count, 0 if self.prr_out else 1), 1)

    def _end(self) -> None:
        """tcp_end_cwnd_reduction."""
        window = self.window
        if window.ssthresh < INFINITE_SSTHRESH:
            window.cwnd = window.ssthresh

    # -- tail loss probes

    def probed(self, retransmitted: bool) -> None:
        self.probe_end = self.window.snd_nxt
        self._probe_retransmitted = retransmitted

    def probe_acknowledged(self, ack: int, found: Acked) -> None:
        """tcp_process_tlp_ack: a probe that filled a hole tells of a loss; one that came twice does not."""
        if ack < self.probe_end:
            return
        if not self._probe_retransmitted or found.duplicate_sack:
            self.probe_end = 0
        elif ack > self.probe_end:
            self._begin(State.CWR)
            self._end()
            self.state = State.OPEN
            self._keep_open()
        elif found.duplicate and not found.sacked:
            self.probe_end = 0
