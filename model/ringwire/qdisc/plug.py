"""plug: holds all packets back until a ``tc`` line releases them, one epoch at a time or for good.

After net/sched/sch_plug.c of Linux 6.12: made for output commit, where what a virtual machine sends may leave once its
state of that time is safe elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import XMIT_SUCCESS, Qdisc, psched_mtu
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb

BUFFER = 0
"""Begin a new epoch: put a plug behind what is queued."""
RELEASE_ONE = 1
"""Let go what came before the last plug."""
RELEASE_INDEFINITE = 2
"""Take all plugs out, until the next ``BUFFER``."""
LIMIT = 3


@dataclass(frozen=True, slots=True)
class PlugParams:
    """A command, None if the line has none; ``limit`` in bytes."""

    action: int | None = None
    limit: int = 0


class Plug(Qdisc[PlugParams]):
    """Made by a line with a command, it takes only the limit from it: no bytes at all unless the command is LIMIT."""

    kind: ClassVar[str] = "plug"
    params_type = PlugParams

    def setup(self) -> None:
        self._queue: deque[Skb] = deque()
        self._made = False
        self.limit = self.dev.tx_queue_len * psched_mtu(self.dev)
        self.released = False
        """For good."""
        self.throttled = True
        """Nothing more may go until a command says so."""
        self.current_epoch = 0
        """Packets behind the last plug."""
        self.last_epoch = 0
        """Packets between that plug and the one before."""
        self.to_release = 0
        """Packets at the head that may go."""

    def change(self, params: PlugParams) -> None:
        if not self._made:
            self._made = True
            if params.action is not None:
                self.limit = params.limit
        elif params.action == BUFFER:
            self.last_epoch, self.current_epoch = self.current_epoch, 0
            if self.released:
                self.throttled = True
            self.released = False
        elif params.action == RELEASE_ONE:
            self.to_release += self.last_epoch
            self.last_epoch = 0
            self._wake()
        elif params.action == RELEASE_INDEFINITE:
            self.released = True
            self.to_release = self.last_epoch = self.current_epoch = 0
            self._wake()
        elif params.action == LIMIT:
            self.limit = params.limit
        else:
            raise QdiscError("EINVAL")

    def _wake(self) -> None:
        self.throttled = False
        self.dev.schedule(self.root)

    def clear(self) -> None:
        while self._queue:
            self.dev.drop(self._queue.popleft())

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if self.backlog + skb.len > self.limit:
            return self.refuse(skb, to_free)
        if not self.released:
            self.current_epoch += 1
        self._queue.append(skb)
        self.qlen += 1
        self.backlog += skb.pkt_len
        return XMIT_SUCCESS

    def peek(self) -> Skb | None:
        """The first packet, even one that is held back."""
        return self.requeued[0] if self.requeued else self._queue[0] if self._queue else None

    def dequeue(self) -> Skb | None:
        if self.throttled:
            return None
        if not self.released:
            if not self.to_release:
                self.throttled = True
                return None
            self.to_release -= 1
        if not self._queue:
            return None
        skb = self._queue.popleft()
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.count_sent(skb)
        return skb
