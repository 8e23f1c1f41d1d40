"""What is sent and not acknowledged, and what is known of it (RFC 2018, RFC 6675; tcp_sacktag_write_queue of
Linux 6.12).

Packets as they were sent, up to a super-packet each, in order of sequence; one is split where a SACK block ends inside
it, or what may be sent again. A second order, by time of the last sending, is what RACK goes through. Counts are in
segments.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from operator import attrgetter

from ringwire.transport.packet import HEAD_TRUESIZE
from ringwire.transport.ranges import Ranges

SACKED = 1
LOST = 2
RETRANS = 4
"""Sent again, and not known to have got lost again."""
EVER_RETRANS = 8
"""Sent again at any time: its acknowledgement says nothing of the round trip (Karn)."""

_start = attrgetter("seq")


class Segment:
    """A packet of the retransmission queue: bytes [seq, end), in ``count`` segments."""

    __slots__ = (
        "count",
        "end",
        "in_host",
        "newer",
        "older",
        "sent_ns",
        "seq",
        "state",
        "timed",
        "truesize",
        "written_ns",
    )

    newer: Segment
    older: Segment

    def __init__(self, seq: int, end: int, count: int, written_ns: int) -> None:
        self.seq = seq
        self.end = end
        self.count = count
        self.state = 0
        self.truesize = HEAD_TRUESIZE + end - seq
        self.written_ns = written_ns
        """When the application wrote it."""
        self.sent_ns = 0
        """When it was last sent, or is to depart."""
        self.in_host = 0
        """Copies of it that have not left the host."""
        self.timed = False
        """Whether it is in the ring in order of sending, where ``newer`` and ``older`` are its neighbours."""
        self.newer = self.older = self

    def __repr__(self) -> str:
        names = ("sacked", "lost", "retransmitted", "once retransmitted")
        said = [name for bit, name in enumerate(names) if self.state >> bit & 1]
        return f"[{self.seq}, {self.end}) {', '.join(said)}"


class Acked:
    """What one acknowledgement has told; reused for the next one."""

    __slots__ = (
        "advanced",
        "data_acked",
        "delivered",
        "duplicate",
        "duplicate_sack",
        "first_sent_ns",
        "last_sent_ns",
        "retrans_acked",
        "sack_sent_ns",
        "sacked",
        "sacked_before",
        "truesize",
    )

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.advanced = False
        """It acknowledges more than the one before."""
        self.data_acked = 0
        """Segments acknowledged in order."""
        self.delivered = 0
        """... and those newly known to have arrived, in order or not."""
        self.sacked = False
        """A SACK block told something new."""
        self.sacked_before = 0
        """The end of the highest SACK block before."""
        self.retrans_acked = False
        self.duplicate = False
        """A duplicate acknowledgement: nothing new in it but, maybe, SACK blocks."""
        self.duplicate_sack = False
        """It reports that something came twice."""
        self.truesize = 0
        """Memory that is free again."""
        self.first_sent_ns = self.last_sent_ns = self.sack_sent_ns = -1
        """When the first and the last of the packets acknowledged were sent, and the last of those in SACK blocks; only
        those sent once."""


Delivered = Callable[[Segment], None]


class Scoreboard:
    """The retransmission queue of one connection."""

    def __init__(self, mss: int, una: int = 1) -> None:
        self.mss = mss
        self.una = una
        """All before it is acknowledged."""
        self.packets_out = self.sacked_out = self.lost_out = self.retrans_out = 0
        self.highest_sacked = una
        """End of the highest SACK block so far."""
        self.reordering = 3
        """How far out of order packets were seen to arrive, in segments (DupThresh)."""
        self.reordered = False
        """... at all, so far."""
        self.segments: list[Segment] = []
        self._by_time = Segment(0, 0, 0, 0)
        """Head of the ring in order of sending: ``newer`` of it is the oldest. Neither sacked nor lost ones."""
        self._known = Ranges()
        """What SACK blocks have told: most say the same again."""
        self.lost_hint = una
        """No packet before it waits to be sent again."""

    @property
    def in_flight(self) -> int:
        """Segments believed to be in the network."""
        return self.packets_out - self.sacked_out - self.lost_out + self.retrans_out

    @property
    def truesize(self) -> int:
        return sum(segment.truesize for segment in self.segments)

    # -- sending

    def sent(self, segment: Segment, now_ns: int) -> None:
        """A new packet, the next in order, has been sent."""
        segment.sent_ns = now_ns
        self.segments.append(segment)
        self.packets_out += segment.count
        self._append_by_time(segment)

    def resent(self, segment: Segment, now_ns: int) -> None:
        """A packet has been sent again; if it was not lost, as a probe, which counts as in flight once."""
        if segment.state & LOST:
            segment.state |= RETRANS
            self.retrans_out += segment.count
        segment.state |= EVER_RETRANS
        segment.sent_ns = now_ns
        self._remove_by_time(segment)
        self._append_by_time(segment)

    def split(self, segment: Segment, at: int) -> Segment:
        """Make the bytes from ``at`` on a packet of their own, which it returns; memory grows by its head."""
        rest = Segment(at, segment.end, -(-(segment.end - at) // self.mss), segment.written_ns)
        rest.state, rest.sent_ns = segment.state, segment.sent_ns
        before = segment.count
        segment.end = at
        segment.count = -(-(at - segment.seq) // self.mss)
        segment.truesize = HEAD_TRUESIZE + at - segment.seq
        more = segment.count + rest.count - before
        if more:  # the cut was not at a segment's end
            self._count(segment.state, more)
        self.segments.insert(bisect_right(self.segments, segment.seq, key=_start), rest)
        if segment.timed:
            rest.timed = True
            rest.older, rest.newer = segment, segment.newer
            segment.newer.older = rest
            segment.newer = rest
        return rest

    # -- what acknowledgements tell

    def acknowledge(self, ack: int, found: Acked, delivered: Delivered) -> None:
        """All before ``ack`` has arrived; ``delivered`` is told of each packet of which that was not known."""
        segments, mss = self.segments, self.mss
        done = 0
        reordered_from = 0
        for segment in segments:
            if segment.end <= ack:
                count, whole = segment.count, True
                found.truesize += segment.truesize
            elif segment.seq < ack:
                whole = False
                left = segment.end - ack
                count = segment.count - -(-left // mss)
                found.truesize += ack - segment.seq
                segment.truesize -= ack - segment.seq
            else:
                break
            state = segment.state
            if state & EVER_RETRANS:
                found.retrans_acked = True
            elif not state & SACKED:
                found.last_sent_ns = segment.sent_ns
                if found.first_sent_ns < 0:
                    found.first_sent_ns = segment.sent_ns
                if not reordered_from:
                    reordered_from = segment.seq
            if state & RETRANS:
                self.retrans_out -= count
            if state & SACKED:
                self.sacked_out -= count
            else:
                found.delivered += count
                delivered(segment)
            if state & LOST:
                self.lost_out -= count
            self.packets_out -= count
            found.data_acked += count
            if not whole:
                segment.seq = ack
                segment.count -= count
                break
            self._remove_by_time(segment)
            done += 1
        if done:
            del segments[:done]
        if ack > self.una:
            self.una = ack
            found.advanced = True
        if reordered_from and reordered_from < found.sacked_before:
            self._note_reordering(reordered_from)  # a hole was filled by what came late
        if self._known:
            self._known.advance(ack)
        if self.highest_sacked < ack:
            self.highest_sacked = ack

    def sack(self, blocks: tuple[tuple[int, int], ...], ack: int, found: Acked, delivered: Delivered) -> int:
        """Take SACK blocks, before :meth:`acknowledge`; how much the memory grew by splitting."""
        found.sacked_before = self.highest_sacked
        first = blocks[0]
        if first[0] < ack or (len(blocks) > 1 and blocks[1][0] <= first[0] and first[1] <= blocks[1][1]):
            found.duplicate_sack = True
            blocks = blocks[1:]
        grown = 0
        limit = self.segments[-1].end if self.segments else 0
        for block in blocks:
            start, end = block
            if start >= end or end > limit or end <= ack:
                continue  # of old data, or nonsense
            start = max(start, ack)
            for fresh_start, fresh_end in self._known.missing(start, end):
                grown += self._sack_range(fresh_start, fresh_end, found, delivered)
            self._known.add(start, end)
        return grown

    def _sack_range(self, start: int, end: int, found: Acked, delivered: Delivered) -> int:
        segments, grown, lowest = self.segments, 0, 0
        at = max(bisect_right(segments, start, key=_start) - 1, 0)
        before = self.highest_sacked
        while at < len(segments) and segments[at].seq < end:
            segment = segments[at]
            at += 1
            if segment.end <= start or segment.state & SACKED:
                continue
            if segment.seq < start:
                self.split(segment, start)
                grown += HEAD_TRUESIZE
                continue  # with the second part
            if segment.end > end:
                self.split(segment, end)
                grown += HEAD_TRUESIZE
            state, count = segment.state, segment.count
            if state & RETRANS:
                self.retrans_out -= count
            if state & LOST:
                self.lost_out -= count
            if not state & EVER_RETRANS:
                if not lowest and segment.end <= before:
                    lowest = segment.seq
                found.sack_sent_ns = max(found.sack_sent_ns, segment.sent_ns)
            segment.state = state & EVER_RETRANS | SACKED
            self.sacked_out += count
            found.sacked = True
            found.delivered += count
            self._remove_by_time(segment)
            delivered(segment)
            if segment.end > self.highest_sacked:
                self.highest_sacked = segment.end
        if lowest:
            self._note_reordering(lowest)
        return grown

    def _note_reordering(self, seq: int) -> None:
        """A packet that was sent once has come after others sent behind it (tcp_check_sack_reordering)."""
        distance = -(-(self.highest_sacked - seq) // self.mss)
        if distance > self.reordering:
            self.reordering = min(distance, 300)
        self.reordered = True

    # -- losses

    def mark_lost(self, segment: Segment) -> bool:
        """It is believed to be lost, or lost again; whether that is news."""
        state = segment.state
        if state & SACKED:
            return False
        self._remove_by_time(segment)
        if segment.seq < self.lost_hint:
            self.lost_hint = segment.seq
        if state & LOST:
            if state & RETRANS:
                segment.state &= ~RETRANS
                self.retrans_out -= segment.count
                return True
            return False
        segment.state = state | LOST
        self.lost_out += segment.count
        return True

    def oldest_first(self) -> Iterator[Segment]:
        """Packets neither sacked nor lost and waiting, in order of their last sending; the current one may go."""
        head = self._by_time
        segment = head.newer
        while segment is not head:
            following = segment.newer
            yield segment
            segment = following

    def lost(self) -> Iterator[Segment]:
        """Packets to send again, in order; the current one may be split, and is sent before the next is asked for."""
        segments = self.segments
        at = bisect_left(segments, self.lost_hint, key=_start)
        while at < len(segments):
            segment = segments[at]
            at += 1
            if segment.state & (LOST | RETRANS | SACKED) == LOST:
                self.lost_hint = segment.seq
                yield segment
        self.lost_hint = segments[-1].end if segments else self.una

    def _count(self, state: int, more: int) -> None:
        self.packets_out += more
        if state & SACKED:
            self.sacked_out += more
        if state & LOST:
            self.lost_out += more
        if state & RETRANS:
            self.retrans_out += more

    def _append_by_time(self, segment: Segment) -> None:
        head = self._by_time
        last = head.older
        segment.older, segment.newer = last, head
        last.newer = head.older = segment
        segment.timed = True

    def _remove_by_time(self, segment: Segment) -> None:
        if segment.timed:
            segment.older.newer, segment.newer.older = segment.newer, segment.older
            segment.timed = False
            # not itself: a cycle would wait for the garbage collector
            segment.newer = segment.older = self._by_time
