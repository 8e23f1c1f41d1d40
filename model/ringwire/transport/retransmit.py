"""The retransmission timer: timeout, tail loss probe, RACK's second look, and a try when the host itself had no room.

One timer, of which the kind changes, as in Linux 6.12 (icsk_pending): a probe (RFC 8985, section 7) comes before the
timeout (RFC 6298) where the tail of what was sent may be lost; RACK's look comes before both.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from ringwire.transport.recovery import State
from ringwire.transport.rtt import RTO_INIT_US
from ringwire.transport.timers import Timer

if TYPE_CHECKING:
    from ringwire.transport.sender import Sender

RETRIES = 15
"""sysctl net.ipv4.tcp_retries2."""
RESOURCE_PROBE_NS = 500_000_000
"""TCP_RESOURCE_PROBE_INTERVAL: how soon to try again what the host had no room for."""
TIMEOUT_MIN_US = 2_000
"""TCP_TIMEOUT_MIN_US: two jiffies."""


class Kind(IntEnum):
    """What the timer is for."""

    NONE = 0
    TIMEOUT = 1
    PROBE = 2
    """Of a tail loss."""
    REORDER = 3
    """RACK looks again."""
    STARVED = 4
    """Nothing is in flight, for the host has dropped it."""


class RetransmitTimer:
    """One connection's."""

    __slots__ = ("_kind", "_sender", "_timer", "probes", "retries")

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._timer = Timer(sender.host, self._expire)
        self._kind = Kind.NONE
        self.retries = 0
        """Timeouts since data was last acknowledged."""
        self.probes = 0

    @property
    def kind(self) -> Kind:
        return self._kind

    @property
    def due_ns(self) -> int | None:
        return self._timer.due_ns

    def cancel(self) -> None:
        self._kind = Kind.NONE
        self._timer.cancel()

    def _set(self, kind: Kind, due_ns: int) -> None:
        self._kind = kind
        self._timer.set(due_ns)

    # -- what happens to the sender

    def first_sent(self, now_ns: int) -> None:
        """A packet was sent while nothing was in flight."""
        self._set(Kind.TIMEOUT, now_ns + self._sender.rtt.rto_us * 1000)

    def sent(self, now_ns: int) -> None:
        """New data was sent: the tail is another one."""
        if self._kind != Kind.REORDER:
            self._set_probe(now_ns, self._timeout_ns())

    def acknowledged(self, now_ns: int) -> None:
        """Something has arrived: time counts anew."""
        if not self._sender.board.packets_out:
            self.cancel()
        elif not self._set_probe(now_ns, now_ns + self._sender.rtt.rto_us * 1000):
            self._set(Kind.TIMEOUT, now_ns + self._sender.rtt.rto_us * 1000)

    def rearm(self, now_ns: int) -> None:
        """The first packet was sent again."""
        if self._kind != Kind.REORDER:
            self._set(Kind.TIMEOUT, now_ns + self._sender.rtt.rto_us * 1000)

    def progressed(self) -> None:
        self.retries = 0

    def look_again(self, due_ns: int) -> None:
        self._set(Kind.REORDER, due_ns + TIMEOUT_MIN_US * 1000)

    def starve(self, now_ns: int) -> None:
        """There is data to send, nothing in flight whose acknowledgement would bring it on, and the host took none."""
        if self._kind == Kind.NONE:
            self._set(Kind.STARVED, now_ns + RESOURCE_PROBE_NS)

    # -- when to expire

    def _timeout_ns(self) -> int:
        """When the first packet times out."""
        sender = self._sender
        return sender.board.segments[0].sent_ns + sender.rtt.rto_us * 1000

    def _set_probe(self, now_ns: int, timeout_ns: int) -> bool:
        """tcp_schedule_loss_probe: two round trips from now, and more if the receiver may wait for a second packet."""
        sender = self._sender
        board, rtt, state = sender.board, sender.rtt, sender.recovery.state
        if not board.packets_out or board.sacked_out or not (state == State.OPEN or state == State.CWR):
            return False
        if rtt.srtt_shl3:
            wait_us = (rtt.srtt_shl3 >> 2) + (rtt.rto_min_us if board.packets_out == 1 else TIMEOUT_MIN_US)
        else:
            wait_us = RTO_INIT_US
        due_ns = now_ns + wait_us * 1000
        if timeout_ns > now_ns:
            due_ns = min(due_ns, timeout_ns)
        self._set(Kind.PROBE, due_ns)
        return True

    def _set_timeout(self, now_ns: int) -> None:
        """tcp_rearm_rto after another kind: the timeout counts from when the first packet was sent."""
        if self._sender.board.packets_out:
            self._set(Kind.TIMEOUT, max(self._timeout_ns(), now_ns + 1))

    # -- what is done then

    def _expire(self) -> None:
        kind, self._kind = self._kind, Kind.NONE
        sender = self._sender
        now_ns = sender.rack.now_ns = sender.host.now_ns()
        if kind == Kind.STARVED:
            sender.transmit()
        elif not sender.board.packets_out:
            return
        elif kind == Kind.TIMEOUT:
            self._time_out(now_ns)
        elif kind == Kind.PROBE:
            self._probe(now_ns)
        elif kind == Kind.REORDER:
            lost, again_ns = sender.rack.mark(sender.recovery.state >= State.RECOVERY)
            if lost:
                sender.recovery.overdue(lost)
                sender.retransmit_lost()
            if again_ns:
                self.look_again(again_ns)
            elif self._kind != Kind.TIMEOUT:
                self._set_timeout(now_ns)

    def _time_out(self, now_ns: int) -> None:
        """tcp_retransmit_timer."""
        sender = self._sender
        if self.retries >= RETRIES:
            sender.give_up()
            return
        sender.recovery.timed_out(again=self.retries > 0)
        self.retries += 1
        drops = sender.local_drops
        sender.retransmit(sender.board.segments[0], 1, now_ns)
        if sender.local_drops > drops:
            self._set(Kind.TIMEOUT, now_ns + RESOURCE_PROBE_NS)
            return
        sender.rtt.backoff += 1
        self._set(Kind.TIMEOUT, now_ns + sender.rtt.rto_us * 1000)

    def _probe(self, now_ns: int) -> None:
        """tcp_send_loss_probe: new data if there is any, else the last segment again."""
        sender = self._sender
        board, recovery = sender.board, sender.recovery
        if not recovery.probe_end:
            if sender.transmit(probe=True):
                self.probes += 1
                recovery.probed(retransmitted=False)
            else:
                last = board.segments[-1]
                if not last.in_host and last.count > 1:
                    sender.split_last()
                    last = board.segments[-1]
                if sender.retransmit(last, 1, now_ns):
                    self.probes += 1
                    recovery.probed(retransmitted=True)
        self._set_timeout(now_ns)
