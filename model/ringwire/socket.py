"""A sender behind a socket's send buffer: writes wait for room, and room comes back as packets leave.

The buffer counts ``Skb.truesize`` from the write to the packet's end (sent and completed, or dropped), as Linux's
sk_wmem_alloc does; a writer that had to wait goes on when less than half of it is in use (sock_writeable,
net/core/sock.c of Linux 6.12). So a source is drained as fast as the device takes it, and nothing is lost here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from ringwire.netdev.device import Clock, NetDevice
from ringwire.netdev.xmit import dev_queue_xmit
from ringwire.qdisc.base import XMIT_CN, XMIT_SUCCESS
from ringwire.skb import Skb, linear_truesize

WMEM_DEFAULT = 212_992
"""Bytes of a socket's send buffer (sysctl net.core.wmem_default)."""
SNDBUF_MIN = 4608
"""Linux takes less for this (SOCK_MIN_SNDBUF)."""


class Socket:
    """Feeds packets to a device as fast as its send buffer allows.

    ``sndbuf`` in bytes of truesize. Packets without a truesize get that of one linear buffer; ``priority``, if
    given, overrides theirs (SO_PRIORITY). ``clock`` is that of the CPU which the sender runs on, the device's by
    default; each write is charged ``syscall_ns`` there. After ``batch`` writes in a row other work may go first.
    The packets' ``destructor`` is the socket's; ``on_free`` is told of each packet that ends.
    """

    def __init__(
        self,
        dev: NetDevice,
        sndbuf: int = WMEM_DEFAULT,
        *,
        priority: int | None = None,
        clock: Clock | None = None,
        syscall_ns: int = 0,
        batch: int = 64,
        on_free: Callable[[Skb], None] | None = None,
    ) -> None:
        if batch < 1:
            raise ValueError(f"a batch is at least one write, not {batch}")
        self.dev = dev
        self.sndbuf = max(sndbuf, SNDBUF_MIN)
        self.priority = priority
        self.syscall_ns = syscall_ns
        self.batch = batch
        self.on_free = on_free
        self.wmem = 0
        """Bytes of truesize in the send buffer, the qdisc and the ring together."""
        self.packets = 0
        """Packets written."""
        self.bytes = 0
        self.dropped = 0
        """Packets that a write found refused below (a full qdisc)."""
        self.waits = 0
        """Times the writer had to wait."""

        self._clock: Clock = dev.clock if clock is None else clock
        self._sources: deque[tuple[Iterator[Skb], Callable[[], None] | None]] = deque()
        self._waiting = False
        self._scheduled = False
        self._destructor = self._free

    @property
    def idle(self) -> bool:
        """Whether all sources are exhausted; packets may still be on their way."""
        return not self._sources

    def send(self, source: Iterable[Skb] | Callable[[], Skb | None], on_done: Callable[[], None] | None = None) -> None:
        """Write all packets of a source, an iterable or a function that gives None at the end.

        Returns at once: the writes are a job of the clock's. Sources follow each other in order of the calls;
        ``on_done`` is called when this one's last packet has been written.
        """
        packets = iter(source, None) if callable(source) else iter(source)
        self._sources.append((packets, on_done))
        self._resume()

    def _resume(self) -> None:
        if not self._scheduled and not self._waiting:
            self._scheduled = True
            self._clock.call_at(self._clock.now_ns(), self._write)

    def _write(self) -> None:
        self._scheduled = False
        dev, sndbuf, priority, syscall_ns = self.dev, self.sndbuf, self.priority, self.syscall_ns
        for _ in range(self.batch):
            if not self._sources:
                return
            if self.wmem >= sndbuf:
                self._waiting = True
                self.waits += 1
                return
            source, on_done = self._sources[0]
            skb = next(source, None)
            if skb is None:
                self._sources.popleft()
                if on_done is not None:
                    on_done()
                continue
            if not skb.truesize:
                skb.truesize = linear_truesize(skb.len)
            if priority is not None:
                skb.priority = priority
            if syscall_ns:
                dev.charge(syscall_ns)
            skb.destructor = self._destructor
            self.wmem += skb.truesize
            self.packets += 1
            self.bytes += skb.len
            if dev_queue_xmit(skb, dev) not in (XMIT_SUCCESS, XMIT_CN):
                self.dropped += 1
        self._resume()

    def _free(self, skb: Skb) -> None:
        """A packet has ended: its room is free, and a waiting writer goes on once half of the buffer is."""
        self.wmem -= skb.truesize
        if self.on_free is not None:
            self.on_free(skb)
        if self._waiting and self.wmem < self.sndbuf >> 1:
            self._waiting = False
            self._resume()
