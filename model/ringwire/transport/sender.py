"""A TCP sender: what it sends when, and what it does with acknowledgements.

After tcp_write_xmit, tcp_retransmit_skb (net/ipv4/tcp_output.c) and tcp_ack (tcp_input.c) of Linux 6.12. Sequence
numbers are counted from the SYN's, 0, without end; the wire's have ``isn`` added. Times are nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable

from ringwire.sock import Sock
from ringwire.transport.output import NS_PER_MS, Host, Output
from ringwire.transport.packet import ACK, CWR, ECT_0, HEAD_TRUESIZE, PSH_ACK, SEQ, PacketMaker
from ringwire.transport.receiver import Ack
from ringwire.transport.recovery import State
from ringwire.transport.retransmit import RetransmitTimer
from ringwire.transport.scoreboard import Acked, Segment
from ringwire.transport.sendbuffer import SendBuffer
from ringwire.transport.settings import TcpSettings


class Sender(Output):
    """One established connection. ``on_space`` is called when a writer that had to wait may go on."""

    def __init__(
        self,
        host: Host,
        sock: Sock,
        maker: PacketMaker,
        settings: TcpSettings,
        isn: int,
        window: int,
        on_space: Callable[[], None],
    ) -> None:
        super().__init__(host, sock, maker, settings, isn)
        self.buffer = SendBuffer(settings.sndbuf, settings.wmem_default, settings.wmem_max)
        self.snd_nxt = 1
        """The next new byte."""
        self.waiting = False
        """A writer waits for room (SOCK_NOSPACE)."""
        self.failed = False
        """Given up, after as many timeouts as Linux takes (tcp_retries2)."""
        self.retransmits = self.busy_retransmits = 0

        self._on_space = on_space
        self._edge = 1 + window
        """Up to where the receiver takes bytes."""
        self._max_window = window
        self._found = Acked()
        self._small_end = 0
        """End of the last packet that was less than full (Nagle, as Minshall has it)."""
        self._limit_seq = 0
        self._expanded_for = 0
        """The largest window that the send buffer was made large enough for."""
        self.timer = RetransmitTimer(self)

    def established(self, rtt_us: int | None, syns: int) -> None:
        """The handshake has measured a round trip, unless its SYN was sent more than once (tcp_init_transfer)."""
        if rtt_us is not None:
            self.rtt.note_min(rtt_us)
            self.rtt.sample(rtt_us, 1, 1)
            self.window.srtt_shl3, self.window.min_rtt_us = self.rtt.srtt_shl3, self.rtt.min_us
        if syns > 2:
            self.window.cwnd = 1
        self.buffer.expand(self.mss, self.window.cwnd, self.board.reordering)
        self._update_rate()

    # -- the application's side

    @property
    def size_goal(self) -> int:
        """Bytes of a full packet of the write queue: of a super-packet, and half of the receiver's window at most."""
        if not self.host.dev.gso:
            return self.mss
        room = min(self._gso_max_size, max(self._max_window >> 1, self.mss))
        return max(room // self.mss, 1) * self.mss

    def write(self, size: int) -> int:
        """As much of a write of ``size`` bytes as there is room for; what was taken is sent as far as it may be."""
        taken = 0
        now_ns = self.host.now_ns()
        self._slow_start_after_idle(now_ns)
        while taken < size:
            part = self.buffer.write(size - taken, self.size_goal, now_ns)
            if not part:
                self.waiting = True
                break
            taken += part
            if self.buffer.head_is_last and taken < size:
                self.transmit()
        self.transmit()
        return taken

    # -- sending

    def transmit(self, probe: bool = False) -> bool:
        """tcp_write_xmit: send what window, pacing and small queues allow; whether anything was.

        A ``probe`` is one segment, whatever the congestion window says.
        """
        host, buffer, board, window, mss = self.host, self.buffer, self.board, self.window, self.mss
        now_ns = host.now_ns()
        sent, max_segments, limited = 0, 0, False
        while buffer.unsent:
            room = window.cwnd - board.in_flight
            if room <= 0 and not probe:
                break
            if self._departure_ns > now_ns and self.paced(now_ns):
                break
            if not max_segments:
                max_segments = self.tso_segments()
            quota = 1 if probe else min(window.cwnd >> 1 or 1, room, max_segments)
            head = buffer.head
            allowed = self._edge - self.snd_nxt
            if allowed < (head if head < mss else mss):
                break
            if head <= mss:
                if buffer.head_is_last and self._nagle_holds(head):
                    break
                size = head
            else:
                if not probe:
                    defers, limits = self._defers(now_ns, head, allowed, room, max_segments)
                    limited |= limits
                    if defers:
                        break
                size = self._split_point(head, allowed, quota)
            if self.throttled(HEAD_TRUESIZE + size, 0):
                break
            if not self._send_new(size, now_ns):
                break
            sent += -(-size // mss)
            if probe:
                break
        limited |= board.in_flight >= window.cwnd
        if sent or limited:
            self._validate_window(limited)
        if sent:
            if self.recovery.reducing:
                self.recovery.prr_out += sent
            if not probe:
                self.timer.sent(now_ns)
        elif buffer.unsent and not board.packets_out:
            self.timer.starve(now_ns)
        return sent > 0

    def _send_new(self, size: int, now_ns: int) -> bool:
        """The next ``size`` bytes, for the first time. False: the host has dropped them, they stay to be sent."""
        board, buffer, recovery = self.board, self.buffer, self.recovery
        segment = Segment(self.snd_nxt, self.snd_nxt + size, -(-size // self.mss), buffer.head_written_ns)
        flags, ecn = ACK, 0
        if size == buffer.unsent or size == buffer.head:
            flags = PSH_ACK
        if self.settings.ecn:
            ecn = ECT_0
            if recovery.cwr_pending:
                flags |= CWR
        before_ns = self._departure_ns
        if not self._transmit(segment, flags, ecn, segment.written_ns, now_ns):
            self._departure_ns = before_ns
            return False
        recovery.cwr_pending = False
        buffer.take(size)
        if size % self.mss:
            self._small_end = segment.end
        first = not board.packets_out
        self.snd_nxt = self.window.snd_nxt = segment.end
        board.sent(segment, segment.sent_ns)
        if first:
            self.timer.first_sent(now_ns)
        return True

    def tasklet(self) -> None:
        """tcp_tsq_write: what waited for room below, or for its time."""
        if self.failed:
            return
        if self.board.lost_out > self.board.retrans_out:
            self.retransmit_lost()
        self.transmit()

    def _split_point(self, head: int, allowed: int, quota: int) -> int:
        """tcp_mss_split_point: what of the first packet of the queue to send; full segments, or its end."""
        mss = self.mss
        most = mss * quota
        if most <= allowed and not self.buffer.head_is_last:
            return min(most, head)
        needed = min(head, allowed)
        if most <= needed:
            return most
        rest = needed % mss
        return needed if not self._nagle_holds(rest) else needed - rest

    def _nagle_holds(self, size: int) -> bool:
        """A packet less than full waits while another such one is not acknowledged."""
        if self.settings.nodelay or size >= self.mss or not size:
            return False
        return self.board.packets_out > 0 and self._small_end > self.board.una

    def _defers(self, now_ns: int, head: int, allowed: int, room: int, max_segments: int) -> tuple[bool, bool]:
        """tcp_tso_should_defer: (wait for more room rather than send a small packet, the congestion window is why)."""
        window, board, mss = self.window, self.board, self.mss
        if self.recovery.state >= State.RECOVERY or now_ns - self._departure_ns > NS_PER_MS:
            return False, False
        by_window = max(room, 0) * mss
        limit = min(allowed, by_window)
        if limit >= max_segments * mss or (not self.buffer.head_is_last and limit >= head):
            return False, False
        divisor = self.settings.tso_win_divisor
        if divisor:
            if limit >= min(self._edge - board.una, window.cwnd * mss) // divisor:
                return False, False
        elif limit > 3 * mss:
            return False, False
        if not board.segments or now_ns - board.segments[0].sent_ns < (self.rtt.srtt_shl3 >> 4) * 1000:
            # the next acknowledgement is half a round trip away
            return False, False
        if by_window < allowed:
            if by_window <= head:
                return True, True
        elif allowed <= head:
            return True, False
        return True, False

    def _validate_window(self, limited: bool) -> None:
        """tcp_cwnd_validate: note whether the window was used in full in this round trip."""
        window, out = self.window, self.board.packets_out
        if self.board.una >= self._limit_seq or limited or (not window.cwnd_limited and out > window.max_packets_out):
            window.cwnd_limited = limited
            window.max_packets_out = out
            self._limit_seq = self.snd_nxt

    def _slow_start_after_idle(self, now_ns: int) -> None:
        """tcp_cwnd_restart (RFC 2861): half of the window for each timeout that nothing was sent for."""
        if not self.settings.slow_start_after_idle or self.board.packets_out or not self._last_sent_ns:
            return
        idle_ns, rto_ns = now_ns - self._last_sent_ns, self.rtt.rto_us * 1000
        if idle_ns <= rto_ns:
            return
        window = self.window
        restart = min(self.settings.initial_cwnd, window.cwnd)
        window.ssthresh = max(window.ssthresh, (window.cwnd >> 1) + (window.cwnd >> 2))
        self.congestion.restarted(idle_ns // 1000)
        while idle_ns > rto_ns and window.cwnd > restart:
            window.cwnd >>= 1
            idle_ns -= rto_ns
        window.cwnd = max(window.cwnd, restart)

    # -- sending again

    def retransmit_lost(self) -> None:
        """tcp_xmit_retransmit_queue: what is lost, in order, as far as the window allows."""
        board, window = self.board, self.window
        now_ns, max_segments = self.host.now_ns(), self.tso_segments()
        for segment in board.lost():
            room = window.cwnd - board.in_flight
            if room <= 0 or self.paced(now_ns) or self.throttled(segment.truesize, 1):
                return
            first = segment is board.segments[0]
            if not self.retransmit(segment, min(room, max_segments), now_ns):
                return
            if self.recovery.reducing:
                self.recovery.prr_out += segment.count
            if first:
                self.timer.rearm(now_ns)

    def retransmit(self, segment: Segment, most: int, now_ns: int) -> bool:
        """tcp_retransmit_skb: the first ``most`` segments of a packet once more. False: it can't be now."""
        if segment.in_host:
            self._throttled = True  # go on when it has left
            self.busy_retransmits += 1
            return False
        if segment.end - segment.seq > most * self.mss:
            self.board.split(segment, segment.seq + most * self.mss)
            self.buffer.used += HEAD_TRUESIZE
        if not self._transmit(segment, PSH_ACK, 0, None, now_ns):
            return False
        self.retransmits += segment.count
        self.board.resent(segment, segment.sent_ns)
        return True

    def split_last(self) -> None:
        """Make the last segment sent a packet of its own."""
        last = self.board.segments[-1]
        self.board.split(last, last.seq + (last.count - 1) * self.mss)
        self.buffer.used += HEAD_TRUESIZE

    # -- acknowledgements

    def acknowledged(self, ack: Ack) -> None:
        """tcp_ack."""
        board, found, rack, recovery = self.board, self._found, self.rack, self.recovery
        if ack.ack > self.snd_nxt or self.failed:
            return
        now_ns = self.host.now_ns()
        found.clear()
        found.sacked_before = board.highest_sacked
        rack.now_ns = now_ns
        if ack.blocks:
            self.buffer.used += board.sack(ack.blocks, ack.ack, found, rack.delivered)
        moved = False
        if ack.ack >= board.una:
            edge = ack.ack + ack.window
            if edge != self._edge:
                moved = ack.ack == board.una
                self._edge = edge
                if ack.window > self._max_window:
                    self._max_window = ack.window
            self._echo = ack.stamp
            board.acknowledge(ack.ack, found, rack.delivered)
        found.duplicate = not found.advanced and not moved
        self.window.snd_una = board.una
        self.buffer.used -= found.truesize
        self._take_rtt(ack, found, now_ns)
        if found.advanced:
            self.timer.progressed()
        if recovery.probe_end:
            recovery.probe_acknowledged(ack.ack, found)
        marked = ack.ece and self.settings.ecn
        if recovery.state or ack.blocks or marked or found.duplicate:
            again_ns = recovery.acknowledged(found, marked, now_ns // 1000)
        else:
            again_ns = 0
            if found.delivered:
                self.congestion.acked(found.delivered, now_ns // 1000)
        if found.advanced or found.sacked:
            self.timer.acknowledged(now_ns)
        if again_ns:
            self.timer.look_again(again_ns)
        self._update_rate()
        if recovery.state >= State.RECOVERY and board.lost_out:
            self.retransmit_lost()
        if self.buffer.unsent:
            self.transmit()
        if self.waiting:
            self._check_space()

    def _take_rtt(self, ack: Ack, found: Acked, now_ns: int) -> None:
        """tcp_ack_update_rtt: of packets sent once, of SACK blocks, or else by the echoed time stamp."""
        seq_us = path_us = -1
        if found.first_sent_ns >= 0 and not found.retrans_acked:
            seq_us = (now_ns - found.first_sent_ns) // 1000
            path_us = (now_ns - found.last_sent_ns) // 1000
        if found.sack_sent_ns >= 0:
            path_us = (now_ns - found.sack_sent_ns) // 1000
            if seq_us < 0:
                seq_us = path_us
        if seq_us < 0 and found.data_acked and ack.echo:
            seq_us = path_us = max((now_ns // NS_PER_MS - ack.echo) & SEQ, 1) * 1000
        if seq_us < 0:
            return
        rtt, window = self.rtt, self.window
        rtt.note_min(path_us)
        rtt.sample(seq_us, self.board.una, self.snd_nxt)
        rtt.backoff = 0
        window.srtt_shl3, window.min_rtt_us = rtt.srtt_shl3, rtt.min_us
        self.congestion.sampled(path_us, now_ns // 1000)

    def _check_space(self) -> None:
        """tcp_new_space: a larger buffer if it is what limits, and the writer goes on if a third is free."""
        window = self.window
        if window.cwnd > self._expanded_for and self.board.in_flight < window.cwnd:
            self._expanded_for = window.cwnd
            self.buffer.expand(self.mss, window.cwnd, self.board.reordering)
        if self.buffer.writeable:
            self.waiting = False
            self._on_space()

    def give_up(self) -> None:
        """ETIMEDOUT: the other end does not answer."""
        self.failed = True
        self.timer.cancel()
        self._pace.cancel()
